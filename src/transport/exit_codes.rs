//! The exit codes of the child: with the descriptors, all that the two processes know of each other besides messages.

/// A pipe is missing.
pub const MISSING_PIPE: u8 = 1;

/// The Initialize arguments can't be used.
pub const BAD_ARGUMENTS: u8 = 2;

/// The node ended it; the normal end.
pub const ENDED_BY_NODE: u8 = 3;

/// The machine failed: it lacks memory, addresses or threads. Nothing is known about the contract that ran.
pub const MACHINE_FAILED: u8 = 4;

/// An option or an environment variable of the child can't be used.
pub const BAD_SETTING: u8 = 5;
