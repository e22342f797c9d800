//! A second engine, for tests and fuzz targets: the interpreter wasmi. What it counts must be what the compiled code counts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wasmi::{
    AsContextMut, Caller, CompilationMode, Config, Engine as Interpreter, Error, Extern, Func,
    FuncType, Global, Instance as CodeInstance, Memory, Module, Store, Val, ValType,
};

use super::instrument::InstrumentedModule;
use super::{
    CallEnd, CompiledModule, Engine, ExportedFunction, HostCalls, ImportedFunction, Instance,
    InstanceAccess, InstanceCounters, InstantiationError, OutOfBounds, ValueType, panic_message,
};

/// Interprets with wasmi, whose own limits of the recursion are out of reach: the slots end first.
pub(in crate::vm) struct WasmiEngine;

impl<H: HostCalls> Engine<H> for WasmiEngine {
    fn compile(&self, module: &InstrumentedModule) -> Result<Arc<dyn CompiledModule<H>>, String> {
        let mut config = Config::default();
        config
            .set_max_recursion_depth(usize::MAX)
            .set_max_stack_height(1 << 30)
            // What it can't translate is an error of the compilation then, not a trap.
            .compilation_mode(CompilationMode::Eager);
        let interpreter = Interpreter::new(&config);
        let code = Module::new(&interpreter, &module.bytes).map_err(|error| error.to_string())?;
        Ok(Arc::new(WasmiModule {
            interpreter,
            code,
            description: Arc::new(module.clone()),
        }))
    }

    fn instance_counters(&self) -> InstanceCounters {
        InstanceCounters::default()
    }
}

struct WasmiModule {
    interpreter: Interpreter,
    code: Module,
    description: Arc<InstrumentedModule>,
}

impl<H: HostCalls> CompiledModule<H> for WasmiModule {
    fn exported_functions(&self) -> &[ExportedFunction] {
        &self.description.exported_functions
    }

    fn exports_memory(&self) -> bool {
        self.description.exports_memory
    }

    fn memory_bytes(&self) -> usize {
        2 * self.description.bytes.len()
    }

    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError> {
        Ok(Box::new(WasmiInstance::<H>::new(self, limit)?))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Aborted,
    NoHost,
}

struct Environment<H> {
    host: Option<Box<H>>,
    handles: Option<Handles>,
    stop: Option<Stop>,
}

#[derive(Clone, Copy)]
struct Handles {
    used: Global,
    memory: Option<Memory>,
    declared_maximum_pages: Option<u32>,
}

struct WasmiInstance<H: HostCalls> {
    store: Store<Environment<H>>,
    instance: CodeInstance,
    handles: Handles,
    description: Arc<InstrumentedModule>,
    is_spent: bool,
}

impl<H: HostCalls> WasmiInstance<H> {
    fn new(module: &WasmiModule, limit: u64) -> Result<Self, InstantiationError> {
        let invalid = |error: Error| InstantiationError::Invalid(error.to_string());
        let environment = Environment {
            host: None,
            handles: None,
            stop: None,
        };
        let mut store = Store::new(&module.interpreter, environment);
        let table = module.description.import_table;
        let imports = module.description.imports.iter();
        let imports: Vec<Extern> = imports
            .map(|&index| Extern::Func(link(&mut store, index, &table[index])))
            .collect();
        let instance = CodeInstance::new(&mut store, &module.code, &imports).map_err(invalid)?;
        let hidden = &module.description.hidden;
        let handles = Handles {
            used: instance
                .get_global(&store, &hidden.used)
                .expect("exported by instrumentation"),
            memory: hidden
                .memory
                .as_ref()
                .and_then(|name| instance.get_memory(&store, name)),
            declared_maximum_pages: module.description.declared_maximum_pages,
        };
        let limits = instance
            .get_global(&store, &hidden.limit)
            .expect("exported by instrumentation");
        limits
            .set(&mut store, Val::I64(limit as i64))
            .expect("a mutable i64");
        store.data_mut().handles = Some(handles);
        let description = Arc::clone(&module.description);
        let mut instance = Self {
            store,
            instance,
            handles,
            description,
            is_spent: false,
        };
        if let Some(name) = &hidden.start {
            let outcome = instance.call_by_name(name, 0);
            match (outcome, instance.store.data().stop) {
                (Ok(()), _) => {}
                (Err(_), Some(Stop::NoHost)) => return Err(InstantiationError::StartCalledHost),
                (Err(error), _) => return Err(invalid(error)),
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
        function.call(&mut self.store, &[], &mut values)
    }

    fn access(&mut self) -> Access<&mut Store<Environment<H>>> {
        Access {
            handles: self.handles,
            context: &mut self.store,
        }
    }
}

impl<H: HostCalls> Instance<H> for WasmiInstance<H> {
    fn call(&mut self, name: &str, host: Box<H>) -> (Box<H>, CallEnd) {
        let functions = &self.description.exported_functions;
        let exported = functions
            .iter()
            .find(|function| function.name == name && function.parameters == 0);
        let results = match exported {
            Some(function) if !self.is_spent => function.results,
            _ => return (host, CallEnd::Trapped("can't be called".to_owned())),
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
            Err(_) if environment.stop == Some(Stop::Aborted) => CallEnd::Aborted,
            Err(error) => CallEnd::Trapped(error.to_string()),
        };
        self.is_spent = end != CallEnd::Returned;
        (host, end)
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
    let environment = caller.data_mut();
    let (Some(mut host), Some(handles)) = (environment.host.take(), environment.handles) else {
        environment.stop = Some(Stop::NoHost);
        return Err(Error::new("no host"));
    };
    let mut access = Access {
        handles,
        context: &mut caller,
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        host.call(index, &mut access, arguments)
    }));
    let result = match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(Error::new("aborted")),
        Err(panic) => {
            host.panicked(panic_message(&*panic));
            Err(Error::new("panicked"))
        }
    };
    let environment = caller.data_mut();
    environment.host = Some(host);
    if result.is_err() {
        environment.stop = Some(Stop::Aborted);
    }
    result
}

struct Access<C> {
    handles: Handles,
    context: C,
}

impl<C: AsContextMut> Access<C> {
    fn in_bounds(&mut self, succeeded: bool, offset: u64, length: u64) -> Result<(), OutOfBounds> {
        if succeeded {
            return Ok(());
        }
        Err(OutOfBounds {
            offset,
            length,
            size: self.memory_size(),
        })
    }
}

impl<C: AsContextMut> InstanceAccess for Access<C> {
    fn used_points(&mut self) -> u64 {
        match self.handles.used.get(self.context.as_context()) {
            Val::I64(points) => points as u64,
            other => unreachable!("the points are an i64, not {other:?}"),
        }
    }

    fn set_used_points(&mut self, points: u64) {
        let set = self
            .handles
            .used
            .set(self.context.as_context_mut(), Val::I64(points as i64));
        set.expect("the points are a mutable i64");
    }

    fn has_memory(&mut self) -> bool {
        self.handles.memory.is_some()
    }

    fn memory_size(&mut self) -> u64 {
        self.handles.memory.map_or(0, |memory| {
            memory.data_size(self.context.as_context()) as u64
        })
    }

    fn declared_maximum_pages(&mut self) -> Option<u32> {
        self.handles.declared_maximum_pages
    }

    fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let length = into.len() as u64;
        let read = self
            .handles
            .memory
            .map(|memory| memory.read(self.context.as_context(), offset as usize, into));
        self.in_bounds(matches!(read, Some(Ok(()))), offset, length)
    }

    fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let memory = self.handles.memory;
        let written = memory
            .map(|memory| memory.write(self.context.as_context_mut(), offset as usize, bytes));
        self.in_bounds(matches!(written, Some(Ok(()))), offset, bytes.len() as u64)
    }

    fn grow_memory(&mut self, pages: u32) -> bool {
        let memory = self.handles.memory;
        memory.is_some_and(|memory| {
            memory
                .grow(self.context.as_context_mut(), u64::from(pages))
                .is_ok()
        })
    }
}

instance_access_through_access!(WasmiInstance);
