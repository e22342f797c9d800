//! Errors between the node and the child, and what the node may do about each.

use super::exit::{ChildExit, ProcessEnd};
use super::locate::{NoProgram, NotFound};
use super::mismatch::Mismatch;
use crate::dialogue::{DialogueError, MessengerError};
use crate::escape::escape_text;
use crate::frame::FrameError;
use crate::hooks::HookError;
use crate::logs::profile::PatternError;
use crate::messages::codec::PayloadTooLong;
use crate::messages::{MalformedLeftOut, UnsupportedMarshalizer, kind_name};
use crate::trace::MalformedTrace;
use crate::transport::{TransportError, exit_codes};
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A request without an answer. Nothing is known about the contract; the node must not treat it as failed.
///
/// The child has been ended by then, unless it is still starting or the request was too long to be sent
/// ([`Fault::UnsendableRequest`]). The next request gets a fresh child: at once after the first death, after growing
/// delays later ([`CriticalError::retry_after`]).
#[derive(Debug)]
#[non_exhaustive]
pub struct CriticalError {
    /// What went wrong.
    pub fault: Fault,
    /// How the child ended; `None` if no child ended.
    pub exit: Option<Box<ChildExit>>,
}

impl fmt::Display for CriticalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "critical error: {}", self.fault)?;
        match &self.exit {
            Some(exit) => write!(f, " (arwen {exit})"),
            None => Ok(()),
        }
    }
}

impl Error for CriticalError {
    /// The source of the fault; the text of the fault itself is part of this error's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

impl CriticalError {
    /// Whose fault it is, and so what the caller may do.
    pub fn blame(&self) -> Blame {
        let end = self.exit.as_ref().map(|exit| exit.end);
        if end == Some(ProcessEnd::Exited(exit_codes::MACHINE_FAILED.into())) {
            return Blame::Machine;
        }
        if self.exit.as_ref().is_some_and(|exit| exit.out_of_memory) {
            return Blame::Machine;
        }
        match &self.fault {
            Fault::BadArguments(_)
            | Fault::BadProfile(_)
            | Fault::UnsupportedFormat(_)
            | Fault::NotFound(_)
            | Fault::Start(_) => Blame::Setup,
            Fault::Closed(_)
            | Fault::InvalidNonce(_)
            | Fault::BadMessage(_)
            | Fault::CannotSendRequest(_)
            | Fault::CannotSendHookResponse(_) => Blame::Arwen,
            Fault::RestartPostponed { .. } => Blame::Restarts,
            Fault::Aborted => Blame::Aborted,
            Fault::TimeExpired { .. } | Fault::StillStarting { .. } => Blame::Time,
            Fault::HookFailed(_) | Fault::HookAnswerTooLong(_) | Fault::UnsendableRequest(_) => {
                Blame::Node
            }
        }
    }

    /// The error that the node's hook passed to [`HookError::fatal`], if that is the cause; downcast it to its type.
    pub fn hook_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.fault {
            Fault::HookFailed(HookError::Fatal(error)) => Some(&**error),
            _ => None,
        }
    }

    /// How long to wait before sending the request again; a retry before that fails as well. Only for
    /// [`Blame::Restarts`], `None` for all others.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.fault {
            Fault::RestartPostponed { due_in, .. } => Some(*due_in),
            _ => None,
        }
    }
}

/// Which party is to blame for a critical error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The child failed. The request may be sent again, to a fresh child.
    Arwen,
    /// The time budget ran out: the machine may be busy or the budget too small. The request may be sent again.
    Time,
    /// Earlier children kept dying, so that the next start is delayed. The request reached no child. It may be sent
    /// again after [`CriticalError::retry_after`].
    Restarts,
    /// The node ended the request by a [`DriverHandle`](super::DriverHandle). It may be sent again.
    Aborted,
    /// The node's own hook or request. The same request fails again.
    Node,
    /// The binary, its arguments or this machine. Every request fails until that is fixed.
    Setup,
    /// This machine lacked memory, addresses or threads for the child: the end of its stderr says which, or the kernel killed
    /// it ([`ChildExit::out_of_memory`]). The request may be sent again, and fails again unless more is available.
    Machine,
}

/// What went wrong; the texts are those of docs/spec/wire.md#critical-errors.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The child refused the Initialize arguments; this is the message it wrote to stderr.
    #[error("bad arguments passed to arwen: {}", escape_text(.0))]
    BadArguments(String),
    /// The log profile of the configuration can't be used.
    #[error(transparent)]
    BadProfile(#[from] ProfileError),
    /// This build of the driver does not have the format of the configuration.
    #[error("bad arguments passed to arwen: {0}")]
    UnsupportedFormat(UnsupportedMarshalizer),
    /// No binary was found.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The child could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The child died repeatedly; the next start is not due within the time budget of the request.
    #[error("arwen closed: it keeps dying, the next start is due in {due_in:?}; last: {last}")]
    RestartPostponed {
        /// When the next start is due.
        due_in: Duration,
        /// Why it died last.
        last: String,
    },
    /// The child died, or closed its pipe.
    #[error("arwen closed: {0}")]
    Closed(Closed),
    /// The time budget of the request is used up.
    #[error("arwen time expired: no answer within {budget:?}")]
    TimeExpired {
        /// The budget.
        budget: Duration,
    },
    /// The time budget of the request is used up while the child is still starting. The start continues.
    #[error("arwen time expired: it was still starting after {budget:?}")]
    StillStarting {
        /// The budget.
        budget: Duration,
    },
    /// The child sent a message with a wrong nonce.
    #[error(transparent)]
    InvalidNonce(DialogueError),
    /// An undecodable message, or one not allowed in this state.
    #[error("bad message from arwen: {0}")]
    BadMessage(BadMessage),
    /// The request could not be sent.
    #[error("cannot send contract request: {0}")]
    CannotSendRequest(TransportError),
    /// The request can't be sent to any child, because it is too long.
    #[error("cannot send contract request: {0}")]
    UnsendableRequest(MessengerError),
    /// The answer to a hook call could not be sent.
    #[error("cannot send hook call response: {0}")]
    CannotSendHookResponse(MessengerError),
    /// The node's hook gave an answer that is longer than the payload limit.
    #[error("cannot send hook call response: {0}")]
    HookAnswerTooLong(PayloadTooLong),
    /// A [`DriverHandle`](super::DriverHandle) ended the request.
    #[error("the request was aborted")]
    Aborted,
    /// The node's hook failed with a fatal error. See [`CriticalError::hook_error`].
    #[error("hook failed")]
    HookFailed(#[source] HookError),
}

/// How the driver saw that a child is gone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Closed {
    /// The stream of its messages has ended, cleanly or torn, or can't be read.
    #[error(transparent)]
    Stream(MessengerError),
    /// The pipes could not be used at its start.
    #[error(transparent)]
    Start(TransportError),
    /// The process has ended between two requests.
    #[error("it ended between two requests")]
    Idle,
    /// Its pipe was closed between two requests.
    #[error("EOF between two requests")]
    IdlePipe,
}

/// A message that a child must not send.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadMessage {
    /// An undecodable message, or one not allowed in this state.
    #[error(transparent)]
    Malformed(MessengerError),
    /// A message of this kind in place of the answer.
    #[error("{}", kind_name(*.0))]
    Unexpected(u32),
    /// A message between two requests.
    #[error("a message that nobody asked for")]
    Unsolicited,
    /// A response with neither an output nor an error.
    #[error("neither an output nor an error")]
    Empty,
    /// An output that can't be made whole.
    #[error(transparent)]
    LeftOut(MalformedLeftOut),
    /// A response whose trace can't be read.
    #[error("a trace that can't be read: {0}")]
    Trace(MalformedTrace),
}

impl Fault {
    /// The fault for a message that could not be received.
    pub(super) fn receiving(error: MessengerError, budget: Duration) -> Fault {
        match error {
            MessengerError::Transport(TransportError::DeadlinePassed(_)) => {
                Fault::TimeExpired { budget }
            }
            MessengerError::Dialogue(error @ DialogueError::InvalidNonce { .. }) => {
                Fault::InvalidNonce(error)
            }
            MessengerError::Dialogue(_)
            | MessengerError::Message(_)
            | MessengerError::TooLong(_)
            | MessengerError::Frame(FrameError::TooLong { .. } | FrameError::Unframeable { .. }) => {
                Fault::BadMessage(BadMessage::Malformed(error))
            }
            MessengerError::EndOfStream
            | MessengerError::Frame(
                FrameError::TornHeader { .. } | FrameError::TornPayload { .. },
            )
            | MessengerError::Transport(_) => Fault::Closed(Closed::Stream(error)),
        }
    }

    /// The fault for a request that could not be sent.
    pub(super) fn sending(error: MessengerError, budget: Duration) -> Fault {
        match error {
            MessengerError::Transport(TransportError::DeadlinePassed(_)) => {
                Fault::TimeExpired { budget }
            }
            MessengerError::Transport(error) => Fault::CannotSendRequest(error),
            other => Fault::UnsendableRequest(other),
        }
    }

    /// The fault for the answer to a hook call that could not be sent.
    pub(super) fn answering(error: MessengerError, budget: Duration) -> Fault {
        match error {
            MessengerError::Transport(TransportError::DeadlinePassed(_)) => {
                Fault::TimeExpired { budget }
            }
            MessengerError::TooLong(error) => Fault::HookAnswerTooLong(error),
            other => Fault::CannotSendHookResponse(other),
        }
    }

    /// Whether the child is to blame, so that restarts back off. It is not when the time budget ran out or the node
    /// failed.
    pub(super) fn is_the_childs(&self) -> bool {
        !matches!(
            self,
            Fault::TimeExpired { .. }
                | Fault::StillStarting { .. }
                | Fault::Aborted
                | Fault::HookFailed(_)
                | Fault::HookAnswerTooLong(_)
                | Fault::UnsendableRequest(_)
        )
    }

    /// Whether the child is probably exiting by itself, so that waiting for its exit status pays.
    pub(super) fn is_of_a_dying_child(&self) -> bool {
        matches!(
            self,
            Fault::Closed(_)
                | Fault::CannotSendRequest(_)
                | Fault::CannotSendHookResponse(_)
                | Fault::Start(StartError::DiedAtOnce)
        )
    }
}

/// Why a child could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The file is missing, a directory, not executable, or for another machine.
    #[error("cannot start arwen: {0}")]
    NoProgram(NoProgram),
    /// The Initialize message, with the gas schedule and all arguments, is too long for any child.
    #[error("cannot start arwen: Initialize can't be sent: {0}")]
    Unsendable(FrameError),
    /// The system refused: too many processes or descriptors, no memory.
    #[error("cannot start arwen: {0}")]
    System(io::Error),
    /// The node may not start a child as this user, or the user may not execute the program.
    #[error("cannot start arwen as user {uid}, group {gid}: {error}")]
    User {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// Why not.
        error: io::Error,
    },
    /// The system refused a limit of the child.
    #[error("cannot start arwen: its {limit} can't be {value}: {error}")]
    Limit {
        /// The name of the limit.
        limit: &'static str,
        /// The value that it was to have.
        value: i64,
        /// Why not.
        error: io::Error,
    },
    /// What it and the driver say can't be recorded in the configured folder.
    #[error("cannot start arwen: it can't be recorded in {}: {error}", .folder.display())]
    Recording {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It ended before its first answer; [`ChildExit`] has the exit code and the end of its stderr.
    #[error("cannot start arwen: it ended at once")]
    DiedAtOnce,
    /// It refuses its options or an environment variable; this is the message it wrote to stderr.
    #[error("cannot start arwen: {}", escape_text(.0))]
    BadSetting(String),
    /// It runs but does not answer.
    #[error("cannot start arwen: no answer within {budget:?}; is it another program?")]
    NoAnswer {
        /// How long the driver waited.
        budget: Duration,
    },
    /// Its first answer is not one that a child sends.
    #[error("cannot start arwen: bad message from arwen: {0}; is it another program?")]
    BadAnswer(BadMessage),
    /// It reports something else than the configuration requires.
    #[error("cannot start arwen: {0}")]
    Mismatch(Mismatch),
}

/// A log profile that no child could apply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Its patterns are malformed.
    #[error("bad log profile: {0}")]
    Patterns(PatternError),
    /// It is too long.
    #[error("bad log profile: {length} bytes, the limit is {limit}")]
    TooLong {
        /// Its length as a frame, in bytes.
        length: usize,
        /// The limit of a frame, in bytes.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::with_sources;
    use crate::transport::Direction;

    const BUDGET: Duration = Duration::from_millis(5);

    #[test]
    fn the_texts_are_those_of_the_spec() {
        let nonce = DialogueError::InvalidNonce {
            found: 7,
            expected: 2,
        };
        let late = TransportError::DeadlinePassed(Direction::Sending);
        let too_long = FrameError::TooLong {
            kind: 5,
            length: 9,
            limit: 8,
        };
        let rows = [
            (
                Fault::receiving(MessengerError::EndOfStream, BUDGET),
                "arwen closed: EOF",
                Blame::Arwen,
            ),
            (
                Fault::receiving(late.clone().into(), BUDGET),
                "arwen time expired: no answer within 5ms",
                Blame::Time,
            ),
            (
                Fault::receiving(nonce.into(), BUDGET),
                "invalid dialogue nonce (7, expected 2)",
                Blame::Arwen,
            ),
            (
                Fault::receiving(too_long.into(), BUDGET),
                "bad message from arwen: a frame of kind 5 announces a payload of 9 bytes; the limit is 8",
                Blame::Arwen,
            ),
            (
                Fault::sending(TransportError::Closed.into(), BUDGET),
                "cannot send contract request: the other side has closed the pipe",
                Blame::Arwen,
            ),
            (
                Fault::sending(late.clone().into(), BUDGET),
                "arwen time expired: no answer within 5ms",
                Blame::Time,
            ),
            (
                Fault::answering(TransportError::Closed.into(), BUDGET),
                "cannot send hook call response: the other side has closed the pipe",
                Blame::Arwen,
            ),
            (
                Fault::HookFailed(HookError::fatal("no disk")),
                "hook failed: the node can't be asked: no disk",
                Blame::Node,
            ),
        ];
        for (fault, text, blame) in rows {
            let error = CriticalError { fault, exit: None };
            assert_eq!(with_sources(&error), format!("critical error: {text}"));
            assert_eq!(error.blame(), blame, "{text}");
        }
    }

    #[test]
    fn a_child_that_lacked_memory_is_the_fault_of_the_machine() {
        let died = |code: u8| CriticalError {
            fault: Fault::Closed(Closed::Stream(MessengerError::EndOfStream)),
            exit: Some(Box::new(ChildExit {
                cause: "EOF".to_owned(),
                end: ProcessEnd::Exited(code.into()),
                out_of_memory: false,
                stderr_tail: String::new(),
                lived: Duration::ZERO,
            })),
        };
        assert_eq!(died(exit_codes::MACHINE_FAILED).blame(), Blame::Machine);
        assert_eq!(died(exit_codes::ENDED_BY_NODE).blame(), Blame::Arwen);
    }

    #[test]
    fn the_error_of_a_hook_comes_back_with_its_type() {
        let fault = Fault::HookFailed(HookError::fatal(io::Error::from(io::ErrorKind::NotFound)));
        let error = CriticalError { fault, exit: None };
        let found = error.hook_error().expect("the hook's").downcast_ref();
        assert_eq!(found.map(io::Error::kind), Some(io::ErrorKind::NotFound));
        let mut sources = std::iter::successors(error.source(), |error| (*error).source());
        assert!(sources.any(|source| source.is::<io::Error>()));
        assert_eq!(error.to_string(), "critical error: hook failed");
    }

    #[test]
    fn an_error_says_how_the_child_ended() {
        let mut exit = ChildExit {
            cause: "EOF".to_owned(),
            end: ProcessEnd::Signalled(9),
            out_of_memory: false,
            stderr_tail: "thread panicked\nat line 7\n".to_owned(),
            lived: Duration::ZERO,
        };
        let error = |exit: &ChildExit| CriticalError {
            fault: Fault::Closed(Closed::Stream(MessengerError::EndOfStream)),
            exit: Some(exit.clone().into()),
        };
        assert_eq!(
            error(&exit).to_string(),
            "critical error: arwen closed: EOF (arwen was ended by SIGKILL; last words: at line 7)"
        );
        assert_eq!(error(&exit).blame(), Blame::Arwen);
        exit.out_of_memory = true;
        assert_eq!(
            error(&exit).to_string(),
            "critical error: arwen closed: EOF (arwen was ended by SIGKILL, as the control group lacked memory; \
             last words: at line 7)"
        );
        assert_eq!(error(&exit).blame(), Blame::Machine);
        exit.end = ProcessEnd::Signalled(6);
        exit.stderr_tail =
            "Fatal glibc error: failed to register TLS destructor: out of memory\n".to_owned();
        assert_eq!(
            error(&exit).to_string(),
            "critical error: arwen closed: EOF (arwen was ended by SIGABRT, as its C library lacked memory; \
             last words: Fatal glibc error: failed to register TLS destructor: out of memory)"
        );
    }
}
