//! wasmer and Cranelift take ten minutes to compile, so every command of the project has to use the same ones.

use crate::markdown::{blocks, root};
use crate::unit_graph::{Unit, UnitGraph, Variant};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The packages that must be compiled once.
const COMPILED_ONCE: [&str; 3] = ["wasmer", "cranelift", "libwild"];

/// What people type without being told.
const OTHERS: [&str; 3] = [
    "cargo build --release",
    "cargo build --release --bins --features protobuf",
    "cargo test --release --lib",
];

/// Subcommands of cargo that compile.
const COMPILING: [&str; 7] = ["bench", "build", "check", "clippy", "doc", "run", "test"];

/// The commands of the documents and of the gate that compile this package, without repetitions.
fn commands() -> BTreeSet<Vec<String>> {
    let mut lines: Vec<String> = OTHERS.map(str::to_owned).to_vec();
    for block in blocks() {
        if ["sh", "bash", "console"].contains(&block.language.as_str()) {
            lines.extend(block.text.lines().map(str::to_owned));
        }
    }
    let gate = fs::read_to_string(root().join(".ci/run")).expect("the gate");
    lines.extend(gate.lines().map(str::to_owned));
    lines.iter().flat_map(|line| compiling(line)).collect()
}

/// The commands in a line of shell that compile this package: subcommand and options.
fn compiling(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let parts = line.split(['&', '|', ';']);
    let commands = parts.filter_map(|part| {
        let mut words = part.split_whitespace().skip_while(|word| *word != "cargo");
        words.next()?;
        let words = words.take_while(|word| *word != "--");
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        let subcommand = words.first_mut()?;
        if !COMPILING.contains(&subcommand.as_str()) {
            return None;
        }
        // The same to cargo, but for which compiler is started.
        if subcommand == "clippy" {
            *subcommand = "check".to_owned();
        }
        // Other packages have a target directory of their own.
        let elsewhere = words.iter().any(|word| word == "--manifest-path");
        (!elsewhere).then_some(words)
    });
    commands.collect()
}

/// What two of the commands would compile apart: a unit and the two commands.
///
/// `key` is what the variants of a unit differ in. A command may want fewer of them than another one, as some packages
/// are compiled both for programs and for build scripts.
fn apart<'a, K: Ord>(
    graphs: &'a [(String, UnitGraph)],
    wanted: impl Fn(&Unit) -> bool,
    key: impl Fn(&'a Variant) -> K,
) -> Vec<(&'a Unit, &'a str, &'a str)> {
    let mut by_unit: BTreeMap<&Unit, Vec<(&str, BTreeSet<K>)>> = BTreeMap::new();
    for (command, graph) in graphs {
        for (unit, variants) in graph.0.iter().filter(|(unit, _)| wanted(unit)) {
            let keys = variants.iter().map(&key).collect();
            by_unit.entry(unit).or_default().push((command, keys));
        }
    }
    let mut faults = Vec::new();
    for (unit, commands) in by_unit {
        let most = commands.iter().max_by_key(|(_, keys)| keys.len());
        let (with_most, most) = most.expect("a unit is some command's");
        for (command, keys) in &commands {
            if !keys.is_subset(most) {
                faults.push((unit, *command, *with_most));
            }
        }
    }
    faults
}

/// The units of the packages that must be compiled once, and are not.
fn compiled_apart(graphs: &[(String, UnitGraph)]) -> Vec<String> {
    let faults = apart(graphs, is_compiled_once, |variant| variant.hash);
    let faults = faults.iter().map(|(unit, command, other)| {
        format!(
            "`{command}` compiles {} ({}) apart from `{other}`",
            unit.1, unit.2
        )
    });
    faults.collect()
}

/// The packages of others whose features differ between the commands that compile wasmer: one of them is the cause.
fn other_features(mut graphs: Vec<(String, UnitGraph)>) -> Vec<String> {
    graphs.retain(|(_, graph)| graph.0.keys().any(is_compiled_once));
    let of_others = |unit: &Unit| unit.0.starts_with("registry+");
    let faults = apart(&graphs, of_others, |variant| &variant.features);
    let faults = faults
        .iter()
        .map(|((package, ..), command, other)| format!("{package}: `{command}`, `{other}`"));
    faults.collect()
}

fn is_compiled_once((package, ..): &Unit) -> bool {
    let name = package.rsplit(['/', '#']).next().unwrap_or_default();
    COMPILED_ONCE.iter().any(|start| name.starts_with(start))
}

#[test]
fn all_commands_use_one_compiled_wasmer() {
    let commands = commands();
    let graphs: Vec<_> = commands
        .iter()
        .map(|words| (format!("cargo {}", words.join(" ")), UnitGraph::of(words)))
        .collect();
    let with_wasmer = graphs
        .iter()
        .filter(|(_, graph)| graph.0.keys().any(is_compiled_once))
        .count();
    // README's build and test, with protobuf and without, the benches and clippy.
    assert!(with_wasmer >= 6, "{commands:#?}");
    let faults = compiled_apart(&graphs);
    assert!(
        faults.is_empty(),
        "{faults:#?}\nother features: {:#?}",
        other_features(graphs)
    );
}

#[test]
fn what_is_compiled_apart_is_told() {
    let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let graph = |line: &str| (line.to_owned(), UnitGraph::of(&words(line)));
    // Another profile.
    let graphs = [graph("build --release --lib"), graph("build --lib")];
    let faults = compiled_apart(&graphs);
    assert!(faults.len() > 10, "{faults:#?}");
    assert_eq!(compiled_apart(&graphs[..1]), Vec::<String>::new());
}

#[test]
fn commands_are_found() {
    let found = |line| compiling(line);
    let words =
        |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    assert_eq!(
        found("ARWEN=x cargo build --release && target/x; cargo bench | tee y   # cargo test"),
        [words(&["build", "--release"]), words(&["bench"])]
    );
    assert_eq!(
        found("step cargo clippy --release --all-targets -- -D warnings"),
        [words(&["check", "--release", "--all-targets"])]
    );
    for line in [
        "cargo fmt --all",
        "cargo run --manifest-path fuzz/campaign/Cargo.toml",
        "cargo-fuzz build",
    ] {
        assert_eq!(found(line), Vec::<Vec<String>>::new());
    }
    let all = commands();
    assert!(all.contains(&words(&["test", "--release"])), "{all:#?}");
}
