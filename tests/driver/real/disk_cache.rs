//! Compiled modules on disk: what one child has compiled, the next one loads.

use super::node::{Node, config};
use crate::setup::write_script;
use arwen::driver::DiskCache;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

const COUNTER: &str = include_str!("../../contracts/counter.wat");

fn node(cache: DiskCache) -> Node {
    let mut config = config();
    config.disk_cache = cache;
    Node::with_contract(config, COUNTER)
}

/// The file of the module, as soon as it is there: it is written beside the call.
fn module_file(folder: &Path) -> PathBuf {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let entries = fs::read_dir(folder).expect("the child has made it");
        let paths = entries.map(|entry| entry.expect("readable").path());
        let is_whole = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            !name.starts_with(b".")
        };
        if let Some(path) = paths.filter(is_whole).last() {
            return path;
        }
        assert!(Instant::now() < deadline, "no file");
        std::thread::yield_now();
    }
}

fn make_old(path: &Path) {
    let file = File::open(path).expect("a file");
    file.set_modified(SystemTime::UNIX_EPOCH).expect("our file");
}

#[test]
fn an_option_wins_over_its_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let [of_variable, of_option] = ["variable", "option"].map(|name| folder.path().join(name));
    let named = format!("--module-cache {}", of_option.display());
    for (options, kept) in [
        ("", Some(&of_variable)),
        (&named, Some(&of_option)),
        ("--module-cache=", None),
        ("--no-module-cache", None),
    ] {
        let script = folder.path().join("script");
        let arwen = env!("CARGO_BIN_EXE_arwen");
        write_script(&script, &format!("exec {arwen} {options}"));
        let mut config = config();
        config.binary = Some(script);
        config.disk_cache = DiskCache::Folder(of_variable.clone());
        let mut node = Node::with_contract(config, COUNTER);
        assert_eq!(node.call("increment").return_data, [&[1][..]], "{options}");
        // The folder is made at the start.
        for path in [&of_variable, &of_option] {
            assert_eq!(path.exists(), kept == Some(path), "{options}: {path:?}");
        }
        if let Some(path) = kept {
            module_file(path);
            node.driver.close();
            fs::remove_dir_all(path).expect("our folder");
        }
    }
}

#[test]
fn the_next_child_loads_what_the_last_one_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("modules");
    let mut node = node(DiskCache::Folder(cache.clone()));
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
    let path = module_file(&cache);
    let compiled = fs::metadata(&path).expect("a file");

    make_old(&path);
    node.driver.close();
    assert_eq!(node.call("increment").return_data, [&[2][..]]);
    let used = fs::metadata(&path).expect("a file");
    // Loaded, which sets the time, and not written again.
    assert_eq!(used.ino(), compiled.ino());
    assert!(used.mtime() > 0);

    // Damaged files are compiled anew.
    let whole = fs::read(&path).expect("a file");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&path, &damaged).expect("our file");
    node.driver.close();
    assert_eq!(node.call("increment").return_data, [&[3][..]]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read(&path).expect("a file") == damaged {
        assert!(Instant::now() < deadline, "never replaced");
        std::thread::yield_now();
    }
}

#[test]
fn without_a_cache_nothing_is_written_or_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("modules");
    let mut with_cache = node(DiskCache::Folder(cache.clone()));
    with_cache.call("increment");
    let path = module_file(&cache);
    make_old(&path);
    node(DiskCache::Off).call("increment");
    assert_eq!(fs::metadata(&path).expect("a file").mtime(), 0);
    assert_eq!(fs::read_dir(&cache).expect("a folder").count(), 1);
}
