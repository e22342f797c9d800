//! Random calls of all host functions on a memory that watches: they write what they should where they should, and
//! nothing else.

use super::random_calls::calls;
use crate::engine::{HostCalls, InstanceAccess, OutOfBounds};
use crate::vm::contexts::input::{CallInput, Input};
use crate::vm::contexts::runtime::Breakpoint;
use crate::vm::eei::import_table;
use crate::vm::fixtures::*;
use crate::vm::fuzzing::host_calls::{HostCall, data};
use proptest::prelude::*;

const PAGE: u64 = 65_536;

/// A memory that remembers what was done to it, and the points.
struct Watched {
    bytes: Vec<u8>,
    points: u64,
    maximum_pages: Option<u32>,
    writes: Vec<(u64, u64)>,
}

impl Watched {
    fn range(&self, offset: u64, length: usize) -> std::ops::Range<usize> {
        let end = offset + length as u64;
        assert!(
            end <= self.bytes.len() as u64,
            "the host has to check first"
        );
        offset as usize..end as usize
    }
}

impl InstanceAccess for Watched {
    fn used_points(&mut self) -> u64 {
        self.points
    }

    fn set_used_points(&mut self, points: u64) {
        self.points = points;
    }

    fn has_memory(&mut self) -> bool {
        true
    }

    fn memory_size(&mut self) -> u64 {
        self.bytes.len() as u64
    }

    fn declared_maximum_pages(&mut self) -> Option<u32> {
        self.maximum_pages
    }

    fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
        into.copy_from_slice(&self.bytes[self.range(offset, into.len())]);
        Ok(())
    }

    fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let range = self.range(offset, bytes.len());
        self.bytes[range].copy_from_slice(bytes);
        self.writes.push((offset, bytes.len() as u64));
        Ok(())
    }

    fn grow_memory(&mut self, pages: u32) -> bool {
        let size = self.bytes.len() as u64 + u64::from(pages) * PAGE;
        let maximum = u64::from(self.maximum_pages.unwrap_or(65_536)) * PAGE;
        if size > maximum {
            return false;
        }
        self.bytes.resize(size as usize, 0);
        true
    }
}

/// How much a function writes.
#[derive(Debug, Clone, Copy)]
enum Amount {
    Bytes(u64),
    /// As much as it has, which is not more than this.
    AtMost(u64),
    /// As much as it returns, if that is more than nothing.
    Result,
    /// As the parameter with this index says.
    Parameter(usize),
}

/// Where a function writes (the index of a parameter) and how much (docs/spec/eei.md#functions).
fn result_area(namespace: &str, name: &str) -> Option<(usize, Amount)> {
    use Amount::*;
    Some(match (namespace, name) {
        ("env", "getSCAddress" | "getCaller") | ("ethereum", "getAddress") => (0, Bytes(32)),
        ("ethereum", "getCaller" | "getTxOrigin") => (0, Bytes(20)),
        ("ethereum", "getCallValue" | "getTxGasPrice") => (0, Bytes(16)),
        ("env", "sha256" | "keccak256") => (2, Bytes(32)),
        ("ethereum", "storageLoad") => (1, Bytes(32)),
        (
            "env",
            "getOwnerAddress"
            | "getBlockRandomSeed"
            | "getPrevBlockRandomSeed"
            | "getStateRootHash",
        )
        | ("ethereum", "getBlockCoinbase" | "getBlockDifficulty") => (0, AtMost(32)),
        (_, "getExternalBalance" | "getBlockHash") => (1, AtMost(32)),
        ("env", "createContract") | ("ethereum", "create") => (3, AtMost(32)),
        ("env", "getFunction" | "getCallValue") => (0, Result),
        (
            "env",
            "getArgument" | "getReturnData" | "bigIntGetUnsignedBytes" | "bigIntGetSignedBytes",
        ) => (1, Result),
        ("env", "storageLoad") => (2, Result),
        ("ethereum", "callDataCopy" | "codeCopy" | "returnDataCopy") => (0, Parameter(2)),
        ("ethereum", "externalCodeCopy") => (1, Parameter(3)),
        _ => return None,
    })
}

/// Begins a run in which `self` may call the other contracts.
fn begin(bench: &mut Bench) {
    let contexts = &mut bench.vm.host.contexts;
    contexts.reset();
    let call = CallInput {
        input: Input {
            caller: address("caller"),
            arguments: vec!["first".into(), vec![0x80; 32].into(), "".into()],
            call_value: 300.into(),
            gas_provided: GAS,
            ..Input::default()
        },
        recipient: address("self"),
        function: "f".into(),
    };
    *contexts.runtime.state = contexts.runtime.state.of_call(&call);
    *contexts.storage_address = address("self");
}

fn watched(initial: &[u8], maximum_pages: Option<u32>) -> Watched {
    Watched {
        bytes: initial.to_vec(),
        points: 0,
        maximum_pages,
        writes: Vec::new(),
    }
}

/// Makes one call and compares what it did to the memory with the rules; false if it ended the run.
fn check(bench: &mut Bench, memory: &mut Watched, call: &HostCall) -> bool {
    let import = &import_table()[call.function];
    let before = memory.bytes.clone();
    memory.writes.clear();
    let answer = bench.vm.host.call(call.function, memory, &call.arguments);
    let pages_grown = (memory.bytes.len() - before.len()) as u64 / PAGE;
    let Some((parameter, amount)) = result_area(import.namespace, import.name) else {
        assert_eq!(
            (&memory.writes[..], pages_grown),
            (&[][..], 0),
            "{import:?}"
        );
        return answer.is_ok();
    };
    let offset = call.arguments[parameter];
    assert!(memory.writes.len() <= 1 && pages_grown <= 1, "{import:?}");
    if let Some(&(start, length)) = memory.writes.first() {
        assert_eq!(i64::try_from(start), Ok(offset), "{import:?}");
        let fits_before = start + length <= before.len() as u64;
        assert_eq!(pages_grown, u64::from(!fits_before), "{import:?}");
        let expected = match amount {
            Amount::Bytes(bytes) => bytes,
            Amount::AtMost(most) => length.min(most),
            Amount::Result => answer.map_or(length, |result| result as u64),
            Amount::Parameter(index) => call.arguments[index] as u64,
        };
        assert_eq!(length, expected, "{import:?}");
        // Around the write nothing changed, and what was added is zero.
        let (start, end) = (start as usize, (start + length) as usize);
        let mut around = before;
        around.resize(memory.bytes.len(), 0);
        around[start..end].copy_from_slice(&memory.bytes[start..end]);
        assert!(around == memory.bytes, "{import:?}");
    } else if pages_grown == 1 {
        // It grew, and that was not enough.
        assert!(offset + 32 > before.len() as i64, "{import:?}");
    } else if let Ok(result) = answer {
        let must_write = match amount {
            Amount::Bytes(_) => true,
            Amount::AtMost(_) => false,
            Amount::Result => result > 0,
            Amount::Parameter(index) => call.arguments[index] > 0,
        };
        assert!(!must_write, "{import:?}");
    }
    answer.is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_write_their_results_and_nothing_else(
        calls in calls(20), maximum_pages in prop::option::of(1..4_u32), guard in 1..=255_u8,
    ) {
        let callee = r#"(func (export "f") (call $getCaller (i32.const 7)) (call $int64finish (call $getGasLeft)))"#;
        let layout = wat::parse_str(format!(r#"(module (memory 1) {})"#, data())).expect("valid text");
        let mut initial = vec![guard; PAGE as usize];
        for payload in wasmparser::Parser::new(0).parse_all(&layout) {
            if let Ok(wasmparser::Payload::DataSection(segments)) = payload {
                for segment in segments {
                    write_segment(&segment.expect("valid"), &mut initial);
                }
            }
        }
        on_each_engine(|bench| {
            for name in ["self", "callee", "third"] {
                bench.world().put_contract(name, contract(callee));
            }
            bench.world().put_storage("self", "f", "stored");
            begin(bench);
            let mut memory = watched(&initial, maximum_pages);
            for call in &calls {
                if check(bench, &mut memory, call) {
                    continue;
                }
                // A fault takes all gas; then another run begins.
                let contexts = &bench.vm.host.contexts;
                if contexts.runtime.breakpoint == Breakpoint::ExecutionFailed {
                    assert_eq!(contexts.gas_left(&mut memory), 0, "{call:?}");
                }
                begin(bench);
                memory = watched(&initial, maximum_pages);
            }
        });
    }
}

fn write_segment(segment: &wasmparser::Data<'_>, into: &mut [u8]) {
    let wasmparser::DataKind::Active { offset_expr, .. } = &segment.kind else {
        panic!("all segments have an offset");
    };
    let mut operators = offset_expr.get_operators_reader();
    match operators.read() {
        Ok(wasmparser::Operator::I32Const { value }) => {
            into[value as usize..][..segment.data.len()].copy_from_slice(segment.data);
        }
        other => panic!("{other:?}"),
    }
}
