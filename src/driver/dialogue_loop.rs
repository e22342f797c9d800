//! One dialogue: the request, the hook calls in between, the answer; all within one time budget
//! (docs/spec/wire.md#dialogue).

use super::budget::Budget;
use super::error::{BadMessage, Fault};
use super::hook_calls::{Reply, dispatch};
use super::read_ahead::Asked;
use crate::dialogue::{Messenger, Received};
use crate::hooks::BlockchainHook;
use crate::messages::{Payload as _, Request};
use crate::transport::Transport;

/// Sends a request and answers hook calls until its answer comes. Returns the answer and its error message; `asked` is told
/// of the hook calls. After a fault the child may be in the middle of a contract and must be
/// ended.
pub(crate) fn run<T: Transport, R: Request>(
    messenger: &mut Messenger<T>,
    hook: &mut dyn BlockchainHook,
    request: &R,
    budget: &mut Budget,
    asked: &mut Asked,
) -> Result<(R::Response, String), Fault> {
    send(messenger, request, budget)?;
    answer::<T, R>(messenger, hook, budget, asked)
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
    asked: &mut Asked,
) -> Result<(R::Response, String), Fault> {
    loop {
        let Received { envelope, message } = messenger
            .receive(Some(budget.deadline))
            .map_err(|error| Fault::receiving(error, budget.whole))?;
        let since = budget.check()?;
        let pending = asked.received(&message);
        let reply = Reply {
            messenger,
            budget,
            since,
            asked,
            pending,
        };
        if let Some(replied) = dispatch(hook, reply, &message) {
            replied?;
            continue;
        }
        return match R::Response::from_message(message) {
            Ok(response) => Ok((response, envelope.error_message)),
            // The dialogue lets only hook calls and the answer through.
            Err(other) => Err(Fault::BadMessage(BadMessage::Unexpected(other.kind()))),
        };
    }
}

#[cfg(test)]
mod tests;
