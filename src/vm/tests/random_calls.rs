//! Random calls of all host functions, with arguments at the edges: no run panics, and it gives the same twice and on
//! both engines. `PROPTEST_CASES` sets the number of cases. The fuzz target `host_functions` does it faster, with one
//! contract that reads what it is to call; here every run has contracts of its own.

use crate::engine::ValueType;
use crate::messages::{VmInput, VmOutput};
use crate::vm::eei::import_table;
use crate::vm::fixtures::*;
use crate::vm::fuzzing::host_calls::{CONTRACTS, HostCall, HostCallGenerator, data};
use crate::vm::fuzzing::outcome::RunOutcome;
use arbitrary::Unstructured;
use proptest::prelude::*;
use std::fmt::Write;
use std::sync::Mutex;

/// Some calls, of which only a few are of contracts.
pub(super) fn calls(most: usize) -> impl Strategy<Value = Vec<HostCall>> {
    let generator = HostCallGenerator::new();
    let bytes = prop::collection::vec(any::<u8>(), 0..16 * most);
    bytes.prop_map(move |bytes| {
        let calls = generator.calls(&mut Unstructured::new(&bytes), most, 2);
        calls.expect("any bytes are numbers")
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

/// Calls `f` of the first contract, as a direct call, an asynchronous one, or an answer.
fn run(bench: &mut Bench, call_type: i64, gas: u64) -> RunOutcome {
    let input = VmInput {
        call_value: Some(3u64.into()),
        gas_provided: gas,
        call_type,
        ..input(&[b"first", &[0x80; 40], b""])
    };
    let result = bench.call_with("self", "f", input);
    RunOutcome::new(bench, result)
}

fn outcomes(codes: &[String], call_type: i64, gas: u64) -> Vec<RunOutcome> {
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
        // What negative charges give back may be more than was given.
        let charges_wrap = [&first, &second, &third, &callback].iter().copied().flatten()
            .any(|call| call.arguments.iter().any(|argument| *argument < 0));
        outcomes[0].check(gas, !charges_wrap, false);
    }
}
