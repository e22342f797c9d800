//! One dialogue: the request, the hook calls in between, the answer; all within one time budget
//! (docs/spec/wire.md#dialogue).

use super::error::{BadMessage, Fault};
use super::hook_calls::{Answerer, HookCall, dispatch};
use crate::dialogue::{Messenger, Received};
use crate::hooks::{BlockchainHook, HookError};
use crate::logs::GoDuration;
use crate::messages::{Payload, Request};
use crate::transport::Transport;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use tracing::trace;

/// Budget of a dialogue without a time limit: a year, which an `Instant` can represent.
pub(super) const ENDLESS: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time budget of a request, including the start of a child if it needs one. Time in the node's hooks does not
/// count.
#[derive(Debug)]
pub(crate) struct Budget {
    /// The whole budget.
    pub(super) whole: Duration,
    /// When it is used up. Each hook call moves it by the time that the hook took.
    pub(super) deadline: Instant,
}

impl Budget {
    /// A budget that begins now.
    pub(crate) fn new(whole: Duration) -> Budget {
        Budget {
            whole,
            deadline: Instant::now() + whole.min(ENDLESS),
        }
    }

    /// A budget that ends at `deadline`.
    pub(super) fn until(deadline: Instant) -> Budget {
        Budget {
            whole: deadline.saturating_duration_since(Instant::now()),
            deadline,
        }
    }

    /// The time left.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The fault of a used-up budget.
    pub(super) fn expired(&self) -> Fault {
        Fault::TimeExpired { budget: self.whole }
    }

    /// The current time, or the fault if the budget is used up. A budget with exactly zero left is used up.
    fn check(&self) -> Result<Instant, Fault> {
        let now = Instant::now();
        if now < self.deadline {
            Ok(now)
        } else {
            Err(self.expired())
        }
    }
}

/// Sends a request and answers hook calls until its answer comes. Returns the answer and its error message, and adds
/// the number of answered calls to `hook_calls`. After a fault the child may be in the middle of a contract and must be
/// ended.
pub(crate) fn run<T: Transport, R: Request>(
    messenger: &mut Messenger<T>,
    hook: &mut dyn BlockchainHook,
    request: &R,
    budget: &mut Budget,
    hook_calls: &mut u64,
) -> Result<(R::Response, String), Fault> {
    send(messenger, request, budget)?;
    answer::<T, R>(messenger, hook, budget, hook_calls)
}

/// The first half of [`run`].
pub(super) fn send<T: Transport, R: Request>(
    messenger: &mut Messenger<T>,
    request: &R,
    budget: &Budget,
) -> Result<(), Fault> {
    budget.check()?;
    messenger
        .send("", request, Some(budget.deadline))
        .map_err(|error| Fault::sending(error, budget.whole))
}

/// The second half of [`run`].
pub(super) fn answer<T: Transport, R: Request>(
    messenger: &mut Messenger<T>,
    hook: &mut dyn BlockchainHook,
    budget: &mut Budget,
    hook_calls: &mut u64,
) -> Result<(R::Response, String), Fault> {
    loop {
        let Received { envelope, message } = messenger
            .receive(Some(budget.deadline))
            .map_err(|error| Fault::receiving(error, budget.whole))?;
        let asked = budget.check()?;
        let replier = Replier {
            messenger,
            hook,
            budget,
            asked,
        };
        match dispatch(replier, message) {
            ControlFlow::Continue(replied) => replied?,
            ControlFlow::Break(message) => {
                return match R::Response::from_message(message) {
                    Ok(response) => Ok((response, envelope.error_message)),
                    // The dialogue lets only hook calls and the answer through.
                    Err(other) => Err(Fault::BadMessage(BadMessage::Unexpected(other.kind()))),
                };
            }
        }
        *hook_calls += 1;
    }
}

/// Answers one hook call.
struct Replier<'a, T> {
    messenger: &'a mut Messenger<T>,
    hook: &'a mut dyn BlockchainHook,
    budget: &'a mut Budget,
    /// When the call was received.
    asked: Instant,
}

impl<T: Transport> Answerer for Replier<'_, T> {
    type Output = Result<(), Fault>;

    fn answer<R: HookCall>(self, request: R) -> Result<(), Fault> {
        let answer = request.answer(self.hook);
        let took = self.asked.elapsed();
        trace!(target: "arwenDriver", request = R::KIND.as_str_name(), duration = %GoDuration(took), "hook call");
        self.budget.deadline += took;
        let (error, response) = match answer {
            Ok(response) => (String::new(), response),
            // An empty error message would mean success.
            Err(HookError::Refused(reason)) if reason.is_empty() => {
                ("hook refused".to_owned(), R::Response::default())
            }
            Err(HookError::Refused(reason)) => (reason, R::Response::default()),
            Err(fatal @ HookError::Fatal(_)) => return Err(Fault::HookFailed(fatal)),
        };
        let deadline = Some(self.budget.deadline);
        self.messenger
            .send(&error, &response, deadline)
            .map_err(|error| Fault::answering(error, self.budget.whole))
    }
}

#[cfg(test)]
mod tests;
