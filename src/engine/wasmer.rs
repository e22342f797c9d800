//! The engine of production: wasmer with the Cranelift compiler.
//!
//! Every module gets a wasmer engine of its own, and every instance a store of its own: wasmer frees compiled code
//! only with its engine, and memories and functions only with their store. Instances are used again, see [`warm`].

mod access;
mod deadline;
mod idle;
mod image;
mod instance;
mod lease;
mod linking;
mod memory;
mod pages;
pub use pages::open_page_map;
mod residence;
mod unchecked;
mod unchecked_addresses;
mod unchecked_memory;
mod unchecked_reserved;
mod unchecked_scan;
mod unchecked_send;
pub mod warm;

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use ::wasmer::sys::{
    CompilerConfig as _, Cranelift, CraneliftOptLevel, EngineBuilder, NativeEngineExt as _, Target,
    vm,
};
use ::wasmer::{Engine as CodeEngine, Module};

use self::deadline::Deadline;
pub use self::instance::NATIVE_STACK_BYTES;
use self::instance::WasmerInstance;
use self::lease::{Lease, LeaseOrigin};
use self::memory::{MakeRoom, MemoryLayout, SystemMemory};
use self::unchecked::Artifact;
use self::unchecked_memory::SystemTunables;
use self::warm::{WarmInstances, WarmLimits};
use super::disk::{ArtifactStore, DiskCounters, DiskLimits, StoredModule};
use super::failure::caught;
use super::instrument::InstrumentedModule;
use super::{
    CompiledModule, Engine, EngineError, ExportedFunction, HostCalls, ImportTable, Instance,
    InstanceCounters, InstantiationError, MachineFailure, ModuleIdentity,
};
use crate::activity;

/// What a module takes besides its artifact and its machine code, which is about a third of the artifact.
const MODULE_BYTES: usize = 16 * 1024;

const OPTIMISATION: CraneliftOptLevel = CraneliftOptLevel::Speed;

/// Compiles with Cranelift, optimising for speed.
pub struct WasmerEngine<H: HostCalls> {
    store: Option<ArtifactStore>,
    warm: Arc<WarmInstances<H>>,
    system: Arc<SystemMemory>,
    modules: AtomicU64,
}

impl<H: HostCalls> WasmerEngine<H> {
    /// An engine. Sets wasmer's stack size, which is one for the whole process. The limit of the process's address space, as
    /// it is now, decides how memories are laid out.
    pub fn new(limits: WarmLimits) -> Self {
        Self::with_layout(limits, MemoryLayout::of_this_process(limits.instances))
    }

    fn with_layout(limits: WarmLimits, layout: MemoryLayout) -> Self {
        vm::set_stack_size(NATIVE_STACK_BYTES);
        let warm = Arc::new(WarmInstances::new(limits));
        let idle: Weak<dyn MakeRoom> = Arc::downgrade(&(Arc::clone(&warm) as Arc<dyn MakeRoom>));
        Self {
            store: None,
            warm,
            system: Arc::new(SystemMemory::new(layout, idle)),
            modules: AtomicU64::new(0),
        }
    }

    /// An engine like that of `new` that keeps compiled modules on disk. If it can't, it logs why and does without.
    pub fn with_disk(limits: WarmLimits, disk: Option<DiskLimits>) -> Self {
        let engine = Self::new(limits);
        let store = disk.and_then(|disk| {
            let store = ArtifactStore::open(disk, &compiler_name(engine.system.layout));
            let report = |error: &_| {
                tracing::warn!(target: "arwen/engine", %error, "compiled modules are not kept on disk");
            };
            store.inspect_err(report).ok()
        });
        Self { store, ..engine }
    }

    fn ready(
        &self,
        artifact: Artifact,
        description: InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<H>>, MachineFailure> {
        // Several times as much as the artifact: what compiling leaves behind is not kept.
        let memory_bytes = artifact.bytes().len() + artifact.bytes().len() / 3 + MODULE_BYTES;
        let load = || caught(|| artifact.load(&self.system).map_err(MachineFailure::from));
        let (engine, code) = self.system.with_room(load, |_| true)?;
        let id = self.modules.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(WasmerModule {
            engine,
            code,
            memory_bytes,
            description: Arc::new(description),
            system: Arc::clone(&self.system),
            origin: Arc::new(LeaseOrigin::new(id, Arc::clone(&self.warm))),
        }))
    }

    /// An engine as in a process with few addresses.
    #[cfg(test)]
    pub(super) fn for_few_addresses(limits: WarmLimits) -> Self {
        Self::with_layout(limits, MemoryLayout::Exact)
    }

    /// How many addresses wait for a memory.
    #[cfg(test)]
    pub(super) fn idle_addresses(&self) -> usize {
        self.system.addresses.len()
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
    fn compile(
        &self,
        module: &InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<H>>, EngineError> {
        let _compiling = activity::compiling();
        let compile = || caught(|| compile_to_artifact(module, &self.system));
        let is_of_machine = |error: &_| matches!(error, EngineError::Machine(_));
        let artifact = self.system.with_room(compile, is_of_machine)?;
        let description = InstrumentedModule {
            bytes: Vec::new(),
            identity: None,
            ..module.clone()
        };
        if let (Some(store), Some(identity)) = (&self.store, module.identity) {
            let module = StoredModule {
                artifact: artifact.bytes().clone(),
                description: description.clone(),
            };
            store.store(identity, module);
        }
        Ok(self.ready(artifact, description)?)
    }

    fn load(
        &self,
        identity: &ModuleIdentity,
        table: ImportTable,
    ) -> Option<Arc<dyn CompiledModule<H>>> {
        self.store.as_ref()?.load(identity, table, |module| {
            let artifact = Artifact::from_store(module.artifact);
            let ready = self.ready(artifact, module.description);
            ready.map_err(|failure| failure.to_string())
        })
    }

    fn take_machine_failure(&self) -> Option<MachineFailure> {
        self.system.take_failure()
    }

    fn give_up(&self, module: &InstrumentedModule, reason: &str) {
        if let (Some(store), Some(identity)) = (&self.store, module.identity) {
            store.give_up(identity, reason);
        }
    }

    fn has_given_up(&self, module: &InstrumentedModule) -> bool {
        match (&self.store, module.identity) {
            (Some(store), Some(identity)) => store.has_given_up(&identity, module.import_table),
            _ => false,
        }
    }

    fn disk_counters(&self) -> DiskCounters {
        let counters = self.store.as_ref().map(ArtifactStore::counters);
        counters.unwrap_or_default()
    }

    fn instance_counters(&self) -> InstanceCounters {
        self.warm.counters()
    }
}

/// Compiles the module to an artifact, on as many threads as the thread pool around it has. Its engine and everything
/// else that compiling needs is dropped: a module that was loaded from an artifact takes a tenth of the memory of one
/// that was compiled.
fn compile_to_artifact(
    module: &InstrumentedModule,
    system: &Arc<SystemMemory>,
) -> Result<Artifact, EngineError> {
    let mut compiler = Cranelift::new();
    compiler.opt_level(OPTIMISATION);
    if let Some(threads) = NonZero::new(rayon::current_num_threads()) {
        compiler.num_threads(threads);
    }
    compiler.push_middleware(Arc::new(Deadline::from_now()));
    let mut engine: CodeEngine = EngineBuilder::new(compiler).engine().into();
    engine.set_tunables(SystemTunables(Arc::clone(system)));
    let code = Module::new(&engine, &module.bytes)?;
    Ok(Artifact::of(&code)?)
}

/// Names all that machine code depends on besides the module.
fn compiler_name(layout: MemoryLayout) -> String {
    let target = Target::default();
    format!(
        "{} {} {} {:?} {OPTIMISATION:?} {layout:?}",
        env!("CARGO_PKG_VERSION"),
        env!("ARWEN_ENGINE_BUILD"),
        target.triple(),
        target.cpu_features(),
    )
}

/// Compiled code.
struct WasmerModule<H: HostCalls> {
    /// Keeps the code alive, and frees it.
    engine: CodeEngine,
    code: Module,
    memory_bytes: usize,
    /// What was compiled, without its bytes.
    description: Arc<InstrumentedModule>,
    system: Arc<SystemMemory>,
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
        let instantiate = || {
            caught(|| {
                WasmerInstance::new(&self.engine, &self.code, &self.description, &self.system)
            })
        };
        let is_of_machine = |error: &_| matches!(error, InstantiationError::Machine(_));
        let fresh = || self.system.with_room(instantiate, is_of_machine);
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
