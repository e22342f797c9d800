//! How long a run takes until it meets the limit of work that gas does not bound (docs/spec/eei.md#limit-of-work), and what memory.
//!
//! Each kind of work of tests/contracts/unmetered.wat in a process of its own, which prints its time, that of a step, and by how
//! much the peak of the memory grows.
//!
//! `cargo bench --bench limit_of_work`; with the beginning of a name only these kinds.

mod support;

use arwen::internal::vm::EFFORT_LIMIT;
use arwen::machine::Machine as _;
use arwen::messages::{ContractCallInput, VmInput};
use std::process::Command;
use std::time::Instant;
use support::in_process::vm_on_tiers;
use support::{call_input, compiled, peak_kib, vm_input, world_with};

const UNMETERED: &str = include_str!("../tests/contracts/unmetered.wat");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, function] = &arguments[..]
        && flag == "--one"
    {
        return one(function);
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let exports = UNMETERED.split("(export \"").skip(1);
    let functions = exports.filter_map(|export| export.split('"').next());
    for function in functions.filter(|name| name.starts_with("work_")) {
        if wanted.is_none_or(|wanted| function["work_".len()..].starts_with(&**wanted)) {
            in_own_process(function);
        }
    }
}

fn in_own_process(function: &str) {
    let program = std::env::current_exe().expect("there is one");
    let status = Command::new(program).args(["--one", function]).status();
    assert!(status.expect("it can be started").success(), "{function}");
}

/// Calls a function that does not end by itself.
fn one(function: &str) {
    let mut vm = vm_on_tiers(&world_with(compiled(UNMETERED)), None);
    let input = |function, gas_provided| ContractCallInput {
        input: Some(VmInput {
            gas_provided,
            ..vm_input(&[])
        }),
        ..call_input(function, &[])
    };
    // The first call of a process makes what the others use again.
    let outcome = vm.call(input("short", 1_000_000_000));
    let output = outcome.expect("this machine has what it needs");
    assert_eq!(output.expect("an output").return_code, 0);
    let before = peak_kib();
    let begun = Instant::now();
    let outcome = vm.call(input(function, u64::MAX / 2));
    let took = begun.elapsed();
    let failure = outcome
        .expect("this machine has what it needs")
        .expect_err("no output");
    assert!(failure.to_string().contains("steps"), "{failure}");
    println!(
        "| {function} | {:.2} s | {:.2} ns | {} MiB |",
        took.as_secs_f64(),
        took.as_nanos() as f64 / EFFORT_LIMIT as f64,
        (peak_kib() - before) >> 10,
    );
}
