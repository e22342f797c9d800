//! Runs that begin on the interpreter: nothing of it can be seen from outside.

use super::texts::*;
use crate::machine::{Machine as _, Pinned};
use crate::messages::VmOutput;
use crate::vm::fixtures::*;
use crate::vm::{TierCounters, VmFatal};
use bytes::Bytes;
use proptest::prelude::*;

/// Loops `turns` times and then reads from storage, all of it `times` times; calls another contract; returns what it
/// read and what gas is left.
fn looping(turns: u32, times: u32) -> Bytes {
    contract(&format!(
        r#"{} (data (i32.const 300) "key_")
        (func $turn (local $i i32)
            (loop $again
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const {turns})))))
        (func (export "f") (local $i i32)
            (loop $again
                (call $turn)
                (i32.store16 (i32.const 302) (local.get $i))
                (drop (call $storageLoad (i32.const 300) (i32.const 4) (i32.const 400)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const {times}))))
            (drop {}) (drop (call $storageStore (i32.const 300) (i32.const 3) (i32.const 300) (i32.const 4)))
            (call $int64finish (call $getBlockTimestamp)) (call $int64finish (call $getGasLeft)))"#,
        callee_data("callee", "g"),
        execute("Dest", "g"),
    ))
}

/// What is called.
fn callee() -> Bytes {
    contract(
        r#"(data (i32.const 0) "key")
        (func (export "g") (local $i i32)
            (loop $again
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 500))))
            (drop (call $storageStore (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 2)))
            (call $int64finish (call $getGasLeft)))"#,
    )
}

/// The output and the hook calls of two runs of `f`.
fn runs(bench: &mut Bench, code: &Bytes) -> Vec<(VmOutput, Vec<String>)> {
    bench.world().put_contract("self", code.clone());
    bench.world().put_contract("callee", callee());
    let run = |_| {
        let output = bench.call("self", "f", &[]);
        (output, bench.world().calls.clone())
    };
    (0..2).map(run).collect()
}

fn compiled() -> Bench {
    let [compiled, ..] = benches(&schedule_entries());
    compiled
}

/// No fuel at all, and more than any contract of these tests needs.
const NONE: u64 = 0;
const ENOUGH: u64 = u64::MAX;

fn counters(bench: &Bench) -> TierCounters {
    bench.vm.counters().tiers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wherever_a_run_is_given_up_its_output_and_its_hook_calls_are_the_same(
        turns in 0..1000_u32, times in 1..20_u32, fuel in prop_oneof![0..3000_u64, 0..100_000_u64],
    ) {
        let code = looping(turns, times);
        let expected = runs(&mut compiled(), &code);
        prop_assert_eq!(expected[0].0.return_code, 0);
        prop_assert_eq!(runs(&mut bench_on_tiers(fuel), &code), expected);
    }
}

/// On each engine, also after runs that have done without the interpreter.
#[test]
fn pinned_code_runs_like_any_other() {
    let codes = [looping(300, 5), callee()];
    let expected = runs(&mut compiled(), &codes[0]);
    // Observed runs, on the second and the last, have modules of their own.
    let observed = [0, 2, 0, 2];
    for (mut bench, observed) in benches(&schedule_entries()).into_iter().zip(observed) {
        for _ in 0..2 {
            for code in &codes {
                let pinned = bench.vm.pin(code.clone()).expect("the machine works");
                assert!(pinned.is_pinned(), "{pinned}");
            }
            assert_eq!(runs(&mut bench, &codes[0]), expected);
        }
        let counters = bench.vm.counters();
        let expected_counts = (2, 2 + observed);
        assert_eq!(
            (counters.pinned, counters.misses),
            expected_counts,
            "{counters:?}"
        );
        for code in &codes {
            let unpinned = bench.vm.unpin(code).expect("the machine works");
            assert_eq!(unpinned, Pinned::Unpinned);
        }
        assert_eq!(runs(&mut bench, &codes[0]), expected);
        assert_eq!(bench.vm.counters().pinned, 0);
    }
}

#[test]
fn a_run_without_fuel_is_given_up_and_compiled_code_takes_over() {
    let mut bench = bench_on_tiers(NONE);
    runs(&mut bench, &looping(10, 2));
    let expected = TierCounters {
        quick_runs: 1,
        abandoned_runs: 1,
        hot_swaps: 1,
        ..TierCounters::default()
    };
    // Nested code that is met in a run with compiled code is compiled at once.
    assert_eq!(counters(&bench), expected);
    assert_eq!(bench.vm.counters().misses, 2);
}

#[test]
fn a_run_with_fuel_ends_on_the_interpreter() {
    let mut bench = bench_on_tiers(ENOUGH);
    runs(&mut bench, &looping(10, 2));
    let TierCounters {
        quick_runs,
        abandoned_runs,
        ..
    } = counters(&bench);
    assert!((1..=2).contains(&quick_runs));
    assert_eq!(abandoned_runs, 0);
}

#[test]
fn a_run_with_too_many_hook_calls_is_given_up() {
    let code = looping(0, 6000);
    let mut bench = bench_on_tiers(ENOUGH);
    let found = runs(&mut bench, &code);
    assert_eq!(found, runs(&mut compiled(), &code));
    assert_eq!(found[0].0.return_code, 0);
    assert_eq!(counters(&bench).abandoned_runs, 1);
}

#[test]
fn a_run_that_needs_much_memory_is_given_up() {
    let grows = "(call $int64finish (i64.extend_i32_s (memory.grow (i32.const 2))))";
    // The host adds a page for what it writes at the end.
    let writes = "(call $getCaller (i32.const 8388600))";
    for (pages, body) in [("127", grows), ("128", writes), ("129", "")] {
        let code = contract_with_memory(pages, &format!(r#"(func (export "f") {body})"#));
        let expected = runs(&mut compiled(), &code);
        assert_eq!(expected[0].0.return_code, 0, "{pages}");
        // On a busy machine the compiler may be done before the run begins.
        let is_given_up = (0..20).any(|_| {
            let mut bench = bench_on_tiers(ENOUGH);
            assert_eq!(runs(&mut bench, &code), expected, "{pages}");
            counters(&bench).abandoned_runs == 1
        });
        assert!(is_given_up, "{pages}");
    }
}

#[test]
fn a_broken_hook_ends_the_run_on_either_tier() {
    for fuel in [NONE, ENOUGH] {
        let mut bench = bench_on_tiers(fuel);
        bench.world().put_contract("self", looping(10, 2));
        bench.world().breaks_at = Some("storage");
        let result = bench.call_with("self", "f", input(&[]));
        assert!(
            matches!(result, Err(NoOutput::Fatal(VmFatal::Hook(_)))),
            "{result:?}"
        );
        assert_eq!(
            bench.world().calls.len(),
            2,
            "the account and one storage value"
        );
    }
}
