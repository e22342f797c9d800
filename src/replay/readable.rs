//! Payloads for people.

use super::compare::json;
use super::hook_calls::{HookCall, ahead_of};
use crate::messages::ahead::AnswerSet;
use crate::messages::{Message, kind_name};
use bytes::Bytes;
use serde_json::{Value, json as object};

/// The payload, without what stands beside it. Answers ahead (docs/spec/wire.md#read-ahead), which are protobuf within it, are shown as
/// hook calls, and sets of them as lists of their numbers.
pub(super) fn payload(message: &Message, error: &str) -> Value {
    let mut payload = json(message, error);
    if let Some(members) = payload.as_object_mut() {
        members.retain(|name, value| {
            let is_shown_beside = ["DialogueNonce", "Kind"].contains(&name.as_str());
            !is_shown_beside && (name != "ErrorMessage" || value != "")
        });
    }
    let mut show = |name, value| {
        if let Some(member) = payload.get_mut(name) {
            *member = value;
        }
    };
    match message {
        Message::ContractCallRequest(request) => {
            show("AnswersAhead", calls(&request.answers_ahead))
        }
        Message::ContractDeployRequest(request) => {
            show("AnswersAhead", calls(&request.answers_ahead));
        }
        Message::ContractResponse(response) => {
            show("UsedAhead", numbers(&response.used_ahead));
            show("LeftOut", numbers(&response.left_out));
        }
        _ => {}
    }
    payload
}

/// The hook calls that are answered ahead.
fn calls(field: &Bytes) -> Value {
    let calls = ahead_of(field.clone()).into_iter().enumerate();
    calls
        .map(|(number, call)| call.map_or(Value::Null, |call| shown(number, &call)))
        .collect()
}

fn shown(number: usize, call: &HookCall) -> Value {
    object!({
        "Number": number,
        "Question": { kind_name(call.question.kind()): payload(&call.question, "") },
        "Answer": payload(&call.answer, &call.error),
    })
}

fn numbers(field: &Bytes) -> Value {
    AnswerSet::of_field(field).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        AnswerAhead, AnswersAhead, BlockchainGetStorageDataRequest,
        BlockchainGetStorageDataResponse, ContractCallRequest, ContractResponse, Payload as _,
    };
    use prost::Message as _;

    #[test]
    fn answers_ahead_are_shown_as_hook_calls() {
        let question = BlockchainGetStorageDataRequest {
            address: "contract".into(),
            index: "key".into(),
        };
        let answer = BlockchainGetStorageDataResponse {
            data: Some("value".into()),
        };
        let answer = AnswerAhead {
            kind: BlockchainGetStorageDataRequest::KIND.wire(),
            request: Message::from(question).fields(),
            response: Message::from(answer).fields(),
            error_message: "refused".to_owned(),
        };
        let field = AnswersAhead {
            answers: vec![answer, AnswerAhead::default()],
            may_leave_out: true,
        };
        let request = Message::from(ContractCallRequest {
            answers_ahead: field.encode_to_vec().into(),
            ..ContractCallRequest::default()
        });
        let expected = object!([
            {
                "Number": 0,
                "Question": {
                    "BlockchainGetStorageDataRequest": {"Address": "Y29udHJhY3Q=", "Index": "a2V5"},
                },
                "Answer": {"ErrorMessage": "refused", "Data": "dmFsdWU="},
            },
            null,
        ]);
        assert_eq!(payload(&request, "")["AnswersAhead"], expected);
        let response = Message::from(ContractResponse {
            used_ahead: Bytes::from_static(&[0b101]),
            left_out: Bytes::from_static(&[0, 1]),
            ..ContractResponse::default()
        });
        let shown = payload(&response, "");
        assert_eq!(shown["UsedAhead"], object!([0, 2]));
        assert_eq!(shown["LeftOut"], object!([8]));
        let plain = payload(&ContractResponse::default().into(), "");
        assert_eq!(plain.get("LeftOut"), None);
    }
}
