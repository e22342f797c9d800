//! Worlds on disk: accounts that commands create, deploy to and call, one after the other.
//!
//! A world is a file of JSON, in the account notation of scenarios. People read it, compare two of them and commit one; it is
//! small, and written as a whole. An embedded database would be faster with very large ones, and readable to nobody.
//!
//! ```text
//! store (which file, whose turn, all or nothing) -> file (its text) -> state (accounts, and what was done)
//! session (a command on a world: its turn, perform, save, and what else it writes) -> perform (a transaction on a state)
//! ```

mod file;
mod history;
mod import;
mod perform;
mod session;
mod state;
mod store;

pub use history::Unwritable;
pub use perform::{Action, Environment, Performed, Request};
pub use session::Session;
pub use state::Change;
pub use store::Database;
