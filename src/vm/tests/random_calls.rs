//! Random calls of all host functions, with arguments at the edges: no run panics, and it gives the same twice and on
//! both engines. `PROPTEST_CASES` sets the number of cases.

use crate::messages::{VmInput, VmOutput};
use crate::vm::eei::import_table;
use crate::vm::engine::ValueType;
use crate::vm::fixtures::*;
use proptest::prelude::*;
use std::fmt::Write;
use std::sync::Mutex;

/// A call of the host function with this index, without more arguments than it has parameters.
#[derive(Debug, Clone)]
pub(super) struct HostCall {
    pub function: usize,
    pub arguments: Vec<i64>,
}

/// The most parameters that a host function has.
const MAXIMUM_PARAMETERS: usize = 11;

/// Shifts by more would make numbers of up to 256 MiB, which takes long and tells nothing new.
const LARGEST_SHIFT: i64 = 4096;

/// What contracts have in memory at first: addresses at 0, 32, 64 and 96 (of nobody), the values 5 and 0 at 128 and
/// 160, names of functions, two lengths (1 and 2) before their arguments, data for asynchronous calls, a protected
/// key, a contract that can be deployed, and predefined addresses of 20 bytes.
pub(super) fn data() -> String {
    let deployable = contract(r#"(func (export "init") (drop (call $getNumArguments)))"#);
    let code: String = deployable
        .iter()
        .map(|byte| format!("\\{byte:02x}"))
        .collect();
    let addresses: String = CONTRACTS
        .iter()
        .chain(&["nobody"])
        .map(|name| format!("{name:_<32}"))
        .collect();
    format!(
        r#"(data (i32.const 0) "{addresses}") (data (i32.const 159) "\05")
        (data (i32.const 192) "f") (data (i32.const 200) "callBack{BUILTIN}") (data (i32.const 216) "init")
        (data (i32.const 256) "\01\00\00\00\02\00\00\00abc")
        (data (i32.const 300) "f@01") (data (i32.const 320) "{PROTECTED}")
        (data (i32.const 400) "{code}") (data (i32.const 719) "\02") (data (i32.const 739) "\04")"#
    )
}

/// The length of the contract at 400, for `createContract`.
fn deployable_length() -> i64 {
    contract(r#"(func (export "init") (drop (call $getNumArguments)))"#).len() as i64
}

const CONTRACTS: [&str; 3] = ["self", "callee", "third"];

/// Offsets and lengths that are good, and numbers around every border.
fn argument() -> impl Strategy<Value = i64> {
    let good = vec![
        0, 1, 2, 3, 4, 8, 20, 32, 64, 96, 128, 160, 192, 200, 208, 256, 264, 300, 320, 400, 700,
        720,
    ];
    let edges = vec![
        -1,
        -2,
        -32,
        31,
        33,
        65_503,
        65_504,
        65_505,
        65_535,
        65_536,
        65_537,
        131_071,
        131_072,
        131_073,
        i64::from(i32::MIN),
        i64::from(i32::MIN) + 1,
        i64::from(i32::MAX),
        i64::from(i32::MAX) - 1,
        1 << 30,
        i64::MIN,
        i64::MAX,
    ];
    prop_oneof![
        6 => prop::sample::select(good),
        3 => prop::sample::select(edges),
        2 => -5..70_000_i64,
    ]
}

/// Any function with any arguments.
fn any_call() -> impl Strategy<Value = HostCall> {
    let arguments = prop::collection::vec(argument(), MAXIMUM_PARAMETERS);
    (0..import_table().len(), arguments).prop_map(|(function, mut arguments)| {
        let import = &import_table()[function];
        arguments.truncate(import.parameters.len());
        if import.name == "bigIntShl" {
            arguments[2] = arguments[2].min(LARGEST_SHIFT);
        }
        for (argument, kind) in arguments.iter_mut().zip(import.parameters) {
            if *kind == ValueType::I32 {
                *argument = i64::from(*argument as i32);
            }
        }
        HostCall {
            function,
            arguments,
        }
    })
}

/// A call of another contract, which mostly works. `to` is an address, `gas` a limit, `name` a function's offset and
/// length, `value` an offset, `count` a number of arguments.
fn contract_call() -> impl Strategy<Value = HostCall> {
    let to = prop::sample::select(vec![0, 32, 32, 32, 64, 64, 96]);
    let gas = prop::sample::select(vec![-1, 0, 1, 700, 5_000, 100_000, 400_000, i64::MAX]);
    let name = prop::sample::select(vec![
        (192, 1),
        (192, 1),
        (192, 1),
        (208, 7),
        (200, 8),
        (216, 4),
    ]);
    let value = prop::sample::select(vec![128, 160, 160, 0]);
    (0..12_usize, to, gas, name, value, 0..3_i64).prop_map(
        |(kind, to, gas, (name, length), value, count)| {
            let (called, arguments) = match kind {
                0 | 1 => (
                    ["executeOnDestContext", "executeOnSameContext"][kind],
                    vec![gas, to, value, name, length, count, 256, 264],
                ),
                2 | 3 => (
                    ["delegateExecution", "executeReadOnly"][kind - 2],
                    vec![gas, to, name, length, count, 256, 264],
                ),
                4 | 5 => (
                    ["call", "callCode"][kind - 4],
                    vec![gas, to, value, 264, count],
                ),
                6 | 7 => (
                    ["callDelegate", "callStatic"][kind - 6],
                    vec![
                        gas,
                        if kind == 7 {
                            700 + 20 * (count % 2)
                        } else {
                            to
                        },
                        264,
                        count,
                    ],
                ),
                8 => (
                    "createContract",
                    vec![value, 400, deployable_length(), 1000, count, 256, 264],
                ),
                9 => ("create", vec![value, 400, deployable_length(), 1000]),
                10 => ("asyncCall", vec![to, value, 300, 4]),
                _ => (
                    "createAsyncCall",
                    vec![
                        264,
                        count,
                        to,
                        value,
                        300,
                        4,
                        192,
                        1,
                        200,
                        8,
                        gas.max(0) / 4,
                    ],
                ),
            };
            let imports = import_table();
            let function = imports.iter().position(|import| import.name == called);
            HostCall {
                function: function.expect("a name of the table"),
                arguments,
            }
        },
    )
}

/// Some calls, of which only a few are of contracts: these may call each other up to ten deep.
pub(super) fn calls(most: usize) -> impl Strategy<Value = Vec<HostCall>> {
    let others = prop::collection::vec(any_call(), 0..most);
    let contracts = prop::collection::vec(contract_call(), 0..3);
    (others, contracts).prop_map(|(mut calls, contracts)| {
        for (index, call) in contracts.into_iter().enumerate() {
            let at = (3 * index + 1).min(calls.len());
            calls.insert(at, call);
        }
        calls
    })
}

/// The calls as text; results become return data.
fn write(calls: &[HostCall]) -> String {
    let mut text = String::new();
    for call in calls {
        let import = &import_table()[call.function];
        let prefix = if import.namespace == "env" {
            ""
        } else {
            "eth."
        };
        let mut line = format!("(call ${prefix}{}", import.name);
        for (argument, kind) in call.arguments.iter().zip(import.parameters) {
            match kind {
                ValueType::I32 => write!(line, " (i32.const {argument})"),
                ValueType::I64 => write!(line, " (i64.const {argument})"),
            }
            .expect("strings can be written to");
        }
        line.push(')');
        text += &match import.result {
            None => line,
            Some(ValueType::I32) => format!("(call $int64finish (i64.extend_i32_s {line}))"),
            Some(ValueType::I64) => format!("(call $int64finish {line})"),
        };
        text.push('\n');
    }
    text
}

/// A contract that makes the calls in `f`, others in `callBack`, and ends with a hash of its memory.
fn module(calls: &[HostCall], callback: &[HostCall]) -> String {
    format!(
        r#"{}
        (func (export "f") (export "main")
            {}
            (drop (call $sha256 (i32.const 0) (i32.shl (memory.size) (i32.const 16)) (i32.const 0)))
            (call $finish (i32.const 0) (i32.const 32)))
        (func (export "callBack") {})"#,
        data(),
        write(calls),
        write(callback)
    )
}

/// The texts with which a run may end without an output; a panic of ours would be one that is not here.
const HOST_FAULTS: [&str; 9] = [
    "runtime error: index out of range [",
    "runtime error: slice bounds out of range [",
    "host fault: a contract reads ",
    "host fault: a promised call can't be made: ",
    "host fault: a promised call failed",
    "host fault: no gas for an asynchronous call",
    "host fault: no gas for the callback of an asynchronous call",
    "host fault: the stored promises are null",
    // The number comes first.
    " arguments whose lengths are not all there",
];

#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Output(Box<VmOutput>, Vec<String>),
    HostFault(String),
}

/// Calls `f` of the first contract, as a direct call, an asynchronous one, or an answer.
fn run(bench: &mut Bench, call_type: i64, gas: u64) -> Outcome {
    let input = VmInput {
        call_value: Some(3u64.into()),
        gas_provided: gas,
        call_type,
        ..input(&[b"first", &[0x80; 40], b""])
    };
    match bench.call_with("self", "f", input) {
        Ok(output) => Outcome::Output(Box::new(output), bench.world().calls.clone()),
        Err(error) => Outcome::HostFault(error.to_string()),
    }
}

fn outcomes(codes: &[String], call_type: i64, gas: u64) -> Vec<Outcome> {
    let outcomes = Mutex::new(Vec::new());
    on_each_engine(|bench| {
        for (name, code) in CONTRACTS.iter().zip(codes) {
            bench.world().put_contract(name, contract(code));
        }
        bench.world().put_storage("self", "f", "stored");
        bench.world().other_shard = vec![address("nobody")];
        bench.world().builtin_answer = Some(Some(VmOutput {
            return_data: vec!["built in".into()],
            gas_remaining: 400,
            ..VmOutput::default()
        }));
        for _ in 0..2 {
            let outcome = run(bench, call_type, gas);
            outcomes.lock().expect("no panic").push(outcome);
        }
    });
    outcomes.into_inner().expect("no panic")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn runs_end_alike_whatever_they_call(
        first in calls(8), second in calls(5), third in calls(5), callback in calls(3),
        call_type in 0..3_i64, gas in prop_oneof![Just(GAS), 500..20_000_u64],
    ) {
        let codes = [&first, &second, &third].map(|calls| module(calls, &callback));
        let outcomes = outcomes(&codes, call_type, gas);
        for outcome in &outcomes[1..] {
            prop_assert_eq!(&outcomes[0], outcome);
        }
        match &outcomes[0] {
            Outcome::HostFault(text) => {
                prop_assert!(HOST_FAULTS.iter().any(|known| text.contains(known)), "{}", text);
            }
            Outcome::Output(output, _) => {
                // A direct call never ends with more than it was given, but for what negative charges give back.
                let charges_wrap = [&first, &second, &third, &callback].iter().copied().flatten()
                    .any(|call| call.arguments.iter().any(|argument| *argument < 0));
                prop_assert!(charges_wrap || output.gas_remaining <= gas);
                if output.return_code != 0 {
                    prop_assert!(!output.return_message.is_empty() || output.return_code == 4);
                }
            }
        }
    }
}
