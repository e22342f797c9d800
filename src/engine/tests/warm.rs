//! Instances that are used again: whatever a call does, the next one can't tell.

use proptest::prelude::*;

use super::{
    CallOutcome, CompiledModule, End, InstantiationError, TestHost, compile, instrumented,
    outcome_of, unit_costs, wasm,
};
use crate::engine::wasmer::WasmerEngine;
use crate::engine::wasmer::warm::WarmLimits;
use crate::engine::{Engine, InstanceCounters};
use std::sync::Arc;

pub(super) type Compiled = Arc<dyn CompiledModule<TestHost>>;

/// No instance is kept.
pub(super) const NONE: WarmLimits = WarmLimits {
    instances: 0,
    memory_bytes: 0,
};

/// An engine that keeps so many instances, and the module compiled by it.
fn compiled(text: &str, limits: WarmLimits) -> (WasmerEngine<TestHost>, Compiled) {
    let engine = WasmerEngine::new(limits);
    let module = engine.compile(&instrumented(&wasm(text), &unit_costs()));
    (engine, module.expect("it is valid"))
}

/// Compiles for warm instances, and for fresh ones only, whose memories are new as well.
fn warm_and_fresh(text: &str) -> [Compiled; 2] {
    [compiled(text, WarmLimits::default()).1, unpooled(text)]
}

/// Compiles for an engine in which nothing is used twice: such memories have addresses of their own.
pub(super) fn unpooled(text: &str) -> Compiled {
    let engine = WasmerEngine::for_few_addresses(NONE);
    let module = engine.compile(&instrumented(&wasm(text), &unit_costs()));
    module.expect("it is valid")
}

pub(super) fn call(
    module: &Compiled,
    function: &str,
    limit: u64,
) -> Result<CallOutcome, InstantiationError> {
    let mut instance = module.instantiate(limit)?;
    let outcome = outcome_of(&mut *instance, function, TestHost::default());
    Ok(outcome)
}

/// Everything that a call can leave behind: memory (pages without data, pages with data, the last byte), globals with
/// and without an export. `look` notes what it finds, `f` is `write`, then `look`.
pub(super) const STATE: &str = r#"(module
    (import "env" "echo" (func $echo (param i64) (result i64)))
    (import "env" "abort" (func $abort))
    (import "env" "panic" (func $panic))
    (memory (export "memory") 3)
    (data (i32.const 5) "first") (data (i32.const 4090) "over the end of a page") (data (i32.const 131072) "third")
    (table 2 funcref) (elem (i32.const 1) $write)
    (global $private (mut i32) (i32.const 3))
    (global $exported (export "exported") (mut i64) (i64.const -4))
    (global $constant i32 (i32.const 9))
    (func $write (export "write") (local $at i32)
        (global.set $private (i32.const 77))
        (global.set $exported (i64.const 78))
        (loop $all
            (i32.store8 (local.get $at) (i32.xor (i32.load8_u (local.get $at)) (i32.const 85)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $all (i32.lt_u (local.get $at) (i32.const 196608)))))
    (func (export "writeAndTrap") call $write unreachable)
    (func (export "writeAndAbort") call $write call $abort)
    (func (export "writeAndPanic") call $write call $panic)
    (func (export "writeAndRunOut") call $write (loop $ever (br $ever)))
    (func $deep (param i32) (result i32) (call $deep (local.get 0)))
    (func (export "writeAndRecurse") call $write (drop (call $deep (i32.const 1))))
    (func $grow (export "writeAndGrow") call $write (drop (memory.grow (i32.const 2)))
        (i64.store (i32.const 196608) (i64.const -1)) (i64.store (i32.const 327672) (i64.const -1)))
    (func (export "growAndTrap") call $grow unreachable)
    (func (export "writeThroughTable") (call_indirect (i32.const 1)))
    (func (export "readBehindTheEnd") (drop (i64.load (i32.const 196608))))
    (func (export "growAndRead") (drop (memory.grow (i32.const 2)))
        (drop (call $echo (i64.load (i32.const 196608)))) (drop (call $echo (i64.load (i32.const 327672)))))
    (func (export "look") (local $at i32) (local $sum i64)
        (drop (call $echo (i64.extend_i32_u (global.get $private))))
        (drop (call $echo (global.get $exported)))
        (drop (call $echo (i64.extend_i32_u (memory.size))))
        (loop $all
            (local.set $sum (i64.add
                (i64.mul (local.get $sum) (i64.const 31))
                (i64.extend_i32_u (i32.load8_u (local.get $at)))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $all (i32.lt_u (local.get $at) (i32.const 196608))))
        (drop (call $echo (local.get $sum)))))"#;

pub(super) const WRITERS: [&str; 9] = [
    "write",
    "writeAndTrap",
    "writeAndAbort",
    "writeAndPanic",
    "writeAndRunOut",
    "writeAndRecurse",
    "writeAndGrow",
    "growAndTrap",
    "writeThroughTable",
];

pub(super) const LIMIT: u64 = 20_000_000;

#[test]
fn nothing_of_a_call_is_seen_by_the_next() {
    let [warm, fresh] = warm_and_fresh(STATE);
    let looks = ["look", "readBehindTheEnd", "growAndRead"]
        .map(|look| (look, call(&fresh, look, LIMIT).expect("it is valid")));
    let [(_, first), (_, behind_the_end), (_, grown)] = &looks;
    assert_eq!(first.end, End::Returned);
    assert_eq!(first.host.calls[0].1, [3]);
    assert_eq!(behind_the_end.end, End::Trapped);
    assert_eq!(grown.host.calls[0].1, [0]);
    for writer in WRITERS {
        for _ in 0..2 {
            let [left, expected] =
                [&warm, &fresh].map(|module| call(module, writer, LIMIT).expect("it is valid"));
            assert_eq!(left, expected, "{writer}");
            assert_ne!(left.memory, first.memory, "{writer}");
            for (look, expected) in &looks {
                let seen = call(&warm, look, LIMIT).expect("it is valid");
                assert_eq!(seen, *expected, "{look} after {writer}");
            }
        }
    }
}

#[test]
fn what_the_host_writes_is_gone_too() {
    let [warm, fresh] = warm_and_fresh(STATE);
    let first = call(&fresh, "look", LIMIT).expect("it is valid");
    for (offset, length) in [
        (0, 1),
        (4_095, 1),
        (70_000, 1),
        (196_607, 1),
        (80_000, 20_000),
    ] {
        let mut instance = warm.instantiate(1).expect("it is valid");
        let bytes = vec![170; length];
        instance.write_memory(offset, &bytes).expect("it is inside");
        instance.set_used_points(1_000);
        drop(instance);
        assert_eq!(
            call(&warm, "look", LIMIT).expect("it is valid"),
            first,
            "{offset}"
        );
    }
    let mut instance = warm.instantiate(1).expect("it is valid");
    assert!(instance.grow_memory(2));
    drop(instance);
    assert_eq!(call(&warm, "look", LIMIT).expect("it is valid"), first);
}

#[test]
fn exact_memories_are_used_again_unless_they_have_grown() {
    let engine = WasmerEngine::for_few_addresses(WarmLimits::default());
    let module = engine.compile(&instrumented(&wasm(STATE), &unit_costs()));
    let module = module.expect("it is valid");
    let [_, fresh] = warm_and_fresh(STATE);
    let first = call(&fresh, "look", LIMIT).expect("it is valid");
    for writer in WRITERS {
        call(&module, writer, LIMIT).expect("it is valid");
        let looked = call(&module, "look", LIMIT).expect("it is valid");
        assert_eq!(looked, first, "{writer}");
    }
    let before = engine.instance_counters();
    assert!(before.reused > 0, "{before:?}");
    let mut instance = module.instantiate(1).expect("it is valid");
    assert!(instance.grow_memory(2));
    drop(instance);
    let after = engine.instance_counters();
    assert_eq!(after.unusable, before.unusable + 1);
    assert_eq!(call(&module, "look", LIMIT).expect("it is valid"), first);
}

fn counters(fresh: u64, reused: u64, unusable: u64, evicted: u64) -> InstanceCounters {
    InstanceCounters {
        fresh,
        reused,
        unusable,
        evicted,
    }
}

#[test]
fn instances_are_used_again_however_their_call_ended() {
    let (engine, module) = compiled(STATE, WarmLimits::default());
    for writer in WRITERS {
        call(&module, writer, LIMIT).expect("it is valid");
    }
    assert_eq!(engine.instance_counters(), counters(1, 8, 0, 0));
}

#[test]
fn instances_at_the_same_time_are_different_ones() {
    let (engine, module) = compiled(STATE, WarmLimits::default());
    for _ in 0..2 {
        let mut instances: Vec<_> = (1..=3)
            .map(|mark| {
                let mut instance = module.instantiate(1).expect("it is valid");
                instance.write_memory(0, &[mark]).expect("it is inside");
                (mark, instance)
            })
            .collect();
        for (mark, instance) in &mut instances {
            let mut byte = [0];
            instance.read_memory(0, &mut byte).expect("it is inside");
            assert_eq!(byte, [*mark]);
        }
    }
    assert_eq!(engine.instance_counters(), counters(3, 3, 0, 0));
}

#[test]
fn the_limits_hold() {
    let two = WarmLimits {
        instances: 2,
        memory_bytes: usize::MAX,
    };
    let (engine, module) = compiled(STATE, two);
    drop([1, 2, 3].map(|limit| module.instantiate(limit).expect("it is valid")));
    assert_eq!(engine.instance_counters(), counters(3, 0, 0, 1));

    // All 48 pages of 4 KiB are touched. The three with data are kept.
    let one = WarmLimits {
        instances: 10,
        memory_bytes: 20_000,
    };
    let (engine, module) = compiled(STATE, one);
    let mut instances = [1, 2].map(|_| module.instantiate(LIMIT).expect("it is valid"));
    for instance in &mut instances {
        outcome_of(&mut **instance, "write", TestHost::default());
    }
    drop(instances);
    assert_eq!(engine.instance_counters(), counters(2, 0, 0, 1));
}

#[test]
fn a_memory_that_was_touched_all_over_is_kept_without_its_pages() {
    let text = STATE.replace(
        "(memory (export \"memory\") 3)",
        "(memory (export \"memory\") 17)",
    );
    let (engine, module) = compiled(&text, WarmLimits::default());
    let mut instance = module.instantiate(LIMIT).expect("it is valid");
    for offset in (0..17 * 65_536).step_by(4_096) {
        instance.write_memory(offset, &[1]).expect("it is inside");
    }
    drop(instance);
    let expected = call(&compiled(&text, NONE).1, "look", LIMIT).expect("it is valid");
    assert_eq!(call(&module, "look", LIMIT).expect("it is valid"), expected);
    assert_eq!(engine.instance_counters(), counters(1, 1, 0, 0));
}

#[test]
fn the_start_function_runs_every_time() {
    let text = r#"(module
        (memory 1) (global $runs (mut i32) (i32.const 0))
        (func $start
            (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
            (i32.store8 (i32.const 9) (i32.add (i32.load8_u (i32.const 9)) (global.get $runs)))
            call $checked)
        (func $checked)
        (start $start)
        (func (export "f")))"#;
    let [warm, fresh] = warm_and_fresh(text);
    let expected = call(&fresh, "f", 1_000).expect("it is valid");
    assert_eq!(expected.memory[9], 1);
    for _ in 0..3 {
        assert_eq!(call(&warm, "f", 1_000).expect("it is valid"), expected);
        // Too few points for the start function, in an instance that has run before.
        let failed = call(&warm, "f", 3);
        assert!(
            matches!(failed, Err(InstantiationError::Invalid(_))),
            "{failed:?}"
        );
    }
}

#[test]
fn a_module_without_a_memory_is_warm_too() {
    let text = r#"(module
        (import "env" "echo" (func $echo (param i64) (result i64)))
        (global $calls (mut i64) (i64.const 0))
        (func (export "f") (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
            (drop (call $echo (global.get $calls)))))"#;
    for module in compile(&wasm(text), &unit_costs()) {
        for _ in 0..3 {
            let outcome = call(&module, "f", 100).expect("it is valid");
            assert_eq!(outcome.host.calls, [("echo", vec![1])]);
        }
    }
}

#[test]
fn instances_end_with_their_module_and_outlive_it_while_they_are_used() {
    let (engine, module) = compiled(STATE, WarmLimits::default());
    let mut used = module.instantiate(LIMIT).expect("it is valid");
    drop(module);
    let outcome = outcome_of(&mut *used, "look", TestHost::default());
    assert_eq!(outcome.end, End::Returned);
    drop(used);
    assert_eq!(engine.waiting(), 0);

    let module = engine
        .compile(&instrumented(&wasm(STATE), &unit_costs()))
        .expect("it is valid");
    drop(module.instantiate(1).expect("it is valid"));
    assert_eq!(engine.waiting(), 1);
    drop(module);
    assert_eq!(engine.waiting(), 0);
}

#[test]
fn tables_can_not_be_written() {
    for operator in [
        "(table.set (i32.const 0) (ref.null func))",
        "(table.copy (i32.const 0) (i32.const 1) (i32.const 1))",
    ] {
        let code = wasm(&format!(
            "(module (table 2 funcref) (func (export \"f\") {operator}))"
        ));
        assert!(super::validate(&code, super::TABLE).is_err(), "{operator}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Any order of calls, with any points, is the same in warm and in fresh instances.
    #[test]
    fn warm_and_fresh_instances_agree(
        calls in prop::collection::vec((0..=WRITERS.len(), 0..LIMIT), 1..12),
    ) {
        let [warm, fresh] = warm_and_fresh(STATE);
        for (function, limit) in calls {
            let function = WRITERS.get(function).copied().unwrap_or("look");
            let [left, right] = [&warm, &fresh].map(|module| call(module, function, limit));
            prop_assert_eq!(left, right, "{}", function);
        }
    }
}
