//! Host functions with random arguments. One contract is compiled once: it reads from its storage what it is to call, so that a
//! run takes no compiler. All inputs run on wasmer; a sample of them on the interpreter, too, with an observer.

use super::host_calls::{
    CONTRACTS, HostCall, HostCallGenerator, LARGEST_SHIFT, MAXIMUM_PARAMETERS, data,
};
use super::node_state::{NODE_STATE_BYTES, NodeState};
use super::outcome::RunOutcome;
use super::sample::hash_of;
use crate::engine::tiers::TieredEngine;
use crate::engine::wasmi_engine::WasmiEngine;
use crate::engine::{ImportedFunction, ValueType};
use crate::hooks::BlockchainHook;
use crate::machine::{BuildError, Machine as _};
use crate::messages::{ContractCreateInput, GasSectionEntry, VmInput, VmOutput};
use crate::vm::eei::import_table;
use crate::vm::fixtures::*;
use crate::vm::{QuickLimits, Vm, VmParameters};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use std::cell::RefCell;
use std::sync::Arc;

/// Of so many inputs one runs on the interpreter, too, and of so many one on tiers.
const INTERPRETER_ONE_IN: u64 = 32;
const TIERS_ONE_IN: u64 = 512;

/// Where the contract keeps the calls that it makes.
const PROGRAM_OFFSET: usize = 61_440;

/// A call in a program: the function's index and the arguments, 8 bytes each, little-endian.
const CALL_BYTES: usize = 8 * (1 + MAXIMUM_PARAMETERS);

/// The most calls of one program, and those of them that are of contracts.
const MOST_CALLS: usize = 16;
const MOST_CALLS_OF_CONTRACTS: usize = 3;

/// Factors whose bytes are more than this together are not multiplied: numbers could double with every call.
const LARGEST_PRODUCT_BYTES: usize = 4096;

/// The functions of the contract, each with the offset and the length of its name in [`data`]: the storage key of what
/// it calls.
const PROGRAMS: [(&str, usize, usize); 3] = [("f", 192, 1), ("callBack", 200, 8), ("init", 216, 4)];

/// Where the promises of the transaction are stored: its hash and a suffix (docs/spec/host.md#stored-promises).
const STORED_PROMISES_KEY: &[u8] = b"originalasyncCalls";

/// Below this no argument reaches a program, wherever a result is written.
const TAME_ARGUMENTS: std::ops::RangeInclusive<i64> = 0..=30_000;

/// One line of the contract: the call of a host function with the arguments at `$at`. Results become return data.
fn case(import: &ImportedFunction) -> String {
    let argument = |(index, kind): (usize, &ValueType)| {
        let offset = 8 * (index + 1);
        let load = match kind {
            ValueType::I32 => "i32.load",
            ValueType::I64 => "i64.load",
        };
        format!("({load} offset={offset} (local.get $at))")
    };
    let mut arguments: Vec<String> = import.parameters.iter().enumerate().map(argument).collect();
    if import.name == "bigIntShl" {
        // The sign, and bits up to the largest shift.
        let mask = i64::from(i32::MIN) | LARGEST_SHIFT;
        arguments[2] = format!("(i32.and {} (i32.const {mask}))", arguments[2]);
    }
    let prefix = if import.namespace == "env" {
        ""
    } else {
        "eth."
    };
    let call = format!("(call ${prefix}{} {})", import.name, arguments.join(" "));
    match import.result {
        None if import.name == "bigIntMul" => format!(
            "(if (i32.lt_u (i32.add (call $bigIntUnsignedByteLength {}) (call $bigIntUnsignedByteLength {}))
                (i32.const {LARGEST_PRODUCT_BYTES})) (then {call}))",
            arguments[1], arguments[2]
        ),
        None => call,
        Some(ValueType::I32) => format!("(call $int64finish (i64.extend_i32_s {call}))"),
        Some(ValueType::I64) => format!("(call $int64finish {call})"),
    }
}

/// The contract. Each of its functions loads its program and makes the calls; `f` ends with a hash of what most calls
/// can change of the memory.
fn dispatcher() -> Bytes {
    let functions = import_table();
    let blocks: String = (0..functions.len())
        .rev()
        .map(|index| format!("(block $case{index} "))
        .collect();
    let labels: String = (0..functions.len())
        .map(|index| format!("$case{index} "))
        .collect();
    let cases: String = functions
        .iter()
        .map(|import| format!(")\n{} (return)", case(import)))
        .collect();
    let [run_f, run_callback, run_init] = PROGRAMS.map(|(_, offset, length)| {
        format!("(call $run (i32.const {offset}) (i32.const {length}))")
    });
    contract(&format!(
        r#"{data}
        (func (export "f") (export "main") {run_f}
            (drop (call $sha256 (i32.const 0) (i32.const 2048) (i32.const 0)))
            (call $finish (i32.const 0) (i32.const 32)))
        (func (export "callBack") {run_callback})
        (func (export "init") {run_init})
        (func $run (param $key i32) (param $length i32) (local $at i32) (local $end i32)
            (local.set $end (call $storageLoad (local.get $key) (local.get $length) (i32.const {PROGRAM_OFFSET})))
            (if (i32.gt_u (local.get $end) (i32.const {most_bytes})) (then (local.set $end (i32.const {most_bytes}))))
            (local.set $end (i32.add (local.get $end) (i32.const {PROGRAM_OFFSET})))
            (local.set $at (i32.const {PROGRAM_OFFSET}))
            (block $done (loop $next
                (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
                (call $dispatch (local.get $at))
                (local.set $at (i32.add (local.get $at) (i32.const {CALL_BYTES})))
                (br $next))))
        (func $dispatch (param $at i32)
            (block $none {blocks} (br_table {labels} $none (i32.load8_u (local.get $at))) {cases}))"#,
        data = data(),
        most_bytes = MOST_CALLS * CALL_BYTES,
    ))
}

/// The calls as the contract reads them.
fn program(calls: &[HostCall]) -> Bytes {
    let mut program = Vec::with_capacity(calls.len() * CALL_BYTES);
    for call in calls {
        let end = program.len() + CALL_BYTES;
        program.extend((call.function as u64).to_le_bytes());
        program.extend(
            call.arguments
                .iter()
                .flat_map(|argument| argument.to_le_bytes()),
        );
        program.resize(end, 0);
    }
    program.into()
}

/// Everything costs 1, but asynchronous calls lock less than in the tests, so that they can be nested.
fn schedule() -> Vec<GasSectionEntry> {
    schedule_with(&[("AsyncCallbackGasLock", 5_000)])
}

/// The most bytes of a question or an output: runs that gain gas make longer ones, which take most of the time.
const PAYLOAD_LIMIT_BYTES: u32 = 128 << 20;

fn parameters_of(parameters: VmParameters) -> VmParameters {
    VmParameters {
        payload_limit_bytes: PAYLOAD_LIMIT_BYTES,
        ..parameters
    }
}

fn compiled(
    parameters: VmParameters,
    hook: Box<dyn BlockchainHook>,
) -> std::result::Result<Vm, BuildError> {
    Vm::new(parameters_of(parameters), hook)
}

fn interpreted(
    parameters: VmParameters,
    hook: Box<dyn BlockchainHook>,
) -> std::result::Result<Vm, BuildError> {
    Vm::interpreted(parameters_of(parameters), hook)
}

/// A VM on two tiers, of which the second is the interpreter, too: it is ready soon, where the compiler would take longer
/// than all runs.
fn interpreted_twice(
    parameters: VmParameters,
    hook: Box<dyn BlockchainHook>,
) -> std::result::Result<Vm, BuildError> {
    let parameters = parameters_of(parameters);
    let limits = parameters.engine.interpreter;
    let engine = TieredEngine::new(Arc::new(WasmiEngine::unlimited()), limits);
    Vm::with_engine(parameters, hook, Box::new(engine.expect("a thread")))
}

/// What the first tier may spend, in different inputs: the run is given up earlier or later, or not at all.
fn quick_limits(data: &[u8]) -> QuickLimits {
    QuickLimits {
        fuel: 1 << (2 * (hash_of(data) / TIERS_ONE_IN % 8) + 6),
    }
}

/// What the VMs of a thread are: they stay, so that the contract is compiled once.
struct Machines {
    compiled: Bench,
    /// With an observer.
    interpreted: Bench,
    dispatcher: Bytes,
    generator: HostCallGenerator,
}

impl Machines {
    fn new() -> Self {
        let mut interpreted = bench_with(&schedule(), interpreted, None);
        interpreted.observe();
        Self {
            compiled: bench_with(&schedule(), compiled, None),
            interpreted,
            dispatcher: dispatcher(),
            generator: HostCallGenerator::new(),
        }
    }
}

thread_local! {
    static MACHINES: RefCell<Machines> = RefCell::new(Machines::new());
}

/// What is run.
#[derive(Debug)]
enum Entry {
    Call(&'static str),
    Create,
    Upgrade,
}

/// A run: the input, and the node's state.
#[derive(Debug)]
struct Run {
    entry: Entry,
    call_type: i64,
    gas: u64,
    value: u64,
    builtin_answer: Option<Option<VmOutput>>,
    node: NodeState,
    /// Account, storage key, calls.
    programs: Vec<(&'static str, &'static str, Vec<HostCall>)>,
}

impl Run {
    fn new(data: &[u8], generator: &HostCallGenerator) -> Result<Run> {
        let (calls, node) = data.split_at(data.len().saturating_sub(NODE_STATE_BYTES));
        let node = NodeState::new(&mut Unstructured::new(node))?;
        let bytes = &mut Unstructured::new(calls);
        let entry = match bytes.int_in_range(0..=11)? {
            0..=6 => Entry::Call("f"),
            7 | 8 => Entry::Call("callBack"),
            9 => Entry::Call(bytes.choose(&["init", "main", "nothing", BUILTIN])?),
            10 => Entry::Create,
            _ => Entry::Upgrade,
        };
        let call_type = bytes.int_in_range(0..=2)?;
        let gas = match bytes.int_in_range(0..=3)? {
            0 | 1 => 200_000,
            2 => bytes.int_in_range(0..=30_000)?,
            _ => bytes.int_in_range(0..=250_000)?,
        };
        let builtin_answer = builtin_answer(bytes, &node)?;
        let value = *bytes.choose(&[0, 3, 1 << 40, u64::MAX])?;
        let mut programs = Vec::new();
        // The calls of the function that is run come first, because most inputs are short.
        let first = match entry {
            Entry::Call("callBack") => ("self", "callBack"),
            Entry::Create => ("new0", "init"),
            Entry::Upgrade => ("self", "init"),
            Entry::Call(_) => ("self", "f"),
        };
        let others = CONTRACTS
            .iter()
            .flat_map(|account| PROGRAMS.map(|(key, ..)| (*account, key)));
        let others = others.filter(|other| *other != first);
        for (account, key) in std::iter::once(first).chain(others) {
            let most = bytes.int_in_range(0..=MOST_CALLS)?;
            let calls = generator.calls(bytes, most, MOST_CALLS_OF_CONTRACTS)?;
            programs.push((account, key, calls));
        }
        Ok(Run {
            entry,
            call_type,
            gas,
            value,
            builtin_answer,
            node,
            programs,
        })
    }

    /// Whether no charge of the run can be negative: no argument is, and programs stay as they are.
    fn is_tame(&self) -> bool {
        let mut calls = self.programs.iter().flat_map(|(.., calls)| calls);
        calls.all(|call| {
            let import = &import_table()[call.function];
            let stores = import.name.contains("Store") || import.name == "setStorageLock";
            let mut arguments = call.arguments.iter().zip(import.parameters);
            !stores
                && arguments.all(|(argument, kind)| match kind {
                    ValueType::I32 => TAME_ARGUMENTS.contains(argument),
                    ValueType::I64 => *argument >= 0,
                })
        })
    }

    fn run(&self, bench: &mut Bench, code: &Bytes) -> RunOutcome {
        self.set_up(bench, code);
        let long: &[u8] = if self.node.has_calldata {
            &[0x80; 32]
        } else {
            &[0x80; 40]
        };
        let input = VmInput {
            call_value: Some(self.value.into()),
            gas_provided: self.gas,
            call_type: self.call_type,
            ..input(&[b"first", long, b""])
        };
        let result = match self.entry {
            Entry::Call(function) => bench.call_with("self", function, input),
            Entry::Create => self.create(bench, code, input),
            Entry::Upgrade => {
                let mut arguments = vec![code.clone(), Bytes::from_static(&[1, 0])];
                arguments.extend(input.arguments);
                bench.call_with("self", "upgradeContract", VmInput { arguments, ..input })
            }
        };
        RunOutcome::new(bench, result)
    }

    fn create(
        &self,
        bench: &mut Bench,
        code: &Bytes,
        input: VmInput,
    ) -> std::result::Result<VmOutput, NoOutput> {
        output_of(bench.vm.deploy(ContractCreateInput {
            input: Some(input),
            contract_code: code.clone(),
            contract_code_metadata: vec![1, 0].into(),
        }))
    }

    fn set_up(&self, bench: &mut Bench, code: &Bytes) {
        let mut world = bench.world();
        *world = World {
            builtin_answer: self.builtin_answer.clone(),
            other_shard: vec![address("nobody")],
            breaks_at: self.node.breaks_at,
            refuses: self
                .node
                .refuses
                .clone()
                .map(|account| (account, "not told")),
            ..World::default()
        };
        world.put_account("caller", 1000);
        for name in CONTRACTS {
            world.put_contract(name, code.clone());
        }
        for (account, key, calls) in &self.programs {
            let place = (address(account), Bytes::from_static(key.as_bytes()));
            world.storage.insert(place, program(calls));
        }
        if let Some(promises) = &self.node.stored_promises {
            let place = (address("self"), Bytes::from_static(STORED_PROMISES_KEY));
            world.storage.insert(place, promises.clone());
        }
    }
}

/// What the built-in function answers: an output, nothing, or a refusal.
fn builtin_answer(
    bytes: &mut Unstructured<'_>,
    node: &NodeState,
) -> Result<Option<Option<VmOutput>>> {
    let answer = VmOutput {
        return_data: vec!["built in".into()],
        gas_remaining: 400,
        return_code: bytes.int_in_range(0..=1)? * 4,
        output_accounts: node.builtin_accounts.clone(),
        gas_refund: node.gas_refund.clone(),
        ..VmOutput::default()
    };
    let answers = [Some(Some(answer)), Some(None), None];
    bytes.choose(&answers).cloned()
}

/// What the outcome on wasmer is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum ComparedWith {
    Nothing,
    /// The interpreter, and a second run.
    Interpreter,
    /// The same, and two runs of a VM that sees the contract for the first time, and whose first tier gives up at some point.
    Tiers,
}

impl ComparedWith {
    /// Most inputs are only run: the interpreter takes five times as long as wasmer, and a new VM thirty times.
    fn of_input(data: &[u8]) -> ComparedWith {
        match hash_of(data) % TIERS_ONE_IN {
            0 => ComparedWith::Tiers,
            hash if hash.is_multiple_of(INTERPRETER_ONE_IN) => ComparedWith::Interpreter,
            _ => ComparedWith::Nothing,
        }
    }
}

/// Runs what the bytes say, and compares the outcome of some inputs with that on another engine. Whether the fuzzer shall make
/// variants of the input: those of inputs with long outputs would be as slow.
pub fn host_functions(data: &[u8]) -> bool {
    let outcome = run_and_compare(data, ComparedWith::of_input(data));
    !outcome.is_long()
}

/// Runs what the bytes say. All outcomes must be equal.
pub(super) fn run_and_compare(data: &[u8], with: ComparedWith) -> RunOutcome {
    MACHINES.with_borrow_mut(|machines| {
        let Machines {
            compiled,
            interpreted,
            dispatcher,
            generator,
        } = machines;
        let run = Run::new(data, generator).expect("any bytes are numbers");
        let outcome = run.run(compiled, dispatcher);
        outcome.check(run.gas, run.is_tame(), run.node.breaks_at.is_some());
        if matches!(with, ComparedWith::Nothing) {
            return outcome;
        }
        for (bench, what) in [
            (interpreted, "the engines differ"),
            (compiled, "the second run differs"),
        ] {
            assert_eq!(run.run(bench, dispatcher), outcome, "{what}: {run:?}");
        }
        if matches!(with, ComparedWith::Tiers) {
            let limits = quick_limits(data);
            let mut tiers = bench_with(&schedule(), interpreted_twice, Some(limits));
            for attempt in ["repeated", "next"] {
                assert_eq!(
                    run.run(&mut tiers, dispatcher),
                    outcome,
                    "the {attempt} run differs: {run:?}"
                );
            }
        }
        outcome
    })
}
