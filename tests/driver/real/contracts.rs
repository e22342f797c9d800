//! Contracts, from the deploy to the last hook.

use super::node::{CONTRACT, GAS, Node, USER, call_input, config, deploy_input, wasm, world};
use arwen::driver::Driver;
use arwen::hooks::{BlockchainHook, HookError, HookResult};
use arwen::internal::scenario::BlockInfo;
use arwen::messages::*;
use bytes::Bytes;
use std::sync::{Arc, Mutex};

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const HOOKS: &str = include_str!("../../contracts/hooks.wat");

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

/// A node whose answers can be told apart, and which remembers what it was asked.
#[derive(Clone, Default)]
struct Talkative {
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Talkative {
    fn answer<T>(&self, question: &'static str, answer: T) -> HookResult<T> {
        self.asked.lock().expect("no panic").push(question);
        Ok(answer)
    }
}

impl BlockchainHook for Talkative {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        assert_eq!((creator, nonce, vm_type), (&USER[..], 6, &b"\x05\0"[..]));
        self.answer("new address", CONTRACT)
    }
    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        assert_eq!((address, key), (&CONTRACT[..], &b"somebody"[..]));
        self.answer("storage", Some("stored".into()))
    }
    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        assert_eq!(nonce, 41);
        self.answer("block hash", "hash".into())
    }
    fn last_nonce(&mut self) -> HookResult<u64> {
        self.answer("last nonce", 1)
    }
    fn last_round(&mut self) -> HookResult<u64> {
        self.answer("last round", 2)
    }
    fn last_time_stamp(&mut self) -> HookResult<u64> {
        self.answer("last time stamp", 3)
    }
    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        self.answer("last random seed", "old!".into())
    }
    fn last_epoch(&mut self) -> HookResult<u32> {
        self.answer("last epoch", 4)
    }
    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        self.answer("state root hash", "root".into())
    }
    fn current_nonce(&mut self) -> HookResult<u64> {
        self.answer("current nonce", 5)
    }
    fn current_round(&mut self) -> HookResult<u64> {
        self.answer("current round", 6)
    }
    fn current_time_stamp(&mut self) -> HookResult<u64> {
        self.answer("current time stamp", 7)
    }
    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        self.answer("current random seed", "seed".into())
    }
    fn current_epoch(&mut self) -> HookResult<u32> {
        self.answer("current epoch", 8)
    }
    fn process_builtin_function(&mut self, _: &ContractCallInput) -> HookResult<Option<VmOutput>> {
        Err(HookError::refused("there are none"))
    }
    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        self.answer("built-in function names", Vec::new())
    }
    fn all_state(&mut self, _: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        self.answer("all state", Vec::new())
    }
    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        let account = match address == CONTRACT {
            true => Account {
                code: wasm(HOOKS),
                owner_address: "owner".into(),
                ..Account::default()
            },
            false => Account {
                nonce: 7,
                ..Account::default()
            },
        };
        self.answer("account", Some(account))
    }
    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        assert_eq!(address, b"somebody________________________");
        self.answer("shard", 9)
    }
    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        assert_eq!(address, b"somebody________________________");
        self.answer("is smart contract", true)
    }
}

#[test]
fn a_contract_reaches_every_hook_that_needs_no_other_contract() {
    let node = Talkative::default();
    let mut driver = Driver::new(config(), node.clone()).expect("the child starts");
    let outcome = driver
        .deploy(deploy_input(wasm(HOOKS)))
        .expect("no critical error");
    assert_eq!(outcome.expect("the VM does not fail").return_code, 0);
    let asked = std::mem::take(&mut *node.asked.lock().expect("no panic"));
    assert_eq!(asked, ["account", "new address"]);

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
    let asked = node.asked.lock().expect("no panic");
    assert_eq!(
        asked[..],
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
