//! What the chain asks of a virtual machine: to deploy contracts and to call them. Beside it stands what the machine asks of
//! the chain meanwhile, `BlockchainHook`: the two traits are the whole contract between them.
//!
//! The VM itself is a [`Machine`], and so is a `Driver`, whose VM runs in another process. The child serves any machine, and
//! scenarios, benchmarks and fuzz targets run any.

use crate::escape::escape_line;
use crate::messages::{ContractCallInput, ContractCreateInput, VmOutput};
use std::error::Error;
use thiserror::Error;

/// What a machine answers: the output, whose return code says whether the contract succeeded, or the machine's own failure for
/// this one request.
pub type Outcome = Result<VmOutput, VmFailure>;

/// The VM has no output for a request: where the reference panics or dies, or where the request can't be used
/// (docs/spec/README.md#host-faults). Every node sees the same; nothing is applied, and the machine goes on.
///
/// A contract that fails is something else: its output has a return code other than 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", escape_line(.0))]
pub struct VmFailure(pub String);

/// Runs contracts, one request after the other.
pub trait Machine: Send {
    /// There is no outcome, and nothing is known about the contract: it must not be taken for failed, since other nodes may see an
    /// outcome. Unless the type says otherwise the machine can't be used any more, and its process must end.
    ///
    /// An error that the hook gave is among its [sources](Error::source).
    type Fatal: Error + Send + Sync + 'static;

    /// Deploys a contract (docs/spec/host.md#create).
    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, Self::Fatal>;

    /// Calls a contract, or upgrades it if the function is `upgradeContract` (docs/spec/host.md#call).
    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, Self::Fatal>;
}

/// Why there is no machine.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The Initialize arguments can't be used.
    #[error(transparent)]
    Arguments(Box<dyn Error + Send + Sync>),
    /// This computer lacks what a machine needs, such as a thread.
    #[error(transparent)]
    Resources(Box<dyn Error + Send + Sync>),
}
