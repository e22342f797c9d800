//! What `arwendebug` does, as a library: the commands of the program read their options, call this, and print.
//!
//! Everything runs on the trait `Machine`, so that each command works in this process and through a child.

mod error;
mod exit;
mod machines;
mod schedule;

pub use error::ToolError;
pub use exit::Exit;
pub use machines::Machines;
pub use schedule::{DEFAULT_SCHEDULE, gas_schedule};
