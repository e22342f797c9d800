//! The sandbox of a child that a driver has started. What it refuses is tried in tests/sandbox.rs.

use super::node::{Node, config};
use arwen::driver::Sandbox;
use std::os::unix::fs::PermissionsExt as _;

const COUNTER: &str = include_str!("../../contracts/counter.wat");

/// Deploys and calls a contract in a child that is started with this mode. Returns what the system says of the child.
fn status(mode: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("arwen");
    let child = env!("CARGO_BIN_EXE_arwen");
    let script = format!("#!/bin/sh\nARWEN_SANDBOX={mode} exec '{child}'\n");
    std::fs::write(&path, script).expect("a file");
    let executable = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&path, executable).expect("a file of ours");
    let mut config = config();
    config.binary = Some(path);
    let mut node = Node::with_contract(config, COUNTER);
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
    let id = node.driver.child_id().expect("it lives");
    std::fs::read_to_string(format!("/proc/{id}/status")).expect("it lives")
}

/// The same contract runs with and without; a mode that is not given is the best effort.
#[test]
fn a_child_is_restricted_unless_it_is_told_otherwise() {
    for mode in ["", "best-effort", "required"] {
        let status = status(mode);
        assert!(status.contains("NoNewPrivs:\t1\n"), "{mode}: {status}");
        assert!(status.contains("Seccomp:\t2\n"), "{mode}: {status}");
        assert!(status.contains("Seccomp_filters:\t1\n"), "{mode}: {status}");
    }
    let status = status("off");
    assert!(status.contains("NoNewPrivs:\t0\n"), "{status}");
    assert!(status.contains("Seccomp:\t0\n"), "{status}");
}

#[test]
fn a_driver_sets_the_sandbox_of_its_children() {
    for (sandbox, seccomp) in [(Sandbox::Required, 2), (Sandbox::Off, 0)] {
        let mut node = Node::with_contract(config().sandbox(sandbox), COUNTER);
        assert_eq!(node.call("increment").return_data, [&[1][..]]);
        let id = node.driver.child_id().expect("it lives");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it lives");
        assert!(
            status.contains(&format!("Seccomp:\t{seccomp}\n")),
            "{status}"
        );
    }
}

#[test]
fn every_thread_of_a_child_is_restricted() {
    let mut node = Node::with_contract(config(), COUNTER);
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
    let id = node.driver.child_id().expect("it lives");
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).expect("it lives");
    let mut seen = 0;
    for thread in threads {
        let path = thread.expect("it lives").path().join("status");
        // A thread may have ended meanwhile.
        let Ok(status) = std::fs::read_to_string(&path) else {
            continue;
        };
        assert!(status.contains("Seccomp:\t2\n"), "{status}");
        seen += 1;
    }
    assert!(seen > 1, "{seen}");
}
