//! Memories that go from one contract to the next: neither what was written nor the size goes with them.

use proptest::prelude::*;

use super::warm::{Compiled, LIMIT, NONE, STATE, WRITERS, call, unpooled};
use super::{instrumented, unit_costs, wasm};
use crate::engine::Engine as _;
use crate::engine::wasmer::WasmerEngine;
use crate::engine::wasmer::warm::WarmLimits;

/// Tells all that it finds in its memory, and behind it.
fn reader(pages: u32) -> String {
    const READER: &str = r#"(module
    (import "env" "echo" (func $echo (param i64) (result i64)))
    (memory (export "memory") PAGES)
    (func $sum (export "sum") (local $at i32) (local $sum i64)
        (drop (call $echo (i64.extend_i32_u (memory.size))))
        (loop $all
            (local.set $sum (i64.add
                (i64.mul (local.get $sum) (i64.const 31))
                (i64.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $all (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
        (drop (call $echo (local.get $sum))))
    (func (export "growAndSum") (drop (memory.grow (i32.const 4))) call $sum)
    (func (export "readBehindTheEnd") (drop (i64.load (i32.mul (memory.size) (i32.const 65536)))))
    (func (export "mark") (i64.store (i32.const 4096) (i64.const -1))))"#;
    READER.replace("PAGES", &pages.to_string())
}

fn writer(pages: u32) -> String {
    STATE.replace(
        r#"(memory (export "memory") 3)"#,
        &format!(r#"(memory (export "memory") {pages})"#),
    )
}

const READERS: [&str; 4] = ["sum", "growAndSum", "readBehindTheEnd", "mark"];

/// A contract with memory, compiled for an engine that passes memories on, and for one that does not.
struct Contract {
    functions: Vec<&'static str>,
    pooled: Compiled,
    unpooled: Compiled,
}

/// One instance is kept, and more without their memories.
const ONE: WarmLimits = WarmLimits {
    instances: 1,
    memory_bytes: usize::MAX,
};

/// Contracts of all sizes on one engine.
fn contracts(limits: WarmLimits) -> (WasmerEngine<super::TestHost>, Vec<Contract>) {
    let engine = WasmerEngine::new(limits);
    let readers = [1, 3, 6, 20].map(|pages| (reader(pages), READERS.to_vec()));
    let functions = [&WRITERS[..], &["look"]].concat();
    let writers = [3, 5, 20].map(|pages| (writer(pages), functions.clone()));
    let contracts = readers.into_iter().chain(writers);
    let contracts = contracts.map(|(text, functions)| {
        let module = engine.compile(&instrumented(&wasm(&text), &unit_costs()));
        Contract {
            functions,
            pooled: module.expect("it is valid"),
            unpooled: unpooled(&text),
        }
    });
    let contracts = contracts.collect();
    (engine, contracts)
}

#[test]
fn nothing_of_a_contract_is_seen_by_the_next() {
    let (engine, contracts) = contracts(NONE);
    let (readers, writers) = contracts.split_at(4);
    for reader in readers {
        for function in READERS {
            let expected = call(&reader.unpooled, function, LIMIT).expect("it is valid");
            for writer in writers {
                for write in WRITERS {
                    call(&writer.pooled, write, LIMIT).expect("it is valid");
                    assert_eq!(engine.idle_addresses(), 1);
                    let seen = call(&reader.pooled, function, LIMIT).expect("it is valid");
                    assert_eq!(seen, expected, "{function} after {write}");
                    assert_eq!(engine.idle_addresses(), 1);
                }
            }
        }
    }
}

#[test]
fn an_instance_that_lost_its_memory_begins_anew() {
    let (engine, contracts) = contracts(ONE);
    let (readers, writers) = contracts.split_at(4);
    let mut calls = 0;
    for writer in writers {
        for look in ["look", "readBehindTheEnd", "growAndRead"] {
            let expected = call(&writer.unpooled, look, LIMIT).expect("it is valid");
            for write in WRITERS {
                call(&writer.pooled, write, LIMIT).expect("it is valid");
                call(&readers[calls % 3].pooled, "mark", LIMIT).expect("it is valid");
                let seen = call(&writer.pooled, look, LIMIT).expect("it is valid");
                assert_eq!(seen, expected, "{look} after {write}");
                calls += 1;
            }
        }
    }
    let counters = engine.instance_counters();
    // All writers and three readers; as many as are kept are called in turns.
    let modules = 6;
    assert_eq!(counters.fresh, modules, "{counters:?}");
    assert_eq!(counters.reused, 3 * calls as u64 - modules, "{counters:?}");
    assert_eq!(engine.waiting(), 5);
}

#[test]
fn memories_at_the_same_time_are_different_ones() {
    let (engine, contracts) = contracts(NONE);
    for _ in 0..2 {
        let instances = contracts.iter().cycle().take(14).zip(1..);
        let mut instances: Vec<_> = instances
            .map(|(contract, mark)| {
                let mut instance = contract.pooled.instantiate(1).expect("it is valid");
                instance.write_memory(9, &[mark]).expect("it is inside");
                (mark, instance)
            })
            .collect();
        assert_eq!(engine.idle_addresses(), 0);
        for (mark, instance) in &mut instances {
            let mut bytes = [0; 2];
            instance.read_memory(9, &mut bytes).expect("it is inside");
            assert_eq!(bytes[0], *mark);
        }
        drop(instances);
        // More than wait.
        assert_eq!(engine.idle_addresses(), 10);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Any order of calls of any contracts is the same, whether memories are passed on or not.
    #[test]
    fn passed_on_and_new_memories_agree(
        limits in prop::sample::select(vec![NONE, ONE]),
        calls in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..LIMIT), 1..20),
    ) {
        let (_, contracts) = contracts(limits);
        for (contract, function, limit) in calls {
            let contract = contract.get(&contracts);
            let function = function.get(&contract.functions);
            let [left, right] = [&contract.pooled, &contract.unpooled].map(|module| call(module, function, limit));
            prop_assert_eq!(left, right, "{}", function);
        }
    }
}
