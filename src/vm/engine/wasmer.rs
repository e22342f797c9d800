//! The engine of production: wasmer with the Cranelift compiler.
//!
//! Every module gets a wasmer engine of its own, and every instance a store of its own: wasmer frees compiled code
//! only with its engine, and memories and functions only with their store. Instances are used again, see [`warm`].

mod image;
mod instance;
mod lease;
mod linking;
mod unchecked;
pub mod warm;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::wasmer::sys::{Cranelift, CraneliftOptLevel, EngineBuilder, vm};
use ::wasmer::{Engine as CodeEngine, Module};

use self::instance::WasmerInstance;
use self::lease::{Lease, LeaseOrigin};
use self::unchecked::Artifact;
use self::warm::{WarmInstances, WarmLimits};
use super::instrument::InstrumentedModule;
use super::{
    CompiledModule, Engine, ExportedFunction, HostCalls, Instance, InstanceCounters,
    InstantiationError,
};

/// Native stack of each instance that runs; the most that wasmer allows. Measured: the slots of
/// [`super::instrument::STACK_SLOTS`] end within 8 MiB when functions keep integers over their calls, and within
/// 24 MiB when they keep floats, at any number of locals, parameters and operands. What remains is for the values that
/// the optimiser keeps on its own account; validation's slots limit them to 64 MiB. Only touched pages take memory.
pub const NATIVE_STACK_BYTES: usize = 100 * 1024 * 1024;

/// What a module takes besides its artifact and its machine code, which is about a third of the artifact.
const MODULE_BYTES: usize = 16 * 1024;

/// Compiles with Cranelift, optimising for speed.
pub struct WasmerEngine<H: HostCalls> {
    warm: Arc<WarmInstances<H>>,
    modules: AtomicU64,
}

impl<H: HostCalls> WasmerEngine<H> {
    /// An engine. Sets wasmer's stack size, which is one for the whole process.
    pub fn new(limits: WarmLimits) -> Self {
        vm::set_stack_size(NATIVE_STACK_BYTES);
        Self {
            warm: Arc::new(WarmInstances::new(limits)),
            modules: AtomicU64::new(0),
        }
    }

    /// How many instances wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.warm.len()
    }
}

impl<H: HostCalls> Default for WasmerEngine<H> {
    fn default() -> Self {
        Self::new(WarmLimits::default())
    }
}

impl<H: HostCalls> Engine<H> for WasmerEngine<H> {
    fn compile(&self, module: &InstrumentedModule) -> Result<Arc<dyn CompiledModule<H>>, String> {
        let artifact = compile_to_artifact(module)?;
        // Several times as much as the artifact: what compiling leaves behind is not kept.
        let memory_bytes = artifact.len() + artifact.len() / 3 + MODULE_BYTES;
        let (engine, code) = artifact.load()?;
        let description = InstrumentedModule {
            bytes: Vec::new(),
            ..module.clone()
        };
        let id = self.modules.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(WasmerModule {
            engine,
            code,
            memory_bytes,
            description: Arc::new(description),
            origin: Arc::new(LeaseOrigin::new(id, Arc::clone(&self.warm))),
        }))
    }

    fn instance_counters(&self) -> InstanceCounters {
        self.warm.counters()
    }
}

/// Compiles the module to an artifact. Its engine and everything else that compiling needs is dropped: a module that
/// was loaded from an artifact takes a tenth of the memory of one that was compiled.
fn compile_to_artifact(module: &InstrumentedModule) -> Result<Artifact, String> {
    let mut compiler = Cranelift::new();
    compiler.opt_level(CraneliftOptLevel::Speed);
    let engine: CodeEngine = EngineBuilder::new(compiler).engine().into();
    let code = Module::new(&engine, &module.bytes).map_err(|error| error.to_string())?;
    Artifact::of(&code)
}

/// Compiled code.
struct WasmerModule<H: HostCalls> {
    /// Keeps the code alive, and frees it.
    engine: CodeEngine,
    code: Module,
    memory_bytes: usize,
    /// What was compiled, without its bytes.
    description: Arc<InstrumentedModule>,
    origin: Arc<LeaseOrigin<H>>,
}

impl<H: HostCalls> CompiledModule<H> for WasmerModule<H> {
    fn exported_functions(&self) -> &[ExportedFunction] {
        &self.description.exported_functions
    }

    fn exports_memory(&self) -> bool {
        self.description.exports_memory
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError> {
        let fresh = || WasmerInstance::new(&self.engine, &self.code, &self.description);
        let mut lease = Lease::new(&self.origin, fresh)?;
        lease.begin(limit)?;
        Ok(Box::new(lease))
    }
}

impl<H: HostCalls> Drop for WasmerModule<H> {
    fn drop(&mut self) {
        self.origin.close();
    }
}
