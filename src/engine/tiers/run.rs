//! What the modules of a tiered engine share.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// How long a run waits for a module that is being compiled. Public contracts of up to 71 KB take a quarter of a second.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// The run at hand, and the counters.
#[derive(Default)]
pub(super) struct Run {
    /// New instances may be quick.
    pub(super) allows_quick: AtomicBool,
    /// There was a quick instance.
    pub(super) is_quick: AtomicBool,
    pub(super) quick_runs: AtomicU64,
    pub(super) abandoned_runs: AtomicU64,
    pub(super) hot_swaps: AtomicU64,
    pub(super) steady_modules: AtomicU64,
    pub(super) impatient_runs: AtomicU64,
}
