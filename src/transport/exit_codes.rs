//! The exit codes of the child. With the descriptors they are the whole interface between the processes besides
//! messages.

/// A pipe is missing.
pub const MISSING_PIPE: u8 = 1;

/// The Initialize arguments are invalid.
pub const BAD_ARGUMENTS: u8 = 2;

/// The node ended the child, which is the normal end.
pub const ENDED_BY_NODE: u8 = 3;

/// The machine failed: it lacks memory, addresses or threads. Nothing is known about the contract that ran.
pub const MACHINE_FAILED: u8 = 4;

/// An option or an environment variable of the child is invalid.
pub const BAD_SETTING: u8 = 5;
