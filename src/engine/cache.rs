//! From a contract's code to a compiled module, once for each code.

mod pinned;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

pub use self::pinned::NoRoom;
use self::pinned::{CodeHash, PinnedModules};
use super::border::panic_message;
use super::disk::DiskCounters;
use super::instrument::{InstrumentationError, instrument, instrument_in_detail};
use super::validation::{InvalidModule, validate};
use super::{
    CompiledModule, Engine, EngineError, HostCalls, ImportTable, InstanceCounters,
    InstantiationError, MachineFailure, ModuleIdentity, ModuleState, TierCounters,
};
use crate::byte_lru::ByteLru;
use crate::engine::opcode_costs::OpcodeCosts;

/// Why code could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompilationError {
    /// The code is not a contract (docs/spec/host.md#acceptance).
    #[error(transparent)]
    Invalid(#[from] InvalidModule),
    /// The code could not be rewritten.
    #[error(transparent)]
    Instrumentation(#[from] InstrumentationError),
    /// The engine refuses what it was given, on every machine.
    #[error("the engine can't compile the module: {0}")]
    Engine(String),
    /// Validation or instrumentation panicked: a bug of ours, but no reason to end the process.
    #[error("a panic while compiling: {0}")]
    Panic(String),
    /// This machine failed: nothing is known about the code.
    #[error(transparent)]
    Machine(#[from] MachineFailure),
}

impl From<EngineError> for CompilationError {
    fn from(error: EngineError) -> CompilationError {
        match error {
            EngineError::Refused(text) => CompilationError::Engine(text),
            EngineError::Machine(failure) => CompilationError::Machine(failure),
        }
    }
}

/// Code that does not compile can't be instantiated.
impl From<CompilationError> for InstantiationError {
    fn from(error: CompilationError) -> InstantiationError {
        match error {
            CompilationError::Invalid(_)
            | CompilationError::Instrumentation(_)
            | CompilationError::Engine(_) => InstantiationError::Invalid(error.to_string()),
            CompilationError::Panic(_) => InstantiationError::Bug(error.to_string()),
            CompilationError::Machine(failure) => InstantiationError::Machine(failure),
        }
    }
}

/// Why code could not be pinned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PinError {
    /// It has no module.
    #[error(transparent)]
    Compilation(#[from] CompilationError),
    /// Its module would pass the limit of pinned modules.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

/// A pinned module, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedModule {
    /// What runs it.
    pub state: ModuleState,
    /// About how many bytes it takes.
    pub bytes: usize,
}

/// How many compiled modules are kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Sum of the bytes that the modules take, machine code and tables, but for pinned ones.
    pub memory_bytes: usize,
    /// The same of pinned modules, with the lengths of their codes.
    pub pinned_bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 * 1024 * 1024,
            pinned_bytes: 32 * 1024 * 1024,
        }
    }
}

/// Counters of modules and instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Code whose module was there.
    pub hits: u64,
    /// Code that had to be compiled, or was found to be invalid.
    pub misses: u64,
    /// Modules that made room for others.
    pub evictions: u64,
    /// Codes that are pinned.
    pub pinned: u64,
    /// The instances.
    pub instances: InstanceCounters,
    /// The interpreter that comes before compiled code, if there is one.
    pub tiers: TierCounters,
    /// The modules on disk.
    pub disk: DiskCounters,
}

/// What a module counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Points, as all outputs need them.
    Points,
    /// Points by class of operators and by function, too, for observed runs. Such modules are not kept on disk.
    Details,
}

/// Hashes of recent codes. Most calls bring code that an earlier call has brought, in the same buffer or, from a node whose accounts
/// have no code hash, in another one: to compare 50 KB takes a hundredth of hashing them.
#[derive(Default)]
struct CodeHashes {
    /// Each keeps its code, so that the buffer is not used for other code.
    recent: VecDeque<(Bytes, CodeHash)>,
}

impl CodeHashes {
    const MOST: usize = 16;

    fn of(&mut self, code: &Bytes) -> CodeHash {
        let is_same = |known: &Bytes| {
            known.len() == code.len() && (known.as_ptr() == code.as_ptr() || known == code)
        };
        if let Some((_, hash)) = self.recent.iter().find(|(known, _)| is_same(known)) {
            return *hash;
        }
        let hash = blake3::hash(code).into();
        self.recent.truncate(Self::MOST - 1);
        self.recent.push_front((code.clone(), hash));
        hash
    }
}

/// Compiles code and remembers the modules that were used last, and those that are pinned. Invalid code is not remembered: seeing
/// that it is invalid is cheap. A module that is in use stays alive when the cache drops it.
pub struct ModuleCache<H> {
    engine: Box<dyn Engine<H>>,
    import_table: ImportTable,
    costs: OpcodeCosts,
    /// Hash of the import table and the costs.
    rules_hash: [u8; 32],
    hashes: CodeHashes,
    limits: CacheLimits,
    modules: ByteLru<(CodeHash, Counted), Arc<dyn CompiledModule<H>>>,
    /// Modules that count points. They are in no other place.
    pinned: PinnedModules<H>,
    counters: EngineCounters,
}

impl<H: HostCalls> ModuleCache<H> {
    /// An empty cache. The costs are fixed for its life, because they are compiled into the modules.
    pub fn new(
        engine: Box<dyn Engine<H>>,
        import_table: ImportTable,
        costs: OpcodeCosts,
        limits: CacheLimits,
    ) -> Self {
        Self {
            engine,
            import_table,
            rules_hash: rules_hash(import_table, &costs),
            costs,
            hashes: CodeHashes::default(),
            limits,
            modules: ByteLru::new(limits.memory_bytes),
            pinned: PinnedModules::new(limits.pinned_bytes),
            counters: EngineCounters::default(),
        }
    }

    /// The compiled module of `code` that counts so: from the cache, from the disk, or validated, instrumented, compiled and kept.
    pub fn compile(
        &mut self,
        code: &Bytes,
        counted: Counted,
    ) -> Result<Arc<dyn CompiledModule<H>>, CompilationError> {
        let hash = self.hashes.of(code);
        if counted == Counted::Points
            && let Some(module) = self.pinned.module(&hash)
        {
            self.counters.hits += 1;
            return Ok(module);
        }
        let key = (hash, counted);
        if let Some((module, bytes)) = self.modules.get_sized(&key) {
            let module = Arc::clone(module);
            self.counters.hits += 1;
            // More than at first, once it is compiled behind the interpreter.
            let now = module.memory_bytes();
            if now != bytes {
                self.counters.evictions += self.modules.resize(&key, now) as u64;
            }
            return Ok(module);
        }
        self.counters.misses += 1;
        let module = match counted {
            Counted::Points => self.load_or_compile(code, hash)?,
            Counted::Details => guarded(|| {
                let validated = validate(code, self.import_table)?;
                let instrumented =
                    instrument_in_detail(&validated, self.import_table, &self.costs)?;
                Ok(self.engine.compile(&instrumented)?)
            })?,
        };
        let is_pinned = counted == Counted::Points && self.pinned.put_back(&hash, &module);
        if !is_pinned {
            self.keep(key, Arc::clone(&module));
        }
        self.log(code, &*module, "module");
        Ok(module)
    }

    /// Compiles code like [`compile`](Self::compile), and keeps its module until it is unpinned, whatever else is compiled.
    pub fn pin(&mut self, code: &Bytes) -> Result<PinnedModule, PinError> {
        let hash = self.hashes.of(code);
        let pinned = self.pinned_module(code, hash);
        match &pinned {
            Ok(module) => self.log(code, &**module, "pinned module"),
            // It may have been pinned, if its module was dropped.
            Err(_) => drop(self.pinned.remove(&hash)),
        }
        pinned.map(|module| PinnedModule {
            state: module.state(),
            bytes: module.memory_bytes(),
        })
    }

    fn pinned_module(
        &mut self,
        code: &Bytes,
        hash: CodeHash,
    ) -> Result<Arc<dyn CompiledModule<H>>, PinError> {
        if let Some(module) = self.pinned.module(&hash) {
            return Ok(module);
        }
        let key = (hash, Counted::Points);
        let module = match self.modules.peek(&key) {
            Some(module) => Arc::clone(module),
            None => {
                self.counters.misses += 1;
                self.load_or_compile(code, hash)?
            }
        };
        let pinned = self.pinned.insert(hash, code.len(), &module);
        match pinned {
            Ok(()) => self.modules.remove(&key),
            // It may have taken long to compile.
            Err(_) => self.keep(key, Arc::clone(&module)),
        }
        pinned?;
        Ok(module)
    }

    /// Keeps the module of pinned code like any other.
    pub fn unpin(&mut self, code: &[u8]) {
        let hash = blake3::hash(code).into();
        if let Some(module) = self.pinned.remove(&hash) {
            self.keep((hash, Counted::Points), module);
        }
    }

    /// Keeps a module until others that are used later need its room.
    fn keep(&mut self, key: (CodeHash, Counted), module: Arc<dyn CompiledModule<H>>) {
        let bytes = module.memory_bytes();
        self.counters.evictions += self.modules.put(key, module, bytes) as u64;
    }

    fn log(&self, code: &[u8], module: &dyn CompiledModule<H>, message: &str) {
        let counters = self.counters();
        tracing::debug!(
            target: "arwen/engine",
            codeLength = code.len(),
            moduleBytes = module.memory_bytes(),
            cacheBytes = self.modules.bytes(),
            pinned = counters.pinned,
            pinnedBytes = self.pinned.bytes(),
            hits = counters.hits,
            misses = counters.misses,
            evictions = counters.evictions,
            freshInstances = counters.instances.fresh,
            reusedInstances = counters.instances.reused,
            quickRuns = counters.tiers.quick_runs,
            abandonedRuns = counters.tiers.abandoned_runs,
            diskHits = counters.disk.hits,
            diskRejected = counters.disk.rejected,
            "{message}"
        );
    }

    /// Drops all modules: after a failure of the machine none of them is trusted. Pinned code stays pinned, and gets a new module
    /// when it is used.
    pub fn clear(&mut self) {
        self.modules = ByteLru::new(self.limits.memory_bytes);
        self.pinned.drop_modules();
    }

    /// The engine that compiles.
    pub fn engine(&self) -> &dyn Engine<H> {
        &*self.engine
    }

    /// Counters of modules and instances.
    pub fn counters(&self) -> EngineCounters {
        EngineCounters {
            pinned: self.pinned.len() as u64,
            instances: self.engine.instance_counters(),
            tiers: self.engine.tier_counters(),
            disk: self.engine.disk_counters(),
            ..self.counters
        }
    }

    fn load_or_compile(
        &self,
        code: &[u8],
        code_hash: CodeHash,
    ) -> Result<Arc<dyn CompiledModule<H>>, CompilationError> {
        let identity = ModuleIdentity {
            code_hash,
            rules_hash: self.rules_hash,
        };
        guarded(|| {
            // What was compiled once was valid.
            if let Some(module) = self.engine.load(&identity, self.import_table) {
                return Ok(module);
            }
            let validated = validate(code, self.import_table)?;
            let mut instrumented = instrument(&validated, self.import_table, &self.costs)?;
            instrumented.identity = Some(identity);
            Ok(self.engine.compile(&instrumented)?)
        })
    }
}

/// Compiles, and reports a panic as an error.
fn guarded<T>(
    compile: impl FnOnce() -> Result<T, CompilationError>,
) -> Result<T, CompilationError> {
    let compiled = catch_unwind(AssertUnwindSafe(compile));
    compiled.unwrap_or_else(|panic| Err(CompilationError::Panic(panic_message(&*panic))))
}

/// What a contract is instrumented and validated by, besides the build.
fn rules_hash(import_table: ImportTable, costs: &OpcodeCosts) -> [u8; 32] {
    blake3::hash(format!("{import_table:?} {costs:?}").as_bytes()).into()
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
