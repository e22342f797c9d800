//! What the benches share: a driver with a world that has a contract, and a comparison of two things in one run.

#![allow(dead_code, reason = "no bench uses all of it")]

#[path = "../../tests/common/mod.rs"]
mod common;
pub mod in_process;
pub mod tokens;

pub use common::{CONTRACT, USER, world};

use arwen::driver::{DiskCache, Driver, DriverConfig};
use arwen::internal::scenario::{Account, SharedWorld};
use arwen::messages::*;
use bytes::Bytes;
use num_bigint::BigUint;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const OTHER: Bytes = Bytes::from_static(b"other___________________________");

pub const COUNTER: &str = include_str!("../../tests/contracts/counter.wat");

/// Reads a value and calls the counter, which must be at [`INNER`].
pub const CALLER: &str = r#"(module
  (import "env" "storageLoad" (func $load (param i32 i32 i32) (result i32)))
  (import "env" "executeOnDestContext"
    (func $execute (param i64 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\00\00\00\00\05\00counter_______________")
  (data (i32.const 64) "increment")
  (func (export "init"))
  (func (export "run")
    (drop (call $load (i32.const 64) (i32.const 9) (i32.const 128)))
    (drop (call $execute (i64.const 1000000) (i32.const 0) (i32.const 96) (i32.const 64) (i32.const 9)
      (i32.const 0) (i32.const 0) (i32.const 0)))))"#;

/// The address that [`CALLER`] calls.
pub const INNER: Bytes = Bytes::from_static(b"\0\0\0\0\0\0\0\0\x05\0counter_______________");

/// How often each side of a comparison is measured, in turns: what else the machine does strikes both alike.
const ROUNDS: usize = 101;

/// How long a side is measured at a time.
const ROUND: Duration = Duration::from_millis(20);

/// The child that is measured: this build's.
pub fn own_binary() -> PathBuf {
    env!("CARGO_BIN_EXE_arwen").into()
}

/// Another binary that speaks the same protocol, to be measured beside ours: `ARWEN_PEER`.
pub fn peer_binary() -> Option<PathBuf> {
    std::env::var_os("ARWEN_PEER").map(PathBuf::from)
}

/// The formats that this build has.
pub fn formats() -> impl Iterator<Item = (&'static str, Format)> {
    let formats = [("JSON", Format::Json), ("protobuf", Format::Protobuf)];
    formats
        .into_iter()
        .filter(|(_, format)| Format::from_marshalizer(format.marshalizer()).is_ok())
}

/// What every VM of the benches is built with.
pub fn arguments() -> Arguments {
    common::arguments(1_500_000_000)
}

/// The counter with some 47 bytes for each of so many functions that are never called. Another `variant` is other code.
pub fn large_counter(functions: usize, variant: usize) -> String {
    let filler: String = (0..functions)
        .map(|i| {
            format!(
                "(func (param i64 i64) (result i64) (local i64)
                    (local.set 2 (i64.mul (local.get 0) (i64.const {variant}{i})))
                    (if (i64.lt_u (local.get 2) (local.get 1))
                      (then (local.set 2 (i64.xor (local.get 2) (i64.const {})))))
                    (i64.rotl (i64.sub (local.get 2) (local.get 1)) (i64.const 7)))",
                i * i * i
            )
        })
        .collect();
    let end = COUNTER.trim_end().len() - 1;
    format!("{}{filler})", &COUNTER[..end])
}

/// A driver for this child. A peer need not know protobuf.
pub fn config(binary: &Path, format: Format) -> DriverConfig {
    let mut config = DriverConfig::new(arguments());
    config.binary = Some(binary.to_owned());
    config.format = format;
    config.max_loop_time = Duration::from_secs(10);
    config.disk_cache = DiskCache::Off;
    config.log_profile.log_level_patterns = "*:NONE".to_owned();
    config
}

/// The code of a contract.
pub fn compiled(source: &str) -> Bytes {
    wat::parse_str(source).expect("valid").into()
}

pub fn vm_input(arguments: &[Bytes]) -> VmInput {
    VmInput {
        caller_addr: USER,
        arguments: arguments.to_vec(),
        call_value: Some(BigInt::default()),
        gas_provided: 1_000_000_000,
        ..VmInput::default()
    }
}

/// A world with the contract, which was never initialised.
pub fn world_with(code: Bytes) -> SharedWorld {
    let world = world();
    let mut account = Account::default();
    account.set_code(code);
    world.lock().accounts.insert(CONTRACT, account);
    world
}

/// A driver whose world has the contract, which was never initialised.
pub fn with_code(config: DriverConfig, code: Bytes) -> Driver<SharedWorld> {
    Driver::new(config, world_with(code)).expect("the child starts")
}

/// A driver whose world has the deployed contract.
pub fn deployed(config: DriverConfig, code: Bytes, arguments: &[Bytes]) -> Driver<SharedWorld> {
    let world = world();
    let mut driver = Driver::new(config, world.clone()).expect("the child starts");
    let input = ContractCreateInput {
        input: Some(vm_input(arguments)),
        contract_code: code,
        ..ContractCreateInput::default()
    };
    let output = driver
        .deploy(input)
        .expect("no critical error")
        .expect("the VM does not fail");
    assert_eq!(output.return_code, 0, "{}", output.return_message);
    let applied = world.lock().apply(Some(&USER), &BigUint::ZERO, &output);
    applied.expect("a consistent output");
    driver
}

pub fn call_input(function: &str, arguments: &[Bytes]) -> ContractCallInput {
    ContractCallInput {
        input: Some(vm_input(arguments)),
        recipient_addr: CONTRACT,
        function: function.to_owned(),
    }
}

pub fn call(driver: &mut Driver<SharedWorld>, function: &str, arguments: &[Bytes]) {
    let output = driver
        .call(call_input(function, arguments))
        .expect("no critical error")
        .expect("the VM does not fail");
    assert_eq!(output.return_code, 0, "{}", output.return_message);
}

/// The most memory that this process has had so far.
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    kib.and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Has all threads of a process run on this core only.
pub fn pin(process: u32, core: usize) {
    let taskset = Command::new("taskset")
        .args(["-a", "-c", "-p", &core.to_string(), &process.to_string()])
        .stdout(Stdio::null())
        .status();
    let done = taskset.is_ok_and(|status| status.success());
    assert!(
        done,
        "`taskset` of util-linux can't pin {process} to {core}"
    );
}

/// The first two cores that this process may use; both the same if there is one.
pub fn two_cores() -> [usize; 2] {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("it tells the cores");
    // Such as 0-3,8.
    let numbers = list.trim().split(|c: char| !c.is_ascii_digit());
    let mut numbers = numbers.map(|number| number.parse().expect("a number"));
    let first = numbers.next().expect("this process runs somewhere");
    let second = match list.contains('-') {
        true => Some(first + 1),
        false => numbers.next(),
    };
    [first, second.unwrap_or(first)]
}

/// Measures two things in turns and prints as a line of JSON the medians, and the median of the ratios of two neighbouring rounds: a
/// machine that gets slower meanwhile changes that least. Each is given a number, does something so many times, and tells how long it took.
pub fn compare(
    benchmark: &str,
    mut ours: (&str, impl FnMut(u64) -> Duration),
    mut other: (&str, impl FnMut(u64) -> Duration),
) {
    type Run<'a> = &'a mut dyn FnMut(u64) -> Duration;
    let sides: [(&str, Run<'_>); 2] = [(ours.0, &mut ours.1), (other.0, &mut other.1)];
    let mut sides = sides.map(|(name, run)| (name, repetitions(run), run, Vec::new()));
    for _ in 0..ROUNDS {
        for (_, count, run, times) in &mut sides {
            times.push(run(*count).as_secs_f64() * 1e6 / *count as f64);
        }
    }
    let [ours, other] = sides.map(|(name, _, _, times)| (name, times));
    let ratios = std::iter::zip(&ours.1, &other.1).map(|(ours, other)| ours / other);
    let ratio = median(ratios.collect());
    println!(
        "{{\"benchmark\":\"{benchmark}\",\"{}_us\":{:.2},\"{}_us\":{:.2},\"ratio\":{ratio:.3}}}",
        ours.0,
        median(ours.1),
        other.0,
        median(other.1),
    );
}

/// How often fits into a round.
fn repetitions(run: &mut dyn FnMut(u64) -> Duration) -> u64 {
    // After a pause the first one can take milliseconds.
    run(1);
    let mut count = 1;
    loop {
        let took = run(count);
        if took >= ROUND / 4 {
            let fitting = count as f64 * ROUND.as_secs_f64() / took.as_secs_f64();
            return (fitting as u64).max(1);
        }
        count *= 2;
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// How long it takes to do something this many times.
pub fn timed(count: u64, mut what: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..count).for_each(|_| what());
    start.elapsed()
}
