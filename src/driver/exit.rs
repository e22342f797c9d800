//! How a child ended.

use crate::escape::escape_line;
use nix::libc::SIGABRT;
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
    /// Whether it probably ended for lack of memory. Either SIGKILL ended it, and the kernel counts more processes that it killed
    /// for lack of memory in the node's control group than when the child started; such a kill without that count has another
    /// cause. Or SIGABRT ended it, and the last words are those of a C library that has no memory.
    pub out_of_memory: bool,
    /// The end of its stderr, at most [`STDERR_TAIL_BYTES`](super::STDERR_TAIL_BYTES).
    pub stderr_tail: String,
    /// How long it lived.
    pub lived: Duration,
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.end)?;
        match self.end {
            _ if !self.out_of_memory => {}
            ProcessEnd::Signalled(SIGABRT) => f.write_str(", as its C library lacked memory")?,
            _ => f.write_str(", as the control group lacked memory")?,
        }
        match self.stderr_tail.lines().next_back() {
            Some(last) => write!(f, "; last words: {}", escape_line(last)),
            None => Ok(()),
        }
    }
}

/// Whether a process that has ended so, with this stderr, was ended by glibc because that had no memory for itself, such as for what a
/// thread needs.
pub(super) fn lacked_memory_of_libc(end: ProcessEnd, stderr: &str) -> bool {
    let last = stderr.lines().next_back().unwrap_or_default();
    let words = last.strip_prefix("Fatal glibc error: ");
    end == ProcessEnd::Signalled(SIGABRT) && words.is_some_and(|words| words.contains("memory"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_of_the_c_library_about_memory_tell_that_it_lacked_some() {
        let words =
            "at line 7\nFatal glibc error: failed to register TLS destructor: out of memory\n";
        assert!(lacked_memory_of_libc(ProcessEnd::Signalled(SIGABRT), words));
        for (end, stderr) in [
            (ProcessEnd::Signalled(9), words),
            (ProcessEnd::Exited(6), words),
            (ProcessEnd::Signalled(SIGABRT), ""),
            (ProcessEnd::Signalled(SIGABRT), "out of memory"),
            (
                ProcessEnd::Signalled(SIGABRT),
                "Fatal glibc error: malloc assertion failed\n",
            ),
            (
                ProcessEnd::Signalled(SIGABRT),
                &format!("{words}thread panicked\n"),
            ),
        ] {
            assert!(!lacked_memory_of_libc(end, stderr), "{end} {stderr}");
        }
    }
}
