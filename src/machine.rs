//! The interface from the chain to a virtual machine: deploy and call contracts. Its counterpart is `BlockchainHook`,
//! the interface from the machine to the chain. These two traits are the whole contract between chain and VM.
//!
//! The VM itself is a [`Machine`], and so is a `Driver`, whose VM runs in another process. The child, scenarios,
//! benchmarks and fuzz targets work with any machine.

use crate::escape::escape_line;
use crate::messages::{ContractCallInput, ContractCreateInput, VmOutput};
use crate::trace::SharedRecorder;
use std::error::Error;
use thiserror::Error;

/// The result of a request: the output, whose return code says whether the contract succeeded, or a failure of the
/// machine for this one request.
pub type Outcome = Result<VmOutput, VmFailure>;

/// A request without output: the reference panics or dies on it, or the request is invalid
/// (docs/spec/README.md#host-faults). Every node sees the same failure. Nothing is applied, and the machine remains
/// usable.
///
/// A failed contract is different: it has an output, with a return code other than 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", escape_line(.0))]
pub struct VmFailure(pub String);

/// Runs contracts, one request after the other.
pub trait Machine: Send {
    /// The error of a request without outcome. Nothing is known about the contract; it must not be treated as failed,
    /// since other nodes may see an outcome. Unless the type says otherwise, the machine is unusable afterwards and its
    /// process must end.
    ///
    /// A fatal error of the hook is among its [sources](Error::source).
    type Fatal: Error + Send + Sync + 'static;

    /// Deploys a contract (docs/spec/host.md#create).
    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, Self::Fatal>;

    /// Calls a contract, or upgrades it if the function is `upgradeContract` (docs/spec/host.md#call).
    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, Self::Fatal>;

    /// Tells `recorder` what contracts do, from the next request on; `None` ends that. No output depends on it. Returns whether this
    /// machine can do it: a child of another implementation can't.
    fn trace(&mut self, recorder: Option<SharedRecorder>) -> bool {
        recorder.is_none()
    }
}

/// Why a machine could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The Initialize arguments are invalid.
    #[error(transparent)]
    Arguments(Box<dyn Error + Send + Sync>),
    /// This computer lacks what a machine needs, such as a thread.
    #[error(transparent)]
    Resources(Box<dyn Error + Send + Sync>),
}
