//! Has the node answer questions before they are asked.

use super::asked::Told;
use super::limits::ReadAhead;
use super::profile::Answered;
use super::sources::Gist;
use super::template::Question;
use crate::byte_lru::ByteLru;
use crate::driver::hook_calls::{Replier, answer_to_send, dispatch};
use crate::hooks::{BlockchainHook, HookResult};
use crate::messages::ahead::AnswersField;
use crate::messages::{BlockchainGetUserAccountRequest, HookRequest, Message};
use bytes::Bytes;
use std::time::Instant;

/// Tells the time. A function, so that tests have a clock that only their hooks advance.
pub(super) type Clock = fn() -> Instant;

/// Collects answers ahead, up to the limits.
pub(super) struct Writer<'a> {
    pub(super) limits: &'a ReadAhead,
    /// When the time for answers is used up.
    pub(super) until: Instant,
    /// When the last answer was there.
    pub(super) now: Instant,
    pub(super) clock: Clock,
    pub(super) known: &'a mut ByteLru<Bytes, Bytes>,
    pub(super) field: &'a mut AnswersField,
    /// Whether the output may leave out what is told.
    pub(super) may_leave_out: bool,
    /// What each answer has told.
    pub(super) told: Vec<Told>,
}

impl Writer<'_> {
    pub(super) fn answer(
        &mut self,
        question: &Question,
        hook: &mut dyn BlockchainHook,
    ) -> Answered {
        let length = self.field.length();
        let is_full =
            self.told.len() >= self.limits.answers as usize || length >= self.limits.bytes as usize;
        if is_full || self.now >= self.until {
            return Answered::Enough;
        }
        let message = question.message();
        let completed = self.with_known_code(message);
        let (message, fields) = match &completed {
            Some((message, fields)) => (message, fields),
            None => (message, &question.fields),
        };
        let answered = dispatch(hook, Written, message).flatten();
        let before = std::mem::replace(&mut self.now, (self.clock)());
        let Some((error, answer)) = answered else {
            return Answered::Not;
        };
        if !is_told_whole(&answer) || length + answer.fields_length() > self.limits.bytes as usize {
            return Answered::Not;
        }
        self.field.push(question.kind, fields, &answer, &error);
        let gist = Gist::of(&answer);
        self.told
            .push(Told::by(message, &answer, self.may_leave_out));
        let took = self.now - before;
        Answered::Ahead { gist, took }
    }

    /// The question for an account whose code the child knows, as the child asks it, and its fields.
    fn with_known_code(&mut self, question: &Message) -> Option<(Message, Bytes)> {
        let Message::BlockchainGetUserAccountRequest(request) = question else {
            return None;
        };
        let message = Message::from(BlockchainGetUserAccountRequest {
            address: request.address.clone(),
            known_code_hash: self.known.get(&request.address)?.clone(),
        });
        let fields = message.fields();
        Some((message, fields))
    }
}

/// Whether the protobuf of an answer tells all of it. An empty address may be null, which contracts pass on to the output, and
/// protobuf does not tell the two apart.
fn is_told_whole(answer: &Message) -> bool {
    match answer {
        Message::BlockchainNewAddressResponse(created) => !created.result.is_empty(),
        _ => true,
    }
}

/// Takes an answer as it would be sent: the error message and the answer; `None` for a fatal error, which the child is to
/// ask for itself.
struct Written;

impl Replier for Written {
    type Output = Option<(String, Message)>;

    fn reply<R: HookRequest>(self, answer: HookResult<R::Response>) -> Option<(String, Message)> {
        let (error, response) = answer_to_send::<R>(answer).ok()?;
        Some((error, response.into()))
    }
}
