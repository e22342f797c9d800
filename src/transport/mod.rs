//! Transport: moving bytes between the two processes, with deadlines. The only layer that does IO and knows the time.
//!
//! [`Pipes`] is the real one; [`memory`] connects two ends in one process, for tests and fuzzing.

pub mod descriptors;
pub mod exit_codes;
pub mod memory;
mod pipes;
mod watchdog;

pub use pipes::{
    Pipes, has_input, read_some, set_non_blocking, wait_for_room, write_all, write_rest, write_some,
};

use std::time::Instant;
use thiserror::Error;

/// Both directions of the connection to the other side.
pub trait Transport: Send {
    /// Sends all bytes, or fails. `None` waits as long as it takes.
    fn send(&mut self, bytes: &[u8], deadline: Option<Instant>) -> Result<(), TransportError>;

    /// Waits for bytes and appends as many as `into` has room for without growing, or fewer; 0 at the end of the stream.
    /// `None` waits as long as it takes. After a deadline has passed, nothing that is received means anything any more.
    fn receive(
        &mut self,
        into: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> Result<usize, TransportError>;
}

/// Bytes that could not be moved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The other side does not read any more.
    #[error("the other side has closed the pipe")]
    Closed,
    /// The deadline passed first.
    #[error("the deadline passed while {0}")]
    DeadlinePassed(Direction),
    /// The system refused.
    #[error("{direction} failed: {errno}")]
    System {
        /// What was tried.
        direction: Direction,
        /// What the system said.
        errno: nix::errno::Errno,
    },
}

/// Which way bytes were to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the other side.
    Receiving,
    /// To the other side.
    Sending,
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Direction::Receiving => "receiving",
            Direction::Sending => "sending",
        })
    }
}
