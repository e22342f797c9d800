//! Log lines and log profiles, for both sides (docs/spec/wire.md#logs).
//!
//! In the child a [`LogLayer`] turns `tracing` events into [lines](mod@line), filters them by the levels of the node's
//! [profile], and puts them into a [`LineQueue`]. The queue never blocks: lines that do not fit are dropped and
//! counted. A thread of the child (`part::logs`) writes them to fd 7; on the node's side the driver reads them.

mod go_duration;
#[cfg(any(feature = "vm", fuzzing, test))]
pub mod layer;
mod level;
pub mod line;
pub mod profile;
#[cfg(any(feature = "vm", fuzzing, test))]
mod queue;

pub use go_duration::GoDuration;
#[cfg(any(feature = "vm", fuzzing, test))]
pub use layer::{Hex, LogLayer, Logs};
pub use level::{Level, UnknownLevel};
#[cfg(any(feature = "vm", fuzzing, test))]
pub use queue::LineQueue;
