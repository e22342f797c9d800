//! `arwendebug man` and `arwendebug completions`.

use super::{folder, refuses, root, succeeds, text, tool};
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn all_commands_have_pages() {
    let folder = folder(&[]);
    let folder = folder.path();
    assert_eq!(succeeds(folder, &["man", "--folder", "share/man1"]), "");
    let pages = fs::read_dir(folder.join("share/man1")).expect("a folder");
    let pages: BTreeSet<String> = pages
        .map(|page| {
            page.expect("a page")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    for name in [
        "arwen",
        "arwendebug",
        "arwendebug-run",
        "arwendebug-account-create",
    ] {
        assert!(pages.contains(&format!("{name}.1")), "{pages:?}");
    }
    // One for each command that --help lists.
    let help = succeeds(folder, &["--help"]);
    let commands = help.split_once("Commands:\n").expect("commands").1;
    let commands = commands.split_once("\n\n").expect("an end").0;
    let names = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> = names
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 10, "{help}");
    for name in names.iter().filter(|name| **name != "help") {
        assert!(
            pages.contains(&format!("arwendebug-{name}.1")),
            "{name}: {pages:?}"
        );
    }
}

#[test]
fn pages_have_options_and_examples() {
    let folder = folder(&[]);
    let folder = folder.path();
    succeeds(folder, &["man", "--folder", "share/man1"]);
    let page = fs::read_to_string(folder.join("share/man1/arwendebug-run.1")).expect("a page");
    for part in [
        ".TH arwendebug-run 1",
        r"\-\-gas\-limit",
        r"\-\-gas\-schedule",
        "Examples:",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let child = fs::read_to_string(folder.join("share/man1/arwen.1")).expect("a page");
    assert!(child.contains("ARWEN_MODULE_CACHE"), "{child}");
    assert_eq!(
        succeeds(folder, &["man"]),
        fs::read_to_string(folder.join("share/man1/arwendebug.1")).expect("a page")
    );
}

#[test]
fn pages_that_can_not_be_written_are_refused() {
    let folder = folder(&[("file", b"")]);
    refuses(
        folder.path(),
        &["man", "--folder", "file/man1"],
        "can't write file/man1: ",
    );
    let output = tool(folder.path(), &["completions", "csh"]).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("[possible values: bash,"));
}

/// What bash offers after these words.
fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let asked = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_arwendebug arwendebug \"{}\" \"{}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    let mut bash = Command::new("bash");
    let bash = bash.args(["--norc", "-c", &asked]).stdin(Stdio::null());
    let output = bash.output().expect("bash runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn shells_complete_commands_and_options() {
    let script = succeeds(root(), &["completions", "bash"]);
    assert_eq!(offered(&script, &["arwendebug", "comp"]), ["completions"]);
    assert_eq!(
        offered(&script, &["arwendebug", "run", "--gas-l"]),
        ["--gas-limit"]
    );
    for shell in ["zsh", "fish"] {
        let script = succeeds(root(), &["completions", shell]);
        assert!(script.contains("gas-limit"), "{shell}: {script}");
    }
}
