//! A second engine: the interpreter wasmi. What it counts must be what the compiled code counts.
//!
//! With limits it is the first of the [`tiers`](super::tiers), and gives up whatever it can't do quickly, or not as the
//! compiled code does it. Without limits it runs everything, slowly: it is the last tier of modules that are not
//! compiled, and tests and fuzz targets compare the compiler with it.

mod access;
mod environment;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmi::{
    Caller, CompilationMode, Config, Engine as Interpreter, Error, Extern, Func, FuncType,
    Instance as CodeInstance, Module, Store, StoreLimitsBuilder, Val, ValType,
};

use self::access::Access;
pub(super) use self::environment::RunFuel;
use self::environment::{EarlyEnd, Environment, Handles, QUICK_MEMORY_BYTES, drain, fill};
use super::border::{self, SPENT, instance_access_through_access, panic_message};
use super::failure::{Ending, TrapOf};
use super::frames;
use super::instrument::InstrumentedModule;
use super::{
    Abort, CallEnd, CompiledModule, Engine, EngineError, ExportedFunction, HostCalls,
    ImportedFunction, Instance, InstanceAccess, InstanceCounters, InstantiationError,
    MachineFailure, ModuleState, OutOfBounds, ValueType,
};

/// About how much memory a byte of wasm takes, translated at once or function by function.
const EAGER_BYTES_PER_WASM_BYTE: usize = 6;
const LAZY_BYTES_PER_WASM_BYTE: usize = 2;

/// Longer tables are given up.
const QUICK_TABLE_ELEMENTS: usize = 100_000;

/// Interprets with wasmi, whose own limits of the recursion are out of reach: the slots end first.
pub(crate) struct WasmiEngine {
    /// With limits, which end in [`CallEnd::Abandoned`].
    fuel: Option<Arc<RunFuel>>,
}

impl WasmiEngine {
    /// Runs everything to its end.
    pub(crate) const fn unlimited() -> Self {
        Self { fuel: None }
    }

    /// Gives up when the fuel is spent.
    pub(super) fn limited(fuel: Arc<RunFuel>) -> Self {
        Self { fuel: Some(fuel) }
    }
}

impl<H: HostCalls> Engine<H> for WasmiEngine {
    fn compile(
        &self,
        module: &InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<H>>, EngineError> {
        // What can't be translated is an error of the compilation, not a trap. With limits, most functions are never
        // called, and for one that can't be translated the engine gives up.
        let (mode, bytes_per_wasm_byte) = match self.fuel {
            None => (CompilationMode::Eager, EAGER_BYTES_PER_WASM_BYTE),
            Some(_) => (CompilationMode::Lazy, LAZY_BYTES_PER_WASM_BYTE),
        };
        let mut config = Config::default();
        config
            .set_max_recursion_depth(usize::MAX)
            .set_max_stack_height(1 << 30)
            .consume_fuel(self.fuel.is_some())
            .compilation_mode(mode);
        let interpreter = Interpreter::new(&config);
        let refused = |error: String| EngineError::Refused(error);
        let rewritten = match self.fuel {
            // With limits, the engine gives huge functions up.
            Some(_) => None,
            None => frames::rewrite(module).map_err(|error| refused(error.to_string()))?,
        };
        let wasm = rewritten.as_ref().unwrap_or(&module.bytes);
        let code = without_panic(|| Module::new(&interpreter, wasm), || {});
        let code = code.map_err(|error| refused(error.to_string()))?;
        Ok(Arc::new(WasmiModule {
            interpreter,
            code,
            memory_bytes: wasm.len() * bytes_per_wasm_byte,
            description: Arc::new(InstrumentedModule {
                bytes: Vec::new(),
                ..module.clone()
            }),
            fuel: self.fuel.clone(),
            is_broken: Arc::default(),
        }))
    }

    fn instance_counters(&self) -> InstanceCounters {
        InstanceCounters::default()
    }
}

struct WasmiModule {
    interpreter: Interpreter,
    code: Module,
    memory_bytes: usize,
    /// What was compiled, without its bytes.
    description: Arc<InstrumentedModule>,
    fuel: Option<Arc<RunFuel>>,
    /// Whether the translator has panicked at one of its functions: wasmi waits for good for the end of that translation.
    is_broken: Arc<AtomicBool>,
}

impl<H: HostCalls> CompiledModule<H> for WasmiModule {
    fn exported_functions(&self) -> &[ExportedFunction] {
        &self.description.exported_functions
    }

    fn exports_memory(&self) -> bool {
        self.description.exports_memory
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    fn state(&self) -> ModuleState {
        ModuleState::Interpreted
    }

    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(InstantiationError::Abandoned);
        }
        match WasmiInstance::<H>::new(self, limit) {
            Ok(instance) => Ok(Box::new(instance)),
            // Only compiled code says why, because a contract can see the text, and what the machine lacks.
            Err(InstantiationError::Invalid(_) | InstantiationError::Machine(_))
                if self.fuel.is_some() =>
            {
                Err(InstantiationError::Abandoned)
            }
            Err(error) => Err(error),
        }
    }
}

struct WasmiInstance<H: HostCalls> {
    store: Store<Environment<H>>,
    instance: CodeInstance,
    handles: Handles,
    description: Arc<InstrumentedModule>,
    is_broken: Arc<AtomicBool>,
    is_spent: bool,
}

impl<H: HostCalls> WasmiInstance<H> {
    fn new(module: &WasmiModule, limit: u64) -> Result<Self, InstantiationError> {
        let mut store = new_store(module);
        let table = module.description.import_table;
        let imports = module.description.imports.iter();
        let imports: Vec<Extern> = imports
            .map(|&index| Extern::Func(link(&mut store, index, &table[index])))
            .collect();
        let instance = CodeInstance::new(&mut store, &module.code, &imports);
        let instance = instance.map_err(|error| failed(&error))?;
        let hidden = &module.description.hidden;
        let global = |name: &str| {
            let global = instance.get_global(&store, name);
            global.expect("exported by instrumentation")
        };
        let memory = hidden.memory.as_ref();
        let details = hidden.details.iter();
        let handles = Handles {
            used: global(&hidden.used),
            details: details.map(|name| global(name)).collect(),
            memory: memory.and_then(|name| instance.get_memory(&store, name)),
            declared_maximum_pages: module.description.declared_maximum_pages,
        };
        let set = global(&hidden.limit).set(&mut store, Val::I64(limit as i64));
        set.expect("a mutable i64");
        store.data_mut().handles = Some(handles.clone());
        let description = Arc::clone(&module.description);
        let mut instance = Self {
            store,
            instance,
            handles,
            description,
            is_broken: Arc::clone(&module.is_broken),
            is_spent: false,
        };
        if let Some(name) = &hidden.start {
            let outcome = instance.call_by_name(name, 0);
            match (outcome, instance.store.data().early_end) {
                (Ok(()), _) => {}
                (Err(_), Some(EarlyEnd::NoHost)) => {
                    return Err(InstantiationError::StartCalledHost);
                }
                (Err(error), _) => return Err(failed(&error)),
            }
        }
        Ok(instance)
    }

    fn call_by_name(&mut self, name: &str, results: usize) -> Result<(), Error> {
        let function = self
            .instance
            .get_func(&self.store, name)
            .ok_or_else(|| Error::new("no such function"))?;
        let mut values = vec![Val::I32(0); results];
        fill(&mut self.store)?;
        let is_limited = self.store.data().fuel.is_some();
        let mut call = || function.call(&mut self.store, &[], &mut values);
        // With limits, functions are translated when they are called.
        let outcome = match is_limited {
            true => without_panic(call, || self.is_broken.store(true, Ordering::Relaxed)),
            false => call(),
        };
        drain(&mut self.store)?;
        outcome
    }

    /// How a call ended that did not return.
    fn end_of_failed(&self, error: &Error) -> CallEnd {
        match self.store.data().early_end {
            Some(EarlyEnd::Aborted) => return CallEnd::Aborted,
            Some(EarlyEnd::TooLarge) => return CallEnd::Abandoned,
            Some(EarlyEnd::Machine) => {
                let text = "a memory does not grow".to_owned();
                return CallEnd::Machine(MachineFailure::Instance(text).into());
            }
            Some(EarlyEnd::NoHost) | None => {}
        }
        if self.store.data().fuel.is_none() {
            return match Ending::of_interpreted(error) {
                Ending::Trap | Ending::User => CallEnd::Trapped(error.to_string()),
                Ending::Machine(failure) => CallEnd::Machine(failure.into()),
            };
        }
        match error.as_trap_code().map(TrapOf::from) {
            Some(TrapOf::Contract) => CallEnd::Trapped(error.to_string()),
            Some(TrapOf::Interpreter | TrapOf::System) | None => CallEnd::Abandoned,
        }
    }

    fn access(&mut self) -> Access<&mut Store<Environment<H>>> {
        Access {
            handles: self.handles.clone(),
            context: &mut self.store,
        }
    }
}

impl<H: HostCalls> Instance<H> for WasmiInstance<H> {
    fn call(&mut self, name: &str, host: Box<H>) -> (Box<H>, CallEnd) {
        let callable = match self.is_spent {
            true => Err(SPENT.to_owned()),
            false => self.description.results_of_call(name),
        };
        let results = match callable {
            Ok(results) => results,
            Err(reason) => return (host, CallEnd::Trapped(reason)),
        };
        self.store.data_mut().host = Some(host);
        let outcome = self.call_by_name(name, results);
        let environment = self.store.data_mut();
        let host = environment
            .host
            .take()
            .expect("host functions put the host back");
        let end = match outcome {
            Ok(()) => CallEnd::Returned,
            Err(error) => self.end_of_failed(&error),
        };
        self.is_spent = end != CallEnd::Returned;
        (host, end)
    }
}

/// Makes an error of a panic: a fault of wasmi's translator says nothing about the contract, which the compiler may take. The
/// engine gives up with it.
fn without_panic<T>(
    run: impl FnOnce() -> Result<T, Error>,
    on_panic: impl FnOnce(),
) -> Result<T, Error> {
    let outcome = catch_unwind(AssertUnwindSafe(run));
    outcome.unwrap_or_else(|panic| {
        on_panic();
        let error = format!("the interpreter panicked: {}", panic_message(&*panic));
        tracing::error!(target: "arwen/engine", %error, "a bug");
        Err(Error::new(error))
    })
}

/// An empty store with the limits of the module.
fn new_store<H: HostCalls>(module: &WasmiModule) -> Store<Environment<H>> {
    // Only the system limits the growth without fuel: the contract must not see that as a full memory.
    let limits = StoreLimitsBuilder::new().trap_on_grow_failure(true);
    let limits = match module.fuel {
        None => limits,
        Some(_) => limits
            .memory_size(QUICK_MEMORY_BYTES)
            .table_elements(QUICK_TABLE_ELEMENTS),
    };
    let environment = Environment {
        host: None,
        handles: None,
        early_end: None,
        fuel: module.fuel.clone(),
        limits: limits.build(),
    };
    let mut store = Store::new(&module.interpreter, environment);
    store.limiter(|environment| &mut environment.limits);
    store
}

/// Why a module has no instance.
fn failed(error: &Error) -> InstantiationError {
    match Ending::of_interpreted(error) {
        Ending::Trap | Ending::User => InstantiationError::Invalid(error.to_string()),
        Ending::Machine(failure) => failure.into(),
    }
}

fn link<H: HostCalls>(
    store: &mut Store<Environment<H>>,
    index: usize,
    function: &ImportedFunction,
) -> Func {
    let value_type = |value: ValueType| match value {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
    };
    let result_type = function.result;
    let parameters = function.parameters.iter().copied().map(value_type);
    let signature = FuncType::new(parameters, result_type.map(value_type));
    Func::new(
        store,
        signature,
        move |caller: Caller<'_, Environment<H>>, arguments, results| {
            let arguments: Vec<i64> = arguments
                .iter()
                .map(|value| match value {
                    Val::I32(value) => i64::from(*value),
                    Val::I64(value) => *value,
                    other => unreachable!("import tables have integers only, not {other:?}"),
                })
                .collect();
            let value = call_host(caller, index, &arguments)?;
            match result_type {
                None => {}
                Some(ValueType::I32) => results[0] = Val::I32(value as i32),
                Some(ValueType::I64) => results[0] = Val::I64(value),
            }
            Ok(())
        },
    )
}

fn call_host<H: HostCalls>(
    mut caller: Caller<'_, Environment<H>>,
    index: usize,
    arguments: &[i64],
) -> Result<i64, Error> {
    drain(&mut caller)?;
    let environment = caller.data_mut();
    let (Some(mut host), Some(handles)) = (environment.host.take(), environment.handles.clone())
    else {
        environment.early_end = Some(EarlyEnd::NoHost);
        return Err(Error::new("no host"));
    };
    let mut access = Access {
        handles,
        context: &mut caller,
    };
    let result = border::call_host(&mut *host, index, &mut access, arguments);
    let environment = caller.data_mut();
    environment.host = Some(host);
    if let Some(EarlyEnd::TooLarge | EarlyEnd::Machine) = environment.early_end {
        return Err(Error::new("the memory does not grow"));
    }
    if result.is_err() {
        environment.early_end = Some(EarlyEnd::Aborted);
    }
    fill(&mut caller)?;
    result.map_err(|Abort| Error::new("aborted"))
}

instance_access_through_access!(WasmiInstance);
