//! The host: runs contracts and gives them what they ask for (docs/spec/host.md).
//!
//! The code that runs an instance owns it; the instance owns the host while it runs and calls back into it (see
//! [`crate::engine`]). A nested execution happens inside such a call: the host is lent on to the inner instance,
//! while the outer one waits.

mod asynchronous;
mod builtin;
mod call;
mod deploy;
mod host_calls;
mod indirect_deploy;
mod instance;
mod nested;
mod observed;
mod pin;
mod run;

use crate::engine::cache::{EngineCounters, ModuleCache};
use crate::vm::contexts::Contexts;
use crate::vm::error::Broken;
use std::ops::{Deref, DerefMut};

/// The function that answers of asynchronous calls go to.
const CALLBACK_FUNCTION: &[u8] = b"callBack";

/// The function name that makes a call an upgrade.
const UPGRADE_FUNCTION: &[u8] = b"upgradeContract";

/// What runs contracts, or its place while a nested instance has it.
pub struct Host(Option<Box<HostState>>);

/// The host itself.
pub struct HostState {
    pub contexts: Contexts,
    modules: ModuleCache<Host>,
    /// Why the run at hand ends without an output, once that is known.
    broken: Option<Broken>,
}

impl Deref for Host {
    type Target = HostState;

    fn deref(&self) -> &HostState {
        self.0
            .as_deref()
            .expect("lent hosts come back before their lender goes on")
    }
}

impl DerefMut for Host {
    fn deref_mut(&mut self) -> &mut HostState {
        self.0
            .as_deref_mut()
            .expect("lent hosts come back before their lender goes on")
    }
}

impl Host {
    /// A host at rest.
    pub fn new(contexts: Contexts, modules: ModuleCache<Host>) -> Host {
        Host(Some(Box::new(HostState {
            contexts,
            modules,
            broken: None,
        })))
    }

    /// Counters of compiled code and of instances.
    pub fn engine_counters(&self) -> EngineCounters {
        self.modules.counters()
    }
}

/// Whether a call of this function is an upgrade.
pub(crate) fn is_upgrade(function: &[u8]) -> bool {
    function == UPGRADE_FUNCTION
}
