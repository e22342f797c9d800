//! Generated modules: validation admits what the spec admits, instrumentation makes valid wasm of it, and both engines
//! run it alike, to the unit of gas.

use super::admission::{Admission, admission};
use super::engine_calls::{SCRIPT_BYTES, engine_calls};
use super::outcome::RunOutcome;
use super::sample::is_one_in;
use crate::engine::ValueType;
use crate::engine::instrument::{InstrumentedModule, instrument};
use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::validation::{InvalidModule, validate};
use crate::hooks::BlockchainHook;
use crate::machine::{BuildError, Machine as _};
use crate::messages::{ContractCreateInput, GasSectionEntry, VmInput};
use crate::vm::eei::import_table;
use crate::vm::fixtures::*;
use crate::vm::{QuickLimits, Vm, VmParameters};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use std::cell::RefCell;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    Instruction, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wasm_smith::Config;
use wasmparser::{Validator, WasmFeatures};

/// Of so many inputs one runs on all engines: compiling takes a hundred times as long as all the rest.
const COMPARED_ONE_IN: u64 = 256;

/// Longer modules are not run: compiling them takes long and tells nothing new.
const MAXIMUM_CODE_BYTES: usize = 4096;

/// What a call of a host function costs here, so that few fit into a run.
const HOST_FUNCTION_COST: u64 = 20;

/// A run has less gas than this, besides that for the code.
const GAS_BOUND: u64 = 5_000;

/// Host functions that make numbers of any size, if they are called often enough.
const GROWING: [&str; 2] = ["bigIntMul", "bigIntShl"];

/// What the modules of a VM that keeps few of them take: those of some contracts alone take more.
const FORGETFUL_MODULE_BYTES: usize = 100_000;

/// The functions that generated contracts export.
const FUNCTIONS: [&str; 3] = ["f", "init", "callBack"];

/// Everything that host functions do costs something, besides what is counted in bytes.
fn schedule() -> Vec<GasSectionEntry> {
    let mut schedule = schedule_entries();
    for section in schedule
        .iter_mut()
        .filter(|section| section.key.ends_with(b"APICost"))
    {
        for entry in &mut section.value {
            entry.value = entry.value.max(HOST_FUNCTION_COST);
        }
    }
    schedule
}

/// The order of a finite plane whose points are host functions, and whose lines are what modules may import: reading all
/// functions for each module would take longer than running it, and of many only the first would be imported. Two points are
/// on a line, so that any two functions can be imported together.
const ORDER: usize = 11;

/// The lines of the plane.
const IMPORT_SETS: usize = ORDER * (ORDER + 1);

/// Whether a function, as an index of the table, is in a set.
fn is_in_set(function: usize, set: usize) -> bool {
    let (x, y) = (function / ORDER % ORDER, function % ORDER);
    let (slope, constant) = (set / ORDER, set % ORDER);
    match slope {
        ORDER => x == constant,
        _ => y == (slope * x + constant) % ORDER,
    }
}

/// A module that imports a set of what generated modules may import.
fn importable(set: usize) -> Vec<u8> {
    let value_type = |kind: &ValueType| match kind {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
    };
    // Generated modules have all of these types, so that each stands there once.
    let mut signatures = Vec::new();
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    let functions = import_table()
        .iter()
        .enumerate()
        .filter(|(index, function)| is_in_set(*index, set) && !GROWING.contains(&function.name));
    for (_, function) in functions {
        let signature = (function.parameters, function.result);
        let known = signatures.iter().position(|known| *known == signature);
        let index = known.unwrap_or_else(|| {
            let parameters = function.parameters.iter().map(value_type);
            types
                .ty()
                .function(parameters, function.result.iter().map(value_type));
            signatures.push(signature);
            signatures.len() - 1
        });
        imports.import(
            function.namespace,
            function.name,
            EntityType::Function(index as u32),
        );
    }
    let mut module = Module::new();
    module.section(&types).section(&imports);
    module.finish()
}

/// A module that exports what generated contracts export: a memory of so many pages, and some functions.
fn exported(pages: u64, maximum: u64, functions: &[&str]) -> Vec<u8> {
    let (mut types, mut declarations, mut memories) = (
        TypeSection::new(),
        FunctionSection::new(),
        MemorySection::new(),
    );
    let (mut exports, mut bodies) = (ExportSection::new(), CodeSection::new());
    types.ty().function([], []);
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(maximum),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    for (index, name) in (0..).zip(functions) {
        declarations.function(0);
        exports.export(name, ExportKind::Func, index);
        let mut body = Function::new([]);
        body.instruction(&Instruction::End);
        bodies.function(&body);
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&declarations)
        .section(&memories)
        .section(&exports)
        .section(&bodies);
    module.finish()
}

/// A module that can be deployed, mostly.
fn contract_module(importable: &[u8], bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    // A second page takes as long as the rest of an instance.
    let pages = if bytes.ratio(1, 8)? { 2 } else { 1 };
    let maximum = bytes.int_in_range(pages..=3)?;
    let functions = bytes.int_in_range(1..=FUNCTIONS.len())?;
    let config = Config {
        available_imports: Some(importable.to_vec()),
        exports: Some(exported(pages, maximum, &FUNCTIONS[..functions])),
        max_imports: 8,
        max_funcs: 8,
        max_globals: 5,
        max_types: 12,
        max_instructions: bytes.int_in_range(10..=80)?,
        max_elements: 8,
        max_element_segments: 3,
        max_data_segments: 3,
        max_table_elements: 20,
        allow_start_export: bytes.ratio(1, 8)?,
        generate_custom_sections: bytes.ratio(1, 8)?,
        allow_floats: false,
        bulk_memory_enabled: false,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        multi_value_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    };
    Ok(wasm_smith::Module::new(config, bytes)?.to_bytes())
}

/// A module of any version of wasm.
fn any_module(importable: &[u8], bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut config: Config = bytes.arbitrary()?;
    config.max_instructions = config.max_instructions.min(100);
    config.memory_max_size_required = true;
    config.max_memory32_bytes = 3 * 65_536;
    config.available_imports = bytes.ratio(3, 4)?.then(|| importable.to_vec());
    Ok(wasm_smith::Module::new(config, bytes)?.to_bytes())
}

/// A VM that keeps few modules and instances: they are made anew again and again.
fn forgetful(
    mut parameters: VmParameters,
    hook: Box<dyn BlockchainHook>,
) -> std::result::Result<Vm, BuildError> {
    parameters.engine.modules.memory_bytes = FORGETFUL_MODULE_BYTES;
    parameters.engine.instances.instances = 1;
    Vm::new(parameters, hook)
}

/// What the VMs of a thread are.
struct Machines {
    /// Runs all modules.
    interpreted: Bench,
    /// Run some of them, too. The last is forgetful.
    others: [Bench; 4],
    costs: OpcodeCosts,
    /// The sets of [`importable`] functions.
    importable: Vec<Vec<u8>>,
}

impl Machines {
    fn new() -> Self {
        let mut others = benches(&schedule());
        let at_once = QuickLimits { fuel: 0 };
        others[3] = bench_with(&schedule(), forgetful, Some(at_once));
        Self {
            interpreted: bench_with(&schedule(), Vm::interpreted, None),
            others,
            costs: OpcodeCosts::from_map(|_| 1),
            importable: (0..IMPORT_SETS).map(importable).collect(),
        }
    }

    /// The other VMs run the code as the interpreter did, the last one also when it is pinned.
    fn compare(
        &mut self,
        code: &[u8],
        gas: u64,
        calls: &[(i64, &'static str)],
        interpreted: &[RunOutcome],
    ) {
        for other in &mut self.others {
            let answers = run(other, code, gas, calls);
            assert_eq!(answers, interpreted, "the engines differ");
        }
        let pinning = self.others.last_mut().expect("there are others");
        let pinned = pinning.vm.pin(Bytes::copy_from_slice(code));
        pinned.expect("the machine can do that");
        let answers = run(pinning, code, gas, calls);
        assert_eq!(answers, interpreted, "pinned code runs in another way");
        pinning.vm.unpin(code).expect("the machine can do that");
    }
}

thread_local! {
    static MACHINES: RefCell<Machines> = RefCell::new(Machines::new());
}

/// The largest number that chooses gas and import set. Inputs whose numbers differ by less than the other import from one set,
/// mostly.
const LARGEST_NUMBER: u64 = 20_000;
const SAME_SET_NUMBERS: u64 = 64;

/// The ways in which modules are made.
const KINDS: u8 = 8;

/// Of the values of the first byte, those from here on ask the engines themselves.
const ENGINE_CALLS: u8 = 192;

/// Makes a module of the bytes, or takes them for one; checks it, and runs it on the interpreter, a sample also on the other
/// engines.
pub fn wasm_modules(data: &[u8]) {
    run_and_compare(data, is_one_in(COMPARED_ONE_IN, data));
}

/// The first byte chooses how the module is made, and whether a VM runs it or the last bytes say what the engines are asked.
pub(super) fn run_and_compare(data: &[u8], is_compared: bool) {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let mut bytes = Unstructured::new(rest);
    let Ok(number) = bytes.int_in_range(0..=LARGEST_NUMBER) else {
        return;
    };
    MACHINES.with_borrow_mut(|machines| {
        let import_set = (number / SAME_SET_NUMBERS) as usize % IMPORT_SETS;
        let code = match choice % KINDS {
            0 => Ok(rest.to_vec()),
            1 => any_module(&machines.importable[import_set], &mut bytes),
            _ => contract_module(&machines.importable[import_set], &mut bytes),
        };
        // Too few bytes for a module.
        let Ok(code) = code else {
            return;
        };
        let admission = admission(&code);
        let module = check_code(&code, &admission, &machines.costs);
        let Some(module) =
            module.filter(|_| admission.is_small && code.len() <= MAXIMUM_CODE_BYTES)
        else {
            return;
        };
        if choice >= ENGINE_CALLS {
            let script = &data[data.len().saturating_sub(SCRIPT_BYTES)..];
            engine_calls(&module, script, is_compared);
            return;
        }
        let gas = code.len() as u64 + number % GAS_BOUND;
        let functions = called(&module);
        let outcomes = run(&mut machines.interpreted, &code, gas, functions);
        if is_compared {
            machines.compare(&code, gas, functions, &outcomes);
        }
    });
}

/// Validation and instrumentation do what they should. What becomes of code that may be a contract.
fn check_code(
    code: &[u8],
    admission: &Admission,
    costs: &OpcodeCosts,
) -> Option<InstrumentedModule> {
    let validated = validate(code, import_table());
    match &validated {
        Ok(_) => assert!(!admission.is_refused, "the reference refuses it"),
        Err(InvalidModule::Link(_)) => {}
        Err(error @ InvalidModule::TooLarge { .. }) => panic!("{:?}", error.detail()),
        Err(error) => assert!(!admission.is_plain, "{error:?}"),
    }
    let validated = validated.ok()?;
    let instrumented =
        instrument(&validated, import_table(), costs).expect("what is valid can be rewritten");
    let result =
        Validator::new_with_features(WasmFeatures::default()).validate_all(&instrumented.bytes);
    result.expect("instrumentation makes valid wasm");
    Some(instrumented)
}

/// The calls, by their type and function: one of `f` in any case, that of a callback if there is one.
fn called(module: &InstrumentedModule) -> &'static [(i64, &'static str)] {
    let mut functions = module.exported_functions.iter();
    match functions.any(|function| function.name == "callBack") {
        true => &[(0, "f"), (2, "callBack")],
        false => &[(0, "f")],
    }
}

/// Deploys the code, and makes these calls.
fn run(bench: &mut Bench, code: &[u8], gas: u64, calls: &[(i64, &'static str)]) -> Vec<RunOutcome> {
    let code = Bytes::copy_from_slice(code);
    let input = || VmInput {
        gas_provided: gas,
        ..input(&[b"first", b""])
    };
    begin(bench, &code);
    let created = bench.vm.deploy(ContractCreateInput {
        input: Some(input()),
        contract_code: code.clone(),
        contract_code_metadata: Bytes::new(),
    });
    let mut outcomes = vec![RunOutcome::new(bench, output_of(created))];
    for &(call_type, function) in calls {
        begin(bench, &code);
        let called = bench.call_with(
            "self",
            function,
            VmInput {
                call_type,
                ..input()
            },
        );
        outcomes.push(RunOutcome::new(bench, called));
    }
    for outcome in &outcomes {
        outcome.check(gas, false, false);
    }
    outcomes
}

fn begin(bench: &Bench, code: &Bytes) {
    let mut world = bench.world();
    *world = World::default();
    world.put_account("caller", 1000);
    world.put_contract("self", code.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_functions_can_be_imported_together() {
        let functions = 0..import_table().len();
        let pairs: Vec<_> = functions
            .clone()
            .flat_map(|first| functions.clone().map(move |second| (first, second)))
            .collect();
        let together = |&(first, second): &(usize, usize)| {
            (0..IMPORT_SETS).any(|set| is_in_set(first, set) && is_in_set(second, set))
        };
        let missed: Vec<_> = pairs.iter().filter(|pair| !together(pair)).collect();
        assert!(missed.is_empty(), "{} of {}", missed.len(), pairs.len());
    }
}
