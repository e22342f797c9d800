//! Answers to hook calls that travel with a request, before they are asked (docs/spec/wire.md#read-ahead).

use super::{Message, MessageKind};
use bytes::Bytes;
use prost::encoding::{WireType, encode_varint, encoded_len_varint};

/// The capability of a child that uses answers ahead, as it reports it in `Ready.capabilities`.
pub const READ_AHEAD: &str = "read-ahead";

/// Whether calls of this kind can be answered ahead: they only read. The VM does not ask for the kinds that are left out,
/// except for built-in functions, which change the world.
pub(crate) fn is_readable_ahead(kind: MessageKind) -> bool {
    use MessageKind::*;
    kind.is_hook_call()
        && !matches!(
            kind,
            BlockchainProcessBuiltinFunctionRequest
                | BlockchainGetBuiltinFunctionNamesRequest
                | BlockchainGetAllStateRequest
        )
}

/// Writes an [`AnswersAhead`](super::AnswersAhead) piece by piece.
#[derive(Debug, Default)]
pub(crate) struct AnswersField(Vec<u8>);

impl AnswersField {
    /// The length so far, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }

    /// Appends a hook call of this kind with these fields, and its answer.
    pub(crate) fn push(
        &mut self,
        kind: MessageKind,
        request: &[u8],
        answer: &Message,
        error: &str,
    ) {
        let out = &mut self.0;
        let (response, error) = (answer.fields_length(), error.as_bytes());
        let whole = 1
            + encoded_len_varint(kind.wire().into())
            + field_length(request.len())
            + field_length(response)
            + field_length(error.len());
        start_field(1, whole, out);
        put_key(1, WireType::Varint, out);
        put_varint(kind.wire().into(), out);
        if !request.is_empty() {
            start_field(2, request.len(), out);
            out.extend_from_slice(request);
        }
        if response > 0 {
            start_field(3, response, out);
            answer.write_protobuf(out);
        }
        if !error.is_empty() {
            start_field(4, error.len(), out);
            out.extend_from_slice(error);
        }
    }

    /// The field of a request, empty if there are no answers; the buffer is kept for the next one. `may_leave_out`: the output may
    /// leave out what the answers tell.
    pub(crate) fn take(&mut self, may_leave_out: bool) -> Bytes {
        if may_leave_out && !self.0.is_empty() {
            put_key(2, WireType::Varint, &mut self.0);
            put_varint(1, &mut self.0);
        }
        let field = Bytes::copy_from_slice(&self.0);
        self.clear();
        field
    }

    /// Drops what was written.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The length of a field with so many bytes. The keys of all fields take one byte; an empty field is left out.
fn field_length(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => 1 + encoded_len_varint(bytes as u64) + bytes,
    }
}

/// Appends the key and the length of a field of so many bytes.
pub(crate) fn start_field(number: u32, bytes: usize, out: &mut Vec<u8>) {
    put_key(number, WireType::LengthDelimited, out);
    put_varint(bytes as u64, out);
}

/// Appends the key of a field.
pub(crate) fn put_key(number: u32, wire_type: WireType, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | wire_type as u32), out);
}

/// Appends a number. Nearly all take one byte, for which prost's function takes long.
pub(crate) fn put_varint(value: u64, out: &mut Vec<u8>) {
    match value {
        ..0x80 => out.push(value as u8),
        _ => encode_varint(value, out),
    }
}

impl Message {
    /// The fields as protobuf, without an envelope.
    pub(crate) fn fields(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.fields_length());
        self.write_protobuf(&mut out);
        out.into()
    }

    /// A message of a kind with these fields, whose memory it shares; `None` if they are malformed.
    pub(crate) fn of_fields(kind: MessageKind, fields: Bytes) -> Option<Message> {
        let mut message = Message::zero(kind.wire());
        let mut envelope = super::Envelope::default();
        message.read_protobuf(&mut envelope, fields).ok()?;
        Some(message)
    }
}

/// A set of answers, as a response tells it: bit `n % 8` of byte `n / 8` stands for answer `n`. Zero bytes at the end are left out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct AnswerSet<B = Bytes>(B);

impl<B: AsRef<[u8]>> AnswerSet<B> {
    /// The set in the field of a response.
    pub(crate) fn of_field(field: B) -> AnswerSet<B> {
        AnswerSet(field)
    }

    pub(crate) fn contains(&self, answer: usize) -> bool {
        let byte = self.0.as_ref().get(answer / 8);
        byte.is_some_and(|byte| byte >> (answer % 8) & 1 == 1)
    }

    /// The answers, in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        let bytes = self.0.as_ref().iter().enumerate();
        let bytes = bytes.filter(|(_, byte)| **byte != 0);
        bytes.flat_map(|(place, byte)| {
            let bits = (0..8).filter(move |bit| byte >> bit & 1 == 1);
            bits.map(move |bit| 8 * place + bit)
        })
    }
}

#[cfg(any(feature = "vm", fuzzing, test))]
impl AnswerSet<Vec<u8>> {
    pub(crate) fn insert(&mut self, answer: usize) {
        let byte = answer / 8;
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (answer % 8);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The field of a response.
    pub(crate) fn to_field(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{AnswerAhead, AnswersAhead, BlockchainGetStorageDataResponse};
    use prost::Message as _;

    #[test]
    fn the_field_is_what_prost_writes() {
        let kind = MessageKind::BlockchainGetStorageDataRequest;
        let mut field = AnswersField::default();
        let mut answers = Vec::new();
        for (length, error) in [(0, ""), (1, "refused"), (200, ""), (70_000, "no")] {
            let data = Some(vec![7; length].into());
            let answer = Message::from(BlockchainGetStorageDataResponse { data });
            let request = Bytes::from(vec![9; length / 2]);
            field.push(kind, &request, &answer, error);
            answers.push(AnswerAhead {
                kind: kind.wire(),
                request,
                response: answer.fields(),
                error_message: error.to_owned(),
            });
        }
        let expected = AnswersAhead {
            answers,
            may_leave_out: true,
        };
        assert_eq!(field.take(true), expected.encode_to_vec());
        assert!(field.take(true).is_empty());
    }

    #[test]
    fn what_changes_the_world_is_not_answered_ahead() {
        let readable = |number| MessageKind::from_wire(number).is_some_and(is_readable_ahead);
        let kinds: Vec<u32> = (0..60).filter(|number| readable(*number)).collect();
        let even = |range: std::ops::RangeInclusive<u32>| range.step_by(2);
        let expected: Vec<u32> = even(6..=32).chain(even(40..=44)).collect();
        assert_eq!(kinds, expected);
    }

    #[test]
    fn sets_have_their_answers_only() {
        let mut written = AnswerSet::default();
        for answer in [23, 0, 9, 0] {
            written.insert(answer);
        }
        assert_eq!(written.to_field(), &[1, 2, 128][..]);
        let set = AnswerSet::of_field(written.to_field());
        let found: Vec<usize> = (0..100).filter(|answer| set.contains(*answer)).collect();
        assert_eq!(found, [0, 9, 23]);
        assert!(set.iter().eq(found));
        written.clear();
        assert_eq!(written.iter().next(), None);
        assert!(!AnswerSet::of_field(Bytes::new()).contains(0));
    }
}
