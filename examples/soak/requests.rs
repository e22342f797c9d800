//! The requests, and what comes of them: they change nothing, so that each can be made again and again.

use arwen::internal::scenario::{Account, NewAddress, SharedWorld};
use arwen::internal::vm::{Vm, VmParameters};
use arwen::machine::Machine as _;
use arwen::messages::*;
use bytes::Bytes;

const USER: Bytes = Bytes::from_static(b"user____________________________");
const GAS: u64 = 100_000_000;

/// The contracts that are called, and their texts.
const CONTRACTS: [(&str, &str); 6] = [
    ("adder", include_str!("../../tests/contracts/adder.wat")),
    ("asking", include_str!("../../tests/contracts/asking.wat")),
    ("counter", include_str!("../../tests/contracts/counter.wat")),
    ("greedy", include_str!("../../tests/contracts/greedy.wat")),
    ("hooks", include_str!("../../tests/contracts/hooks.wat")),
    ("store", include_str!("../../tests/contracts/store.wat")),
];

/// A contract that asks the node for its storage a thousand times, at keys that are ASCII: as keys of a map in JSON others
/// would not be told apart.
const STORM: &str = r#"(module
    (import "env" "storageLoad" (func $load (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "storm") (local $turn i32)
        (loop
            (i32.store8 (i32.const 0) (i32.add (i32.const 48) (i32.rem_u (local.get $turn) (i32.const 50))))
            (i32.store8 (i32.const 1) (i32.add (i32.const 48) (i32.div_u (local.get $turn) (i32.const 50))))
            (drop (call $load (i32.const 0) (i32.const 2) (i32.const 64)))
            (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $turn) (i32.const 1000))))))"#;

/// What the VM is built with.
pub fn arguments() -> Arguments {
    Arguments {
        vm_type: Bytes::from_static(b"\x05\0"),
        block_gas_limit: 10 * GAS,
        gas_schedule: arwen::gas_schedule::flat_gas_schedule(1, 100_000),
        kalyan3104_protected_key_prefix: Bytes::from_static(b"KALYAN3104"),
        ..Arguments::default()
    }
}

/// A request to a VM.
#[derive(Debug, Clone)]
pub enum Request {
    Deploy(ContractCreateInput),
    Call(ContractCallInput),
}

impl Request {
    /// What it does, for people.
    pub fn name(&self) -> String {
        match self {
            Request::Deploy(_) => "deploy".to_owned(),
            Request::Call(call) => call.function.clone(),
        }
    }
}

impl Request {
    /// Whether it asks the node a thousand times, and so takes ten times as long as the others.
    pub fn is_storm(&self) -> bool {
        matches!(self, Request::Call(call) if call.function == "storm")
    }
}

/// All requests, and the world in which they are made.
pub struct Requests {
    world: SharedWorld,
    all: Vec<Request>,
}

impl Requests {
    pub fn new() -> Self {
        Self {
            world: world(),
            all: all(),
        }
    }

    pub fn world(&self) -> SharedWorld {
        self.world.clone()
    }

    /// How many there are, without the fresh ones.
    pub fn number(&self) -> usize {
        self.all.len()
    }

    pub fn get(&self, index: usize) -> Request {
        self.all[index].clone()
    }

    /// What each request gives in a VM in this process; the last is that of [`Requests::fresh`] with the number 0.
    pub fn outputs(&self) -> anyhow::Result<Vec<VmOutput>> {
        let parameters = VmParameters::from(&arguments());
        let mut vm = Vm::new(parameters, Box::new(self.world()))?;
        let mut outputs = Vec::new();
        for request in self.all.iter().cloned().chain([deploy(&fresh_code(0))]) {
            let output = match request {
                Request::Deploy(input) => vm.deploy(input),
                Request::Call(input) => vm.call(input),
            };
            outputs.push(output??);
        }
        Ok(outputs)
    }

    /// The deploy of code that has this number in it, and its output.
    pub fn fresh(&self, number: u64, outputs: &[VmOutput]) -> (Request, VmOutput) {
        let code = fresh_code(number);
        let mut output = outputs[outputs.len() - 1].clone();
        for account in &mut output.output_accounts {
            if let Some(account) = account
                .value
                .as_mut()
                .filter(|account| !account.code.is_empty())
            {
                account.code = code.clone();
            }
        }
        (deploy(&code), output)
    }
}

/// Code with a constant that always takes as many bytes: a byte of code costs gas.
fn fresh_code(number: u64) -> Bytes {
    let number = (number >> 3) | (1 << 61);
    wasm(&format!(
        r#"(module (memory (export "memory") 1)
            (func (export "init") (i64.store (i32.const 0) (i64.const {number}))))"#
    ))
}

fn wasm(text: &str) -> Bytes {
    wat::parse_str(text)
        .expect("texts of ours are valid")
        .into()
}

fn address(name: &str) -> Bytes {
    format!("\0\0\0\0\0\0\0\0\x05\0{name:_<22}")
        .into_bytes()
        .into()
}

fn world() -> SharedWorld {
    let world = SharedWorld::default();
    let mut locked = world.lock();
    locked.accounts.insert(USER, Account::default());
    for (name, text) in CONTRACTS.into_iter().chain([("storm", STORM)]) {
        let mut account = Account::default();
        account.set_code(wasm(text));
        locked.accounts.insert(address(name), account);
    }
    locked.lasting.new_addresses.push(NewAddress {
        creator: USER,
        creator_nonce: 0,
        address: address("new"),
    });
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

fn deploy(code: &Bytes) -> Request {
    Request::Deploy(ContractCreateInput {
        input: Some(input(Vec::new())),
        contract_code: code.clone(),
        ..ContractCreateInput::default()
    })
}

/// Calls and deploys, nested and asynchronous ones, many hook calls, memories that grow; good ones and bad.
fn all() -> Vec<Request> {
    let byte = |byte: u8| Bytes::from(vec![byte]);
    let large = Bytes::from(vec![7; 100_000]);
    vec![
        call("counter", "increment", vec![]),
        call("counter", "get", vec![]),
        call("counter", "nothing", vec![]),
        call("adder", "add", vec![byte(5)]),
        call("adder", "add", vec![]),
        call("hooks", "askEverything", vec![]),
        call("storm", "storm", vec![]),
        call("store", "store", vec![byte(1), large]),
        call("greedy", "grow", vec![]),
        call("greedy", "outOfBounds", vec![]),
        call("greedy", "nest", vec![byte(4)]),
        call(
            "asking",
            "ask",
            vec![address("counter"), "increment".into()],
        ),
        deploy(&wasm(CONTRACTS[2].1)),
        deploy(&Bytes::from_static(b"not wasm")),
    ]
}
