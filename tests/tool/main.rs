//! Drives the real `arwendebug`, a command a file.
#![cfg(feature = "tool")]

mod client;
mod guide;
mod inspect;
mod manual;
mod page;
mod processes;
mod refusals;
mod replay;
mod scenario;
mod server;
mod trace;
mod world;

use std::path::Path;
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// A folder with files of these contents.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, contents) in files {
        std::fs::write(folder.path().join(name), contents).expect("written");
    }
    folder
}

/// The tool with these arguments, in a folder.
fn tool(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arwendebug"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("ARWEN_PATH")
        .env("ARWEN_MODULE_CACHE", "");
    command
}

/// What the tool prints if it succeeds.
#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = tool(folder, arguments).output().expect("it runs");
    let (told, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        (output.status.code(), error.as_str()),
        (Some(0), ""),
        "{arguments:?}: {told}"
    );
    told
}

/// The output of a command that was given bad input: one line on stderr, with this in it, and nothing else.
#[track_caller]
fn is_refused(output: &Output, expected: &str) {
    let error = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(2), String::new()),
        "{error}"
    );
    assert!(
        error.starts_with("arwendebug: ") && error.contains(expected),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[track_caller]
fn refuses(folder: &Path, arguments: &[&str], expected: &str) {
    is_refused(
        &tool(folder, arguments).output().expect("it runs"),
        expected,
    );
}

/// The JSON that is printed, with the exit code.
#[track_caller]
fn json(folder: &Path, arguments: &[&str]) -> (serde_json::Value, Option<i32>) {
    let arguments = [arguments, &["--json"]].concat();
    let output = tool(folder, &arguments).output().expect("it runs");
    let json = serde_json::from_slice(&output.stdout);
    (
        json.unwrap_or_else(|_| panic!("{arguments:?}: {output:?}")),
        output.status.code(),
    )
}
