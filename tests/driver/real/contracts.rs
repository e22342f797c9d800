//! Contracts, from the deploy to the last hook.

use super::node::{CONTRACT, GAS, Node, call_input, config, deploy_input, wasm, world};
use super::talkative::{HOOKS, Talkative};
use arwen::driver::Driver;
use arwen::internal::scenario::BlockInfo;
use arwen::messages::*;
use bytes::Bytes;

const COUNTER: &str = include_str!("../../contracts/counter.wat");

/// Gas by hand (docs/spec/gas.md#metering, #deductions; everything costs 1).
#[test]
fn a_counter_is_deployed_and_called_with_exact_gas() {
    let world = world();
    let driver = Driver::new(config(), world.clone()).expect("the child starts");
    let mut node = Node { world, driver };
    let code = wasm(COUNTER);
    let length = code.len() as u64;

    let output = node
        .driver
        .deploy(deploy_input(code.clone()))
        .expect("no critical error");
    let output = output.expect("the VM does not fail");
    node.apply(&output);
    // init: 2 operators and a call of $write: 4, host 1 + one new byte 1, 2; its own end.
    let init = 2 + 4 + (1 + 1) + 2 + 1;
    assert_eq!(output.gas_remaining, GAS - (1 + length) - init);
    assert_eq!(node.world.lock().accounts[&CONTRACT].code, code);

    // increment: 2, $add 1, $read 3 + host 1 + end 1, then 5 to the call of $write, which takes 4 + host 1 + 2 (the value
    // has as many bytes as before); 2 and host 1 to return it; two ends.
    let increment = 2 + 1 + (3 + 1 + 1) + 5 + (4 + 1 + 2) + (2 + 1) + 2;
    for value in 2..5u8 {
        let output = node.call("increment");
        assert_eq!(output.return_data, [&[value][..]]);
        assert_eq!(output.gas_remaining, GAS - length - increment);
    }
    assert_eq!(node.call("get").return_data, [&[4][..]]);
    let storage = &node.world.lock().accounts[&CONTRACT].storage;
    assert_eq!(storage[&b"COUNTER"[..]][..], [4]);
}

#[test]
fn what_a_contract_does_wrong_is_an_output() {
    let mut node = Node::with_contract(config(), COUNTER);
    let code = |node: &mut Node, function: &str, gas| {
        let outcome = node
            .driver
            .call(call_input(function, gas))
            .expect("no critical error");
        outcome.expect("the VM does not fail").return_code
    };
    let length = wasm(COUNTER).len() as u64;
    assert_eq!(
        code(&mut node, "decline", GAS),
        ReturnCode::FunctionNotFound as i64
    );
    assert_eq!(code(&mut node, "init", GAS), ReturnCode::UserError as i64);
    assert_eq!(
        code(&mut node, "increment", length - 1),
        ReturnCode::OutOfGas as i64
    );
    assert_eq!(
        code(&mut node, "increment", length + 9),
        ReturnCode::ExecutionFailed as i64
    );
    let outcome = node
        .driver
        .deploy(deploy_input(Bytes::from_static(b"no wasm")));
    let output = outcome
        .expect("no critical error")
        .expect("the VM does not fail");
    assert_eq!(output.return_code, ReturnCode::ContractInvalid as i64);
    assert_eq!(
        node.driver.stats().starts_total,
        1,
        "one child for all of it"
    );
}

#[test]
fn a_contract_reaches_every_hook_that_needs_no_other_contract() {
    let node = Talkative::default();
    let mut driver = Driver::new(config(), node.clone()).expect("the child starts");
    let outcome = driver
        .deploy(deploy_input(wasm(HOOKS)))
        .expect("no critical error");
    assert_eq!(outcome.expect("the VM does not fail").return_code, 0);
    assert_eq!(node.take_asked(), ["account", "new address"]);

    let outcome = driver
        .call(call_input("askEverything", GAS))
        .expect("no critical error");
    let output = outcome.expect("the VM does not fail");
    assert_eq!(
        (output.return_code, output.return_message.as_str()),
        (0, "")
    );
    let answers: Vec<&[u8]> = output.return_data.iter().map(|data| &data[..]).collect();
    let expected: [&[u8]; 16] = [
        b"stored",
        b"hash",
        &[1],
        &[2],
        &[3],
        b"old!",
        &[4],
        b"root",
        &[5],
        &[6],
        &[7],
        b"seed",
        &[8],
        b"owner",
        &[9],
        &[1],
    ];
    assert_eq!(answers, expected);
    assert_eq!(
        node.take_asked(),
        [
            "account",
            "storage",
            "block hash",
            "last nonce",
            "last round",
            "last time stamp",
            "last random seed",
            "last epoch",
            "state root hash",
            "current nonce",
            "current round",
            "current time stamp",
            "current random seed",
            "current epoch",
            "account",
            "shard",
            "is smart contract",
        ]
    );
}

/// The two families of nodes spell the protected prefix and a section of the gas schedule differently.
#[test]
fn one_binary_serves_both_families_of_nodes() {
    const PROTECTED: &str = r#"(module
        (import "env" "int64storageStore" (func $store (param i32 i32 i64) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "ELRONDkey KALYAN3104key")
        (func (export "elrond") (drop (call $store (i32.const 0) (i32.const 9) (i64.const 1))))
        (func (export "kalyan3104") (drop (call $store (i32.const 10) (i32.const 13) (i64.const 1)))))"#;

    let mut elrond = config();
    let arguments = &mut elrond.arguments;
    arguments.kalyan3104_protected_key_prefix = Bytes::new();
    arguments.elrond_protected_key_prefix = "ELROND".into();
    for section in &mut arguments.gas_schedule {
        if section.key == "Kalyan3104APICost" {
            section.key = "ElrondAPICost".into();
        }
    }
    for (config, protected) in [(elrond, "elrond"), (config(), "kalyan3104")] {
        let mut node = Node::with_contract(config, PROTECTED);
        for function in ["elrond", "kalyan3104"] {
            let outcome = node
                .driver
                .call(call_input(function, GAS))
                .expect("no critical error");
            let output = outcome.expect("the VM does not fail");
            let expected = match function == protected {
                true => ReturnCode::ExecutionFailed,
                false => ReturnCode::Ok,
            };
            assert_eq!(
                output.return_code, expected as i64,
                "{function} for {protected}"
            );
        }
    }
}

#[test]
fn facts_about_blocks_are_asked_for_once_in_a_dialogue() {
    const CURIOUS: &str = r#"(module
        (import "env" "getBlockNonce" (func $current (result i64)))
        (import "env" "getPrevBlockNonce" (func $previous (result i64)))
        (import "env" "int64finish" (func $finish (param i64)))
        (memory (export "memory") 1)
        (func (export "ask")
            (call $finish (call $current))
            (call $finish (call $previous))
            (call $finish (call $current))
            (call $finish (call $previous))))"#;
    let mut node = Node::with_contract(config(), CURIOUS);
    for nonce in [8u8, 9] {
        let block = |nonce: u8| BlockInfo {
            nonce: nonce.into(),
            ..BlockInfo::default()
        };
        node.world.lock().lasting.current_block = block(nonce);
        node.world.lock().lasting.previous_block = block(nonce - 1);
        let before = node.driver.stats().hook_calls_total;
        let output = node.call("ask");
        let (current, previous) = ([nonce], [nonce - 1]);
        let expected = [current, previous, current, previous];
        assert_eq!(output.return_data, expected.map(|data| data.to_vec()));
        // The account and the two facts.
        assert_eq!(node.driver.stats().hook_calls_total - before, 3);
    }
}

/// The first call is interpreted, later ones run compiled code. The interpreter has faults, around which instrumentation leads it
/// (src/engine/instrument/detours.rs).
#[test]
fn the_first_call_of_a_contract_is_like_the_others() {
    const DETOURS: &str = r#"(module
        (import "env" "int64finish" (func $finish (param i64)))
        (memory (export "memory") 2)
        (func (export "store") (local $at i32)
            (local.set $at (memory.size))
            (i32.store offset=65536 (local.get $at) (local.get $at))
            (i64.store offset=65544 (local.get $at) (i64.extend_i32_u (local.get $at)))
            (call $finish (i64.load32_u offset=65536 (local.get $at)))
            (call $finish (i64.load offset=65544 (local.get $at))))
        (func (export "select") (local $zero i32) (local $other i32)
            (local.set $other (i32.add (memory.size) (i32.const 5)))
            (call $finish (select (i64.const 1) (i64.const 2) (i32.eqz (local.get $zero))))))"#;
    let mut node = Node::with_contract(config(), DETOURS);
    for _ in 0..3 {
        assert_eq!(node.call("store").return_data, [&[2_u8][..]; 2]);
    }
    let mut node = Node::with_contract(config(), DETOURS);
    for _ in 0..3 {
        assert_eq!(node.call("select").return_data, [&[1_u8][..]]);
    }
}
