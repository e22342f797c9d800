//! Calls of many kinds, with a world of contracts that no call changes: so each can be made again and again.

use crate::common::{self, USER};
use arwen::internal::scenario::{Account, NewAddress, SharedWorld};
use arwen::messages::*;
use bytes::Bytes;

const GAS: u64 = 100_000_000;

/// What the VM is built with: each operation costs 1.
pub fn arguments() -> Arguments {
    common::arguments(10 * GAS)
}

/// A request to a VM.
#[derive(Debug, Clone)]
pub enum Request {
    Deploy(ContractCreateInput),
    Call(ContractCallInput),
}

/// A name for each contract of tests/contracts that is called, and its text.
const CONTRACTS: [(&str, &str); 6] = [
    ("adder", include_str!("../contracts/adder.wat")),
    ("asking", include_str!("../contracts/asking.wat")),
    ("counter", include_str!("../contracts/counter.wat")),
    ("factory", include_str!("../contracts/factory.wat")),
    ("greedy", include_str!("../contracts/greedy.wat")),
    ("store", include_str!("../contracts/store.wat")),
];

fn wasm(text: &str) -> Bytes {
    wat::parse_str(text).expect("valid wat").into()
}

/// The address of a contract.
fn address(name: &str) -> Bytes {
    format!("\0\0\0\0\0\0\0\0\x05\0{name:_<22}")
        .into_bytes()
        .into()
}

/// A world in which all contracts are deployed, and the user and the factory may deploy more.
pub fn world() -> SharedWorld {
    let world = SharedWorld::default();
    let mut locked = world.lock();
    locked.accounts.insert(USER, Account::default());
    for (name, text) in CONTRACTS {
        let mut account = Account::default();
        account.set_code(wasm(text));
        locked.accounts.insert(address(name), account);
    }
    for creator in [USER, address("factory")] {
        locked.lasting.new_addresses.push(NewAddress {
            creator,
            creator_nonce: 0,
            address: address("new"),
        });
    }
    drop(locked);
    world
}

fn input(arguments: Vec<Bytes>) -> VmInput {
    VmInput {
        caller_addr: USER,
        arguments,
        call_value: Some(BigInt::default()),
        gas_provided: GAS,
        ..VmInput::default()
    }
}

fn call(contract: &str, function: &str, arguments: Vec<Bytes>) -> Request {
    Request::Call(ContractCallInput {
        input: Some(input(arguments)),
        recipient_addr: address(contract),
        function: function.to_owned(),
    })
}

fn deploy(text: &str, arguments: Vec<Bytes>) -> Request {
    Request::Deploy(ContractCreateInput {
        input: Some(input(arguments)),
        contract_code: wasm(text),
        ..ContractCreateInput::default()
    })
}

/// Deploys of so many contracts, each another.
pub fn many_contracts(number: usize) -> Vec<Request> {
    let request = |index: usize| {
        let text = format!(
            r#"(module (memory (export "memory") 1)
                (func (export "init") (i32.store (i32.const {index}) (i32.const 1))))"#
        );
        deploy(&text, vec![])
    };
    (0..number).map(request).collect()
}

/// Calls, deploys, nested and asynchronous ones, memories that grow and that are large; good ones and bad.
pub fn requests() -> Vec<Request> {
    let byte = |byte: u8| Bytes::from(vec![byte]);
    let large = r#"(module (memory (export "memory") 4000) (func (export "init") (i32.store (i32.const 262000000) (i32.const 1))))"#;
    let misfit = r#"(module (memory (export "memory") 1) (data (i32.const 65536) "x"))"#;
    let start = r#"(module (memory (export "memory") 1) (func $start unreachable) (start $start))"#;
    let counter = include_str!("../contracts/counter.wat");
    vec![
        deploy(counter, vec![]),
        call("counter", "increment", vec![]),
        call("adder", "add", vec![byte(5)]),
        call("adder", "add", vec![]),
        call("greedy", "grow", vec![]),
        call("greedy", "growOften", vec![]),
        call("greedy", "growTooFar", vec![]),
        call("greedy", "growInHost", vec![]),
        call("greedy", "outOfBounds", vec![]),
        call("greedy", "nest", vec![byte(4)]),
        call("greedy", "nest", vec![byte(12)]),
        call("store", "store", vec![byte(1), byte(2)]),
        call(
            "asking",
            "ask",
            vec![address("counter"), "increment".into()],
        ),
        call("factory", "create", vec![wasm(counter)]),
        deploy(large, vec![]),
        deploy(misfit, vec![]),
        deploy(start, vec![]),
        call("counter", "nothing", vec![]),
    ]
}
