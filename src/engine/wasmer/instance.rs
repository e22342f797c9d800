//! An instance in wasmer.

use std::sync::Arc;

use ::wasmer::{
    AsStoreMut as _, Engine as CodeEngine, Exports, Extern, FunctionEnv, Global,
    Instance as CodeInstance, Module, Pages, RuntimeError, Store, Value, WASM_PAGE_SIZE,
};

use super::access::{Access, Handles};
use super::image::Image;
use super::linking::{Environment, link};
use super::memory::{SystemMemory, empty, shrink};
use super::residence::Residence;
use crate::engine::border::SPENT;
use crate::engine::failure::{Ending, caught};
use crate::engine::instrument::{HiddenExports, InstrumentedModule};
use crate::engine::{CallEnd, HostCalls, InstantiationError, MachineFailure};

/// Native stack of each instance that runs; the most that wasmer allows. Measured: the slots of
/// `STACK_SLOTS` of the instrumentation end within 8 MiB when functions keep integers over their
/// calls, within 16 MiB where calls also go through the entries of `instrument::passing`, and within 25 MiB when functions keep
/// floats, at any number of locals, parameters and operands. What remains is
/// for the values that the optimiser keeps on its own account; validation's slots limit them to 64 MiB. Only touched
/// pages take memory.
pub const NATIVE_STACK_BYTES: usize = 100 * 1024 * 1024;

/// An instance with its store. Calls come after [`WasmerInstance::begin`].
pub(super) struct WasmerInstance<H: HostCalls> {
    store: Store,
    environment: FunctionEnv<Environment<H>>,
    instance: CodeInstance,
    handles: Handles,
    /// The limit of the points.
    limit: Global,
    /// Every other mutable global, with what it holds at first.
    globals: Vec<(Global, Value)>,
    description: Arc<InstrumentedModule>,
    system: Arc<SystemMemory>,
    /// Which pages of the memory stay between calls.
    residence: Residence,
    /// False while nothing but its links is kept, see `without_memory`.
    has_memory: bool,
    /// A call has trapped or aborted: the counters of the stack are off, and the memory is in an unknown state.
    is_spent: bool,
}

impl<H: HostCalls> WasmerInstance<H> {
    /// Instantiates `code`.
    pub(super) fn new(
        engine: &CodeEngine,
        code: &Module,
        description: &Arc<InstrumentedModule>,
        system: &Arc<SystemMemory>,
    ) -> Result<Self, InstantiationError> {
        let mut store = Store::new(engine.clone());
        let environment = Environment {
            host: None,
            handles: None,
            system: Arc::clone(system),
        };
        let environment = FunctionEnv::new(&mut store, environment);
        let imports = description.imports.iter().map(|&index| {
            let function = &description.import_table[index];
            Extern::Function(link(&mut store, &environment, index, function))
        });
        let imports: Vec<Extern> = imports.collect();
        let instance = CodeInstance::new_by_index(&mut store, code, &imports);
        // What the memory has noted says more than wasmer's text.
        let instance = instance.map_err(|error| match system.take_failure() {
            Some(failure) => failure.into(),
            None => InstantiationError::from(error),
        })?;
        let exports = &instance.exports;
        let handles = handles(exports, description)?;
        environment.as_mut(&mut store).handles = Some(handles.clone());
        let globals = initial_globals(exports, &description.hidden, &mut store)?;
        Ok(Self {
            limit: global(exports, &description.hidden.limit)?,
            store,
            environment,
            instance,
            handles,
            globals,
            description: Arc::clone(description),
            system: Arc::clone(system),
            residence: Residence::default(),
            has_memory: true,
            is_spent: false,
        })
    }

    /// Gives the instance its points, and runs its start function, if it has one. Needs its first state.
    pub(super) fn begin(&mut self, limit: u64) -> Result<(), InstantiationError> {
        let set = self.limit.set(&mut self.store, Value::I64(limit as i64));
        set.map_err(|error| bug(&error))?;
        let description = Arc::clone(&self.description);
        let Some(name) = &description.hidden.start else {
            return Ok(());
        };
        match self.end_of(name, 0) {
            CallEnd::Returned => Ok(()),
            CallEnd::Machine(failure) => Err((*failure).into()),
            CallEnd::Trapped(reason) => Err(InstantiationError::Invalid(reason)),
            // All that a host function can do without a host.
            CallEnd::Aborted => Err(InstantiationError::StartCalledHost),
            CallEnd::Abandoned => Err(InstantiationError::Abandoned),
        }
    }

    /// The image of the memory, if there is one. Needs the first state.
    pub(super) fn image(&self) -> Option<Image> {
        let memory = self.handles.memory.as_ref()?;
        Some(Image::take(&memory.view(&self.store)))
    }

    /// Puts everything that a call can change back to the first state, however the call ended: memory, globals, and what
    /// host functions leave. Tables need nothing, since no operator of the accepted wasm writes them. Returns the bytes
    /// that the memory takes, or none if the instance can't be used any more.
    pub(super) fn reset(&mut self, image: Option<&Image>) -> Option<usize> {
        let memory_bytes = match (&self.handles.memory, image) {
            (Some(memory), Some(image)) => {
                let existing = image.restore(&memory.view(&self.store), &mut self.residence);
                let has_failed = self.system.has_failed();
                let layout = self.system.layout;
                let shrunk = shrink(memory, &mut self.store, layout, image.bytes());
                if shrunk.is_none() && !has_failed {
                    // The result of the call stands; all that is lost is the instance.
                    self.system.take_failure();
                }
                shrunk?;
                existing
            }
            (None, None) => 0,
            _ => return None,
        };
        for (global, value) in &self.globals {
            global.set(&mut self.store, value.clone()).ok()?;
        }
        let environment = self.environment.as_mut(&mut self.store);
        environment.host = None;
        self.is_spent = false;
        Some(memory_bytes)
    }

    /// Takes the memory from an instance that was reset; what is left takes no addresses. None if that can't be done.
    pub(super) fn without_memory(mut self) -> Option<Self> {
        if let Some(memory) = &self.handles.memory {
            empty(memory, &mut self.store, self.system.layout)?;
        }
        self.has_memory = false;
        Some(self)
    }

    /// Gives it back what `without_memory` took. None if that can't be done.
    pub(super) fn with_memory(mut self, image: Option<&Image>) -> Option<Self> {
        if let (false, Some(memory)) = (self.has_memory, &self.handles.memory) {
            let image = image?;
            let pages = u32::try_from(image.bytes() / WASM_PAGE_SIZE as u64).ok()?;
            if memory.grow(&mut self.store, Pages(pages)).is_err() {
                // Nothing runs yet: a fresh instance is tried next, and fails if this was not by chance.
                self.system.take_failure();
                return None;
            }
            image.write(&memory.view(&self.store));
            self.residence = Residence::default();
        }
        self.has_memory = true;
        Some(self)
    }

    fn call_by_name(&mut self, name: &str, results: usize) -> Result<(), RuntimeError> {
        let function = self
            .instance
            .exports
            .get_function(name)
            .map_err(|error| RuntimeError::new(error.to_string()))?;
        if results == 0 {
            function.typed::<(), ()>(&self.store)?.call(&mut self.store)
        } else {
            function.clone().call(&mut self.store, &[]).map(drop)
        }
    }

    /// Calls a function and sorts how it ended. Whatever that was, it counts only if the machine did not fail meanwhile.
    fn end_of(&mut self, name: &str, results: usize) -> CallEnd {
        let called = caught(|| Ok(self.call_by_name(name, results)));
        if let Some(failure) = self.system.take_failure() {
            return CallEnd::Machine(failure.into());
        }
        let error = match called {
            Ok(Ok(())) => return CallEnd::Returned,
            Ok(Err(error)) => error,
            Err(MachineFailure::Panic(reason)) => {
                let stack = NATIVE_STACK_BYTES;
                return CallEnd::Machine(MachineFailure::Call { stack, reason }.into());
            }
            Err(failure) => return CallEnd::Machine(failure.into()),
        };
        match Ending::of(&error) {
            Ending::User => CallEnd::Aborted,
            Ending::Trap => CallEnd::Trapped(error.message()),
            Ending::Machine(failure) => CallEnd::Machine(failure.into()),
        }
    }

    /// The points and the memory.
    pub(super) fn access(&mut self) -> Access<'_> {
        Access {
            store: self.store.as_store_mut(),
            handles: &self.handles,
        }
    }

    /// See [`Instance::call`].
    pub(super) fn call(&mut self, name: &str, host: Box<H>) -> (Box<H>, CallEnd) {
        let callable = match self.is_spent {
            true => Err(SPENT.to_owned()),
            false => self.description.results_of_call(name),
        };
        let results = match callable {
            Ok(results) => results,
            Err(reason) => return (host, CallEnd::Trapped(reason)),
        };
        self.environment.as_mut(&mut self.store).host = Some(host);
        let end = self.end_of(name, results);
        let environment = self.environment.as_mut(&mut self.store);
        let host = environment
            .host
            .take()
            .expect("host functions put the host back before they return");
        self.is_spent = end != CallEnd::Returned;
        (host, end)
    }
}

/// What the host reaches in a new instance.
fn handles(
    exports: &Exports,
    description: &InstrumentedModule,
) -> Result<Handles, InstantiationError> {
    let memory = description.hidden.memory.as_ref();
    let memory = memory.map(|name| exports.get_memory(name));
    let details = description.hidden.details.iter();
    Ok(Handles {
        used: global(exports, &description.hidden.used)?,
        details: details
            .map(|name| global(exports, name))
            .collect::<Result<_, _>>()?,
        memory: memory.transpose().map_err(|error| bug(&error))?.cloned(),
        declared_maximum_pages: description.declared_maximum_pages,
    })
}

/// The mutable globals of a new instance but for the limit of the points, with their values.
fn initial_globals(
    exports: &Exports,
    hidden: &HiddenExports,
    store: &mut Store,
) -> Result<Vec<(Global, Value)>, InstantiationError> {
    let counters = [&hidden.used, &hidden.slots].into_iter();
    let names = counters
        .chain(&hidden.mutable_globals)
        .chain(&hidden.details);
    let globals = names.map(|name| {
        let global = global(exports, name)?;
        let value = global.get(store);
        Ok((global, value))
    });
    globals.collect()
}

fn global(exports: &Exports, name: &str) -> Result<Global, InstantiationError> {
    let global = exports.get_global(name);
    global.cloned().map_err(|error| bug(&error))
}

/// For what instrumentation has put into the module and is not found there.
fn bug(error: &impl ToString) -> InstantiationError {
    InstantiationError::Bug(error.to_string())
}
