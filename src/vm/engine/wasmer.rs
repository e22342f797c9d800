//! The engine of production: wasmer with the Cranelift compiler.
//!
//! Every module gets a wasmer engine of its own, and every instance a store of its own: wasmer frees compiled code
//! only with its engine, and memories and functions only with their store.

mod instance;
mod linking;

use std::marker::PhantomData;
use std::sync::Arc;

use ::wasmer::sys::{Cranelift, CraneliftOptLevel, EngineBuilder, vm};
use ::wasmer::{Engine as CodeEngine, Module};

use self::instance::WasmerInstance;
use super::instrument::InstrumentedModule;
use super::{CompiledModule, Engine, ExportedFunction, HostCalls, Instance, InstantiationError};

/// Native stack of each instance that runs; the most that wasmer allows. Measured: the slots of
/// [`super::instrument::STACK_SLOTS`] end within 8 MiB when functions keep integers over their calls, and within
/// 24 MiB when they keep floats, at any number of locals, parameters and operands. What remains is for the values that
/// the optimiser keeps on its own account; validation's slots limit them to 64 MiB. Only touched pages take memory.
pub const NATIVE_STACK_BYTES: usize = 100 * 1024 * 1024;

/// Compiles with Cranelift, optimising for speed.
#[derive(Debug)]
pub struct WasmerEngine;

impl WasmerEngine {
    /// An engine. Sets wasmer's stack size, which is one for the whole process.
    pub fn new() -> Self {
        vm::set_stack_size(NATIVE_STACK_BYTES);
        Self
    }
}

impl Default for WasmerEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: HostCalls> Engine<H> for WasmerEngine {
    fn compile(&self, module: &InstrumentedModule) -> Result<Arc<dyn CompiledModule<H>>, String> {
        let mut compiler = Cranelift::new();
        compiler.opt_level(CraneliftOptLevel::Speed);
        let engine: CodeEngine = EngineBuilder::new(compiler).engine().into();
        let code = Module::new(&engine, &module.bytes).map_err(|error| error.to_string())?;
        let description = InstrumentedModule {
            bytes: Vec::new(),
            ..module.clone()
        };
        Ok(Arc::new(WasmerModule {
            engine,
            code,
            description: Arc::new(description),
            host: PhantomData,
        }))
    }
}

/// Compiled code.
struct WasmerModule<H> {
    /// Keeps the code alive, and frees it.
    engine: CodeEngine,
    code: Module,
    /// What was compiled, without its bytes.
    description: Arc<InstrumentedModule>,
    host: PhantomData<fn(H)>,
}

impl<H: HostCalls> CompiledModule<H> for WasmerModule<H> {
    fn exported_functions(&self) -> &[ExportedFunction] {
        &self.description.exported_functions
    }

    fn exports_memory(&self) -> bool {
        self.description.exports_memory
    }

    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError> {
        let instance =
            WasmerInstance::<H>::new(&self.engine, &self.code, &self.description, limit)?;
        Ok(Box::new(instance))
    }
}
