//! Versions that stand in several files are the same.

use crate::markdown::root;
use std::fs;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value of the first line `key = "value"`.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let lines = text.lines();
    let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
    let value = values.next().unwrap_or_else(|| panic!("no {key}"));
    value.trim_end_matches('"')
}

#[test]
fn the_toolchain_is_the_oldest_that_the_package_allows() {
    let (package, toolchain) = (read("Cargo.toml"), read("rust-toolchain.toml"));
    let (oldest, channel) = (
        value(&package, "rust-version"),
        value(&toolchain, "channel"),
    );
    assert!(
        channel.starts_with(&format!("{oldest}.")),
        "{oldest}, {channel}"
    );
}

#[test]
fn the_changelog_has_a_section_for_this_version() {
    let head = format!("## [{}] - ", env!("CARGO_PKG_VERSION"));
    let changelog = read("CHANGELOG.md");
    let section = changelog.lines().find_map(|line| line.strip_prefix(&head));
    let date: Vec<_> = section
        .expect("a section")
        .split('-')
        .map(str::len)
        .collect();
    assert_eq!(date, [4, 2, 2]);
}
