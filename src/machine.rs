//! The interface from the chain to a virtual machine: deploy and call contracts. Its counterpart is `BlockchainHook`,
//! the interface from the machine to the chain. These two traits are the whole contract between chain and VM.
//!
//! The VM itself is a [`Machine`], and so is a `Driver`, whose VM runs in another process. The child, scenarios,
//! benchmarks and fuzz targets work with any machine.

use crate::escape::escape_line;
use crate::messages::{ContractCallInput, ContractCreateInput, PinState, PinnedCode, VmOutput};
use crate::trace::SharedRecorder;
use bytes::Bytes;
use std::error::Error;
use std::fmt;
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

    /// Has `code` compiled ahead, and keeps it compiled until it is unpinned, however much other code comes. Returns at once, while
    /// the code is compiled in the background; for code that is pinned already, this tells its state. No output depends on it.
    /// [`Pinned::Ignored`]: this machine can't.
    fn pin(&mut self, code: Bytes) -> Result<Pinned, Self::Fatal> {
        let _ = code;
        Ok(Pinned::Ignored)
    }

    /// Ends what [`pin`](Self::pin) has begun: the code is kept like any other.
    fn unpin(&mut self, code: &[u8]) -> Result<Pinned, Self::Fatal> {
        let _ = code;
        Ok(Pinned::Ignored)
    }
}

/// The state of code that was pinned or unpinned (docs/spec/wire.md#pin).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pinned {
    /// Pinned and compiled.
    Compiled {
        /// What the module takes, machine code and tables.
        module_bytes: u64,
    },
    /// Pinned, and compiled in the background; calls are interpreted until then.
    Compiling {
        /// About what the module will take.
        module_bytes: u64,
    },
    /// Pinned, but interpreted for good: it would take too long to compile it, or the compiler refuses it.
    Interpreted {
        /// About what the interpreter's module takes.
        module_bytes: u64,
    },
    /// Not pinned: the code is not a contract, or the machine failed on it.
    Invalid {
        /// Why.
        error: String,
    },
    /// Not pinned: all pinned modules together would take too much memory.
    NoRoom {
        /// How much, and the limit.
        error: String,
    },
    /// Not pinned any more.
    Unpinned,
    /// The machine does not know of pinned code, like a child in Go.
    Ignored,
}

impl Pinned {
    /// Whether the machine keeps the code.
    pub fn is_pinned(&self) -> bool {
        matches!(
            self,
            Pinned::Compiled { .. } | Pinned::Compiling { .. } | Pinned::Interpreted { .. }
        )
    }

    /// The message of this state. None for a machine that does not know of pinned code: it says nothing.
    #[cfg(any(feature = "vm", fuzzing, test))]
    pub(crate) fn into_wire(self) -> Option<PinnedCode> {
        let (state, module_bytes, error) = match self {
            Pinned::Compiled { module_bytes } => (PinState::Compiled, module_bytes, String::new()),
            Pinned::Compiling { module_bytes } => {
                (PinState::Compiling, module_bytes, String::new())
            }
            Pinned::Interpreted { module_bytes } => {
                (PinState::Interpreted, module_bytes, String::new())
            }
            Pinned::Invalid { error } => (PinState::Invalid, 0, error),
            Pinned::NoRoom { error } => (PinState::NoRoom, 0, error),
            Pinned::Unpinned => (PinState::Unpinned, 0, String::new()),
            Pinned::Ignored => return None,
        };
        Some(PinnedCode {
            state: state as u32,
            module_bytes,
            error,
        })
    }

    /// The state in a message. One that this version does not know is told as ignored.
    pub(crate) fn of_wire(code: Option<PinnedCode>) -> Pinned {
        let Some(code) = code else {
            return Pinned::Ignored;
        };
        let PinnedCode {
            state,
            module_bytes,
            error,
        } = code;
        let state = i32::try_from(state).ok();
        match state.and_then(|state| PinState::try_from(state).ok()) {
            Some(PinState::Compiled) => Pinned::Compiled { module_bytes },
            Some(PinState::Compiling) => Pinned::Compiling { module_bytes },
            Some(PinState::Interpreted) => Pinned::Interpreted { module_bytes },
            Some(PinState::Invalid) => Pinned::Invalid { error },
            Some(PinState::NoRoom) => Pinned::NoRoom { error },
            Some(PinState::Unpinned) => Pinned::Unpinned,
            None => Pinned::Ignored,
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pinned::Compiled { module_bytes } => write!(f, "compiled: {module_bytes} bytes"),
            Pinned::Compiling { module_bytes } => {
                write!(f, "being compiled: about {module_bytes} bytes")
            }
            Pinned::Interpreted { module_bytes } => {
                write!(f, "stays interpreted: about {module_bytes} bytes")
            }
            Pinned::Invalid { error } => write!(f, "not pinned: {}", escape_line(error)),
            Pinned::NoRoom { error } => write!(f, "no room: {}", escape_line(error)),
            Pinned::Unpinned => f.write_str("unpinned"),
            Pinned::Ignored => f.write_str("ignored: the machine can't pin code"),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_survives_the_wire() {
        let error = || "why".to_owned();
        let states = [
            Pinned::Compiled { module_bytes: 1 },
            Pinned::Compiling { module_bytes: 2 },
            Pinned::Interpreted { module_bytes: 3 },
            Pinned::Invalid { error: error() },
            Pinned::NoRoom { error: error() },
            Pinned::Unpinned,
            Pinned::Ignored,
        ];
        for (number, state) in states.into_iter().enumerate() {
            assert_eq!(state.is_pinned(), number < 3);
            assert_eq!(Pinned::of_wire(state.clone().into_wire()), state);
        }
        for state in [6, u32::MAX] {
            let unknown = PinnedCode {
                state,
                ..PinnedCode::default()
            };
            assert_eq!(Pinned::of_wire(Some(unknown)), Pinned::Ignored);
        }
    }
}
