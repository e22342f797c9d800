//! Transport: moves bytes between the two processes, with deadlines. The only layer of the protocol with IO and a
//! clock.
//!
//! [`Pipes`] is the one for processes; [`memory`] connects two ends within one process, for tests and fuzzing.

pub mod descriptors;
pub mod exit_codes;
mod looking;
pub mod memory;
mod pipes;
mod watchdog;

pub use pipes::{
    Pipes, Waiting, has_input, read_some, set_non_blocking, wait_for_room, write_all, write_rest,
    write_some,
};

use std::io;
use std::time::Instant;
use thiserror::Error;

/// A bidirectional connection to the other side.
pub trait Transport: Send {
    /// Sends all bytes, or fails. `None` sets no deadline.
    fn send(&mut self, bytes: &[u8], deadline: Option<Instant>) -> Result<(), TransportError>;

    /// Waits for bytes and appends at most as many as `into` has spare capacity for. Returns the number of bytes; 0 at
    /// the end of the stream. `None` sets no deadline. After a passed deadline, discard the connection: what it
    /// delivers is undefined. `awaited` is only a hint.
    fn receive(
        &mut self,
        into: &mut Vec<u8>,
        awaited: Awaited,
        deadline: Option<Instant>,
    ) -> Result<usize, TransportError>;
}

/// What a receive waits for, which tells how long it is likely to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// What the other side works on.
    Answer,
    /// What the other side sends when it has something to ask for.
    Request,
}

/// Why bytes could not be sent or received.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The other side has closed the pipe.
    #[error("the other side has closed the pipe")]
    Closed,
    /// The deadline passed first.
    #[error("the deadline passed while {0}")]
    DeadlinePassed(Direction),
    /// A system call failed.
    #[error("{direction} failed: {}", io::Error::from_raw_os_error(*.code))]
    System {
        /// The direction of the failed transfer.
        direction: Direction,
        /// The error of the system, as [`io::Error::raw_os_error`] has it.
        code: i32,
    },
}

/// The direction of a transfer.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_done() {
        let passed = TransportError::DeadlinePassed(Direction::Receiving);
        assert_eq!(passed.to_string(), "the deadline passed while receiving");
        let failed = TransportError::System {
            direction: Direction::Sending,
            code: 5,
        };
        let text = "sending failed: Input/output error (os error 5)";
        assert_eq!(failed.to_string(), text);
    }
}
