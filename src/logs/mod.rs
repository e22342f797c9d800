//! Log lines and log profiles, for both sides (docs/spec/wire.md#logs).
//!
//! The child turns its `tracing` events into [lines](mod@line) with a [`LogLayer`], which keeps to the levels that the node's
//! [profile] asks for, and puts them into a [`LineQueue`]. The queue never blocks: what does not fit is dropped and
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
