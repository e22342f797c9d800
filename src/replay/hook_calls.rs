//! Hook calls of recordings. Answers ahead (docs/spec/wire.md#read-ahead) are played as hook calls, too: what a child knows and uses
//! depends on its earlier dialogues, and each dialogue can be played by itself.

use super::source::decode;
use crate::messages::ahead::AnswerSet;
use crate::messages::whole_output::{self, StorageRead};
use crate::messages::{
    Account, AnswerAhead, AnswersAhead, Format, MalformedLeftOut, Message, MessageKind, Role,
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

/// The hook calls that a request answers ahead, by the numbers of their answers; `None` for one that is no answer.
pub(super) fn ahead_of_request(format: Format, frame: &RecordedFrame) -> Vec<Option<HookCall>> {
    let field = match decode(format, frame) {
        Ok((_, Message::ContractCallRequest(request))) => request.answers_ahead,
        Ok((_, Message::ContractDeployRequest(request))) => request.answers_ahead,
        _ => Bytes::new(),
    };
    ahead_of(field)
}

/// The hook calls in a field of answers ahead.
pub(super) fn ahead_of(field: Bytes) -> Vec<Option<HookCall>> {
    let answers = AnswersAhead::decode(field).unwrap_or_default().answers;
    answers.into_iter().map(hook_call).collect()
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
    format: Format,
    response: &mut Message,
    calls: Vec<Option<HookCall>>,
) -> Result<Vec<HookCall>, MalformedLeftOut> {
    let Message::ContractResponse(response) = response else {
        return Ok(Vec::new());
    };
    response.trace = None;
    whole_output::complete(response, format, calls.len(), |answer| {
        let call = calls.get(answer)?.as_ref()?;
        StorageRead::told_by(&call.question, &call.answer)
    })?;
    let used = AnswerSet::of_field(std::mem::take(&mut response.used_ahead));
    let calls = calls.into_iter().enumerate();
    let used = calls.filter(|(place, _)| used.contains(*place));
    Ok(used.filter_map(|(_, call)| call).collect())
}

/// Gives an account the code that was left out.
pub(super) fn put_back(account: &mut Account, code: Bytes) {
    account.code = code;
    account.code_unchanged = false;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        BlockchainGetStorageDataRequest, BlockchainGetStorageDataResponse, ContractResponse,
        OutputAccount, OutputAccountEntry, VmOutput,
    };

    fn call(key: &'static str) -> HookCall {
        let data = Some(Bytes::from_static(b"value"));
        HookCall {
            question: Message::from(BlockchainGetStorageDataRequest {
                address: "contract".into(),
                index: key.into(),
            }),
            answer: BlockchainGetStorageDataResponse { data }.into(),
            error: String::new(),
        }
    }

    /// Answers are counted with those that are none.
    #[test]
    fn what_an_output_leaves_out_is_put_back() {
        let account = OutputAccount {
            address: "contract".into(),
            ..OutputAccount::default()
        };
        let entry = OutputAccountEntry {
            key: "contract".into(),
            value: Some(account),
        };
        let mut response = Message::from(ContractResponse {
            vm_output: Some(VmOutput {
                output_accounts: vec![entry],
                ..VmOutput::default()
            }),
            used_ahead: Bytes::from_static(&[0b101]),
            left_out: Bytes::from_static(&[0b100]),
            ..ContractResponse::default()
        });
        let calls = vec![Some(call("a")), None, Some(call("b"))];
        let used = take_used(Format::Json, &mut response, calls).expect("it is well-formed");
        let keys = used.iter().map(|call| match &call.question {
            Message::BlockchainGetStorageDataRequest(request) => &request.index[..],
            _ => b"another call",
        });
        assert!(keys.eq([b"a", b"b"]));
        let Message::ContractResponse(response) = response else {
            panic!("it was one");
        };
        let output = response.vm_output.expect("it was there");
        let account = output.output_accounts[0].value.as_ref();
        let updates = &account.expect("it was there").storage_updates;
        let [update] = &updates[..] else {
            panic!("{updates:?}");
        };
        let update = update.value.as_ref().expect("it is there");
        assert_eq!(
            (&update.offset[..], &update.data[..]),
            (&b"b"[..], &b"value"[..])
        );
    }
}
