//! `arwendebug server`: the commands on worlds by HTTP, for programs, and a page for people.
//!
//! ```text
//! run (signals, address, limits) -> connections (a task for each; hyper reads and writes HTTP/1.1)
//!                                          |
//!                                       routes (axum: guard, limits, page, document) -> bodies (JSON to requests of `tool`)
//!                                          |
//!                                        work (whose turn it is; a thread, a child process) -> `tool::Session`
//! ```
//!
//! Contracts run in child processes, because only a process can be ended that takes too long. They are kept for the next
//! request. Transactions on a world take turns, in the order in which they came; queries run beside them.

mod bodies;
mod connections;
mod document;
mod error;
mod guard;
mod limits;
mod page;
mod responses;
mod routes;
mod run;
mod signals;
mod work;

pub use error::ServerError;
pub use run::{ServerSettings, run};
