//! What can go wrong between the node and the child, and what the node may do about it.

use super::locate::{NoProgram, NotFound};
use crate::dialogue::{DialogueError, MessengerError};
use crate::escape::{escape_line, escape_text};
use crate::frame::FrameError;
use crate::hooks::HookError;
use crate::logs::profile::PatternError;
use crate::messages::codec::PayloadTooLong;
use crate::messages::{UnsupportedMarshalizer, kind_name};
use crate::transport::{TransportError, exit_codes};
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// There is no answer to a request. Nothing is known about the contract; it is not to be taken for failed.
///
/// By then the child is gone, except one that is still starting, and one that was not sent the request because that was too
/// long ([`Fault::UnsendableRequest`]). The next request gets a child that serves: a fresh one at once after the first
/// death, later ones after growing delays ([`CriticalError::retry_after`]).
#[derive(Debug)]
#[non_exhaustive]
pub struct CriticalError {
    /// What went wrong.
    pub fault: Fault,
    /// How the child ended; `None` if there was none.
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
    /// What stands behind the fault, whose text is that of this error.
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

    /// What the node's hook gave [`HookError::fatal`], if that is why there is no answer; to be downcast to its type.
    pub fn hook_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.fault {
            Fault::HookFailed(HookError::Fatal(error)) => Some(&**error),
            _ => None,
        }
    }

    /// How long the node has to wait before it sends a request again, where sooner would be in vain: for
    /// [`Blame::Restarts`], `None` for all others.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.fault {
            Fault::RestartPostponed { due_in, .. } => Some(*due_in),
            _ => None,
        }
    }
}

/// Whose fault a critical error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The child broke. The request may be sent again: a fresh child gets it.
    Arwen,
    /// The time budget. The request may be sent again; perhaps the machine is busy, or the budget too small.
    Time,
    /// Children before this request, which kept dying; the next one is started later. The request reached no child. It may
    /// be sent again after [`CriticalError::retry_after`].
    Restarts,
    /// The node ended the request by a [`DriverHandle`](super::DriverHandle). It may be sent again.
    Aborted,
    /// The node's own hook or request. Sent again as it is, the request fails again.
    Node,
    /// The binary, its arguments or this machine. Every request fails until that is mended.
    Setup,
    /// This machine lacked memory, addresses or threads for the child; its last words say which. The request may be sent
    /// again; it fails again unless there is more.
    Machine,
}

/// What went wrong; the texts are those of docs/spec/wire.md#critical-errors.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The child refused the Initialize arguments. Its own words.
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
    /// It died again and again; the next start is not due within the time budget of the request.
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
        /// What it was.
        budget: Duration,
    },
    /// The time budget of the request is used up, and the child, which goes on, is not ready yet.
    #[error("arwen time expired: it was still starting after {budget:?}")]
    StillStarting {
        /// What the budget was.
        budget: Duration,
    },
    /// The child miscounted the messages.
    #[error(transparent)]
    InvalidNonce(DialogueError),
    /// An undecodable message, or one not allowed in this state.
    #[error("bad message from arwen: {0}")]
    BadMessage(BadMessage),
    /// The request could not be sent.
    #[error("cannot send contract request: {0}")]
    CannotSendRequest(TransportError),
    /// The request can't be sent to any child.
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
    /// The node's hook has no answer, not even an error. See [`CriticalError::hook_error`].
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

/// What a child must not send.
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
    /// A response that answers nothing.
    #[error("neither an output nor an error")]
    Empty,
}

impl Fault {
    /// For a message that did not come.
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

    /// For a request that could not be sent.
    pub(super) fn sending(error: MessengerError, budget: Duration) -> Fault {
        match error {
            MessengerError::Transport(TransportError::DeadlinePassed(_)) => {
                Fault::TimeExpired { budget }
            }
            MessengerError::Transport(error) => Fault::CannotSendRequest(error),
            other => Fault::UnsendableRequest(other),
        }
    }

    /// For the answer to a hook call that could not be sent.
    pub(super) fn answering(error: MessengerError, budget: Duration) -> Fault {
        match error {
            MessengerError::Transport(TransportError::DeadlinePassed(_)) => {
                Fault::TimeExpired { budget }
            }
            MessengerError::TooLong(error) => Fault::HookAnswerTooLong(error),
            other => Fault::CannotSendHookResponse(other),
        }
    }

    /// Whether a child that was ended for it broke: then the next ones are started ever later. A child that was served its
    /// time, or whose node failed, did not.
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

    /// Whether the child is probably about to end by itself, so that it is worth waiting for how.
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
    /// It started and ended before it answered; see the exit for the code and its last words.
    #[error("cannot start arwen: it ended at once")]
    DiedAtOnce,
    /// It refuses its options or an environment variable. Its own words.
    #[error("cannot start arwen: {}", escape_text(.0))]
    BadSetting(String),
    /// It runs and does not answer.
    #[error("cannot start arwen: no answer within {budget:?}; is it another program?")]
    NoAnswer {
        /// How long it was waited for.
        budget: Duration,
    },
    /// It answered something else than a child does.
    #[error("cannot start arwen: bad message from arwen: {0}; is it another program?")]
    BadAnswer(BadMessage),
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildExit {
    /// What the driver saw of it: the fault that ended it, or that it had ended.
    pub cause: String,
    /// How the process ended.
    pub end: ProcessEnd,
    /// The end of what it wrote to stderr, at most [`STDERR_TAIL_BYTES`](super::STDERR_TAIL_BYTES).
    pub stderr_tail: String,
    /// How long it lived.
    pub lived: Duration,
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.end)?;
        match self.stderr_tail.lines().next_back() {
            Some(last) => write!(f, "; last words: {}", escape_line(last)),
            None => Ok(()),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessEnd {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that was not the driver's.
    Signalled(i32),
    /// It was alive, and the driver killed it.
    Killed,
    /// By itself, but another part of the node has waited for it, or a signal did it that has no name.
    Unknown,
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessEnd::Exited(code) => write!(f, "exited with code {code}"),
            ProcessEnd::Signalled(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            ProcessEnd::Killed => f.write_str("was killed by the driver"),
            ProcessEnd::Unknown => f.write_str("ended, and the system does not tell how"),
        }
    }
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
        /// What a frame may have, in bytes.
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
        let exit = ChildExit {
            cause: "EOF".to_owned(),
            end: ProcessEnd::Signalled(9),
            stderr_tail: "thread panicked\nat line 7\n".to_owned(),
            lived: Duration::ZERO,
        };
        let error = CriticalError {
            fault: Fault::Closed(Closed::Stream(MessengerError::EndOfStream)),
            exit: Some(exit.into()),
        };
        assert_eq!(
            error.to_string(),
            "critical error: arwen closed: EOF (arwen was ended by SIGKILL; last words: at line 7)"
        );
    }
}
