//! Hook calls of recordings. Answers ahead (docs/spec/wire.md#read-ahead) are played as hook calls, too: what a child knows and uses
//! depends on its earlier dialogues, and each dialogue can be played by itself.

use super::source::decode;
use crate::messages::ahead::AnswerSet;
use crate::messages::whole_output::{self, StorageRead};
use crate::messages::{
    Account, AnswerAhead, AnswersAhead, Format, Message, MessageKind, NotLeftOut, Role,
};
use crate::recording::RecordedFrame;
use bytes::Bytes;
use prost::Message as _;

/// A question of the child, and the node's answer with its error message.
#[derive(Debug)]
pub(super) struct HookCall {
    pub question: Message,
    pub answer: Message,
    pub error: String,
}

/// The hook calls that a request answers ahead.
pub(super) fn ahead_of_request(format: Format, frame: &RecordedFrame) -> Vec<HookCall> {
    let field = match decode(format, frame) {
        Ok((_, Message::ContractCallRequest(request))) => request.answers_ahead,
        Ok((_, Message::ContractDeployRequest(request))) => request.answers_ahead,
        _ => Bytes::new(),
    };
    let answers = AnswersAhead::decode(field).unwrap_or_default().answers;
    answers.into_iter().filter_map(hook_call).collect()
}

fn hook_call(answer: AnswerAhead) -> Option<HookCall> {
    let kind = MessageKind::from_wire(answer.kind)?;
    let Some(Role::HookRequest(response)) = kind.role() else {
        return None;
    };
    Some(HookCall {
        question: Message::of_fields(kind, answer.request)?,
        answer: Message::of_fields(response, answer.response)?,
        error: answer.error_message,
    })
}

/// A request that answers nothing ahead, and asks for no trace, which other versions may tell otherwise.
pub(super) fn without_extensions(mut request: Message) -> Message {
    let (answers, trace) = match &mut request {
        Message::ContractCallRequest(request) => {
            (&mut request.answers_ahead, &mut request.trace_filter)
        }
        Message::ContractDeployRequest(request) => {
            (&mut request.answers_ahead, &mut request.trace_filter)
        }
        _ => return request,
    };
    answers.clear();
    *trace = None;
    request
}

/// Those of the calls whose answers were used, by the response, which then does not tell, has no trace, and leaves nothing out.
pub(super) fn take_used(
    response: &mut Message,
    calls: Vec<HookCall>,
) -> Result<Vec<HookCall>, NotLeftOut> {
    let Message::ContractResponse(response) = response else {
        return Ok(Vec::new());
    };
    response.trace = None;
    whole_output::complete(response, |answer| {
        let call = calls.get(answer)?;
        StorageRead::told_by(&call.question, &call.answer)
    })?;
    let used = AnswerSet::of_field(std::mem::take(&mut response.used_ahead));
    let calls = calls.into_iter().enumerate();
    let used = calls.filter(|(place, _)| used.contains(*place));
    Ok(used.map(|(_, call)| call).collect())
}

/// Gives an account the code that was left out.
pub(super) fn put_back(account: &mut Account, code: Bytes) {
    account.code = code;
    account.code_unchanged = false;
}
