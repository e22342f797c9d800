//! What a store has besides the instance: the host, how the call ends early, and the fuel of the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmi::{AsContextMut, Error, Global, Memory, StoreLimits};

/// Larger memories are given up: each is filled with zeros when it is made.
pub(super) const QUICK_MEMORY_BYTES: usize = 8 * 1024 * 1024;

/// What the run at hand may still spend, in all its instances. A unit is about one operator.
#[derive(Debug, Default)]
pub(in crate::engine) struct RunFuel(AtomicU64);

impl RunFuel {
    pub(in crate::engine) fn set(&self, units: u64) {
        self.0.store(units, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a call ends without a trap of wasm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EarlyEnd {
    Aborted,
    NoHost,
    /// A host function needs more memory than the limits allow.
    TooLarge,
    /// The machine has no memory for what a host function needs.
    Machine,
}

pub(super) struct Environment<H> {
    pub(super) host: Option<Box<H>>,
    pub(super) handles: Option<Handles>,
    pub(super) early_end: Option<EarlyEnd>,
    pub(super) fuel: Option<Arc<RunFuel>>,
    pub(super) limits: StoreLimits,
}

#[derive(Clone)]
pub(super) struct Handles {
    pub(super) used: Global,
    /// Points by class of operators and by function, if they are counted.
    pub(super) details: Arc<[Global]>,
    pub(super) memory: Option<Memory>,
    pub(super) declared_maximum_pages: Option<u32>,
}

/// Gives the store what is left of the run's fuel.
pub(super) fn fill<H>(mut context: impl AsContextMut<Data = Environment<H>>) -> Result<(), Error> {
    let mut context = context.as_context_mut();
    match &context.data().fuel {
        None => Ok(()),
        Some(fuel) => {
            let units = fuel.get();
            context.set_fuel(units)
        }
    }
}

/// Takes back what the store has left.
pub(super) fn drain<H>(mut context: impl AsContextMut<Data = Environment<H>>) -> Result<(), Error> {
    let context = context.as_context_mut();
    if let Some(fuel) = &context.data().fuel {
        fuel.set(context.get_fuel()?);
    }
    Ok(())
}
