//! What `arwendebug` does, as a library: the commands of the program read their options, call this, and print.
//!
//! Everything runs on the trait `Machine`, so that each command works in this process and through a child.

mod atomic;
mod code;
mod error;
mod exit;
mod files;
mod gas;
mod inspect;
mod junit;
mod machines;
mod schedule;
mod show;
mod values;
mod watch;
mod world;

pub use code::{Code, code, read_code};
pub use error::ToolError;
pub use exit::Exit;
pub use files::write_files;
#[cfg(feature = "tool")]
pub use gas::flame_graph;
pub use gas::{Difference, GasFiles, GasReport, read_report};
pub use inspect::{Inspection, inspect};
pub use junit::write_junit;
pub use machines::{IdleMachines, Machines};
pub use schedule::{DEFAULT_SCHEDULE, gas_schedule};
pub use show::{
    Paint, RunParts, account_json, account_outcome, account_text, accounts_json, accounts_text,
    names_json, outcome, performed_json, performed_text, trace_text,
};
pub use values::{address, address_text, argument, digits, number, value};
pub use watch::Watch;
pub use world::{Action, Change, Database, Environment, Performed, Request, Session, Unwritable};
