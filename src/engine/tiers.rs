//! Three tiers as one engine: a module that was never seen is interpreted at once, and compiled meanwhile.
//!
//! | tier | ready after | speed | gives up |
//! |---|---|---|---|
//! | quick: the interpreter with limits | a millisecond | a fiftieth of native code | what takes long or much |
//! | hot: the compiler | up to a second | native code | never |
//! | steady: the interpreter without limits | a millisecond | a fiftieth of native code | never |
//!
//! Which of them runs can never be told from an output. What is counted is written into the wasm, so all count the
//! same; and whatever the quick tier can't do soon, or not exactly so, it gives up ([`CallEnd::Abandoned`]). Then the
//! host begins the run anew, without the quick tier.
//!
//! **Nothing waits for the compiler without a bound.** Code that would take it long ([`compile_cost`]) is never given
//! to it, and runs on the steady tier for good: so does a module that the compiler refuses or does not finish in time,
//! which is remembered on disk. A run that needs a module which is still being compiled waits for
//! [`PATIENCE`](run::PATIENCE), then goes on on the steady tier; later runs use the compiled code.
//!
//! [`CallEnd::Abandoned`]: super::CallEnd::Abandoned

mod compilers;
mod module;
mod priority;
mod run;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::compilers::Compilers;
use self::module::TieredModule;
use self::run::Run;
use super::disk::DiskCounters;
use super::instrument::InstrumentedModule;
use super::wasmi_engine::{RunFuel, WasmiEngine};
use super::{
    CompiledModule, Engine, EngineError, HostCalls, ImportTable, InstanceCounters, MachineFailure,
    ModuleIdentity, TierCounters, compile_cost,
};

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

/// Runs what another engine has compiled, and interprets what is not compiled yet or never will be. Its threads end once
/// nothing is left to be compiled and the engine is gone.
pub struct TieredEngine<H: HostCalls> {
    quick: WasmiEngine,
    hot: Arc<dyn Engine<H>>,
    /// Without them there is no quick tier.
    limits: Option<QuickLimits>,
    fuel: Arc<RunFuel>,
    run: Arc<Run>,
    compilers: Arc<Compilers<H>>,
}

impl<H: HostCalls> TieredEngine<H> {
    /// An engine that compiles with `hot`, on threads of its own. These run on the cores of the current thread. Without
    /// limits nothing is interpreted that can be compiled soon.
    pub fn new(hot: Arc<dyn Engine<H>>, limits: Option<QuickLimits>) -> io::Result<Self> {
        let fuel = Arc::<RunFuel>::default();
        Ok(Self {
            quick: WasmiEngine::limited(Arc::clone(&fuel)),
            hot,
            limits,
            fuel,
            run: Arc::default(),
            compilers: Arc::new(Compilers::start()?),
        })
    }

    /// Whether the module is not to be compiled.
    fn is_steady(&self, module: &InstrumentedModule) -> bool {
        let nanoseconds = compile_cost::nanoseconds(&module.bytes);
        let is_costly = nanoseconds > compile_cost::MOST_NANOSECONDS;
        if is_costly {
            tracing::debug!(
                target: "arwen/engine",
                instrumentedBytes = module.bytes.len(),
                "would take long to compile, stays interpreted"
            );
        }
        is_costly || self.hot.has_given_up(module)
    }

    /// Only interpreted, for good. None if the interpreter can't, which is a bug.
    fn steady(&self, module: &InstrumentedModule) -> Option<Arc<dyn CompiledModule<H>>> {
        let report = |error: &_| {
            tracing::error!(target: "arwen/engine", %error, "can't be interpreted");
        };
        let steady = WasmiEngine::unlimited()
            .compile(module)
            .inspect_err(report)
            .ok()?;
        self.run.steady_modules.fetch_add(1, Ordering::Relaxed);
        Some(steady)
    }
}

impl<H: HostCalls> Engine<H> for TieredEngine<H> {
    fn compile(
        &self,
        module: &InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<H>>, EngineError> {
        if self.is_steady(module)
            && let Some(steady) = self.steady(module)
        {
            return Ok(steady);
        }
        let allows_quick = self.run.allows_quick.load(Ordering::Relaxed);
        let quick = allows_quick.then(|| self.quick.compile(module).ok());
        let module = TieredModule::new(
            module,
            quick.flatten(),
            Arc::clone(&self.hot),
            Arc::clone(&self.run),
            Arc::clone(&self.compilers),
        );
        Ok(Arc::new(module))
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
        let Some(limits) = self.limits else {
            return false;
        };
        self.fuel.set(limits.fuel);
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
            steady_modules: count(&self.run.steady_modules),
            impatient_runs: count(&self.run.impatient_runs),
        }
    }
}

#[cfg(test)]
#[path = "tiers_tests.rs"]
mod tests;
