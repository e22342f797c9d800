//! Answers to hook calls that came with the current request (docs/spec/wire.md#read-ahead).

use super::left_out::leave_out;
use crate::messages::ahead::AnswerSet;
use crate::messages::answer_places::{AnswerPlace, answer_places};
use crate::messages::elements::{self, Elements};
use crate::messages::storage_fields::StorageCalls;
use crate::messages::{
    BlockchainGetStorageDataResponse, ContractResponse, HookRequest, Message, MessageKind,
};
use bytes::Bytes;
use std::collections::HashMap;

/// So many answers are looked through one after the other.
const FEW: usize = 8;

/// The kind of calls for storage values.
const STORAGE: u32 = MessageKind::BlockchainGetStorageDataRequest as u32;

/// Memory for the fields of a call that is kept for the next request, in bytes.
const MOST_KEPT: usize = 64 << 10;

/// The answers that came with a request, and which of them were used.
///
/// Answers don't change within a request, so one that was used serves the next call that asks the same, too.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The field of the request, with all answers.
    field: Bytes,
    /// The bits of the kinds of all answers: a call of another kind is not looked for.
    kinds: u64,
    /// Where each answer is in the field. An answer is decoded when it is asked for.
    answers: Vec<AnswerPlace>,
    used: AnswerSet<Vec<u8>>,
    /// Whether the output may leave out what the answers tell.
    may_leave_out: bool,
    /// The answer that is expected to be used next: calls mostly come in the order of the answers.
    next: usize,
    /// The places of all answers by kind and call, once a call came in another order.
    places: Option<HashMap<u32, HashMap<Bytes, usize>>>,
    /// The fields of the last call.
    call: Vec<u8>,
    storage: StorageCalls,
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
        let kinds = self.answers.iter().map(|answer| bit_of(answer.kind));
        self.kinds = kinds.fold(0, |kinds, bit| kinds | bit);
        self.field = field;
        self.may_leave_out = read.ok_or_else(|| {
            self.clear();
            MalformedField
        })?;
        Ok(())
    }

    /// Drops the answers; memory is kept for the next ones.
    pub(super) fn clear(&mut self) {
        self.field = Bytes::new();
        self.answers.clear();
        if self.call.capacity() > MOST_KEPT {
            self.call = Vec::new();
        }
        self.kinds = 0;
        self.next = 0;
        self.places = None;
    }

    /// The answer to a hook call and its error message, if it is there.
    pub(super) fn take<R: HookRequest>(&mut self, call: &R) -> Option<(R::Response, String)> {
        if self.kinds & bit_of(R::KIND.wire()) == 0 {
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
        self.used.insert(place);
        self.next = place + 1;
        Some((response, error))
    }

    /// Like [`take`](Self::take), for a storage value and without the message of the call: `Some(None)` if there is none.
    pub(super) fn take_storage(&mut self, address: &[u8], key: &[u8]) -> Option<Option<Bytes>> {
        if self.kinds & bit_of(STORAGE) == 0 {
            return None;
        }
        let place = self.place_of_storage(address, key)?;
        let answer = &self.answers[place];
        str::from_utf8(&self.field[answer.error.clone()]).ok()?;
        let data = match self.storage.value(&self.field[answer.response.clone()]) {
            Some(value) => value.map(|value| self.field.slice_ref(value)),
            None => {
                let field = self.field.slice(answer.response.clone());
                read::<BlockchainGetStorageDataResponse>(field)?.data
            }
        };
        self.used.insert(place);
        self.next = place + 1;
        Some(data)
    }

    /// The place of the answer to a call for a storage value.
    fn place_of_storage(&mut self, address: &[u8], key: &[u8]) -> Option<usize> {
        self.call.clear();
        self.storage.write_request(address, key, &mut self.call);
        self.find(STORAGE)
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

    /// Has a response tell which answers were used.
    pub(super) fn tell_used(&self, response: &mut ContractResponse) {
        response.used_ahead = self.used.to_field();
    }

    /// Whether the output may leave out what the answers tell, and there are any.
    pub(super) fn may_leave_out(&self) -> bool {
        self.may_leave_out && !self.answers.is_empty()
    }

    /// Has the output of a response leave out what the answers tell.
    pub(super) fn leave_out(&mut self, response: &mut ContractResponse) {
        let Some(output) = response.vm_output.as_mut() else {
            return;
        };
        let mut answers = self.answers.iter();
        self.next = match answers.position(|answer| answer.kind == STORAGE) {
            Some(first) => first,
            None => return,
        };
        let left_out = leave_out(output, |address, update| {
            let place = self.place_of_storage(address, &update.offset)?;
            self.next = place + 1;
            let response = &self.field[self.answers[place].response.clone()];
            let value = self.storage.value(response)??;
            (update.data == value).then_some(place)
        });
        response.left_out = left_out.to_field();
    }
}

/// The bit of a kind.
fn bit_of(kind: u32) -> u64 {
    1 << (kind % u64::BITS)
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
    use crate::messages::null::not_null;
    use crate::messages::*;
    use prost::Message as _;

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
        let field = AnswersAhead {
            answers,
            may_leave_out: true,
        };
        let field = field.encode_to_vec();
        let mut ahead = Ahead::default();
        assert_eq!(ahead.begin(field.into()), Ok(()));
        ahead
    }

    /// Which answers the response says were used.
    fn finish(ahead: &mut Ahead) -> Bytes {
        let mut response = ContractResponse::default();
        ahead.tell_used(&mut response);
        ahead.clear();
        response.used_ahead
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
            assert_eq!(finish(&mut ahead), &[0b1011][..]);
            assert_eq!(take(&mut ahead, "c"), None, "they were for one request");
            assert_eq!(ahead.begin(Bytes::new()), Ok(()));
            assert!(finish(&mut ahead).is_empty());
        }
    }

    fn update(key: &'static str, value: Bytes) -> StorageUpdateEntry {
        StorageUpdateEntry {
            key: key.into(),
            value: Some(StorageUpdate {
                offset: key.into(),
                data: value,
            }),
        }
    }

    /// A response whose output has these updates at each address.
    fn output(addresses: &[&'static str], updates: &[StorageUpdateEntry]) -> ContractResponse {
        let accounts = addresses.iter().map(|address| OutputAccountEntry {
            key: (*address).into(),
            value: Some(OutputAccount {
                address: (*address).into(),
                storage_updates: updates.to_vec(),
                ..OutputAccount::default()
            }),
        });
        ContractResponse {
            vm_output: Some(VmOutput {
                output_accounts: accounts.collect(),
                ..VmOutput::default()
            }),
            ..ContractResponse::default()
        }
    }

    #[test]
    fn an_output_leaves_out_what_only_repeats_an_answer() {
        let answers = vec![
            answer("b", "2"),
            answer("a", "1"),
            answer("c", "3"),
            answer("null", ""),
        ];
        let [a, b, empty] = [
            update("a", "1".into()),
            update("b", "2".into()),
            update("null", not_null("")),
        ];
        let whole = [a.clone(), b.clone(), empty.clone()];
        let changed = [
            update("c", "4".into()),
            update("d", "1".into()),
            update("null", Bytes::new()),
        ];
        let all = [&whole[..2], &changed[..2], std::slice::from_ref(&empty)].concat();
        let unsorted = [b.clone(), a.clone()];
        for (found, left, bits) in [
            (&whole[..], &[][..], &[0b1011][..]),
            (&changed, &changed, &[]),
            (&all, &changed[..2], &[0b1011]),
            (&unsorted, &unsorted, &[]),
        ] {
            let mut response = output(&["contract", "other"], found);
            ahead(answers.clone()).leave_out(&mut response);
            let mut expected = output(&["contract", "other"], found);
            let accounts = &mut expected.vm_output.as_mut().expect("there").output_accounts;
            accounts[0].value.as_mut().expect("there").storage_updates = left.to_vec();
            expected.left_out = Bytes::copy_from_slice(bits);
            assert_eq!(response, expected);
        }
        let mut response = output(&["contract"], &whole);
        let mut changed = ahead(answers);
        changed.drop_before(MessageKind::BlockchainProcessBuiltinFunctionRequest);
        changed.leave_out(&mut response);
        assert_eq!(response, output(&["contract"], &whole));
    }

    #[test]
    fn an_unreadable_answer_is_not_used() {
        let mut torn = answer("a", "1");
        torn.response = torn.response.slice(..2);
        let mut ahead = ahead(vec![torn]);
        assert_eq!(take(&mut ahead, "a"), None);
        assert!(finish(&mut ahead).is_empty());
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
        assert_eq!(finish(&mut ahead), &[1][..], "what was used is still told");
    }
}
