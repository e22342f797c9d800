//! The patches of tests/sabotage against the code: each can be applied, and names a test.

use crate::markdown::root;
use std::fs;

/// The file that a patch changes, and for each of its hunks the lines that must stand there.
fn hunks(patch: &str) -> Vec<(String, String)> {
    let mut file = String::new();
    let mut found: Vec<(String, String)> = Vec::new();
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            file = path.to_owned();
        } else if line.starts_with("@@ ") {
            found.push((file.clone(), String::new()));
        } else if let Some((_, lines)) = found.last_mut()
            && let Some(kept) = line
                .strip_prefix([' ', '-'])
                .or((line.is_empty()).then_some(""))
        {
            lines.push_str(kept);
            lines.push('\n');
        }
    }
    found
}

#[test]
fn every_patch_can_be_applied_and_names_a_test() {
    let mut patches = 0;
    for entry in fs::read_dir(root().join("tests/sabotage")).expect("a folder") {
        let path = entry.expect("readable").path();
        if path
            .extension()
            .is_none_or(|extension| extension != "patch")
        {
            continue;
        }
        let patch = fs::read_to_string(&path).expect("readable");
        let test = patch.lines().find_map(|line| line.strip_prefix("Test: "));
        assert!(
            test.is_some_and(|test| test.contains("--")),
            "{path:?} names no test"
        );
        let hunks = hunks(&patch);
        assert!(!hunks.is_empty(), "{path:?} changes nothing");
        for (file, lines) in hunks {
            let source = fs::read_to_string(root().join(&file)).expect("a file of the project");
            assert!(
                source.contains(lines.trim_end_matches('\n')),
                "{path:?}: {file} has no\n{lines}"
            );
        }
        patches += 1;
    }
    assert!(patches >= 30, "{patches}");
}
