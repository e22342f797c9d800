//! Scenarios: JSON files that put accounts into a world, run transactions in it and compare what comes of them.
//!
//! ```text
//! suite (which files, in which order) -> parse (files to steps) -> run, transact (steps) -> check -> report
//!                                                                     |
//!                                                  a machine: the VM in process, or in a child
//!                                                                     |
//!                                                            world (as its hooks)
//! ```
//!
//! The scenarios of a folder are run in the order of their names. Accounts and block hashes are forgotten in between;
//! the facts of blocks and the addresses of future contracts are not (the reference's runner doesn't either). Every path
//! on the command line begins with nothing.
//!
//! Side by side, scenarios have the results that they have one after the other. What a scenario finds, its predecessors'
//! setState steps say before they are run; so it is run with that. If a predecessor then failed before its last setState,
//! the guess was wrong, and the scenario is run again. Reports come in order.

mod check;
mod failure;
pub(crate) mod files;
pub(crate) mod json;
mod machine;
pub(crate) mod model;
pub(crate) mod parse;
mod report;
mod run;
mod show;
mod suite;
mod transact;
pub(crate) mod value;
mod world;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod quirk_tests;

pub use failure::{Failure, StepFailure};
#[cfg(feature = "vm")]
pub use machine::in_process;
pub use machine::{AnyFatal, AnyMachine, MachineFactory, any, in_child};
pub use parse::DEFAULT_PROTECTED_PREFIX;
pub use report::{Report, ScenarioReport, TransactionReport};
pub use run::Settings;
pub use suite::{Suite, SuiteError};
pub use world::{Account, BlockInfo, Leftovers, NewAddress, SharedWorld, World, WorldError};
