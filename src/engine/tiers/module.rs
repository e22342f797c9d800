//! A module on its way from the interpreter to compiled code.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::compilers::{Compilation, Compilers, Progress};
use super::run::{PATIENCE, Run};
use crate::engine::instrument::InstrumentedModule;
use crate::engine::wasmi_engine::WasmiEngine;
use crate::engine::{
    CompiledModule, Engine, ExportedFunction, HostCalls, Instance, InstantiationError, ModuleState,
};

/// About how many bytes of machine code and tables come of one byte of instrumented wasm. Counted until they are known.
const HOT_BYTES_PER_WASM_BYTE: usize = 6;

type Compiled<H> = Arc<dyn CompiledModule<H>>;

pub(super) struct TieredModule<H: HostCalls> {
    /// What it is, without its bytes.
    description: InstrumentedModule,
    /// What it takes, until that is known.
    estimated_bytes: usize,
    /// Interpreted with limits.
    quick: Option<Compiled<H>>,
    /// Interpreted without limits, once that was needed; none inside if it can't be.
    steady: OnceLock<Option<Compiled<H>>>,
    compilation: Arc<Compilation<H>>,
    /// The compilation was finished, and counted.
    is_counted: AtomicBool,
    run: Arc<Run>,
    compilers: Arc<Compilers<H>>,
}

impl<H: HostCalls> TieredModule<H> {
    /// Has the module compiled: behind the interpreter, or at once if nothing can be run before.
    pub(super) fn new(
        module: &InstrumentedModule,
        quick: Option<Compiled<H>>,
        engine: Arc<dyn Engine<H>>,
        run: Arc<Run>,
        compilers: Arc<Compilers<H>>,
    ) -> Self {
        let interpreted_bytes = quick.as_ref().map_or(0, |quick| quick.memory_bytes());
        let compilation = Arc::new(Compilation::new(engine, module.clone()));
        match quick {
            Some(_) => compilers.compile_behind(&compilation),
            None => compilers.compile_soon(&compilation),
        }
        Self {
            description: InstrumentedModule {
                bytes: Vec::new(),
                ..module.clone()
            },
            estimated_bytes: interpreted_bytes + HOT_BYTES_PER_WASM_BYTE * module.bytes.len(),
            quick,
            steady: OnceLock::new(),
            compilation,
            is_counted: AtomicBool::new(false),
            run,
            compilers,
        }
    }

    /// The interpreter's module with limits, if it may be used.
    fn quick(&self) -> Option<&Compiled<H>> {
        let is_allowed = self.run.allows_quick.load(Ordering::Relaxed);
        self.quick.as_ref().filter(|_| is_allowed)
    }

    /// The interpreter's module without limits.
    fn steady(&self, module: &InstrumentedModule) -> Option<Compiled<H>> {
        let steady = self.steady.get_or_init(|| {
            let report = |error: &_| {
                tracing::error!(target: "arwen/engine", %error, "can't be interpreted");
            };
            let steady = WasmiEngine::unlimited().compile(module);
            steady.inspect_err(report).ok()
        });
        steady.clone()
    }

    /// The code to run. None if the interpreter can't do what the compiler did not do either.
    fn choose(&self) -> Option<Choice<H>> {
        let mut progress = self.compilation.progress();
        if let Progress::Unfinished(_) = progress {
            if let Some(quick) = self.quick() {
                return Some(Choice::Quick(Arc::clone(quick)));
            }
            self.compilers.compile_soon(&self.compilation);
            progress = self.compilation.progress_within(PATIENCE);
        }
        match progress {
            Progress::Unfinished(module) => match self.steady(&module) {
                Some(steady) => Some(Choice::Impatient(steady)),
                None => self.finished().map(Choice::Last),
            },
            finished => self.last_tier(finished).map(Choice::Last),
        }
    }

    /// What runs for good, however long the compiler takes.
    fn finished(&self) -> Option<Compiled<H>> {
        self.last_tier(self.compilation.progress_within(Duration::MAX))
    }

    /// What runs for good.
    fn last_tier(&self, progress: Progress<H>) -> Option<Compiled<H>> {
        match progress {
            Progress::Compiled(hot) => {
                if self.quick.is_some() {
                    self.count(&self.run.hot_swaps);
                }
                Some(hot)
            }
            Progress::GivenUp(module) | Progress::Unfinished(module) => {
                self.count(&self.run.steady_modules);
                self.steady(&module)
            }
        }
    }

    fn count(&self, counter: &AtomicU64) {
        if !self.is_counted.swap(true, Ordering::Relaxed) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<H: HostCalls> CompiledModule<H> for TieredModule<H> {
    fn exported_functions(&self) -> &[ExportedFunction] {
        &self.description.exported_functions
    }

    fn exports_memory(&self) -> bool {
        self.description.exports_memory
    }

    fn memory_bytes(&self) -> usize {
        match self.compilation.progress() {
            Progress::Compiled(hot) => hot.memory_bytes(),
            Progress::Unfinished(_) | Progress::GivenUp(_) => self.estimated_bytes,
        }
    }

    fn state(&self) -> ModuleState {
        match self.compilation.progress() {
            Progress::Compiled(_) => ModuleState::Compiled,
            Progress::Unfinished(_) => ModuleState::Compiling,
            Progress::GivenUp(_) => ModuleState::Interpreted,
        }
    }

    fn instantiate(&self, limit: u64) -> Result<Box<dyn Instance<H>>, InstantiationError> {
        match self.choose().ok_or_else(no_tier)? {
            Choice::Quick(module) => {
                if !self.run.is_quick.swap(true, Ordering::Relaxed) {
                    self.run.quick_runs.fetch_add(1, Ordering::Relaxed);
                }
                module.instantiate(limit)
            }
            Choice::Last(module) => module.instantiate(limit),
            Choice::Impatient(module) => match module.instantiate(limit) {
                // A contract can see the text, so the time must not decide whose it is.
                Err(InstantiationError::Invalid(_)) => self
                    .finished()
                    .ok_or(InstantiationError::Abandoned)?
                    .instantiate(limit),
                instance => {
                    self.run.impatient_runs.fetch_add(1, Ordering::Relaxed);
                    instance
                }
            },
        }
    }
}

/// Validation lets nothing through that neither can take.
fn no_tier() -> InstantiationError {
    InstantiationError::Bug("a module is neither compiled nor interpreted".to_owned())
}

/// The code that is run.
enum Choice<H: HostCalls> {
    /// May give up.
    Quick(Compiled<H>),
    /// Compiled, or interpreted for good.
    Last(Compiled<H>),
    /// Interpreted, because the compiler has not finished.
    Impatient(Compiled<H>),
}
