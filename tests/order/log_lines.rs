//! What the lines of the log are made of.

use crate::sources::Sources;
use std::fs;
use std::path::Path;

/// Operators read arguments and filter by them: an argument is a text, a number, or what has a `Display` of its own, never
/// Rust's notation for programmers.
#[test]
fn no_log_line_has_a_debug_dump() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = 0;
    for file in Sources::of_the_project().0.values() {
        let text = fs::read_to_string(root.join(&file.path)).expect("a source file");
        let product = text.split("#[cfg(test)]\nmod tests {").next();
        for event in log_events(product.unwrap_or_default()) {
            lines += 1;
            let dumped = event.contains("= ?") || event.contains(", ?");
            assert!(!dumped, "{}: {event}", file.path);
        }
    }
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
