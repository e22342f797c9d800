//! The engine: runs wasm, counts points, and knows nothing of contracts.
//!
//! A contract's bytes are checked ([`validation`]), rewritten so that they count their own points and stack slots
//! ([`instrument`]), and compiled by an [`Engine`]. What is counted is written into the wasm itself, so every engine
//! counts the same.
//!
//! Who owns what: an [`Instance`] is owned by whoever runs it, never by the host, and a running instance owns the host:
//! [`Instance::call`] takes it and gives it back. So a host function has the host and its own instance, both mutably,
//! without shared state or unsafe code, and may run other instances meanwhile.

/// Implements [`InstanceAccess`] for an instance at rest, which has a method `access`, by what it has inside a call.
macro_rules! instance_access_through_access {
    ($instance:ident) => {
        impl<H: HostCalls> InstanceAccess for $instance<H> {
            fn used_points(&mut self) -> u64 {
                self.access().used_points()
            }

            fn set_used_points(&mut self, points: u64) {
                self.access().set_used_points(points);
            }

            fn has_memory(&mut self) -> bool {
                self.access().has_memory()
            }

            fn memory_size(&mut self) -> u64 {
                self.access().memory_size()
            }

            fn declared_maximum_pages(&mut self) -> Option<u32> {
                self.access().declared_maximum_pages()
            }

            fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
                self.access().read_memory(offset, into)
            }

            fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
                self.access().write_memory(offset, bytes)
            }

            fn grow_memory(&mut self, pages: u32) -> bool {
                self.access().grow_memory(pages)
            }
        }
    };
}

pub mod cache;
pub(crate) mod compile_cost;
pub mod disk;
pub(crate) mod failure;
mod frames;
pub mod instrument;
pub mod opcode_costs;
pub mod tiers;
pub mod validation;
pub mod wasmer;
pub(crate) mod wasmi_engine;

#[cfg(test)]
mod tests;

pub use failure::{EngineError, MachineFailure};
use thiserror::Error;

/// The type of a value that crosses the border between a contract and the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// 32 bits; crosses the border sign-extended to an i64.
    I32,
    /// 64 bits.
    I64,
}

/// What can be imported: a function of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportedFunction {
    /// The wasm module name: `env` or `ethereum`.
    pub namespace: &'static str,
    /// The name within the namespace.
    pub name: &'static str,
    /// Parameter types.
    pub parameters: &'static [ValueType],
    /// Result type, if there is a result.
    pub result: Option<ValueType>,
}

/// The functions that contracts can import; an import is known by its index here.
pub type ImportTable = &'static [ImportedFunction];

/// A host function ended the execution: the instance must not go on. Why is for the host to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort;

/// The host's side of the imported functions.
pub trait HostCalls: Send + 'static {
    /// Runs the function with index `function` of the import table, called by `instance` with `arguments` (one for each
    /// parameter, i32 sign-extended). Returns the result, 0 for a function that has none.
    fn call(
        &mut self,
        function: usize,
        instance: &mut dyn InstanceAccess,
        arguments: &[i64],
    ) -> Result<i64, Abort>;

    /// Called instead of unwinding when `call` panicked with this message; the execution then aborts.
    fn panicked(&mut self, message: String);
}

/// The points and the memory of an instance, whether it is running (inside a host function) or at rest.
pub trait InstanceAccess {
    /// Points used so far; wraps.
    fn used_points(&mut self) -> u64;
    /// Sets the points used so far. Takes effect at the next check (docs/spec/gas.md#metering).
    fn set_used_points(&mut self, points: u64);
    /// Whether there is a memory at all.
    fn has_memory(&mut self) -> bool;
    /// Size of the memory in bytes; 0 without a memory. At most 4 GiB.
    fn memory_size(&mut self) -> u64;
    /// The maximum number of pages that the module declares for its memory, if it does.
    fn declared_maximum_pages(&mut self) -> Option<u32>;
    /// Copies `into.len()` bytes from `offset`. The range must lie inside the memory.
    fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds>;
    /// Copies `bytes` to `offset`. The range must lie inside the memory.
    fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds>;
    /// Adds pages of 64 KiB; false when the declared maximum, or 65,536 pages, would be passed. Also false when the machine
    /// has no memory: then the call in progress ends as [`CallEnd::Machine`], see [`Engine::take_machine_failure`].
    fn grow_memory(&mut self, pages: u32) -> bool;
}

/// A host-side access outside the memory: a bug of the caller, which has to check first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{length} bytes at {offset} are outside a memory of {size} bytes")]
pub struct OutOfBounds {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
    /// Size of the memory in bytes.
    pub size: u64,
}

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

/// An exported function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFunction {
    /// The export's name.
    pub name: String,
    /// Number of parameters.
    pub parameters: usize,
    /// Number of results, 0 or 1.
    pub results: usize,
}

/// A compiled module with its own memory, globals and points. Once a call has trapped or aborted it is spent:
/// only [`InstanceAccess`] may be used after that.
pub trait Instance<H: HostCalls>: InstanceAccess {
    /// Calls the exported function `name`, which has no parameters; a result is dropped. Takes the host for the time of
    /// the call and gives it back. An unknown name or a function with parameters is a `Trapped`.
    fn call(&mut self, name: &str, host: Box<H>) -> (Box<H>, CallEnd);
}

/// Code that is ready to be instantiated.
pub trait CompiledModule<H: HostCalls>: Send + Sync {
    /// The exported functions, in the order of the exports.
    fn exported_functions(&self) -> &[ExportedFunction];

    /// Whether the contract exports a memory, under any name (docs/spec/host.md#deploy-checks).
    fn exports_memory(&self) -> bool;

    /// About how many bytes the module takes, without its instances. Changes when another tier takes over.
    fn memory_bytes(&self) -> usize;

    /// An instance in its first state with `limit` points, its start function, if any, done (its points are in the used
    /// ones). It may have run before; that can't be told.
    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError>;
}

/// Why there is no instance.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InstantiationError {
    /// The module can't be instantiated: a segment does not fit, or the start function trapped or ran out of points.
    #[error("the module can't be instantiated: {0}")]
    Invalid(String),
    /// The start function called a host function, which kills the reference (docs/spec/README.md#host-faults).
    #[error("a start function called a host function")]
    StartCalledHost,
    /// The engine gave up, see [`CallEnd::Abandoned`].
    #[error("the engine gave up")]
    Abandoned,
    /// The machine failed: nothing is known about the module.
    #[error(transparent)]
    Machine(#[from] MachineFailure),
    /// A bug of ours: nothing that a module may say leads to it.
    #[error("{0}")]
    Bug(String),
}

/// What a compiled module depends on besides the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleIdentity {
    /// SHA-256 of the contract's code.
    pub code_hash: [u8; 32],
    /// Hash of the import table and the opcode costs.
    pub rules_hash: [u8; 32],
}

/// Compiles modules.
pub trait Engine<H: HostCalls>: Send + Sync {
    /// Compiles an instrumented module.
    fn compile(
        &self,
        module: &instrument::InstrumentedModule,
    ) -> Result<std::sync::Arc<dyn CompiledModule<H>>, EngineError>;

    /// The module that was compiled under this identity before, if the engine has kept it outside of the process.
    fn load(
        &self,
        _: &ModuleIdentity,
        _: ImportTable,
    ) -> Option<std::sync::Arc<dyn CompiledModule<H>>> {
        None
    }

    /// Remembers for some time, outside of the process if it can, that a module can't be compiled.
    fn give_up(&self, _: &instrument::InstrumentedModule, _reason: &str) {}

    /// Whether this or another process has given this module up.
    fn has_given_up(&self, _: &instrument::InstrumentedModule) -> bool {
        false
    }

    /// What has become of the modules outside of the process so far.
    fn disk_counters(&self) -> disk::DiskCounters {
        disk::DiskCounters::default()
    }

    /// What has become of the instances of its modules so far.
    fn instance_counters(&self) -> InstanceCounters;

    /// A failure of the machine since the last call of this, whatever the contract has made of it: a memory that did not
    /// grow looks like a full one from inside. To be asked before anything a run has done is believed.
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

    /// What the tiers have done so far.
    fn tier_counters(&self) -> TierCounters {
        TierCounters::default()
    }
}

/// What the tiers of an engine have done.
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

/// What has become of instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceCounters {
    /// Made anew.
    pub fresh: u64,
    /// Used again.
    pub reused: u64,
    /// Not kept after a call: too much of their memory was touched.
    pub unusable: u64,
    /// Dropped because too many waited.
    pub evicted: u64,
}

/// The text of a panic.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = crate::escape::panic_text(payload);
    text.unwrap_or("a panic without a text").to_owned()
}
