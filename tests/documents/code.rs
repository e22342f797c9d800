//! Code in documents is code that runs: that of the crate's documentation as tests of `cargo test --doc`, that of the pages as
//! a part of an example, which runs here.

use crate::markdown::{add_files, blocks, root};
use std::fs;

/// Attributes of code in the crate's documentation with which it would not run.
const NOT_RUN: [&str; 4] = ["no_run", "ignore", "compile_fail", "should_panic"];

/// The examples, which run below.
const EXAMPLES: [&str; 3] = [
    "examples/minimal_node.rs",
    "examples/driver_only.rs",
    "examples/chain/mod.rs",
];

#[cfg(feature = "vm")]
#[test]
fn the_example_runs_against_a_child() {
    let mut told = Vec::new();
    crate::minimal_node::run(env!("CARGO_BIN_EXE_arwen").into(), &mut told).expect("it runs");
    let told = String::from_utf8(told).expect("text");
    let calls: Vec<_> = told.lines().collect();
    assert_eq!(calls.len(), 4, "{told}");
    for (line, value) in calls[1..].iter().zip(2..) {
        let returned = format!("increment: returned [b\"\\x{value:02x}\"]");
        assert!(line.starts_with(&returned), "{told}");
    }
}

/// A node without the VM takes few packages along.
#[test]
fn the_driver_alone_has_at_most_forty_packages() {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["tree", "--offline", "--no-default-features"])
        .args(["--edges", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).expect("text");
    // Name and version; marks may follow, one of them where a package is told again.
    let package = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let packages: std::collections::BTreeSet<_> = told.lines().map(package).collect();
    assert!((20..=40).contains(&packages.len()), "{packages:#?}");
}

/// As it is built without the VM, too, but with the child of this build.
#[cfg(feature = "vm")]
#[test]
fn the_driver_alone_runs_a_child_with_the_costs_of_a_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let contract = folder.path().join("counter.wasm");
    let code = wat::parse_file(root().join("tests/contracts/counter.wat")).expect("valid text");
    fs::write(&contract, code).expect("writable");
    let paths = [
        env!("CARGO_BIN_EXE_arwen").into(),
        root().join("docs/spec/gas_schedule.toml"),
        contract,
    ];
    let mut told = Vec::new();
    crate::driver_only::run(&paths, "increment", &mut told).expect("it runs");
    let told = String::from_utf8(told).expect("text");
    let expected = "deployed\nincrement: returned [b\"\\x02\"], used ";
    assert!(told.starts_with(expected), "{told}");
    assert!(told.contains(r#""name":"int64storageStore""#), "{told}");
    let error = crate::driver_only::run(&paths, "missing", Vec::new()).expect_err("no function");
    assert_eq!(
        error.to_string(),
        "function not found: invalid function (not found)"
    );
}

#[test]
fn code_of_the_pages_is_part_of_an_example() {
    let examples = EXAMPLES.map(|example| {
        let text = fs::read_to_string(root().join(example)).expect("an example");
        without_indents(&text)
    });
    let mut found = 0;
    for block in blocks() {
        if block.language.split(',').any(|word| word == "rust") {
            let text = without_indents(&block.text);
            assert!(
                examples.iter().any(|example| example.contains(&text)),
                "{}: in no example:\n{text}",
                block.file
            );
            found += 1;
        }
    }
    assert!(found > 0, "the README shows no code");
}

#[test]
fn code_of_the_crate_is_run_by_its_documentation_tests() {
    let mut files = Vec::new();
    add_files(&root().join("src"), &["rs"], true, &mut files);
    for file in &files {
        let text = fs::read_to_string(root().join(file)).expect("a source file");
        for line in text.lines() {
            let comment = line.trim_start();
            let fence = comment
                .strip_prefix("//!")
                .or_else(|| comment.strip_prefix("///"))
                .and_then(|comment| comment.trim_start().strip_prefix("```"));
            let not_run = |fence: &str| NOT_RUN.iter().any(|word| fence.contains(word));
            assert!(!fence.is_some_and(not_run), "{file}: {line}");
        }
    }
    assert!(files.len() > 100, "only {} files were found", files.len());
}

/// Code in a page stands further left than in its function.
fn without_indents(text: &str) -> String {
    text.lines()
        .map(|line| line.trim().to_owned() + "\n")
        .collect()
}
