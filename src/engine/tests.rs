//! Every test here runs its contract on both engines and compares all that a host can see.

mod cost;
mod detours;
mod expressions;
mod generated;
mod host_functions;
mod instances;
mod metering;
mod passed_on;
mod passing;
mod recursion;
mod warm;

use std::sync::Arc;

use super::instrument::{InstrumentedModule, instrument, instrument_in_detail};
use super::validation::validate;
use super::wasmer::WasmerEngine;
use super::wasmer::warm::WarmLimits;
use super::wasmi_engine::WasmiEngine;
use super::{
    Abort, CallEnd, CompiledModule, Engine, HostCalls, ImportTable, ImportedFunction, Instance,
    InstanceAccess, InstantiationError, OutOfBounds, ValueType,
};
use crate::engine::opcode_costs::OpcodeCosts;

use ValueType::{I32, I64};

/// What the contracts of these tests can import.
const TABLE: ImportTable = &[
    import("note", &[], None),
    import("number", &[], Some(I32)),
    import("echo", &[I64], Some(I64)),
    import("usePoints", &[I64], None),
    import("abort", &[], None),
    import("panic", &[], None),
    import("nest", &[I32], None),
    import("grow", &[I32], Some(I32)),
    // Too many parameters for the typed closures of wasmer.
    import("wide", &[I32, I64, I32, I64, I32, I64, I32, I64], Some(I32)),
];

const fn import(
    name: &'static str,
    parameters: &'static [ValueType],
    result: Option<ValueType>,
) -> ImportedFunction {
    ImportedFunction {
        namespace: "env",
        name,
        parameters,
        result,
    }
}

type MakeEngine = fn() -> Box<dyn Engine<TestHost>>;

const ENGINES: [MakeEngine; 3] = [
    || Box::new(WasmerEngine::default()),
    || Box::new(WasmerEngine::for_few_addresses(WarmLimits::default())),
    || Box::new(WasmiEngine::unlimited()),
];

/// Notes the calls it gets, and does what the function's name says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct TestHost {
    calls: Vec<(&'static str, Vec<i64>)>,
    panics: Vec<String>,
    used_when_called: Vec<u64>,
    /// How a nested instance is made.
    nested: Option<Nested>,
}

#[derive(Clone)]
struct Nested(Arc<dyn CompiledModule<TestHost>>);

impl PartialEq for Nested {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Nested {}

impl std::fmt::Debug for Nested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nested")
    }
}

impl HostCalls for TestHost {
    fn call(
        &mut self,
        function: usize,
        instance: &mut dyn InstanceAccess,
        arguments: &[i64],
    ) -> Result<i64, Abort> {
        let name = TABLE[function].name;
        self.calls.push((name, arguments.to_vec()));
        self.used_when_called.push(instance.used_points());
        match name {
            "number" => Ok(-7),
            "echo" => Ok(arguments[0]),
            "usePoints" => {
                let used = instance.used_points().wrapping_add(arguments[0] as u64);
                instance.set_used_points(used);
                Ok(0)
            }
            "abort" => Err(Abort),
            "panic" => panic!("no {}", "luck"),
            "grow" => Ok(i64::from(instance.grow_memory(arguments[0] as u32))),
            "wide" => Ok(arguments.iter().sum()),
            "nest" => self.nest(instance, arguments[0]),
            _ => Ok(0),
        }
    }

    fn panicked(&mut self, message: String) {
        self.panics.push(message);
    }
}

impl TestHost {
    /// Runs another instance of the same module, which goes one level less deep, and leaves a mark in both memories.
    fn nest(&mut self, outer: &mut dyn InstanceAccess, levels: i64) -> Result<i64, Abort> {
        let Nested(module) = self.nested.clone().expect("the test gives a module");
        let mut inner = module.instantiate(1_000_000).expect("the module is valid");
        inner
            .write_memory(0, &[levels as u8 - 1])
            .expect("there is a memory");
        let host = std::mem::take(self);
        let (host, end) = inner.call("f", Box::new(host));
        *self = *host;
        assert!(inner.used_points() > 0);
        let mut mark = [0; 2];
        inner.read_memory(0, &mut mark).expect("there is a memory");
        assert!(outer.grow_memory(1));
        outer.write_memory(65_536, &mark).expect("it has grown");
        outer
            .write_memory(1, &[mark[1] + 1])
            .expect("there is a memory");
        match end {
            CallEnd::Returned => Ok(0),
            _ => Err(Abort),
        }
    }
}

/// What is left after a call.
#[derive(PartialEq, Eq)]
struct CallOutcome {
    end: End,
    used: u64,
    /// By class of operators and by function, if the module counts them.
    details: Vec<u64>,
    memory: Vec<u8>,
    host: TestHost,
}

impl std::fmt::Debug for CallOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The memory is too long for people.
        let memory = &self.memory[..self.memory.len().min(16)];
        write!(
            f,
            "{:?}, {} points, {memory:?}, {:?}",
            self.end, self.used, self.host
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Returned,
    Trapped,
    Aborted,
}

impl From<&CallEnd> for End {
    fn from(end: &CallEnd) -> Self {
        match end {
            CallEnd::Returned => Self::Returned,
            CallEnd::Trapped(_) => Self::Trapped,
            CallEnd::Aborted => Self::Aborted,
            CallEnd::Abandoned => unreachable!("no engine of these tests has limits"),
            CallEnd::Machine(failure) => panic!("{failure}"),
        }
    }
}

/// All operators cost 1.
fn unit_costs() -> OpcodeCosts {
    OpcodeCosts::from_map(|_| 1)
}

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's text is right")
}

fn instrumented(code: &[u8], costs: &OpcodeCosts) -> InstrumentedModule {
    let validated = validate(code, TABLE).expect("the test's code is valid");
    instrument(&validated, TABLE, costs).expect("it can be instrumented")
}

/// Compiles the module on every engine.
fn compile(code: &[u8], costs: &OpcodeCosts) -> Vec<Arc<dyn CompiledModule<TestHost>>> {
    compile_on(&ENGINES, code, costs)
}

fn compile_on(
    engines: &[MakeEngine],
    code: &[u8],
    costs: &OpcodeCosts,
) -> Vec<Arc<dyn CompiledModule<TestHost>>> {
    compile_module(engines, &instrumented(code, costs))
}

fn compile_module(
    engines: &[MakeEngine],
    module: &InstrumentedModule,
) -> Vec<Arc<dyn CompiledModule<TestHost>>> {
    let compiled = engines.iter().map(|make| make().compile(module));
    compiled
        .map(|module| module.expect("instrumented code is valid"))
        .collect()
}

/// Instantiates the module on every engine.
fn instantiate(
    text: &str,
    limit: u64,
) -> Vec<Result<Box<dyn Instance<TestHost>>, InstantiationError>> {
    let modules = compile(&wasm(text), &unit_costs());
    modules
        .iter()
        .map(|module| module.instantiate(limit))
        .collect()
}

fn outcome_of(
    instance: &mut dyn Instance<TestHost>,
    function: &str,
    host: TestHost,
) -> CallOutcome {
    let (host, end) = instance.call(function, Box::new(host));
    let mut memory = vec![0; instance.memory_size().min(2 * 65_536) as usize];
    if instance.has_memory() {
        let read = instance.read_memory(0, &mut memory);
        read.expect("it is as large");
    }
    CallOutcome {
        end: End::from(&end),
        used: instance.used_points(),
        details: instance.detailed_points(),
        memory,
        host: *host,
    }
}

/// Calls `f` in a fresh instance on every engine, and returns the outcome if all are equal.
fn run_code(code: &[u8], costs: &OpcodeCosts, limit: u64) -> CallOutcome {
    run_module(&instrumented(code, costs), limit)
}

/// [`run_code`] with the points of each class.
fn run_code_by_class(code: &[u8], costs: &OpcodeCosts, limit: u64) -> CallOutcome {
    let validated = validate(code, TABLE).expect("the test's code is valid");
    let module = instrument_in_detail(&validated, TABLE, costs);
    run_module(&module.expect("it can be instrumented"), limit)
}

fn run_module(module: &InstrumentedModule, limit: u64) -> CallOutcome {
    let modules = compile_module(&ENGINES, module);
    let outcomes = modules.into_iter().map(|module| {
        let host = TestHost {
            nested: Some(Nested(Arc::clone(&module))),
            ..TestHost::default()
        };
        let mut instance = module
            .instantiate(limit)
            .expect("the test's module can be instantiated");
        outcome_of(&mut *instance, "f", host)
    });
    let mut outcomes: Vec<CallOutcome> = outcomes.collect();
    let last = outcomes.pop().expect("there are engines");
    for other in outcomes {
        assert_eq!(other, last, "the engines differ");
    }
    last
}

/// [`run_code`] with every operator at 1 point.
fn run(text: &str, limit: u64) -> CallOutcome {
    run_code(&wasm(text), &unit_costs(), limit)
}
