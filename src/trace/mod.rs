//! What a run does, for people: contracts that are entered and left, host functions with their arguments, effects, and gas.
//!
//! ```text
//! the VM -> event (told to an observer) -> recorder -> run (a tree of steps, and costs)
//! ```
//!
//! Without an observer nothing is told, and with one nothing else happens: outputs and gas are the same.

mod costs;
mod event;
mod filter;
mod json;
mod recorder;
mod step;
mod wire;

pub use costs::{BEYOND_LIMIT, CallCost, Calls, Costs, GasClasses, HostCost};
pub use event::{
    Argument, CallKind, Effect, End, Entry, Event, Excerpt, Exit, HostEnd, HostEntry, HostExit,
    Name, Observer, Transfer, Value, Written,
};
pub use filter::{Filter, StepKind};
pub use recorder::{Run, SharedRecorder};
pub use step::{CallStep, HostStep, Step};
pub use wire::MalformedTrace;
