//! Templates of hook calls: the fields of a call in which places are left open for parts of the request and of earlier
//! answers.

use super::parts::{Piece, pieces};
use super::sources::{Gist, Sources, TemplateId};
use crate::messages::ahead::{put_key, put_varint, start_field};
use crate::messages::storage_fields::StorageRequests;
use crate::messages::{Message, MessageKind};
use crate::short_bytes::ShortBytes;
use bytes::Bytes;
use prost::encoding::{WireType, decode_key, decode_varint};
use std::borrow::Cow;
use std::hash::{Hash, Hasher};

/// A hook call as templates know it: an account is asked for without the code hash that the child knows.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub kind: MessageKind,
    /// The fields as protobuf.
    pub fields: Bytes,
    message: Message,
}

impl Question {
    /// The question of this hook call. Shares no memory with it, which may be a part of a large frame.
    pub(super) fn new(kind: MessageKind, message: &Message) -> Option<Question> {
        Question::of_fields(kind, message.fields())
    }

    /// The question with these fields; `None` if they are malformed.
    fn of_fields(kind: MessageKind, fields: Bytes) -> Option<Question> {
        let message = Message::of_fields(kind, fields.clone())?;
        Some(Question {
            kind,
            fields,
            message,
        })
    }

    /// The hook call.
    pub(super) fn message(&self) -> &Message {
        &self.message
    }
}

// The message follows from the fields.
impl PartialEq for Question {
    fn eq(&self, other: &Question) -> bool {
        (self.kind, &self.fields) == (other.kind, &other.fields)
    }
}

impl Eq for Question {}

impl Hash for Question {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.kind, &self.fields).hash(hasher);
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    /// One less than the nonce of an account that another template asks for: a deploy counts its transaction.
    NonceBefore(TemplateId),
    Bytes(Vec<Piece>),
}

/// Memory for the fields of filled templates.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// Those of the last one.
    fields: Vec<u8>,
    /// Those of all questions.
    strings: ShortBytes,
    storage: StorageRequests,
}

impl Filled {
    /// The question with the last fields; `None` if they are malformed.
    fn question(&mut self, kind: MessageKind) -> Option<Question> {
        let fields = self.strings.copy(&self.fields);
        let is_storage = kind == MessageKind::BlockchainGetStorageDataRequest;
        match self.storage.read(&fields).filter(|_| is_storage) {
            Some(request) => Some(Question {
                kind,
                fields,
                message: request.into(),
            }),
            None => Question::of_fields(kind, fields),
        }
    }
}

/// A question with open places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Template {
    /// Without any.
    Fixed(Question),
    Open {
        kind: MessageKind,
        /// Field numbers and values.
        fields: Vec<(u32, Value)>,
    },
}

impl Template {
    /// The template of a question with an open place wherever a part of a source stands; `None` if there is none.
    pub(super) fn open(question: &Question, sources: &Sources) -> Option<Template> {
        let mut fields = Vec::new();
        let mut rest = &question.fields[..];
        let mut is_open = false;
        while !rest.is_empty() {
            let (number, wire_type) = decode_key(&mut rest).ok()?;
            let value = match wire_type {
                WireType::Varint => number_value(decode_varint(&mut rest).ok()?, sources),
                WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                    let (value, after) = rest.split_at_checked(length)?;
                    rest = after;
                    Value::Bytes(pieces(value, sources))
                }
                _ => return None,
            };
            is_open |= value.is_open();
            fields.push((number, value));
        }
        let kind = question.kind;
        is_open.then_some(Template::Open { kind, fields })
    }

    /// The question with its places filled; `None` if a source is missing or too short.
    pub(super) fn fill(&self, sources: &Sources, filled: &mut Filled) -> Option<Cow<'_, Question>> {
        self.fill_like(None, sources, filled)
    }

    /// Like [`fill`](Self::fill), with a template that may have the same question without open places: then that is lent, which
    /// saves to decode it.
    pub(super) fn fill_like<'a>(
        &'a self,
        other: Option<&'a Template>,
        sources: &Sources,
        filled: &mut Filled,
    ) -> Option<Cow<'a, Question>> {
        let (kind, fields) = match self {
            Template::Fixed(question) => return Some(Cow::Borrowed(question)),
            Template::Open { kind, fields } => (*kind, fields),
        };
        filled.fields.clear();
        for (number, value) in fields {
            value.write(*number, sources, &mut filled.fields)?;
        }
        match other {
            Some(Template::Fixed(same)) if same.kind == kind && same.fields == filled.fields => {
                Some(Cow::Borrowed(same))
            }
            _ => filled.question(kind).map(Cow::Owned),
        }
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let pieces = match self {
            Template::Fixed(question) => question.fields.len(),
            Template::Open { fields, .. } => 64 * fields.len(),
        };
        size_of::<Template>() + pieces
    }
}

impl Value {
    fn is_open(&self) -> bool {
        match self {
            Value::Number(_) => false,
            Value::NonceBefore(_) => true,
            Value::Bytes(pieces) => pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Open { .. })),
        }
    }

    /// Appends the field as protobuf. Like prost, leaves out zero and empty values.
    fn write(&self, number: u32, sources: &Sources, out: &mut Vec<u8>) -> Option<()> {
        let varint = match self {
            Value::Number(value) => *value,
            Value::NonceBefore(id) => sources.gist(*id)?.nonce?.saturating_sub(1),
            Value::Bytes(pieces) => return write_pieces(number, pieces, sources, out),
        };
        if varint != 0 {
            put_key(number, WireType::Varint, out);
            put_varint(varint, out);
        }
        Some(())
    }
}

/// Appends a field of bytes as protobuf; an empty one is left out.
fn write_pieces(number: u32, pieces: &[Piece], sources: &Sources, out: &mut Vec<u8>) -> Option<()> {
    if let [piece] = pieces {
        let bytes = piece.bytes(sources)?;
        if !bytes.is_empty() {
            start_field(number, bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        return Some(());
    }
    let mut length = 0;
    for piece in pieces {
        length += piece.bytes(sources)?.len();
    }
    if length > 0 {
        start_field(number, length, out);
        for piece in pieces {
            out.extend_from_slice(piece.bytes(sources)?);
        }
    }
    Some(())
}

fn number_value(value: u64, sources: &Sources) -> Value {
    let is_next = |(_, gist): &&(TemplateId, Gist)| gist.nonce == value.checked_add(1);
    match sources.answers.iter().find(is_next) {
        Some((id, _)) => Value::NonceBefore(*id),
        None => Value::Number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        BlockchainGetStorageDataRequest, BlockchainGetUserAccountRequest,
        BlockchainNewAddressRequest,
    };
    use proptest::prelude::*;

    fn question(message: impl Into<Message>) -> Question {
        let message = message.into();
        let kind = MessageKind::from_wire(message.kind()).expect("known");
        Question::new(kind, &message).expect("well-formed")
    }

    fn filled(template: &Template, sources: &Sources) -> Option<Question> {
        template
            .fill(sources, &mut Filled::default())
            .map(Cow::into_owned)
    }

    fn storage(address: &[u8], key: &[u8]) -> Question {
        question(BlockchainGetStorageDataRequest {
            address: Bytes::copy_from_slice(address),
            index: Bytes::copy_from_slice(key),
        })
    }

    fn input<'a>(input: &[&'a [u8]]) -> Sources<'a> {
        Sources {
            input: input.to_vec(),
            answers: Vec::new(),
        }
    }

    #[test]
    fn a_key_with_the_caller_follows_the_caller() {
        let (alice, bob, contract) = ([1; 32], [2; 32], [3; 32]);
        let asked = storage(&contract, &[b"balance", &alice[..]].concat());
        let sources = input(&[&alice, &contract]);
        let template = Template::open(&asked, &sources).expect("open places");
        assert_eq!(filled(&template, &sources), Some(asked));
        let expected = storage(&contract, &[b"balance", &bob[..]].concat());
        assert_eq!(
            filled(&template, &input(&[&bob, &contract])),
            Some(expected)
        );
    }

    #[test]
    fn parts_of_arguments_are_open_and_short_ones_only_as_a_whole() {
        let first = b"0123456789abcdef";
        // A part in the middle, and the argument of one byte at the end.
        let asked = storage(b"contract", b"\x01456789\x00\x07");
        let template = Template::open(&asked, &input(&[first, b"\x07"])).expect("open places");
        let found = filled(&template, &input(&[b"ABCDEFGHIJKLMNOP", b"\x08\x09"]));
        let expected = storage(b"contract", b"\x01EFGHIJ\x00\x08\x09");
        assert_eq!(found, Some(expected));
        // A source that is too short fills nothing.
        assert_eq!(filled(&template, &input(&[b"ABCDE", b"\x08"])), None);
        assert_eq!(filled(&template, &input(&[b"ABCDEFGHIJKLMNOP"])), None);
        // Three equal bytes are chance.
        let asked = storage(b"contract", b"key 012 x");
        assert_eq!(Template::open(&asked, &input(&[first])), None);
    }

    #[test]
    fn zeros_are_chance_but_in_a_whole_argument() {
        let [one, other] = [b"\0\0\0\0\0\0\0\0\x05\0one", b"\0\0\0\0\0\0\0\0\x05\0two"];
        assert_eq!(
            Template::open(&storage(one, b"key"), &input(&[other])),
            None
        );
        let number = b"\0\0\0\0\0\0\0\x07";
        let asked = storage(one, &[b"order ", &number[..]].concat());
        assert!(Template::open(&asked, &input(&[number])).is_some());
        assert_eq!(
            Template::open(&asked, &input(&[b"\0\0\0\0\0\0\0\x07\x01"])),
            None
        );
    }

    #[test]
    fn a_filled_question_is_that_of_an_equal_fixed_template() {
        let (alice, bob) = ([1; 32], [2; 32]);
        let asked = storage(b"contract", &alice);
        let open = Template::open(&asked, &input(&[&alice])).expect("open");
        let fixed = Template::Fixed(asked);
        let mut memory = Filled::default();
        let mut filled = |caller| {
            let question = open.fill_like(Some(&fixed), &input(&[caller]), &mut memory);
            let question = question.expect("all sources are there");
            let is_lent = matches!(question, Cow::Borrowed(_));
            (is_lent, question.into_owned())
        };
        assert_eq!(filled(&alice), (true, storage(b"contract", &alice)));
        assert_eq!(filled(&bob), (false, storage(b"contract", &bob)));
    }

    #[test]
    fn the_address_of_a_new_contract_follows_from_earlier_answers() {
        let new_address = |creator: &'static str, creator_nonce| {
            question(BlockchainNewAddressRequest {
                creator_address: creator.into(),
                creator_nonce,
                vm_type: Bytes::from_static(&[5, 0]),
            })
        };
        let account = |address: &'static str| {
            question(BlockchainGetUserAccountRequest {
                address: address.into(),
                ..Default::default()
            })
        };
        let answers = |nonce, created: &str| {
            let of_account = Gist {
                nonce: Some(nonce),
                ..Gist::default()
            };
            let of_creation = Gist::of_bytes(created.as_bytes());
            vec![(3, of_account), (8, of_creation)]
        };
        let sources = |answers| Sources {
            input: vec![b"creator".as_slice()],
            answers,
        };
        let asked = new_address("creator", 6);
        let template = Template::open(&asked, &sources(answers(7, ""))).expect("open");
        let at_nonce = |nonce| filled(&template, &sources(answers(nonce, "")));
        assert_eq!(at_nonce(7), Some(asked));
        assert_eq!(at_nonce(8), Some(new_address("creator", 7)));
        assert_eq!(at_nonce(1), Some(new_address("creator", 0)));

        let asked = account("new address");
        let template = Template::open(&asked, &sources(answers(7, "new address")));
        let found = filled(&template.expect("open"), &sources(answers(7, "other")));
        assert_eq!(found, Some(account("other")));
    }

    proptest! {
        /// Whatever the sources are, a template filled from them asks what it was made of.
        #[test]
        fn a_template_asks_what_it_was_made_of(
            address in proptest::collection::vec(0u8..3, 0..40),
            key in proptest::collection::vec(0u8..3, 0..300),
            parts in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..300), 0..5),
        ) {
            let asked = storage(&address, &key);
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let sources = input(&parts);
            if let Some(template) = Template::open(&asked, &sources) {
                prop_assert_eq!(filled(&template, &sources), Some(asked));
            }
        }
    }
}
