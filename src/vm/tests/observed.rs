//! What observers are told. That outputs are the same with one follows from all tests that compare engines: two of the four are
//! observed.

use super::texts::*;
use crate::trace::{
    Argument, CallKind, Effect, End, Event, HostEnd, HostExit, HostStep, Observer, Run, Step,
    Value, Written,
};
use crate::vm::fixtures::*;
use std::sync::{Arc, Mutex};

/// Stores, calls another contract that stores, asks for something that fails, and calculates.
fn set_up(bench: &mut Bench) {
    let callee = contract(
        r#"(data (i32.const 0) "key")
        (func (export "g") (drop (call $storageStore (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 2))))"#,
    );
    let functions = format!(
        r#"{} (data (i32.const 300) "mine")
        (func (export "f")
            (drop (call $storageStore (i32.const 300) (i32.const 4) (i32.const 302) (i32.const 2)))
            (drop {}) (drop {})
            (call $bigIntSetInt64 (i32.const 7) (i64.const -5))
            (call $bigIntMul (i32.const 8) (i32.const 7) (i32.const 7)))"#,
        callee_data("callee", "gx"),
        execute("Dest", "g"),
        execute("Same", "x").replace("i32.const 64", "i32.const 65"),
    );
    let mut world = bench.world();
    world.put_contract("callee", callee);
    world.put_contract("self", contract(&functions));
}

fn observed(bench: &mut Bench) -> Run {
    bench.observe();
    set_up(bench);
    assert_eq!(end(&bench.call("self", "f", &[])), (0, ""));
    bench.observed().expect("it is observed")
}

/// The steps of the only call, and what the first host function of that name did.
fn host<'a>(run: &'a Run, name: &str) -> (&'a HostStep, &'a HostExit) {
    let [Step::Call(call)] = &run.steps[..] else {
        panic!("{run:#?}");
    };
    let mut hosts = call.steps.iter().filter_map(|step| match step {
        Step::Host(host) if host.entry.name == name => Some(&**host),
        _ => None,
    });
    let host = hosts.next().expect("it was called");
    (host, host.exit.as_ref().expect("it has ended"))
}

#[test]
fn all_engines_tell_the_same_and_runs_that_are_given_up_nothing() {
    let told: Vec<Run> = benches(&schedule_entries())
        .iter_mut()
        .map(observed)
        .collect();
    for other in &told[1..] {
        assert_eq!(&told[0], other);
    }
}

#[test]
fn arguments_are_what_was_read_and_written() {
    let [mut bench, ..] = benches(&schedule_entries());
    let run = observed(&mut bench);
    let (store, exit) = host(&run, "storageStore");
    let bytes = |name: &'static str, bytes: &[u8]| Argument {
        name: name.into(),
        value: Value::Bytes(bytes.into()),
    };
    assert_eq!(
        exit.arguments,
        [bytes("key", b"mine"), bytes("data", b"ne")]
    );
    assert_eq!((&exit.end, exit.lost), (&HostEnd::Returned(Some(2)), 0));
    let [Step::Effect(Effect::Written(Written { old, new, gas, .. }))] = &store.steps[..] else {
        panic!("{store:#?}");
    };
    assert_eq!((old.length, &new.bytes[..], *gas), (0, &b"ne"[..], 2));
    assert_eq!(store.gas_used(), 3);
    let number = |name: &'static str, number: i64| Argument {
        name: name.into(),
        value: Value::BigInt(number.into()),
    };
    let (_, exit) = host(&run, "bigIntMul");
    assert_eq!(exit.arguments, [number("left", -5), number("right", -5)]);
    assert_eq!(exit.written, [number("destination", 25)]);
    assert_eq!(exit.end, HostEnd::Returned(None));
}

#[test]
fn calls_are_inside_of_what_made_them() {
    let [mut bench, ..] = benches(&schedule_entries());
    let run = observed(&mut bench);
    let (nested, exit) = host(&run, "executeOnDestContext");
    let [Step::Call(call)] = &nested.steps[..] else {
        panic!("{nested:#?}");
    };
    assert_eq!(call.entry.kind, CallKind::Call);
    assert_eq!(call.entry.address, address("callee"));
    assert_eq!(
        (call.entry.caller.clone(), &call.entry.function[..]),
        (address("self"), &b"g"[..])
    );
    let used = call.exit.as_ref().expect("it has ended").gas_used;
    let whole = nested.gas_used();
    assert!(used > 0 && used < whole, "{used} of {whole}");
    assert_eq!(exit.gas_left, nested.entry.gas_left - whole as u64);
    let (failed, _) = host(&run, "executeOnSameContext");
    let [Step::Call(call)] = &failed.steps[..] else {
        panic!("{failed:#?}");
    };
    assert_eq!(call.entry.kind, CallKind::SameContext);
    let end = call.exit.as_ref().map(|exit| &exit.end);
    assert!(matches!(end, Some(End::Failed { code: 1, .. })), "{end:?}");
    // What it lost is told apart.
    assert!(run.costs.classes().lost > 0);
}

#[derive(Clone, Default)]
struct Counts(Arc<Mutex<(usize, usize)>>);

impl Observer for Counts {
    fn begin(&mut self) {
        self.0.lock().expect("no test panics here").0 += 1;
    }

    fn event(&mut self, _: Event) {
        self.0.lock().expect("no test panics here").1 += 1;
    }
}

#[test]
fn a_run_that_is_given_up_begins_again() {
    let mut bench = bench_on_tiers(0);
    let counts = Counts::default();
    bench.vm.observe(Box::new(counts.clone()));
    set_up(&mut bench);
    bench.call("self", "f", &[]);
    let (begins, events) = *counts.0.lock().expect("no test panics here");
    assert_eq!(begins, 2);
    assert!(events > 10);
}
