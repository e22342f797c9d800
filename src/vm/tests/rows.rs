//! Every host function once where it does its work and once where it fails, as tables: what it returns, writes, says
//! and costs. All numbers come from docs/spec/eei.md#functions. No two keys of the schedule cost the same, so a
//! charge of the wrong key is seen.

use crate::engine::ValueType;
use crate::gas_schedule::{SECTIONS, Section};
use crate::messages::{GasCostEntry, GasSectionEntry, VmInput, VmOutput};
use crate::vm::eei::import_table;
use crate::vm::fixtures::*;
use bytes::Bytes;
use std::collections::BTreeSet;

use super::{base_rows, big_int_rows, ethereum_rows, execution_rows};

/// Where functions are told to write; 64 bytes there are `x` before.
pub const RESULT: i64 = 1000;

/// The memory of a contract of a row, by offset:
/// addresses at 0 (callee), 32 (caller) and 64 (no account); the value 5 at 96 (little-endian) and at 128 (big-endian);
/// bytes at 160; a key of 32 bytes at 192 and a value at 224; four topics from 256; a protected key at 384; the
/// greatest value at 416 and zeros at 448; function names at 480 and 484; the lengths 2 and 1 at 496; a predefined
/// contract of Ethereum at 540, which is 2; and at 576 the address of an account that the node refuses to tell of.
pub const MEMORY: &str = r#"
    (data (i32.const 0) "callee__________________________caller__________________________")
    (data (i32.const 64) "nobody__________________________\05")
    (data (i32.const 159) "\05abc")
    (data (i32.const 192) "key_____________________________value___________________________")
    (data (i32.const 256) "topic1__________________________topic2__________________________")
    (data (i32.const 320) "topic3__________________________topic4__________________________")
    (data (i32.const 384) "PROTECTED_______________________")
    (data (i32.const 416) "\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff")
    (data (i32.const 432) "\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff")
    (data (i32.const 480) "mainargs")
    (data (i32.const 496) "\02\00\00\00\01\00\00\00")
    (data (i32.const 559) "\02")
    (data (i32.const 576) "refused_________________________")
    (data (i32.const 1000) "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
"#;

/// The arguments of a row's call: two bytes, none, -2 or 65534, and 2^63, which does not fit 64 bits.
pub const ARGUMENTS: [&[u8]; 4] = [b"ab", b"", &[0xff, 0xfe], &[0, 0x80, 0, 0, 0, 0, 0, 0, 0]];

/// The texts of memory errors (docs/spec/eei.md#memory).
pub const LOAD_BOUNDS: &str = "mem load: bad bounds";
pub const LOAD_LENGTH: &str = "mem load: negative length";
pub const LOWER: &str = "bad bounds (lower)";
pub const UPPER: &str = "bad bounds (upper)";

/// The cost of a key: the costs of all keys are different primes, those per byte the smallest.
pub fn cost(section: &str, key: &str) -> u64 {
    let mut primes = (11..).filter(|number| (2..*number).all(|divisor| number % divisor != 0));
    for known in SECTIONS {
        for known_key in known.keys {
            let prime = primes.next().expect("there is always another prime");
            if (known.name, *known_key) == (section, key) {
                return prime;
            }
        }
    }
    panic!("no key {section}.{key}");
}

pub fn base(key: &str) -> u64 {
    cost("BaseOperationCost", key)
}

pub fn api(key: &str) -> u64 {
    cost("Kalyan3104APICost", key)
}

pub fn eth(key: &str) -> u64 {
    cost("EthAPICost", key)
}

/// A schedule with these costs, where an operator costs 1.
pub fn priced() -> Vec<GasSectionEntry> {
    let entry = |key: &&'static str, value| GasCostEntry {
        key: (*key).into(),
        value,
    };
    let section = |section: &Section| GasSectionEntry {
        key: section.name.into(),
        value: match section.name {
            "WASMOpcodeCost" => section.keys.iter().map(|key| entry(key, 1)).collect(),
            name => {
                let keys = section.keys.iter();
                keys.map(|key| entry(key, cost(name, key))).collect()
            }
        },
    };
    SECTIONS.iter().map(section).collect()
}

/// What a call leads to.
enum End {
    /// The contract goes on: the result, what is written at [`RESULT`], and the gas.
    Returns(i64, Bytes, u64),
    /// The run ends with this code and message.
    Stops(i64, &'static str),
    /// The run has no output.
    Panics(&'static str),
}

/// One call of a host function.
pub struct Row {
    function: &'static str,
    arguments: Vec<i64>,
    is_good: bool,
    before: &'static str,
    after: &'static str,
    data: Vec<Bytes>,
    end: End,
    check: Option<fn(&VmOutput)>,
}

/// A call that does what it is for. It returns nothing or 0, writes nothing and is free, unless the row says more.
pub fn good(function: &'static str, arguments: &[i64]) -> Row {
    Row {
        function,
        arguments: arguments.to_vec(),
        is_good: true,
        before: "",
        after: "",
        data: Vec::new(),
        end: End::Returns(0, Bytes::new(), 0),
        check: None,
    }
}

/// A call that does not.
pub fn bad(function: &'static str, arguments: &[i64]) -> Row {
    Row {
        is_good: false,
        ..good(function, arguments)
    }
}

/// A call that ends the contract with a fault.
pub fn fault(function: &'static str, arguments: &[i64], message: &'static str) -> Row {
    bad(function, arguments).stops(10, message)
}

/// A call for which there is no output.
pub fn panics(function: &'static str, arguments: &[i64], message: &'static str) -> Row {
    Row {
        end: End::Panics(message),
        ..bad(function, arguments)
    }
}

impl Row {
    /// The result.
    pub fn returns(mut self, value: i64) -> Row {
        if let End::Returns(result, ..) = &mut self.end {
            *result = value;
        }
        self
    }

    /// What is written at [`RESULT`].
    pub fn writes(mut self, bytes: impl AsRef<[u8]>) -> Row {
        if let End::Returns(_, memory, _) = &mut self.end {
            *memory = Bytes::copy_from_slice(bytes.as_ref());
        }
        self
    }

    /// The gas.
    pub fn costs(mut self, amount: u64) -> Row {
        if let End::Returns(.., gas) = &mut self.end {
            *gas = amount;
        }
        self
    }

    /// Code and message of the output.
    pub fn stops(mut self, code: i64, message: &'static str) -> Row {
        self.end = End::Stops(code, message);
        self
    }

    /// What the contract does before.
    pub fn before(mut self, text: &'static str) -> Row {
        self.before = text;
        self
    }

    /// What the contract does after.
    pub fn after(mut self, text: &'static str) -> Row {
        self.after = text;
        self
    }

    /// The return data from what comes before, from the call, and from what comes after.
    pub fn data(mut self, items: &[&[u8]]) -> Row {
        self.data = items
            .iter()
            .map(|item| Bytes::copy_from_slice(item))
            .collect();
        self
    }

    /// What else is true of the output.
    pub fn check(mut self, check: fn(&VmOutput)) -> Row {
        self.check = Some(check);
        self
    }

    /// The call as text, with a result of 64 bits if there is one; and the operators of it.
    fn text(&self) -> (String, bool, u64) {
        let (namespace, name) = self.function.split_once('.').expect("namespace.name");
        let function = import_table()
            .iter()
            .find(|function| function.namespace == namespace && function.name == name)
            .unwrap_or_else(|| panic!("no function {}", self.function));
        assert_eq!(function.parameters.len(), self.arguments.len(), "{name}");
        let prefix = if namespace == "env" { "" } else { "eth." };
        let mut text = format!("(call ${prefix}{name}");
        for (kind, argument) in function.parameters.iter().zip(&self.arguments) {
            let kind = match kind {
                ValueType::I32 => "i32",
                ValueType::I64 => "i64",
            };
            text += &format!(" ({kind}.const {argument})");
        }
        text += ")";
        let operators = self.arguments.len() as u64 + 1;
        match function.result {
            None => (text, false, operators),
            Some(ValueType::I64) => (text, true, operators),
            Some(ValueType::I32) => (format!("(i64.extend_i32_s {text})"), true, operators + 1),
        }
    }

    /// The contract that makes the call.
    pub fn contract(&self) -> Bytes {
        let (call, has_result, _) = self.text();
        let call = if has_result {
            format!("(local.set $result {call})")
        } else {
            call
        };
        contract(&format!(
            r#"{MEMORY} (func (export "abc") (local $gas i64) (local $result i64)
                {}
                (local.set $gas (call $getGasLeft))
                {call}
                (local.set $gas (i64.sub (local.get $gas) (call $getGasLeft)))
                {}
                (call $int64finish (local.get $gas))
                (call $int64finish (local.get $result))
                (call $finish (i32.const {RESULT}) (i32.const 64)))"#,
            self.before, self.after
        ))
    }

    /// Runs the row, and compares all that it tells.
    fn run(&self, bench: &mut Bench) {
        let name = format!("{} {:?}", self.function, self.arguments);
        bench.world().put_contract("self", self.contract());
        let result = bench.call_with("self", "abc", row_input());
        let output = match (&self.end, result) {
            (End::Panics(message), Err(error)) => {
                assert_eq!(error.to_string(), *message, "{name}");
                return;
            }
            (End::Panics(_), Ok(output)) => panic!("{name}: {:?}", end(&output)),
            (_, result) => result.unwrap_or_else(|error| panic!("{name}: {error}")),
        };
        match &self.end {
            End::Panics(_) => unreachable!("returned above"),
            End::Stops(code, message) => {
                assert_eq!(end(&output), (*code, *message), "{name}");
                assert_eq!(output.return_data, self.data, "{name}");
                if *code != 0 {
                    assert_eq!(output.gas_remaining, 0, "{name}");
                    assert_eq!(output.output_accounts, [], "{name}");
                }
            }
            End::Returns(result, memory, gas) => {
                assert_eq!(end(&output), (0, ""), "{name}");
                let (_, has_result, operators) = self.text();
                // Between the two questions: the gas is stored, the call and its result, the gas is loaded again, and
                // the second question itself.
                let operators = operators + u64::from(has_result) + 3;
                let gas = gas.wrapping_add(operators + api("GetGasLeft")) as i64;
                let mut seen = memory.to_vec();
                seen.resize(64, b'x');
                let (data, last) = output.return_data.split_at(output.return_data.len() - 3);
                assert_eq!(data, self.data, "{name}");
                assert_eq!(number(&last[0]), gas, "{name}: gas");
                assert_eq!(number(&last[1]), *result, "{name}: result");
                assert_eq!(last[2], seen, "{name}: memory");
            }
        }
        if let Some(check) = self.check {
            check(&output);
        }
    }
}

/// The call of a row: by `caller`, with a value of 258.
pub fn row_input() -> VmInput {
    VmInput {
        call_value: Some(258u64.into()),
        gas_price: 772,
        ..input(&ARGUMENTS)
    }
}

/// The code of `callee`: `main` does nothing, which takes two operators; `args` returns its first two arguments.
pub fn callee() -> Bytes {
    contract(
        r#"(func (export "main") nop)
        (func (export "args")
            (call $finish (i32.const 0) (call $getArgument (i32.const 0) (i32.const 0)))
            (call $finish (i32.const 0) (call $getArgument (i32.const 1) (i32.const 0))))"#,
    )
}

/// The gas of a nested call of `main` of the callee: its code is compiled, and a nop and an end run.
pub fn callee_gas() -> u64 {
    base("CompilePerByte") * callee().len() as u64 + 2
}

/// The world of the rows.
pub fn furnish(bench: &mut Bench) {
    let mut world = bench.world();
    world.put_contract("callee", callee());
    world.refuses = Some((address("refused"), "the node does not say"));
    let own = address("self");
    let stored: [(Bytes, &'static [u8]); 5] = [
        (address("key"), b"value"),
        ("abc".into(), &[1, 2]),
        ("abctimelock".into(), &[14]),
        // Below zero in 64 bits.
        ("ktimelock".into(), &[0x80, 0, 0, 0, 0, 0, 0, 0]),
        // Nine bytes, of which the last eight are 7.
        ("ke".into(), &[1, 0, 0, 0, 0, 0, 0, 0, 7]),
    ];
    for (key, value) in stored {
        world
            .storage
            .insert((own.clone(), key), Bytes::from_static(value));
    }
    // What is deployed.
    let child = execution_rows::child();
    world.storage.insert((own.clone(), "args".into()), child);
    let child = ethereum_rows::idle_child();
    world.storage.insert((own, "mainargs".into()), child);
}

fn all_rows() -> Vec<Row> {
    let mut rows = base_rows::rows();
    rows.extend(big_int_rows::rows());
    rows.extend(execution_rows::rows());
    rows.extend(ethereum_rows::rows());
    rows
}

#[test]
fn host_functions_do_and_cost_what_the_tables_say() {
    on_each_engine_with(priced(), |bench| {
        furnish(bench);
        for row in all_rows() {
            row.run(bench);
        }
    });
}

/// Functions without any way to fail: they take neither an offset nor anything that may be refused.
const NEVER_FAIL: [&str; 34] = [
    "env.bigIntAbs",
    "env.bigIntAdd",
    "env.bigIntCmp",
    "env.bigIntFinishSigned",
    "env.bigIntFinishUnsigned",
    "env.bigIntGetCallValue",
    "env.bigIntGetInt64",
    "env.bigIntIsInt64",
    "env.bigIntMul",
    "env.bigIntNeg",
    "env.bigIntNew",
    "env.bigIntSetInt64",
    "env.bigIntSign",
    "env.bigIntSignedByteLength",
    "env.bigIntSub",
    "env.bigIntUnsignedByteLength",
    "env.getBlockEpoch",
    "env.getBlockNonce",
    "env.getBlockRound",
    "env.getBlockTimestamp",
    "env.getGasLeft",
    "env.getNumArguments",
    "env.getNumReturnData",
    "env.getPrevBlockEpoch",
    "env.getPrevBlockNonce",
    "env.getPrevBlockRound",
    "env.getPrevBlockTimestamp",
    "env.int64finish",
    "ethereum.getBlockGasLimit",
    "ethereum.getBlockNumber",
    "ethereum.getBlockTimestamp",
    "ethereum.getGasLeft",
    "ethereum.getReturnDataSize",
    "ethereum.useGas",
];

/// Functions that fail only in other calls than those of the rows: with long arguments, and in an init.
const FAIL_ELSEWHERE: [&str; 2] = ["ethereum.getCallDataSize", "ethereum.getCodeSize"];

#[test]
fn every_host_function_has_a_row_for_each_outcome() {
    let all: BTreeSet<String> = import_table()
        .iter()
        .map(|function| format!("{}.{}", function.namespace, function.name))
        .collect();
    assert_eq!(all.len(), import_table().len());
    let named = |is_good: bool| -> BTreeSet<String> {
        let rows = all_rows().into_iter();
        rows.filter(|row| row.is_good == is_good)
            .map(|row| row.function.to_owned())
            .collect()
    };
    assert_eq!(&all - &named(true), BTreeSet::new());
    let without = NEVER_FAIL.into_iter().chain(FAIL_ELSEWHERE);
    let without = without.map(str::to_owned).collect();
    assert_eq!(&all - &named(false), without);
}

#[test]
fn no_two_keys_cost_the_same() {
    let costs: BTreeSet<u64> = SECTIONS
        .iter()
        .filter(|section| section.name != "WASMOpcodeCost")
        .flat_map(|section| section.keys.iter().map(|key| cost(section.name, key)))
        .collect();
    assert_eq!(costs.len(), 5 + 38 + 35 + 33 + 2);
}
