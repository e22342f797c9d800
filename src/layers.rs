//! The order of the layers, as a test: which module may use which others. The table is the reading order of the crate.

use std::fs;
use std::path::Path;

/// A module, and the modules that it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("activity", &["messages"]),
    ("byte_lru", &[]),
    ("escape", &[]),
    ("frame", &[]),
    ("messages", &["frame"]),
    ("transport", &[]),
    ("dialogue", &["escape", "frame", "messages", "transport"]),
    ("logs", &["frame", "messages", "transport"]),
    ("hooks", &["messages"]),
    ("gas_schedule", &["messages"]),
    (
        "engine",
        &["activity", "byte_lru", "escape", "gas_schedule"],
    ),
    ("machine", &["escape", "messages"]),
    ("apply", &["escape", "messages"]),
    (
        "vm",
        &["engine", "gas_schedule", "hooks", "machine", "messages"],
    ),
    (
        "driver",
        &[
            "dialogue",
            "escape",
            "frame",
            "hooks",
            "logs",
            "machine",
            "messages",
            "transport",
        ],
    ),
    (
        "part",
        &[
            "activity",
            "byte_lru",
            "dialogue",
            "escape",
            "frame",
            "hooks",
            "logs",
            "machine",
            "messages",
            "transport",
        ],
    ),
    (
        "scenario",
        &[
            "apply", "driver", "escape", "hooks", "machine", "messages", "vm",
        ],
    ),
    (
        "fuzzing",
        &[
            "dialogue",
            "driver",
            "frame",
            "hooks",
            "logs",
            "machine",
            "messages",
            "part",
            "scenario",
            "transport",
        ],
    ),
];

#[test]
fn lower_layers_never_use_upper_ones() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = 0;
    for (layer, allowed) in LAYERS {
        let mut check = |path: &Path| {
            files += 1;
            let text = fs::read_to_string(path).expect("a source file");
            for used in modules_used(&text) {
                let fits = used == *layer || allowed.contains(&used);
                assert!(fits, "{}: {layer} must not use {used}", path.display());
            }
        };
        let file = source.join(format!("{layer}.rs"));
        if file.exists() {
            check(&file);
        } else {
            walk(&source.join(layer), &mut check);
        }
    }
    assert!(files > 50, "only {files} files were found");
}

#[test]
fn every_module_has_its_place() {
    let text = include_str!("lib.rs");
    for line in text.lines() {
        if let Some(module) = line
            .strip_prefix("pub mod ")
            .and_then(|module| module.strip_suffix(";"))
        {
            let module = module.trim_end_matches(';');
            assert!(LAYERS.iter().any(|(layer, _)| *layer == module), "{module}");
        }
    }
}

/// The modules of this crate that a source text names, except in its tests.
fn modules_used(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    code.split("crate::").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_')?;
        let module = &rest[..end];
        LAYERS
            .iter()
            .any(|(layer, _)| *layer == module)
            .then_some(module)
    })
}

fn walk(folder: &Path, check: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        // Tests may look into any layer.
        if name == "tests" || name == "fixtures" || name.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            walk(&path, check);
        } else {
            check(&path);
        }
    }
}

#[test]
fn uses_are_found() {
    let text = "use crate::frame::Decoder;\nlet x = crate::vm::Vm;\n#[cfg(test)]\nmod tests {\n    use crate::part::run;";
    assert_eq!(modules_used(text).collect::<Vec<_>>(), ["frame", "vm"]);
}

/// Operators read arguments and filter by them: an argument is a text, a number, or what has a `Display` of its own, never
/// Rust's notation for programmers.
#[test]
fn no_log_line_has_a_debug_dump() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut lines = 0;
    walk(&source, &mut |path| {
        let text = fs::read_to_string(path).expect("a source file");
        let product = text.split("#[cfg(test)]\nmod tests {").next();
        for event in log_events(product.unwrap_or_default()) {
            lines += 1;
            let dumped = event.contains("= ?") || event.contains(", ?");
            assert!(!dumped, "{}: {event}", path.display());
        }
    });
    assert!(lines > 20, "only {lines} log lines were found");
}

/// The arguments of the macros that log.
fn log_events(text: &str) -> Vec<&str> {
    let macros = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];
    let begins = macros.iter().flat_map(|name| text.match_indices(name));
    begins
        .filter_map(|(at, name)| text[at + name.len()..].split(");").next())
        .collect()
}
