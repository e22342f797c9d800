//! How a child ended.

use crate::escape::escape_line;
use std::fmt;
use std::time::Duration;

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildExit {
    /// Why the driver considers it gone: a fault, or that the process had ended.
    pub cause: String,
    /// How the process ended.
    pub end: ProcessEnd,
    /// Whether the kernel probably killed it for lack of memory: it was ended by SIGKILL, and the kernel counts more processes
    /// that it killed for lack of memory in the node's control group than when the child started. Such a kill without that
    /// count has another cause.
    pub out_of_memory: bool,
    /// The end of its stderr, at most [`STDERR_TAIL_BYTES`](super::STDERR_TAIL_BYTES).
    pub stderr_tail: String,
    /// How long it lived.
    pub lived: Duration,
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.end)?;
        if self.out_of_memory {
            f.write_str(", as the control group lacked memory")?;
        }
        match self.stderr_tail.lines().next_back() {
            Some(last) => write!(f, "; last words: {}", escape_line(last)),
            None => Ok(()),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessEnd {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that was not the driver's.
    Signalled(i32),
    /// It was alive, and the driver killed it.
    Killed,
    /// Exit status lost: another part of the node reaped it, or an unknown signal ended it.
    Unknown,
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessEnd::Exited(code) => write!(f, "exited with code {code}"),
            ProcessEnd::Signalled(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            ProcessEnd::Killed => f.write_str("was killed by the driver"),
            ProcessEnd::Unknown => f.write_str("ended, and the system does not tell how"),
        }
    }
}
