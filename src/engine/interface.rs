//! What the host asks of an engine: to compile modules, to instantiate them, and to call instances.

use std::sync::Arc;

use super::border::{ExportedFunction, HostCalls, ImportTable, InstanceAccess, ModuleIdentity};
use super::disk::DiskCounters;
use super::failure::{EngineError, InstantiationError, MachineFailure};
use super::instrument::InstrumentedModule;

/// How a call into an instance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEnd {
    /// The function returned.
    Returned,
    /// A trap or the end of the points; the text is for people and differs between engines.
    Trapped(String),
    /// A host function returned [`Abort`], or panicked.
    Aborted,
    /// The engine gave up: what the contract would have done is not known. The whole run begins anew, on another tier.
    Abandoned,
    /// The machine failed: what the contract would have done is not known.
    Machine(Box<MachineFailure>),
}

/// A compiled module with its own memory, globals and points. Once a call has trapped or aborted it is spent:
/// only [`InstanceAccess`] may be used after that.
pub trait Instance<H: HostCalls>: InstanceAccess {
    /// Calls the exported function `name`, which has no parameters; a result is dropped. Takes the host for the time of
    /// the call and gives it back. An unknown name or a function with parameters is a `Trapped`.
    fn call(&mut self, name: &str, host: Box<H>) -> (Box<H>, CallEnd);
}

/// What runs the instances of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleState {
    /// Machine code.
    Compiled,
    /// The interpreter, until the compiler is done.
    Compiling,
    /// The interpreter, for good.
    Interpreted,
}

/// Code that is ready to be instantiated.
pub trait CompiledModule<H: HostCalls>: Send + Sync {
    /// The exported functions, in the order of the exports.
    fn exported_functions(&self) -> &[ExportedFunction];

    /// Whether the contract exports a memory, under any name (docs/spec/host.md#deploy-checks).
    fn exports_memory(&self) -> bool;

    /// About how many bytes the module takes, without its instances. Changes when another tier takes over.
    fn memory_bytes(&self) -> usize;

    /// What runs its instances from now on.
    fn state(&self) -> ModuleState {
        ModuleState::Compiled
    }

    /// An instance in its first state with `limit` points, its start function, if any, done (its points are in the used
    /// ones). It may have run before; that can't be told.
    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError>;
}

/// Compiles modules.
pub trait Engine<H: HostCalls>: Send + Sync {
    /// Compiles an instrumented module.
    fn compile(
        &self,
        module: &InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<H>>, EngineError>;

    /// The module that was compiled under this identity before, if the engine has kept it outside of the process.
    fn load(&self, _: &ModuleIdentity, _: ImportTable) -> Option<Arc<dyn CompiledModule<H>>> {
        None
    }

    /// Remembers for some time, outside of the process if it can, that a module can't be compiled.
    fn give_up(&self, _: &InstrumentedModule, _reason: &str) {}

    /// Whether this or another process has given this module up.
    fn has_given_up(&self, _: &InstrumentedModule) -> bool {
        false
    }

    /// Counters of the modules outside of the process.
    fn disk_counters(&self) -> DiskCounters {
        DiskCounters::default()
    }

    /// Counters of the instances of its modules.
    fn instance_counters(&self) -> InstanceCounters;

    /// A failure of the machine since the last call of this, even if the contract
    /// went on: from inside, a memory that did not grow looks like a full one. Must be asked before any result of a run is
    /// used.
    fn take_machine_failure(&self) -> Option<MachineFailure> {
        None
    }

    /// A run begins, which may use a tier that gives up. Returns whether there is one.
    fn begin_run(&self) -> bool {
        false
    }

    /// Whether the run has an instance that may give up.
    fn may_give_up(&self) -> bool {
        false
    }

    /// Until the next run begins, no new instance gives up.
    fn require_last_tier(&self) {}

    /// Counters of the tiers.
    fn tier_counters(&self) -> TierCounters {
        TierCounters::default()
    }
}

/// Counters of the tiers of an engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TierCounters {
    /// Runs that began on the interpreter.
    pub quick_runs: u64,
    /// Those that were given up, and run again with compiled code.
    pub abandoned_runs: u64,
    /// Interpreted modules whose compiled code took over.
    pub hot_swaps: u64,
    /// Modules that stay interpreted: it would take too long to compile them, or the compiler has refused to.
    pub steady_modules: u64,
    /// Instances that were interpreted because the compiler did not finish in time.
    pub impatient_runs: u64,
}

/// Counters of instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceCounters {
    /// Made anew.
    pub fresh: u64,
    /// Used again.
    pub reused: u64,
    /// Not kept after a call: their memory could not be put back.
    pub unusable: u64,
    /// Without their memory, or dropped, because too many waited.
    pub evicted: u64,
}
