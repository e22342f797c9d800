//! Calls of host functions made of bytes: any function, with arguments that are good or at the edges.

use crate::engine::ValueType;
use crate::vm::eei::import_table;
use crate::vm::fixtures::*;
use arbitrary::{Result, Unstructured};

/// A call of the host function with this index, with an argument for each of its parameters.
#[derive(Debug, Clone)]
pub struct HostCall {
    pub function: usize,
    pub arguments: Vec<i64>,
}

/// The most parameters that a host function has.
pub const MAXIMUM_PARAMETERS: usize = 12;

/// Shifts by more would make numbers of up to 256 MiB, which takes long and tells nothing new.
pub const LARGEST_SHIFT: i64 = 4095;

/// What lies behind the memory reads as zeros, up to 2 GiB of them, which takes long and tells nothing new.
const SLOW_LENGTH: i32 = 1 << 20;

/// The contracts of a world.
pub const CONTRACTS: [&str; 3] = ["self", "callee", "third"];

/// Arguments that are good in many places: offsets in [`data`], lengths, handles.
const GOOD: [i64; 22] = [
    0, 1, 2, 3, 4, 8, 20, 32, 64, 96, 128, 160, 192, 200, 208, 256, 264, 300, 320, 400, 700, 720,
];

/// Numbers around every border.
const EDGES: [i64; 21] = [
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
    i32::MIN as i64,
    i32::MIN as i64 + 1,
    i32::MAX as i64,
    i32::MAX as i64 - 1,
    1 << 30,
    i64::MIN,
    i64::MAX,
];

/// What contracts have in memory at first: addresses at 0, 32, 64 and 96 (of no account), the values 5 and 0 at 128 and
/// 160, names of functions, two lengths (1 and 2) before their arguments, data for asynchronous calls, a protected
/// key, a contract that can be deployed, and predefined addresses of 20 bytes.
pub fn data() -> String {
    let deployable = deployable();
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

/// The contract that [`data`] has at 400.
fn deployable() -> bytes::Bytes {
    contract(r#"(func (export "init") (drop (call $getNumArguments)))"#)
}

/// Makes calls of bytes, until there are none left.
pub struct HostCallGenerator {
    deployable_length: i64,
}

impl HostCallGenerator {
    pub fn new() -> Self {
        Self {
            deployable_length: deployable().len() as i64,
        }
    }

    /// At most so many calls, of which `most_of_contracts` are of contracts: these may call each other up to ten deep.
    pub fn calls(
        &self,
        bytes: &mut Unstructured<'_>,
        most: usize,
        most_of_contracts: usize,
    ) -> Result<Vec<HostCall>> {
        let mut calls = Vec::new();
        let mut of_contracts = 0;
        while calls.len() < most && !bytes.is_empty() {
            let call = if of_contracts < most_of_contracts && bytes.ratio(1, 5)? {
                of_contracts += 1;
                self.contract_call(bytes)?
            } else {
                any_call(bytes)?
            };
            calls.push(call);
        }
        Ok(calls)
    }

    /// A call of another contract, which mostly works.
    fn contract_call(&self, bytes: &mut Unstructured<'_>) -> Result<HostCall> {
        let to = *bytes.choose(&[0, 32, 32, 32, 64, 64, 96])?;
        let gas = *bytes.choose(&[-1, 0, 1, 700, 5_000, 100_000, 400_000, i64::MAX])?;
        // Offset and length.
        let (name, length) =
            *bytes.choose(&[(192, 1), (192, 1), (192, 1), (208, 7), (200, 8), (216, 4)])?;
        let value = *bytes.choose(&[128, 160, 160, 0])?;
        let count = bytes.int_in_range(0..=2)?;
        let code = self.deployable_length;
        let twenty_bytes = 700 + 20 * (count % 2);
        let function = [name, length, count, 256, 264];
        let (called, arguments) = match bytes.int_in_range(0..=11)? {
            kind @ (0 | 1) => {
                let called = ["executeOnDestContext", "executeOnSameContext"][kind];
                (called, [&[gas, to, value], &function[..]].concat())
            }
            kind @ (2 | 3) => {
                let called = ["delegateExecution", "executeReadOnly"][kind - 2];
                (called, [&[gas, to], &function[..]].concat())
            }
            4 => ("call", vec![gas, to, value, 264, count]),
            5 => ("callCode", vec![gas, to, value, 264, count]),
            6 => ("callDelegate", vec![gas, to, 264, count]),
            7 => ("callStatic", vec![gas, twenty_bytes, 264, count]),
            8 => {
                let code = [value, 400, code, 1000];
                ("createContract", [&code, &function[2..]].concat())
            }
            9 => ("create", vec![value, 400, code, 1000]),
            10 => ("asyncCall", vec![to, value, 300, 4]),
            _ => {
                let call = [264, count, to, value, 300, 4];
                let callbacks = [192, 1, 200, 8, gas.max(0) / 4];
                ("createAsyncCall", [&call[..], &callbacks].concat())
            }
        };
        Ok(call_of(called, arguments))
    }
}

fn call_of(name: &str, arguments: Vec<i64>) -> HostCall {
    let function = import_table().iter().position(|import| import.name == name);
    HostCall {
        function: function.expect("a name of the table"),
        arguments,
    }
}

/// Any function with any arguments.
fn any_call(bytes: &mut Unstructured<'_>) -> Result<HostCall> {
    let function = bytes.choose_index(import_table().len())?;
    let import = &import_table()[function];
    let mut arguments = Vec::with_capacity(import.parameters.len());
    for kind in import.parameters {
        let argument = argument(bytes)?;
        arguments.push(match kind {
            ValueType::I32 => i64::from(bounded(argument as i32)),
            ValueType::I64 => argument,
        });
    }
    if import.name == "bigIntShl" {
        arguments[2] = arguments[2].min(LARGEST_SHIFT);
    }
    Ok(HostCall {
        function,
        arguments,
    })
}

/// What could be a length of more than a MiB becomes a shorter one.
fn bounded(argument: i32) -> i32 {
    match argument {
        SLOW_LENGTH.. => argument % SLOW_LENGTH,
        _ => argument,
    }
}

fn argument(bytes: &mut Unstructured<'_>) -> Result<i64> {
    match bytes.int_in_range(0..=11)? {
        0..=5 => bytes.choose(&GOOD).copied(),
        6..=8 => bytes.choose(&EDGES).copied(),
        9..=10 => bytes.int_in_range(-5..=70_000),
        _ => bytes.arbitrary(),
    }
}
