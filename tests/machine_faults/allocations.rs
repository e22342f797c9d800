//! Each allocation of 500 mixed calls, failed once.

use crate::allocator::{COPIES, Failing, OF_C, OF_RUST, end_of_copy, failing, silence};
use crate::calls::requests;
use crate::in_process::{run, vm};
use arwen::internal::vm::{CacheLimits, EngineSettings, QuickLimits, Vm, VmFatal, WarmLimits};
use arwen::messages::VmOutput;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};
use std::sync::atomic::Ordering::SeqCst;

/// Set for the process that a test starts: one of its own, for the other tests allocate at the same time.
const IS_OWN_PROCESS: &str = "ARWEN_FAULT_OWN_PROCESS";

/// One in so many allocations fails, if `ARWEN_FAULT_STRIDE` does not say otherwise; 1 fails each.
const STRIDE: u64 = 83;

/// How often all requests are made with modules that stay compiled. With those that don't, once: compilers allocate much.
const ROUNDS: usize = 13;

fn stride() -> u64 {
    let stride = std::env::var("ARWEN_FAULT_STRIDE");
    stride.map_or(STRIDE, |stride| {
        stride.parse().expect("ARWEN_FAULT_STRIDE is a number")
    })
}

/// Runs a test of this module in a process of its own.
fn in_own_process(test: &str, number: u64) -> (Output, String) {
    let tests = std::env::current_exe().expect("the program of these tests has a path");
    let ran = Command::new(tests)
        .args(["--exact", &format!("allocations::{test}"), "--nocapture"])
        .env(IS_OWN_PROCESS, number.to_string())
        .output()
        .expect("this program can be started once more");
    let text = [&ran.stdout[..], &ran.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (ran, text)
}

fn own_number() -> Option<u64> {
    let number = std::env::var(IS_OWN_PROCESS).ok()?;
    Some(number.parse().expect("this test wrote it"))
}

fn expected() -> Vec<VmOutput> {
    let mut vm = vm(&EngineSettings::default());
    let outputs = requests().into_iter().map(|request| run(&mut vm, &request));
    outputs
        .map(|output| output.expect("the machine has plenty"))
        .collect()
}

/// Makes each request once, with allocations that fail. Returns how many.
fn make_requests(vm: &mut Vm, expected: &[VmOutput], which: Failing) -> usize {
    let requests = requests();
    for (request, expected) in requests.iter().zip(expected) {
        let output = failing(which, || {
            let output = run(vm, request);
            end_of_copy(is_same_or_none(&output, expected));
            output
        });
        assert!(
            is_same_or_none(&output, expected),
            "{output:?}: {request:?}"
        );
    }
    requests.len()
}

fn is_same_or_none(output: &Result<VmOutput, VmFatal>, expected: &VmOutput) -> bool {
    match output {
        Ok(output) => output == expected,
        Err(VmFatal::Machine(_)) => true,
        Err(_) => false,
    }
}

/// Every allocation of Rust that fails ends the program with exit code 4.
#[test]
fn no_failed_allocation_of_rust_changes_an_output() {
    let test = "no_failed_allocation_of_rust_changes_an_output";
    if own_number().is_none() {
        let (ran, text) = in_own_process(test, 0);
        println!("{text}");
        assert!(ran.status.success(), "{}: {text}", ran.status);
        return assert!(text.contains("504 requests"), "{text}");
    }
    let no_output = std::fs::File::create("/dev/null").expect("there is one");
    silence(no_output.as_raw_fd());
    let expected = expected();
    let default = EngineSettings::default();
    let anew = EngineSettings {
        modules: CacheLimits {
            memory_bytes: 0,
            ..CacheLimits::default()
        },
        ..default.clone()
    };
    let interpreted = EngineSettings {
        interpreter: Some(QuickLimits::default()),
        ..anew.clone()
    };
    let fresh = EngineSettings {
        instances: WarmLimits {
            instances: 0,
            ..WarmLimits::default()
        },
        ..default.clone()
    };
    let stride = stride();
    let mut made = 0;
    for (settings, rounds) in [
        (default, ROUNDS),
        (fresh, ROUNDS),
        (anew, 1),
        (interpreted, 1),
    ] {
        let mut vm = vm(&settings);
        for _ in 0..rounds {
            made += make_requests(&mut vm, &expected, Failing::OfRust { stride });
        }
    }
    println!("{made} requests, {OF_RUST:?} allocations, {COPIES:?}");
    assert!(COPIES.made.load(SeqCst) > 100, "{COPIES:?}");
    assert_eq!(COPIES.differences.load(SeqCst), 0, "{COPIES:?}");
}

/// The C library's own allocations: for threads, and for the frames that wasmer registers. Some of those functions abort, or
/// write to what they did not get: the process ends, without an output.
#[test]
fn no_failed_allocation_of_c_changes_an_output() {
    let test = "no_failed_allocation_of_c_changes_an_output";
    if let Some(number) = own_number() {
        let expected = expected();
        let anew = EngineSettings {
            modules: CacheLimits {
                memory_bytes: 0,
                ..CacheLimits::default()
            },
            ..EngineSettings::default()
        };
        make_requests(&mut vm(&anew), &expected, Failing::OfC { number });
        return println!("{} allocations", OF_C.load(SeqCst));
    }
    let (ran, text) = in_own_process(test, u64::MAX);
    assert!(ran.status.success(), "{text}");
    let allocations = text
        .lines()
        .find_map(|line| line.strip_suffix(" allocations")?.parse().ok());
    let allocations: u64 = allocations.expect("the process told it");
    let (mut same, mut signals, mut exits) = (0, 0, 0);
    for number in (1..=allocations).step_by(stride() as usize) {
        let (ran, text) = in_own_process(test, number);
        match (ran.status.code(), ran.status.signal()) {
            (Some(0), _) => same += 1,
            (Some(4), _) => exits += 1,
            (None, Some(_)) => signals += 1,
            _ => panic!("{number} of {allocations}: {}: {text}", ran.status),
        }
    }
    println!("{allocations} allocations: {same} same, {exits} exits, {signals} signals");
    assert!(same + exits + signals > 0);
}
