//! The threads that compile: one for what runs wait for, and one behind the interpreter, with low priority.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use std::{io, thread};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::priority;
use crate::engine::border::panic_message;
use crate::engine::instrument::InstrumentedModule;
use crate::engine::{CompiledModule, Engine, EngineError, HostCalls, MachineFailure};

type Queue<H> = Sender<Weak<Compilation<H>>>;

/// Two threads, which end once nothing is left to be compiled and this is gone.
pub(super) struct Compilers<H: HostCalls> {
    behind: Queue<H>,
    soon: Queue<H>,
}

impl<H: HostCalls> Compilers<H> {
    pub(super) fn start() -> io::Result<Self> {
        let (behind, waiting) = mpsc::channel();
        let name = "compiler behind";
        thread::Builder::new().name(name.to_owned()).spawn(|| {
            priority::lower();
            // One core at most, so that the others run calls.
            compile_all(waiting, name, 1);
        })?;
        let (soon, waiting) = mpsc::channel();
        let name = "compiler";
        thread::Builder::new().name(name.to_owned()).spawn(|| {
            // As many as there are cores.
            compile_all(waiting, name, 0);
        })?;
        Ok(Self { behind, soon })
    }

    /// Compiles when there is time.
    pub(super) fn compile_behind(&self, module: &Arc<Compilation<H>>) {
        // Without the thread, which can't end before, the module is compiled once a run waits for it.
        let _ = self.behind.send(Arc::downgrade(module));
    }

    /// Compiles at once, unless that has begun: nothing waits for the modules that no run waits for.
    pub(super) fn compile_soon(&self, module: &Arc<Compilation<H>>) {
        let _ = self.soon.send(Arc::downgrade(module));
    }
}

/// Compiles what comes, as long as it is wanted. The compiler works on `threads` threads of its own, which inherit the
/// priority.
fn compile_all<H: HostCalls>(
    waiting: Receiver<Weak<Compilation<H>>>,
    name: &'static str,
    threads: usize,
) {
    let mut pool: Option<ThreadPool> = None;
    for module in waiting {
        let Some(module) = module.upgrade() else {
            continue;
        };
        if pool.is_none() {
            let threads = ThreadPoolBuilder::new().num_threads(threads);
            pool = threads.thread_name(move |_| name.to_owned()).build().ok();
        }
        match &pool {
            Some(pool) => pool.install(|| module.run()),
            None => module.run(),
        }
    }
}

/// Whether the next process would most likely see it as well.
fn is_lasting(error: &EngineError) -> bool {
    match error {
        EngineError::Refused(_) | EngineError::Machine(MachineFailure::Panic(_)) => true,
        EngineError::Machine(_) => false,
    }
}

/// How far a module is.
pub(super) enum Progress<H: HostCalls> {
    /// Waits, or is being compiled.
    Unfinished(Arc<InstrumentedModule>),
    Compiled(Arc<dyn CompiledModule<H>>),
    /// Will never be compiled.
    GivenUp(Arc<InstrumentedModule>),
}

impl<H: HostCalls> Clone for Progress<H> {
    fn clone(&self) -> Self {
        match self {
            Self::Unfinished(module) => Self::Unfinished(Arc::clone(module)),
            Self::Compiled(module) => Self::Compiled(Arc::clone(module)),
            Self::GivenUp(module) => Self::GivenUp(Arc::clone(module)),
        }
    }
}

/// The compilation of a module.
pub(super) struct Compilation<H: HostCalls> {
    engine: Arc<dyn Engine<H>>,
    state: Mutex<CompilationState<H>>,
    /// It is finished.
    done: Condvar,
}

struct CompilationState<H: HostCalls> {
    progress: Progress<H>,
    has_begun: bool,
}

impl<H: HostCalls> Compilation<H> {
    /// One that waits.
    pub(super) fn new(engine: Arc<dyn Engine<H>>, module: InstrumentedModule) -> Self {
        Self {
            engine,
            state: Mutex::new(CompilationState {
                progress: Progress::Unfinished(Arc::new(module)),
                has_begun: false,
            }),
            done: Condvar::new(),
        }
    }

    /// Compiles, unless another thread has begun to. A failure is logged, and remembered by the engine.
    fn run(&self) {
        let Some(module) = self.begin() else {
            return;
        };
        let compiled = catch_unwind(AssertUnwindSafe(|| self.engine.compile(&module)));
        let compiled = compiled.unwrap_or_else(|panic| {
            let panic = MachineFailure::Panic(panic_message(&*panic));
            Err(panic.into())
        });
        let progress = match compiled {
            Ok(compiled) => Progress::Compiled(compiled),
            Err(error) => {
                tracing::warn!(target: "arwen/engine", %error, "not compiled, stays interpreted");
                if is_lasting(&error) {
                    self.engine.give_up(&module, &error.to_string());
                }
                Progress::GivenUp(module)
            }
        };
        self.lock().progress = progress;
        self.done.notify_all();
    }

    fn begin(&self) -> Option<Arc<InstrumentedModule>> {
        let mut state = self.lock();
        match &state.progress {
            Progress::Unfinished(module) if !state.has_begun => {
                let module = Arc::clone(module);
                state.has_begun = true;
                Some(module)
            }
            _ => None,
        }
    }

    pub(super) fn progress(&self) -> Progress<H> {
        self.lock().progress.clone()
    }

    /// How far it is once it is finished, or after this time.
    pub(super) fn progress_within(&self, time: Duration) -> Progress<H> {
        let is_unfinished =
            |state: &mut CompilationState<H>| matches!(state.progress, Progress::Unfinished(_));
        let waited = self
            .done
            .wait_timeout_while(self.lock(), time, is_unfinished);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.progress.clone()
    }

    /// Nothing under the lock can panic halfway.
    fn lock(&self) -> MutexGuard<'_, CompilationState<H>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
