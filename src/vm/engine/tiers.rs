//! Two engines as one: a module that was never seen is interpreted at once, and compiled meanwhile.
//!
//! | tier | ready after | speed |
//! |---|---|---|
//! | quick: the interpreter | a millisecond | a fiftieth of native code |
//! | hot: the compiler | up to 200 milliseconds | native code |
//!
//! Which of them runs can never be told from an output. What is counted is written into the wasm, so both count the
//! same; and whatever the interpreter can't do soon, or not exactly so, it gives up ([`CallEnd::Abandoned`]). Then the
//! host begins the run anew, with compiled code only.
//!
//! [`CallEnd::Abandoned`]: super::CallEnd::Abandoned

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::{io, thread};

use wasmparser::{FunctionBody, Parser, Payload};

use super::cache::CompilationError;
use super::disk::DiskCounters;
use super::instrument::InstrumentedModule;
use super::wasmi_engine::{RunFuel, WasmiEngine};
use super::{
    CompiledModule, Engine, EngineError, ExportedFunction, HostCalls, ImportTable, Instance,
    InstanceCounters, InstantiationError, MachineFailure, ModuleIdentity, TierCounters,
    panic_message,
};

/// A module with a longer function, once it is instrumented, is compiled before anything of it runs. Cranelift refuses very
/// large functions; if it did so after the interpreter had run the module, the answer would depend on which was first.
const MAXIMUM_QUICK_BODY_BYTES: usize = 64 * 1024;

/// Likewise with a function whose length times its locals is more: where paths meet, each local may become a value of its
/// own. A place where they meet takes at least 8 bytes, so that there are at most 2^20 such values; Cranelift can name 2^21.
const MAXIMUM_QUICK_BODY_BYTES_TIMES_LOCALS: u64 = 8 << 20;

/// About how many bytes of machine code and tables come of one byte of instrumented wasm. Counted until they are known.
const HOT_BYTES_PER_WASM_BYTE: usize = 6;

/// How the interpreter is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuickLimits {
    /// What one run may spend before it is given up, with everything that it calls. A unit is about one operator.
    pub fuel: u64,
}

impl Default for QuickLimits {
    /// About 20 milliseconds: no longer than it takes to compile a small contract.
    fn default() -> Self {
        Self { fuel: 10_000_000 }
    }
}

/// Interprets at first, then runs what another engine has compiled. Its thread ends once nothing is left to be compiled
/// and the engine is gone.
pub struct TieredEngine<H: HostCalls> {
    quick: WasmiEngine,
    hot: Arc<dyn Engine<H>>,
    limits: QuickLimits,
    fuel: Arc<RunFuel>,
    run: Arc<Run>,
    queue: Sender<Weak<TieredModule<H>>>,
}

/// The run at hand, and the counters.
#[derive(Default)]
struct Run {
    /// New instances may be quick.
    allows_quick: AtomicBool,
    /// There was a quick instance.
    is_quick: AtomicBool,
    quick_runs: AtomicU64,
    abandoned_runs: AtomicU64,
    hot_swaps: AtomicU64,
}

impl<H: HostCalls> TieredEngine<H> {
    /// An engine that compiles with `hot`, on a thread of its own. That runs on the cores of the current thread.
    pub fn new(hot: Arc<dyn Engine<H>>, limits: QuickLimits) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel();
        thread::Builder::new()
            .name("compiler".to_owned())
            .spawn(|| compile_all(waiting))?;
        let fuel = Arc::<RunFuel>::default();
        Ok(Self {
            quick: WasmiEngine::limited(Arc::clone(&fuel)),
            hot,
            limits,
            fuel,
            run: Arc::default(),
            queue,
        })
    }
}

/// Compiles what comes, as long as somebody wants it.
fn compile_all<H: HostCalls>(waiting: Receiver<Weak<TieredModule<H>>>) {
    for module in waiting {
        if let Some(module) = module.upgrade() {
            module.compile();
        }
    }
}

impl<H: HostCalls> Engine<H> for TieredEngine<H> {
    fn compile(
        &self,
        module: &InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<H>>, EngineError> {
        if !self.run.allows_quick.load(Ordering::Relaxed) || !is_surely_compiled(module) {
            return self.hot.compile(module);
        }
        let Ok(quick) = self.quick.compile(module) else {
            return self.hot.compile(module);
        };
        let description = InstrumentedModule {
            bytes: Vec::new(),
            ..module.clone()
        };
        let module = Arc::new(TieredModule {
            description,
            estimated_bytes: quick.memory_bytes() + HOT_BYTES_PER_WASM_BYTE * module.bytes.len(),
            quick: Mutex::new(Some(quick)),
            hot: OnceLock::new(),
            engine: Arc::clone(&self.hot),
            task: Mutex::new(Task::Waiting(Box::new(module.clone()))),
            done: Condvar::new(),
            run: Arc::clone(&self.run),
        });
        // Without the thread the module is compiled as soon as the interpreter gives it up.
        let _ = self.queue.send(Arc::downgrade(&module));
        Ok(module)
    }

    fn instance_counters(&self) -> InstanceCounters {
        self.hot.instance_counters()
    }

    fn load(
        &self,
        identity: &ModuleIdentity,
        table: ImportTable,
    ) -> Option<Arc<dyn CompiledModule<H>>> {
        self.hot.load(identity, table)
    }

    fn disk_counters(&self) -> DiskCounters {
        self.hot.disk_counters()
    }

    fn take_machine_failure(&self) -> Option<MachineFailure> {
        self.hot.take_machine_failure()
    }

    fn begin_run(&self) -> bool {
        self.fuel.set(self.limits.fuel);
        self.run.allows_quick.store(true, Ordering::Relaxed);
        self.run.is_quick.store(false, Ordering::Relaxed);
        true
    }

    fn may_give_up(&self) -> bool {
        self.run.is_quick.load(Ordering::Relaxed)
    }

    fn require_last_tier(&self) {
        self.run.allows_quick.store(false, Ordering::Relaxed);
        if self.run.is_quick.swap(false, Ordering::Relaxed) {
            self.run.abandoned_runs.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tier_counters(&self) -> TierCounters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierCounters {
            quick_runs: count(&self.run.quick_runs),
            abandoned_runs: count(&self.run.abandoned_runs),
            hot_swaps: count(&self.run.hot_swaps),
        }
    }
}

/// Whether no function is so large that the compiler might refuse it.
fn is_surely_compiled(module: &InstrumentedModule) -> bool {
    Parser::new(0)
        .parse_all(&module.bytes)
        .all(|payload| match payload {
            Ok(Payload::CodeSectionEntry(body)) => is_small(&body),
            Ok(_) => true,
            Err(_) => false,
        })
}

fn is_small(body: &FunctionBody<'_>) -> bool {
    let bytes = body.as_bytes().len();
    let locals = body.get_locals_reader().into_iter().flatten();
    let locals: Option<u64> = locals
        .map(|group| group.ok().map(|(count, _)| u64::from(count)))
        .sum();
    bytes <= MAXIMUM_QUICK_BODY_BYTES
        && locals
            .is_some_and(|locals| locals * bytes as u64 <= MAXIMUM_QUICK_BODY_BYTES_TIMES_LOCALS)
}

/// A module on its way from the interpreter to compiled code.
struct TieredModule<H: HostCalls> {
    /// What it is, without its bytes.
    description: InstrumentedModule,
    /// What it takes, until that is known.
    estimated_bytes: usize,
    /// Until the compiled code is there.
    quick: Mutex<Option<Arc<dyn CompiledModule<H>>>>,
    hot: OnceLock<Result<Arc<dyn CompiledModule<H>>, CompilationError>>,
    engine: Arc<dyn Engine<H>>,
    task: Mutex<Task>,
    /// The task was done.
    done: Condvar,
    run: Arc<Run>,
}

/// The compilation of a module.
enum Task {
    Waiting(Box<InstrumentedModule>),
    Running,
    Done,
}

impl Task {
    /// Begins with it, if nobody has yet.
    fn begin(&mut self) -> Option<Box<InstrumentedModule>> {
        match std::mem::replace(self, Task::Running) {
            Task::Waiting(module) => Some(module),
            begun => {
                *self = begun;
                None
            }
        }
    }
}

impl<H: HostCalls> TieredModule<H> {
    /// Compiles the module, unless somebody has begun to.
    fn compile(&self) {
        let Some(module) = lock(&self.task).begin() else {
            return;
        };
        let compiled = catch_unwind(AssertUnwindSafe(|| self.engine.compile(&module)));
        let hot = match compiled {
            Ok(compiled) => compiled.map_err(CompilationError::from),
            Err(panic) => Err(CompilationError::Panic(panic_message(&*panic))),
        };
        let _ = self.hot.set(hot);
        *lock(&self.quick) = None;
        self.run.hot_swaps.fetch_add(1, Ordering::Relaxed);
        *lock(&self.task) = Task::Done;
        self.done.notify_all();
    }

    /// The compiled code, as soon as it is there. Nobody waits for the modules that are compiled before this one.
    fn wait(&self) -> &Result<Arc<dyn CompiledModule<H>>, CompilationError> {
        self.compile();
        let is_running = |task: &mut Task| !matches!(task, Task::Done);
        let task = self.done.wait_while(lock(&self.task), is_running);
        drop(task.unwrap_or_else(PoisonError::into_inner));
        self.hot.get().expect("set before the task is done")
    }

    /// The interpreter's module, if it may be used.
    fn quick(&self) -> Option<Arc<dyn CompiledModule<H>>> {
        if !self.run.allows_quick.load(Ordering::Relaxed) {
            return None;
        }
        lock(&self.quick).clone()
    }
}

/// Nothing in here can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H: HostCalls> CompiledModule<H> for TieredModule<H> {
    fn exported_functions(&self) -> &[ExportedFunction] {
        &self.description.exported_functions
    }

    fn exports_memory(&self) -> bool {
        self.description.exports_memory
    }

    fn memory_bytes(&self) -> usize {
        match self.hot.get() {
            Some(Ok(hot)) => hot.memory_bytes(),
            _ => self.estimated_bytes,
        }
    }

    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError> {
        if self.hot.get().is_none()
            && let Some(quick) = self.quick()
        {
            if !self.run.is_quick.swap(true, Ordering::Relaxed) {
                self.run.quick_runs.fetch_add(1, Ordering::Relaxed);
            }
            return quick.instantiate(limit);
        }
        match self.wait() {
            Ok(hot) => hot.instantiate(limit),
            Err(error) => Err(error.clone().into()),
        }
    }
}

#[cfg(test)]
#[path = "tiers_tests.rs"]
mod tests;
