//! Answers to hook calls that came with the current request (docs/spec/wire.md#read-ahead).

use crate::messages::answer_places::{AnswerPlace, answer_places};
use crate::messages::elements::{self, Elements};
use crate::messages::{HookRequest, Message, MessageKind};
use bytes::Bytes;
use std::collections::HashMap;

/// So many answers are looked through one after the other.
const FEW: usize = 8;

/// The answers that came with a request, and which of them were used.
///
/// Answers don't change within a request, so one that was used serves the next call that asks the same, too.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The field of the request, with all answers.
    field: Bytes,
    /// Where each answer is in the field. An answer is decoded when it is asked for.
    answers: Vec<AnswerPlace>,
    /// As a response tells them: bit `n % 8` of byte `n / 8` stands for answer `n`.
    used: Vec<u8>,
    /// The answer that is expected to be used next: calls mostly come in the order of the answers.
    next: usize,
    /// The places of all answers by kind and call, once a call came in another order.
    places: Option<HashMap<u32, HashMap<Bytes, usize>>>,
    /// The fields of the last call.
    call: Vec<u8>,
}

impl Ahead {
    /// Begins a request with the answers in its field. There are none if that is malformed, which is returned.
    pub(super) fn begin(&mut self, field: Bytes) -> Result<(), MalformedField> {
        self.clear();
        self.used.clear();
        if field.is_empty() {
            return Ok(());
        }
        let read = answer_places(&field, &mut self.answers);
        self.field = field;
        read.ok_or_else(|| {
            self.clear();
            MalformedField
        })
    }

    /// Drops the answers; memory is kept for the next ones.
    fn clear(&mut self) {
        self.field = Bytes::new();
        self.answers.clear();
        self.next = 0;
        self.places = None;
    }

    /// The answer to a hook call and its error message, if it is there.
    pub(super) fn take<R: HookRequest>(&mut self, call: &R) -> Option<(R::Response, String)> {
        if self.answers.is_empty() {
            return None;
        }
        self.call.clear();
        call.encode_raw(&mut self.call);
        let place = self.find(R::KIND.wire())?;
        let answer = &self.answers[place];
        let response = read(self.field.slice(answer.response.clone()))?;
        let error = str::from_utf8(&self.field[answer.error.clone()])
            .ok()?
            .to_owned();
        self.use_answer(place);
        self.next = place + 1;
        Some((response, error))
    }

    fn use_answer(&mut self, place: usize) {
        let byte = place / 8;
        if self.used.len() <= byte {
            self.used.resize(byte + 1, 0);
        }
        self.used[byte] |= 1 << (place % 8);
    }

    /// The place of the answer to the last call, which is of this kind.
    fn find(&mut self, kind: u32) -> Option<usize> {
        let is_it = |answer: &AnswerPlace| {
            answer.kind == kind && self.field[answer.request.clone()] == self.call
        };
        if self.answers.get(self.next).is_some_and(is_it) {
            return Some(self.next);
        }
        if self.answers.len() <= FEW {
            return self.answers.iter().position(is_it);
        }
        let places = self.places.get_or_insert_with(|| {
            let mut places: HashMap<u32, HashMap<Bytes, usize>> = HashMap::new();
            for (place, answer) in self.answers.iter().enumerate() {
                let of_kind = places.entry(answer.kind).or_default();
                of_kind.insert(self.field.slice(answer.request.clone()), place);
            }
            places
        });
        places.get(&kind)?.get(&self.call[..]).copied()
    }

    /// Drops the answers before a call that can change what they say.
    pub(super) fn drop_before(&mut self, kind: MessageKind) {
        if kind == MessageKind::BlockchainProcessBuiltinFunctionRequest {
            self.clear();
        }
    }

    /// Which answers were used, for the response. Drops all of them.
    pub(super) fn finish(&mut self) -> Bytes {
        self.clear();
        Bytes::copy_from_slice(&self.used)
    }
}

/// The field of a request is not a list of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedField;

/// Reads protobuf, within the memory that elements may take; `None` if it is malformed. Byte strings share its memory.
fn read<M: prost::Message + Default + Elements>(protobuf: Bytes) -> Option<M> {
    elements::check::<M>(&protobuf, elements::limit_bytes(protobuf.len())).ok()?;
    M::decode(protobuf).ok()
}

/// Takes the answers ahead out of a request.
pub(super) fn field_of(request: &mut Message) -> Bytes {
    match request {
        Message::ContractDeployRequest(request) => std::mem::take(&mut request.answers_ahead),
        Message::ContractCallRequest(request) => std::mem::take(&mut request.answers_ahead),
        _ => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::*;

    fn call(key: &'static str) -> BlockchainGetStorageDataRequest {
        BlockchainGetStorageDataRequest {
            address: "contract".into(),
            index: key.into(),
        }
    }

    fn response(value: &'static str) -> BlockchainGetStorageDataResponse {
        let data = Some(value.into());
        BlockchainGetStorageDataResponse { data }
    }

    fn answer(key: &'static str, value: &'static str) -> AnswerAhead {
        AnswerAhead {
            kind: BlockchainGetStorageDataRequest::KIND.wire(),
            request: Message::from(call(key)).fields(),
            response: Message::from(response(value)).fields(),
            error_message: String::new(),
        }
    }

    fn ahead(answers: Vec<AnswerAhead>) -> Ahead {
        let field = prost::Message::encode_to_vec(&AnswersAhead { answers });
        let mut ahead = Ahead::default();
        assert_eq!(ahead.begin(field.into()), Ok(()));
        ahead
    }

    fn take(ahead: &mut Ahead, key: &'static str) -> Option<BlockchainGetStorageDataResponse> {
        ahead.take(&call(key)).map(|(response, _)| response)
    }

    #[test]
    fn every_answer_and_its_error_survive_the_field() {
        for data in [None, Some(Bytes::new()), Some("value".into())] {
            let response = BlockchainGetStorageDataResponse { data };
            let answer = AnswerAhead {
                response: Message::from(response.clone()).fields(),
                error_message: "refused".to_owned(),
                ..answer("key", "")
            };
            let request = answer.request.clone();
            let asked = Message::of_fields(BlockchainGetStorageDataRequest::KIND, request);
            assert_eq!(asked, Some(call("key").into()));
            let taken = ahead(vec![answer]).take(&call("key"));
            assert_eq!(taken, Some((response, "refused".to_owned())));
        }
    }

    #[test]
    fn answers_are_found_in_any_order_and_again() {
        // More than a few are found another way.
        for more in [vec![], vec!["m", "n", "o", "p", "q", "r", "s"]] {
            let keys = [vec!["a", "b", "c", "d"], more].concat();
            let mut ahead = ahead(keys.iter().map(|key| answer(key, key)).collect());
            for key in ["a", "b", "d", "a", "a", "d"] {
                assert_eq!(take(&mut ahead, key), Some(response(key)), "{key}");
            }
            assert_eq!(take(&mut ahead, "e"), None);
            assert_eq!(ahead.take(&BlockchainLastNonceRequest {}), None);
            assert_eq!(ahead.finish(), &[0b1011][..]);
            assert_eq!(take(&mut ahead, "c"), None, "they were for one request");
            assert_eq!(ahead.begin(Bytes::new()), Ok(()));
            assert!(ahead.finish().is_empty());
        }
    }

    #[test]
    fn an_unreadable_answer_is_not_used() {
        let mut torn = answer("a", "1");
        torn.response = torn.response.slice(..2);
        let mut ahead = ahead(vec![torn]);
        assert_eq!(take(&mut ahead, "a"), None);
        assert!(ahead.finish().is_empty());
        assert_eq!(ahead.begin("torn".into()), Err(MalformedField));
        assert_eq!(take(&mut ahead, "a"), None);
    }

    #[test]
    fn what_may_change_the_world_drops_them() {
        let mut ahead = ahead(vec![answer("a", "1"), answer("b", "2")]);
        ahead.drop_before(MessageKind::BlockchainLastNonceRequest);
        assert!(take(&mut ahead, "a").is_some());
        ahead.drop_before(MessageKind::BlockchainProcessBuiltinFunctionRequest);
        assert_eq!(take(&mut ahead, "b"), None);
        assert_eq!(ahead.finish(), &[1][..], "what was used is still told");
    }
}
