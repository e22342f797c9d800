//! The errors of the tool. Each names the file, address or value that is wrong, and says what to do.

use crate::gas_schedule::GasScheduleError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A command that can't do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ToolError {
    /// A file that a command was given can't be read.
    #[error("can't read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        reason: io::Error,
    },
    /// The file is not a gas schedule.
    #[error("{}: {reason}", path.display())]
    GasSchedule {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: GasScheduleError,
    },
    /// A file in place of a contract.
    #[error(
        "{} is neither wasm nor its text: wasm begins with the bytes 00 61 73 6d, text with `(module`",
        path.display()
    )]
    NotWasm {
        /// The file.
        path: PathBuf,
    },
    /// The text of a contract that can't be made wasm.
    #[error("{}: {reason}", path.display())]
    BadText {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        reason: String,
    },
}

impl ToolError {
    /// The error for a file that can't be read.
    pub(super) fn unreadable(path: &Path, reason: io::Error) -> ToolError {
        let path = path.to_owned();
        ToolError::Unreadable { path, reason }
    }
}
