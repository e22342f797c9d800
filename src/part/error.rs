//! Why the child ends, and what it says of it.

use super::message_loop::BuildError;
use crate::dialogue::{DialogueError, MessengerError};
use crate::frame::FrameError;
use crate::messages::{MessageError, kind_name};
use crate::transport::TransportError;
use crate::transport::descriptors::ChildPipe;
use crate::transport::exit_codes;
use thiserror::Error;

/// Why the child ended, in the words of docs/spec/wire.md#exit-codes.
#[derive(Debug, Error)]
pub enum PartError {
    /// The process was not started as a child of a node.
    #[error(
        "arwen runs smart contracts for a blockchain node, which starts it with pipes on the descriptors 3 to 7.\n\
         To see it work, run the example minimal_node; `arwen --help` tells more."
    )]
    NotAChild,
    /// A pipe that it can't do without is missing.
    #[error("Cannot get pipe file: [{}] (descriptor {})", .0.name(), .0.descriptor())]
    MissingPipe(ChildPipe),
    /// There is no readable Initialize.
    #[error("Cannot receive gasSchedule: {0}")]
    Initialize(#[from] InitializeError),
    /// The Initialize arguments are no good.
    #[error("Cannot create ArwenPart: {0}")]
    Arguments(String),
    /// The machine can't run a VM: it lacks memory or threads.
    #[error("Cannot create ArwenPart: {0}")]
    Machine(String),
    /// The loop ended; the normal end.
    #[error("Ended Arwen loop: {0}")]
    Loop(#[from] LoopEnd),
}

impl PartError {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            PartError::NotAChild | PartError::MissingPipe(_) => exit_codes::MISSING_PIPE,
            PartError::Initialize(_) | PartError::Arguments(_) => exit_codes::BAD_ARGUMENTS,
            PartError::Machine(_) | PartError::Loop(LoopEnd::Machine(_)) => {
                exit_codes::MACHINE_FAILED
            }
            PartError::Loop(
                LoopEnd::Stream(_)
                | LoopEnd::BadMessage(_)
                | LoopEnd::Dialogue(_)
                | LoopEnd::Stopped
                | LoopEnd::CannotSendHookRequest(_)
                | LoopEnd::CannotReceiveHookResponse(_)
                | LoopEnd::BadHookResponse(_),
            ) => exit_codes::ENDED_BY_NODE,
        }
    }
}

impl From<BuildError> for PartError {
    fn from(error: BuildError) -> PartError {
        match error {
            BuildError::Arguments(text) => PartError::Arguments(text),
            BuildError::Machine(text) => PartError::Machine(text),
        }
    }
}

/// Why there is no Initialize.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InitializeError {
    /// The node closed the pipe first.
    #[error("EOF")]
    EndOfStream,
    /// The bytes are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The payload is no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Some other message.
    #[error("{} instead of Initialize", kind_name(*.0))]
    WrongKind(u32),
    /// The bytes could not be read.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// Why the loop ended (docs/spec/wire.md#exit-codes, #critical-errors). Whatever the node did wrong, a contract's
/// result never comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoopEnd {
    /// The stream of requests ended, cleanly or torn, or is no stream of messages.
    #[error("{0}")]
    Stream(MessengerError),
    /// The node broke the rules of the protocol.
    #[error("critical error: bad message from node: {0}")]
    BadMessage(MessengerError),
    /// The node broke the rules of the dialogue.
    #[error("critical error: {0}")]
    Dialogue(DialogueError),
    /// The node said Stop.
    #[error("critical error: arwen will stop, as requested")]
    Stopped,
    /// A hook request could not be sent.
    #[error("critical error: cannot send hook call request: {0}")]
    CannotSendHookRequest(MessengerError),
    /// There was no answer to a hook request.
    #[error("critical error: cannot receive hook call response: {0}")]
    CannotReceiveHookResponse(MessengerError),
    /// A hook request was answered by something else.
    #[error("critical error: bad hook response from node: {0}")]
    BadHookResponse(String),
    /// This machine could not run the contract: it lacks memory, addresses or threads. Nothing is known about the contract.
    #[error("critical error: {0}")]
    Machine(String),
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
    /// For what came in place of the answer to a hook request.
    pub(super) fn from_hook_answer(error: MessengerError) -> LoopEnd {
        match error {
            MessengerError::Dialogue(error @ DialogueError::InvalidNonce { .. }) => {
                LoopEnd::Dialogue(error)
            }
            MessengerError::Dialogue(_) | MessengerError::Message(_) => {
                LoopEnd::BadHookResponse(error.to_string())
            }
            MessengerError::EndOfStream
            | MessengerError::Frame(_)
            | MessengerError::TooLong(_)
            | MessengerError::Transport(_) => LoopEnd::CannotReceiveHookResponse(error),
        }
    }
}
