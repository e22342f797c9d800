//! Scenarios: JSON files that put accounts into a world, run transactions in it and compare the results.
//!
//! ```text
//! suite (which files, in which order) -> parse (files to steps) -> run, transact (steps) -> check -> report
//!                                                                     |
//!                                                  a machine: the VM in process, or in a child
//!                                                                     |
//!                                                            world (as its hooks)
//! ```
//!
//! The scenarios of a folder are run in the order of their names. Between scenarios, accounts and block hashes are
//! reset. Block facts and the addresses of future contracts are kept, as in the reference's runner. Every path on the
//! command line begins with an empty world.
//!
//! Run in parallel, scenarios have the same results as in sequence. What a scenario inherits is predicted from the
//! setState steps of its predecessors, before those have run. If a predecessor then fails before its last setState, the
//! prediction was wrong, and the scenario is run again. Reports are in order.

mod check;
mod failure;
pub(crate) mod files;
pub(crate) mod json;
mod machine;
pub(crate) mod model;
pub(crate) mod parse;
mod report;
mod run;
pub(crate) mod show;
mod suite;
mod transact;
pub(crate) mod value;
mod world;
#[cfg(any(feature = "vm", test))]
pub(crate) mod write;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod quirk_tests;

pub use failure::{Failure, StepFailure};
#[cfg(feature = "vm")]
pub use machine::in_process;
pub use machine::{AnyFatal, AnyMachine, ChildSettings, MachineFactory, any, in_child};
pub use parse::DEFAULT_PROTECTED_PREFIX;
pub use report::{Report, ScenarioReport, TransactionReport};
pub use run::{Runner, Settings, arguments};
pub use suite::{Suite, SuiteError};
pub use world::{Account, BlockInfo, Leftovers, NewAddress, SharedWorld, World, WorldError};
