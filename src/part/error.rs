//! Why the child ends: the errors, their texts and exit codes.

use crate::dialogue::{DialogueError, MessengerError};
use crate::frame::FrameError;
use crate::machine::BuildError;
use crate::messages::{MessageError, UnsupportedMarshalizer, kind_name};
use crate::transport::TransportError;
use crate::transport::descriptors::ChildPipe;
use crate::transport::exit_codes;
use nix::errno::Errno;
use std::error::Error;
use thiserror::Error;

/// Why the child ended, in the words of docs/spec/wire.md#exit-codes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PartError {
    /// The process was not started as a child of a node.
    #[error(
        "arwen runs smart contracts for a blockchain node, which starts it with pipes on the descriptors 3 to 7.\n\
         To see it work, run the example minimal_node; `arwen --help` tells more."
    )]
    NotAChild,
    /// A required pipe is missing.
    #[error("Cannot get pipe file: [{}] (descriptor {})", .0.name(), .0.descriptor())]
    MissingPipe(ChildPipe),
    /// Initialize can't be read.
    #[error("Cannot receive gasSchedule: {0}")]
    Initialize(InitializeError),
    /// The format of messages or of log lines is not in this build.
    #[error("Cannot create ArwenPart: {0}")]
    Format(UnsupportedMarshalizer),
    /// The pipes can't be set up as the Initialize arguments ask.
    #[error("Cannot create ArwenPart: the pipes can't be set up: {0}")]
    Pipes(Errno),
    /// The machine can't be built: the Initialize arguments are invalid, or this computer lacks memory or threads.
    #[error("Cannot create ArwenPart: {0}")]
    Build(BuildError),
    /// The loop ended, which is the normal end.
    #[error("Ended Arwen loop: {0}")]
    Loop(LoopEnd),
}

impl PartError {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            PartError::NotAChild | PartError::MissingPipe(_) => exit_codes::MISSING_PIPE,
            PartError::Initialize(_)
            | PartError::Format(_)
            | PartError::Pipes(_)
            | PartError::Build(BuildError::Arguments(_)) => exit_codes::BAD_ARGUMENTS,
            PartError::Build(BuildError::Resources(_)) | PartError::Loop(LoopEnd::Machine(_)) => {
                exit_codes::MACHINE_FAILED
            }
            PartError::Loop(
                LoopEnd::Stream(_)
                | LoopEnd::BadMessage(_)
                | LoopEnd::Dialogue(_)
                | LoopEnd::Stopped
                | LoopEnd::NodeLost(_),
            ) => exit_codes::ENDED_BY_NODE,
        }
    }
}

/// Why Initialize could not be received.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InitializeError {
    /// The node closed the pipe first.
    #[error("EOF")]
    EndOfStream,
    /// The bytes are not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The payload is not a message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A message of another kind.
    #[error("{} instead of Initialize", kind_name(*.0))]
    WrongKind(u32),
    /// The bytes could not be read.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// Why the loop ended (docs/spec/wire.md#exit-codes, #critical-errors). A fault of the node never becomes a result of a
/// contract.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoopEnd {
    /// The stream of requests ended, cleanly or torn, or is not a stream of messages.
    #[error("{0}")]
    Stream(MessengerError),
    /// The node broke the rules of the protocol.
    #[error("critical error: bad message from node: {0}")]
    BadMessage(MessengerError),
    /// The node broke the rules of the dialogue.
    #[error("critical error: {0}")]
    Dialogue(DialogueError),
    /// The node sent Stop.
    #[error("critical error: arwen will stop, as requested")]
    Stopped,
    /// A hook call failed because the node is gone or broke the protocol.
    #[error("critical error: {0}")]
    NodeLost(NodeLost),
    /// Fatal error of the machine: it lacks memory, addresses or threads. Nothing is known about the contract.
    #[error("critical error: {0}")]
    Machine(Box<dyn Error + Send + Sync>),
}

/// Why no further hook call is possible. The gateway returns it to the machine as a fatal hook error, and finds it
/// among the sources of the machine's fatal error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NodeLost {
    /// A hook request could not be sent.
    #[error("cannot send hook call request: {0}")]
    CannotAsk(MessengerError),
    /// The answer to a hook request could not be received.
    #[error("cannot receive hook call response: {0}")]
    NoAnswer(MessengerError),
    /// The message is not a valid answer to the hook request.
    #[error("bad hook response from node: {0}")]
    BadAnswer(String),
    /// The answer breaks the rules of the dialogue.
    #[error("{0}")]
    Dialogue(DialogueError),
}

impl From<MessengerError> for LoopEnd {
    fn from(error: MessengerError) -> LoopEnd {
        match error {
            MessengerError::Dialogue(error) => LoopEnd::Dialogue(error),
            MessengerError::Message(MessageError::KindMismatch { .. })
            | MessengerError::Frame(FrameError::TooLong { .. }) => LoopEnd::BadMessage(error),
            MessengerError::EndOfStream
            | MessengerError::Frame(_)
            | MessengerError::Message(_)
            | MessengerError::TooLong(_)
            | MessengerError::Transport(_) => LoopEnd::Stream(error),
        }
    }
}

impl LoopEnd {
    /// The end caused by a fatal error of the machine, mostly one that the gateway gave it.
    pub(super) fn of_machine(fatal: impl Error + Send + Sync + 'static) -> LoopEnd {
        let mut error: Option<&(dyn Error + 'static)> = Some(&fatal);
        while let Some(cause) = error {
            if let Some(lost) = cause.downcast_ref::<NodeLost>() {
                return LoopEnd::NodeLost(lost.clone());
            }
            error = cause.source();
        }
        LoopEnd::Machine(Box::new(fatal))
    }
}

impl NodeLost {
    /// The error for an answer to a hook request that could not be received.
    pub(super) fn receiving(error: MessengerError) -> NodeLost {
        match error {
            MessengerError::Dialogue(error @ DialogueError::InvalidNonce { .. }) => {
                NodeLost::Dialogue(error)
            }
            MessengerError::Dialogue(_) | MessengerError::Message(_) => {
                NodeLost::BadAnswer(error.to_string())
            }
            MessengerError::EndOfStream
            | MessengerError::Frame(_)
            | MessengerError::TooLong(_)
            | MessengerError::Transport(_) => NodeLost::NoAnswer(error),
        }
    }
}
