//! The real child compiles pinned code ahead and keeps it (docs/spec/wire.md#pin).

use super::node::{CONTRACT, GAS, Node, call_input, config, deploy_input, wasm};
use crate::output::logged;
use crate::setup::write_script;
use arwen::driver::{DiskCache, DriverConfig, Pinned};
use arwen::machine::Machine;
use arwen::messages::{Format, LogProfile, VmOutput};
use bytes::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const ADDER: &str = include_str!("../../contracts/adder.wat");
const STORE: &str = include_str!("../../contracts/store.wat");

/// A child with these options that logs what its engine does.
fn config_with(options: &str) -> (DriverConfig, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("arwen");
    let child = env!("CARGO_BIN_EXE_arwen");
    write_script(&script, &format!("exec '{child}' {options}"));
    let profile = LogProfile {
        log_level_patterns: "*:ERROR,arwen/engine:DEBUG".to_owned(),
        ..LogProfile::default()
    };
    (config().binary(script).log_profile(profile), folder)
}

/// Pins code, and waits until it is compiled. What its module takes.
fn compiled(node: &mut Node, code: &Bytes) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match node.driver.pin(code.clone()).expect("answered") {
            Pinned::Compiled { module_bytes } => return module_bytes,
            Pinned::Compiling { .. } => assert!(Instant::now() < deadline, "never compiled"),
            other => panic!("{other}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many modules of code of this length were made, as the child logs it.
fn made(lines: &[String], code: &Bytes) -> usize {
    let length = format!(" codeLength={}", code.len());
    let is_of_code = |line: &&String| {
        line.contains(" message=module") && line.split(" [").any(|part| part.contains(&length))
    };
    lines.iter().filter(is_of_code).count()
}

/// Deploys and calls several codes, in turn.
fn outputs(node: &mut Node) -> Vec<VmOutput> {
    let mut outputs = Vec::new();
    for _ in 0..3 {
        for source in [ADDER, STORE] {
            let deployed = node.driver.deploy(deploy_input(wasm(source)));
            outputs.push(deployed.expect("answered").expect("an output"));
        }
        outputs.push(node.call("increment"));
    }
    outputs
}

#[test]
fn pinned_code_is_compiled_ahead_and_stays_whatever_else_comes() {
    let counter = wasm(COUNTER);
    let expected = outputs(&mut Node::with_contract(config(), COUNTER));
    for format in [Format::Json, Format::PREFERRED] {
        // No other module is kept.
        let (config, _folder) = config_with("--module-memory-bytes 0");
        let mut node = Node::with_contract(config.format(format), COUNTER);
        let first = node.driver.pin(counter.clone()).expect("answered");
        assert!(first.is_pinned(), "{first}");
        assert!(compiled(&mut node, &counter) > 1000);
        let adder = wasm(ADDER);
        compiled(&mut node, &adder);
        let lines = logged(|| assert_eq!(outputs(&mut node), expected));
        let store = wasm(STORE);
        let counts = [&counter, &adder, &store].map(|code| made(&lines, code));
        assert_eq!(counts, [0, 0, 3], "{lines:#?}");

        // Unpinned code is like any other.
        let unpinned = node.driver.unpin(&counter).expect("answered");
        assert_eq!(unpinned, Pinned::Unpinned);
        let lines = logged(|| drop(outputs(&mut node)));
        let counts = [&counter, &adder, &store].map(|code| made(&lines, code));
        assert_eq!(counts, [3, 0, 3], "{lines:#?}");
    }
}

#[test]
fn a_child_that_takes_the_place_of_another_has_the_pinned_code_again() {
    let (config, _folder) = config_with("--module-memory-bytes 0");
    let counter = wasm(COUNTER);
    let mut node = Node::with_contract(config.pinned([counter.clone()]), COUNTER);
    let lines = logged(|| drop(node.call("increment")));
    assert_eq!(made(&lines, &counter), 0, "{lines:#?}");

    let child = node.driver.child_id().expect("it lives");
    kill(Pid::from_raw(child as i32), Signal::SIGKILL).expect("killed");
    let lines = logged(|| while node.driver.call(call_input("get", GAS)).is_err() {});
    assert_eq!(made(&lines, &counter), 1, "the first request does not wait");
    // The second request pins it, and is the first to use it.
    for _ in 0..3 {
        let lines = logged(|| drop(node.call("increment")));
        assert_eq!(made(&lines, &counter), 0, "{lines:#?}");
    }
    compiled(&mut node, &counter);
    let account = node.world.lock().accounts[&CONTRACT].clone();
    assert_eq!(account.storage.len(), 1);
    assert_eq!(node.call("increment").return_data, [&[5][..]]);
}

#[test]
fn what_is_not_pinned_says_why() {
    let (config, _folder) = config_with("--pinned-module-bytes 5000");
    let mut node = Node::with_contract(config, COUNTER);
    let refused = node.driver.pin(wasm(STORE)).expect("answered");
    let Pinned::NoRoom { error } = refused else {
        panic!("{refused}");
    };
    assert!(error.ends_with("; the limit is 5000"), "{error}");
    let error = "invalid bytecode: ".to_owned();
    let invalid = node.driver.pin("junk").expect("answered");
    let Pinned::Invalid { error: found } = invalid else {
        panic!("{invalid}");
    };
    assert!(found.starts_with(&error), "{found}");
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
}

#[test]
fn pinned_code_that_another_child_has_compiled_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = DiskCache::Folder(folder.path().join("modules"));
    let counter = wasm(COUNTER);
    let config = config().disk_cache(cache);
    let mut node = Node::with_contract(config, COUNTER);
    compiled(&mut node, &counter);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        // The file is written beside.
        node.driver.close();
        let pinned = Machine::pin(&mut node.driver, counter.clone()).expect("answered");
        if matches!(pinned, Pinned::Compiled { .. }) {
            break;
        }
        assert!(Instant::now() < deadline, "{pinned}");
        compiled(&mut node, &counter);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
}
