//! Answers to hook calls that travel with a request, before they are asked (docs/spec/wire.md#read-ahead).

use super::{AnswersAhead, Message, MessageKind};
use bytes::Bytes;
use prost::Message as _;

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

impl AnswersAhead {
    /// The answers as a field of a request; empty if there are none.
    pub(crate) fn into_field(self) -> Bytes {
        self.encode_to_vec().into()
    }
}

impl Message {
    /// The fields as protobuf, without an envelope.
    pub(crate) fn fields(&self) -> Bytes {
        let mut out = Vec::new();
        self.write_protobuf(&mut out);
        out.into()
    }

    /// A message of a kind with these fields; `None` if they are malformed.
    pub(crate) fn of_fields(kind: MessageKind, fields: &[u8]) -> Option<Message> {
        let mut message = Message::zero(kind.wire());
        let mut envelope = super::Envelope::default();
        message.read_protobuf(&mut envelope, fields).ok()?;
        Some(message)
    }
}

/// A set of answers by their place: bit `n % 8` of byte `n / 8` stands for answer `n`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct AnswerSet(Vec<u8>);

impl AnswerSet {
    /// The set in the field of a response.
    pub(crate) fn of_field(field: &Bytes) -> AnswerSet {
        AnswerSet(field.to_vec())
    }

    pub(crate) fn contains(&self, answer: usize) -> bool {
        let byte = self.0.get(answer / 8).copied().unwrap_or_default();
        byte >> (answer % 8) & 1 == 1
    }
}

/// What only a child needs.
#[cfg(any(feature = "vm", fuzzing, test))]
impl AnswerSet {
    /// The set as a field of a response; empty if it has no answers.
    pub(crate) fn into_field(self) -> Bytes {
        self.0.into()
    }

    pub(crate) fn insert(&mut self, answer: usize) {
        let (byte, bit) = (answer / 8, answer % 8);
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut set = AnswerSet::default();
        for answer in [0, 9, 23] {
            set.insert(answer);
        }
        let field = set.into_field();
        assert_eq!(field, &[1, 2, 128][..]);
        let set = AnswerSet::of_field(&field);
        let found: Vec<usize> = (0..100).filter(|answer| set.contains(*answer)).collect();
        assert_eq!(found, [0, 9, 23]);
        assert!(AnswerSet::default().into_field().is_empty());
    }
}
