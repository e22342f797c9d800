//! What the campaign says on a machine that can't fuzz.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// The last words of a campaign on a machine that has these programs, and no others.
fn says(programs: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for name in programs {
        let path = folder.path().join(name);
        fs::write(&path, "#!/bin/sh\nexit 0\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("possible");
    }
    let mut campaign = Command::new(env!("CARGO_BIN_EXE_campaign"));
    let campaign = campaign
        .args(["--seconds", "1", "--no-totals"])
        .env("PATH", folder.path());
    let output = campaign.output().expect("it runs");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn what_is_missing_is_named_with_the_way_to_install_it() {
    for (programs, command) in [
        (&[][..], "rustup toolchain install nightly"),
        (&["rustc"], "cargo install cargo-fuzz"),
        (&["rustc", "cargo"], "install g++"),
    ] {
        let text = says(programs);
        assert!(text.contains(command), "{text}");
    }
}
