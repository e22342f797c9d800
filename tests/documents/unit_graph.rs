//! What cargo would compile for a command, without compiling it.

use crate::markdown::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;

/// One thing to compile: package, target and mode. Of these there is one in a whole target directory as long as every
/// command wants it with the same features, profile and dependencies.
pub type Unit = (String, String, String);

/// The units of a command, with all variants that it asks for.
#[derive(Debug, Default)]
pub struct UnitGraph(pub BTreeMap<Unit, Vec<Variant>>);

/// How a unit is compiled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// The features that are on.
    pub features: Vec<String>,
    /// A hash of everything that makes cargo compile it apart: features, profile, dependencies.
    pub hash: u64,
}

impl UnitGraph {
    /// Asks cargo. `arguments` begin with the subcommand.
    pub fn of(arguments: &[String]) -> UnitGraph {
        let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
        // What a compiler that takes unstable options says of itself must not end up in the target directory.
        let elsewhere = tempfile::tempdir().expect("a directory");
        // A program is compiled for `run` as for `build`, and cargo can't tell the units of the former; nothing goes to it.
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let arguments = match &arguments[..] {
            ["run", rest @ ..] => [&["build"], rest].concat(),
            other => other.to_vec(),
        };
        let output = Command::new(cargo)
            .args(&arguments)
            .args(["--offline", "-Z", "unstable-options", "--unit-graph"])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", elsewhere.path())
            .current_dir(root())
            .output()
            .expect("cargo starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        let graph: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(graph["version"].as_u64(), Some(1), "another format");
        UnitGraph::read(&graph)
    }

    fn read(graph: &Value) -> UnitGraph {
        let units = graph["units"].as_array().expect("a list");
        let mut hashes = vec![None; units.len()];
        let mut found = UnitGraph::default();
        for (index, unit) in units.iter().enumerate() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let key = (
                text(&unit["pkg_id"]),
                text(&unit["target"]["name"]),
                text(&unit["mode"]),
            );
            let features = unit["features"].as_array().expect("a list");
            let variant = Variant {
                features: features.iter().map(text).collect(),
                hash: hash_of(units, index, &mut hashes),
            };
            found.0.entry(key).or_default().push(variant);
        }
        found
    }
}

/// The hash of a unit with all that is below it.
fn hash_of(units: &[Value], index: usize, hashes: &mut [Option<u64>]) -> u64 {
    if let Some(hash) = hashes[index] {
        return hash;
    }
    let unit = &units[index];
    let mut profile = unit["profile"].clone();
    // `bench` and `release` are two names for the same.
    profile["name"] = Value::Null;
    let mut hasher = DefaultHasher::new();
    for part in ["pkg_id", "target", "mode", "features", "platform"] {
        unit[part].to_string().hash(&mut hasher);
    }
    profile.to_string().hash(&mut hasher);
    let dependencies = unit["dependencies"].as_array().expect("a list");
    let mut below: Vec<u64> = dependencies
        .iter()
        .map(|dependency| {
            let index = dependency["index"].as_u64().expect("an index");
            hash_of(units, index as usize, hashes)
        })
        .collect();
    below.sort_unstable();
    below.hash(&mut hasher);
    *hashes[index].insert(hasher.finish())
}
