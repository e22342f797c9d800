//! Why scenarios fail.

use super::check::Mismatch;
use super::machine::AnyFatal;
use super::parse::FileError;
use super::world::WorldError;
use crate::escape::{hex, with_sources};
use crate::machine::{BuildError, VmFailure};
use bytes::Bytes;
use std::path::PathBuf;
use thiserror::Error;

/// How deep files may include each other.
pub(super) const INCLUDE_LIMIT: usize = 32;

/// Why a scenario failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// A file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A step failed.
    #[error("{}: {place}: {cause}", file.display())]
    Step {
        /// The file that has the step; not the scenario if that includes other files.
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
        /// What is not as expected.
        mismatch: Mismatch,
        /// What is wrong with the code.
        reason: String,
    },
    /// A transaction was not even begun.
    #[error("Could not set up tx {id}: {cause}")]
    SetUp {
        /// The transaction.
        id: String,
        /// Why not.
        cause: WorldError,
    },
    /// The effects of a transaction can't be.
    #[error(transparent)]
    Effects(WorldError),
    /// A call or a reward to an address without an account.
    #[error("Tx recipient (address: {}) does not exist", hex(.0))]
    NoRecipient(Bytes),
    /// A call to an account without code.
    #[error("Tx recipient (address: {}) is not a smart contract", hex(.0))]
    NoContract(Bytes),
    /// There is no machine to run contracts with.
    #[error("the VM can't be built: {0}")]
    NoMachine(BuildError),
    /// The VM has no output for a transaction.
    #[error("the VM failed: {0}")]
    NoOutput(VmFailure),
    /// There is no outcome of a transaction. The next scenario gets a new machine.
    #[error("the VM failed: {}", with_sources(.0))]
    Fatal(AnyFatal),
    /// The machine panicked. The next scenario gets a new one.
    #[error("the VM panicked: {0}")]
    Panic(String),
    /// Files include each other without end.
    #[error("more than {INCLUDE_LIMIT} files include each other: {}", .0.display())]
    IncludeLimit(PathBuf),
}
