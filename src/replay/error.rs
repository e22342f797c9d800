use crate::driver::CriticalError;
use crate::escape::with_sources;
use crate::messages::{MessageError, UnsupportedMarshalizer};
use crate::recording::RecordingError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why recordings can't be replayed or shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A file can't be read.
    #[error("can't read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        reason: io::Error,
    },
    /// A file can't be written. What was there is still there.
    #[error("can't write {}: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        reason: io::Error,
    },
    /// A file is not a recording, or not a whole one.
    #[error("{}: {reason}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: RecordingError,
    },
    /// A line of a file of JSON lines is not a frame.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: LineError,
    },
    /// The beginning is missing, which says what the child was started with.
    #[error("{}: no Initialize stands before its first request", path.display())]
    NoInitialize {
        /// The file.
        path: PathBuf,
    },
    /// Initialize can't be read.
    #[error("{}: Initialize can't be read: {reason}", path.display())]
    Initialize {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: MessageError,
    },
    /// This build does not have the format.
    #[error(transparent)]
    Format(#[from] UnsupportedMarshalizer),
    /// The child that is to be compared can't be started.
    #[error("{}", with_sources(.0))]
    NoChild(CriticalError),
    /// A share that can't be.
    #[error("{0:?} is not a share: it is K/N with K from 1 to N, such as 1/3")]
    Shard(String),
    /// A line that is not a result of a replay.
    #[error("{}, line {line}: it is not a line of `arwendebug replay --json`", path.display())]
    NotAnOutcome {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// A result without its end.
    #[error("{}: its last line, the summary, is missing: the replay was ended early; run it again", path.display())]
    NoSummary {
        /// The file.
        path: PathBuf,
    },
    /// Results that are not the shares of one whole.
    #[error("{0}; merge needs the results of 1/N to N/N of the same recordings, each once")]
    NotTheShares(String),
}

impl ReplayError {
    pub(super) fn unreadable(path: &Path, reason: io::Error) -> ReplayError {
        ReplayError::Unreadable {
            path: path.to_owned(),
            reason,
        }
    }

    pub(super) fn recording(path: &Path, reason: RecordingError) -> ReplayError {
        ReplayError::Recording {
            path: path.to_owned(),
            reason,
        }
    }
}

/// What is wrong with a line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is not JSON.
    #[error("{0}")]
    Json(serde_json::Error),
    /// It lacks a member.
    #[error("it has no {0}")]
    Lacks(&'static str),
    /// The code of a contract is the content of a file in a folder that is not known.
    #[error("the code is that of the file {0:?}; --contracts FOLDER says where it is")]
    NoContracts(String),
    /// The code of a contract can't be read.
    #[error("the code can't be read: {}: {reason}", path.display())]
    Contract {
        /// Its file.
        path: PathBuf,
        /// The answer of the system.
        reason: io::Error,
    },
}
