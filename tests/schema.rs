//! Adding to the protocol touches one place: the schema.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What the copy of the project is checked with: a field and two kinds that only its schema knows. (A hook call
/// needs an answer in the driver besides, and the compiler asks for it.)
const CHECK: &str = r###"
use arwen::internal::codec::{self, Format};
use arwen::messages::{
    BlockchainGetShardOfAddressResponse, DiagnoseEchoRequest, DiagnoseEchoResponse, Message, MessageKind,
    Request, Role,
};

#[test]
fn the_field_travels_in_both_formats() {
    for format in [Format::Json, Format::Protobuf] {
        let message = BlockchainGetShardOfAddressResponse { shard: 2, note: "seen".to_owned() };
        let mut frame = Vec::new();
        codec::encode(format, 7, "", &message, &mut frame).unwrap();
        if format == Format::Json {
            let expected = r##"{"DialogueNonce":7,"Kind":43,"ErrorMessage":"","Shard":2,"Note":"seen"}"##;
            assert_eq!(String::from_utf8_lossy(&frame[8..]), expected);
        }
        let (_, decoded) = codec::decode(format, 43, frame.split_off(8)).unwrap();
        assert_eq!(decoded, Message::BlockchainGetShardOfAddressResponse(message));
    }
}

#[test]
fn the_kinds_are_a_request_and_its_response() {
    fn answer<R: Request<Response = DiagnoseEchoResponse>>(_: &R) -> MessageKind {
        MessageKind::DiagnoseEchoResponse
    }
    let request = DiagnoseEchoRequest { address: "a".into() };
    assert_eq!(MessageKind::from_wire(50).unwrap().role(), Some(Role::Request(answer(&request))));
    assert_eq!(MessageKind::from_wire(51).unwrap().role(), Some(Role::Response));
    let (_, decoded) = codec::decode(Format::Json, 50, &br#"{"Address":"YQ=="}"#[..]).unwrap();
    assert_eq!(decoded, Message::DiagnoseEchoRequest(request));
}
"###;

#[test]
fn a_new_field_and_new_kinds_are_only_written_into_the_schema() {
    let copy = copy_of_the_project();
    insert(
        &copy.join("proto/arwen/v1/blockchain.proto"),
        "  uint32 shard = 4;\n",
        "  string note = 5;\n",
    );
    insert(
        &copy.join("proto/arwen/v1/blockchain.proto"),
        "import \"arwen/v1/types.proto\";\n",
        "message DiagnoseEchoRequest { bytes address = 4; }\n\
         message DiagnoseEchoResponse { string note = 4; }\n",
    );
    insert(
        &copy.join("proto/arwen/v1/kind.proto"),
        "    LastKind = 49;\n",
        "    DiagnoseEchoRequest = 50;\n    DiagnoseEchoResponse = 51;\n",
    );
    write(&copy.join("tests/addition.rs"), CHECK);

    let (target, profile) = target_and_profile();
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--offline", "--no-default-features"])
        .args(["--features", &features()])
        .args(["--test", "addition", "--profile", &profile])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(&copy)
        .output()
        .expect("cargo starts");
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success() && told.contains("2 passed"),
        "{told}"
    );
    let lines = told.lines().map(str::trim_start);
    let compiled = lines.filter(|line| line.starts_with("Compiling ")).count();
    assert_eq!(compiled, 1, "only the copy is to be compiled: {told}");
}

/// What this test was built with, so that all dependencies of the copy are there. The VM itself is left out of the copy,
/// see [`NOT_COPIED`].
fn features() -> String {
    let features = [
        ("protobuf", cfg!(feature = "protobuf")),
        ("interpreter", cfg!(feature = "interpreter")),
        ("record", cfg!(feature = "record")),
        ("dependencies-of-vm", cfg!(feature = "vm")),
        ("dependencies-of-tool", cfg!(feature = "tool")),
    ];
    let on = features.iter().filter(|(_, on)| *on);
    on.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

/// Features whose code is not part of the copy. There they only bring their dependencies, since those decide what features
/// other dependencies are compiled with.
const NOT_COPIED: [&str; 2] = ["vm", "tool"];

/// Where cargo built this test, and with which profile: there the dependencies are already built.
fn target_and_profile() -> (PathBuf, String) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("it is target/tmp");
    let this = env::current_exe().expect("this program has a path");
    let directory = this.ancestors().nth(2).and_then(Path::file_name);
    let profile = match directory.and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    (target.to_owned(), profile.to_owned())
}

/// A copy of what the library is built from, but for the VM. Its place is the same every time, so that its builds take
/// the place of each other.
fn copy_of_the_project() -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut hasher = DefaultHasher::new();
    project.hash(&mut hasher);
    let name = format!("schema-{:016x}", hasher.finish());
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if copy.exists() {
        fs::remove_dir_all(&copy).expect("the old copy can be removed");
    }
    for part in ["Cargo.lock", "build.rs", "build", "proto", "src"] {
        copy_all(&project.join(part), &copy.join(part));
    }
    // Its programs would take the place of ours in the target directory, where other tests start them.
    fs::remove_dir_all(copy.join("src/bin")).expect("the programs are in src/bin");
    if cfg!(feature = "vm") {
        // Without the VM itself, but with what else has to do with messages.
        for file in [
            "src/lib.rs",
            "src/logs/mod.rs",
            "src/machine.rs",
            "src/messages/ahead.rs",
            "src/messages/mod.rs",
            "src/messages/json/mod.rs",
            "src/messages/storage_fields.rs",
        ] {
            let text = fs::read_to_string(copy.join(file)).expect("a file of the library");
            assert!(text.contains(ONLY_WITH_VM), "{file}: {text}");
            write(&copy.join(file), &text.replace(ONLY_WITH_VM, ""));
        }
    }
    write(&copy.join("Cargo.toml"), &manifest(project));
    copy
}

/// How the library marks what a node does without.
const ONLY_WITH_VM: &str = "#[cfg(any(feature = \"vm\", fuzzing, test))]\n";

/// The manifest, as a workspace of its own and without the sections of targets that are not copied.
///
/// The dependencies have the features that they have for this test, or they would be compiled again. The copy itself is
/// compiled as fast as can be: the VM is not part of it, and nothing is optimised.
fn manifest(project: &Path) -> String {
    let manifest = fs::read_to_string(project.join("Cargo.toml")).expect("there is a manifest");
    let mut copied = true;
    let mut kept = String::from("[workspace]\n");
    for line in manifest.lines() {
        if line.starts_with('[') {
            copied = ![
                "[[bin]]",
                "[[bench]]",
                "[[test]]",
                "[[example]]",
                "[workspace]",
                "[profile.release.package.arwen]",
            ]
            .contains(&line);
        }
        // To cargo a package of the same name and version is the same one: it would not build ours again.
        let line = match line.starts_with("version = ") {
            true => "version = \"0.0.0-copy\"",
            false => line,
        };
        if copied {
            kept += line;
            kept.push('\n');
        }
    }
    let kept = NOT_COPIED.iter().fold(kept, |kept, feature| {
        let kept = kept.replace(
            &format!("\n{feature} = ["),
            &format!("\ndependencies-of-{feature} = ["),
        );
        kept.replace(
            &format!("\"{feature}\""),
            &format!("\"dependencies-of-{feature}\""),
        )
    });
    kept + "[profile.release.package.arwen]\nopt-level = 0\ndebug = false\n"
}

fn copy_all(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().expect("it is in the copy")).expect("a new directory");
        fs::copy(from, to).expect("a copy");
        return;
    }
    for entry in fs::read_dir(from).expect("a readable directory") {
        let name = entry.expect("a readable directory").file_name();
        copy_all(&from.join(&name), &to.join(&name));
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is in the copy")).expect("a new directory");
    fs::write(path, text).expect("a new file");
}

/// Inserts a line behind another one.
fn insert(path: &Path, behind: &str, line: &str) {
    let text = fs::read_to_string(path).expect("a file of the copy");
    let (before, after) = text.split_once(behind).expect("the line is there");
    write(path, &format!("{before}{behind}{line}{after}"));
}
