//! The real child compiles pinned code ahead and keeps it (docs/spec/wire.md#pin).

use super::node::{GAS, Node, call_input, config, deploy_input, wasm};
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
    let arguments = format!(" args=codeLength = {},", code.len());
    let is_of_code =
        |line: &&String| line.contains(" message=module ") && line.contains(&arguments);
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
    let [counter, adder, store] = [COUNTER, ADDER, STORE].map(wasm);
    let expected = outputs(&mut Node::with_contract(config(), COUNTER));
    for format in [Format::Json, Format::PREFERRED] {
        let lines = logged(|| {
            // No other module is kept.
            let (config, _folder) = config_with("--module-memory-bytes 0");
            let mut node = Node::with_contract(config.format(format), COUNTER);
            let first = node.driver.pin(counter.clone()).expect("answered");
            assert!(first.is_pinned(), "{first}");
            assert!(compiled(&mut node, &counter) > 1000);
            compiled(&mut node, &adder);
            assert_eq!(outputs(&mut node), expected);

            // Unpinned code is like any other.
            tracing::info!("unpinned");
            let unpinned = node.driver.unpin(&counter).expect("answered");
            assert_eq!(unpinned, Pinned::Unpinned);
            outputs(&mut node);
        });
        let mut parts = lines.split(|line| line.contains("message=unpinned"));
        for expected in [[0, 0, 3], [3, 0, 3]] {
            let lines = parts.next().expect("two parts");
            let counts = [&counter, &adder, &store].map(|code| made(lines, code));
            assert_eq!(counts, expected, "{lines:#?}");
        }
    }
}

#[test]
fn a_child_that_takes_the_place_of_another_has_the_pinned_code_again() {
    let counter = wasm(COUNTER);
    let lines = logged(|| {
        let (config, _folder) = config_with("--module-memory-bytes 0");
        let mut node = Node::with_contract(config.pinned([counter.clone()]), COUNTER);
        node.call("increment");
        let child = node.driver.child_id().expect("it lives");
        kill(Pid::from_raw(child as i32), Signal::SIGKILL).expect("killed");
        tracing::info!("first request");
        while node.driver.call(call_input("get", GAS)).is_err() {}
        assert_ne!(node.driver.child_id(), Some(child));
        tracing::info!("second request");
        for calls in 2..5 {
            assert_eq!(node.call("increment").return_data, [&[calls][..]]);
        }
        compiled(&mut node, &counter);
        node.call("increment");
    });
    let parts = lines.split(|line| line.contains(" request") && line.starts_with("INFO"));
    let parts: Vec<_> = parts.collect();
    // The first request does not wait for pinned code, so it has to make a module.
    let counts: Vec<_> = parts.iter().map(|lines| made(lines, &counter)).collect();
    assert_eq!(counts, [0, 1, 0], "{lines:#?}");
    // The driver says so, once for each child.
    let is_told = |line: &&String| line.contains("arwenDriver: message=code is pinned");
    let told: Vec<_> = parts
        .iter()
        .map(|lines| lines.iter().filter(is_told).count())
        .collect();
    assert_eq!(told, [1, 0, 1], "{lines:#?}");
}

#[test]
fn what_is_not_pinned_says_why() {
    let (config, _folder) = config_with("--pinned-module-bytes 3000");
    let mut node = Node::with_contract(config, COUNTER);
    let refused = node.driver.pin(wasm(STORE)).expect("answered");
    let Pinned::NoRoom { error } = refused else {
        panic!("{refused}");
    };
    assert!(error.ends_with("; the limit is 3000"), "{error}");
    let invalid = node.driver.pin("junk").expect("answered");
    let Pinned::Invalid { error } = invalid else {
        panic!("{invalid}");
    };
    // What is wrong, and not only that something is.
    let text = "could not create wasmer instance: compile error (";
    assert!(error.starts_with(text), "{error}");
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
}

#[test]
fn pinned_code_that_another_child_has_compiled_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = DiskCache::Folder(folder.path().join("modules"));
    let counter = wasm(COUNTER);
    let lines = logged(|| {
        let (config, _folder) = config_with("");
        let mut node = Node::with_contract(config.disk_cache(cache), COUNTER);
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
    });
    let is_loaded =
        |line: &String| line.contains(" message=pinned module ") && line.contains("diskHits = 1,");
    assert!(lines.iter().any(is_loaded), "{lines:#?}");
}
