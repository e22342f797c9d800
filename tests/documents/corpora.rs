//! The seeds of the fuzz targets are few, small and named. What campaigns find stays outside of the tree (docs/fuzzing.md).

use crate::markdown::root;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders with a folder of seeds for each target.
const FOLDERS: [&str; 2] = ["fuzz/corpus", "fuzz/vm/corpus"];

const MOST_SEEDS_OF_A_TARGET: usize = 60;
const MOST_SEEDS: usize = 1_000;
const MOST_BYTES: u64 = 1 << 20;

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("readable").path())
        .collect()
}

/// Whether a file has the name that a fuzzer gives it: 40 hexadecimal digits.
fn is_hash(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn seeds_are_few_small_and_named() {
    let targets = FOLDERS
        .iter()
        .flat_map(|folder| entries(&root().join(folder)));
    let (mut all, mut bytes) = (0, 0);
    for target in targets {
        let seeds = entries(&target);
        let count = seeds.len();
        assert!(
            count <= MOST_SEEDS_OF_A_TARGET,
            "{}: {count} seeds",
            target.display()
        );
        all += count;
        for seed in seeds {
            let name = seed
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned();
            assert!(!is_hash(&name), "{}: say what it is", seed.display());
            bytes += fs::metadata(&seed).expect("readable").len();
        }
    }
    assert!((100..=MOST_SEEDS).contains(&all), "{all} seeds");
    assert!(bytes <= MOST_BYTES, "the seeds have {bytes} bytes");
}

#[test]
fn names_of_fuzzers_are_told() {
    assert!(is_hash("0014e55fdba9332d06ebef1f42f14a04b7198a53"));
    assert!(!is_hash("script-reaches-answer") && !is_hash("0014e55f"));
}
