//! The errors of scenarios.

use super::check::Mismatch;
use super::machine::AnyFatal;
use super::parse::FileError;
use super::world::WorldError;
use crate::escape::{hex, with_sources};
use crate::machine::{BuildError, VmFailure};
use bytes::Bytes;
use std::path::PathBuf;
use thiserror::Error;

/// Limit of nested includes.
pub(super) const INCLUDE_LIMIT: usize = 32;

/// Why a scenario failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// A file can't be read or is invalid.
    #[error(transparent)]
    File(#[from] FileError),
    /// A step failed.
    #[error("{}: {place}: {cause}", file.display())]
    Step {
        /// The file with the step, which may be an included one.
        file: PathBuf,
        /// The step, such as `steps[3] (scCall transfer-1)`.
        place: String,
        /// What failed.
        cause: Box<StepFailure>,
    },
}

/// Why a step failed.
#[derive(Debug, Error)]
pub enum StepFailure {
    /// Something is not as expected.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The result of a transaction is not as expected, because its code is not accepted.
    #[error("{mismatch}\ninvalid contract code: {reason}")]
    InvalidCode {
        /// The failed comparison.
        mismatch: Mismatch,
        /// What is wrong with the code.
        reason: String,
    },
    /// A transaction could not be started.
    #[error("Could not set up tx {id}: {cause}")]
    SetUp {
        /// The transaction.
        id: String,
        /// The reason.
        cause: WorldError,
    },
    /// The effects of a transaction can't be applied.
    #[error(transparent)]
    Effects(WorldError),
    /// A call or a reward to an address without an account.
    #[error("Tx recipient (address: {}) does not exist", hex(.0))]
    NoRecipient(Bytes),
    /// A call to an account without code.
    #[error("Tx recipient (address: {}) is not a smart contract", hex(.0))]
    NoContract(Bytes),
    /// The machine can't be built.
    #[error("the VM can't be built: {0}")]
    NoMachine(BuildError),
    /// The machine can't tell what contracts do.
    #[error(
        "the child has no traces, gas reports and flame graphs: it is of another implementation, or older"
    )]
    NotTraced,
    /// The VM failed on a transaction, without output.
    #[error("the VM failed: {0}")]
    NoOutput(VmFailure),
    /// Fatal error of the machine. The next scenario gets a new one.
    #[error("the VM failed: {}", with_sources(.0))]
    Fatal(AnyFatal),
    /// The machine panicked. The next scenario gets a new one.
    #[error("the VM panicked: {0}")]
    Panic(String),
    /// Files include each other recursively.
    #[error("more than {INCLUDE_LIMIT} files include each other: {}", .0.display())]
    IncludeLimit(PathBuf),
}
