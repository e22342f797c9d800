//! Arbitrary messages of every kind, made from the schema: a field that is added there is tested here.

use arwen::internal::codec::{self, Format};
use arwen::messages::{Envelope, Message, MessageKind, NameEntry};
use bytes::Bytes;
use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use std::collections::{BTreeMap, BTreeSet};

/// What the keys of maps are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keys {
    /// Text.
    Text,
    /// Any bytes.
    Bytes,
}

/// The messages of the schema.
pub struct Schema(BTreeMap<String, DescriptorProto>);

/// A source of decisions; zero when it is used up.
pub struct Entropy<'a>(pub &'a [u8]);

impl Entropy<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        match self.byte() % 5 {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => 1 << 63,
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.byte() % 6;
        (0..length).map(|_| self.byte()).collect()
    }

    /// Text with what JSON has to escape, what Go escapes, and what is long in UTF-8.
    fn text(&mut self) -> String {
        const LETTERS: [char; 16] = [
            'a',
            '"',
            '\\',
            '\n',
            '\0',
            '\x1f',
            '\x7f',
            '<',
            '&',
            '/',
            '\u{2028}',
            '\u{fffd}',
            'é',
            '\u{1f600}',
            '\u{17f}',
            'Z',
        ];
        let length = self.byte() % 6;
        (0..length)
            .map(|_| LETTERS[usize::from(self.byte()) % LETTERS.len()])
            .collect()
    }
}

impl Schema {
    pub fn load() -> Schema {
        let descriptors = include_bytes!(concat!(env!("OUT_DIR"), "/schema.bin"));
        let descriptors = FileDescriptorSet::decode(&descriptors[..]).expect("what build.rs wrote");
        let messages = descriptors
            .file
            .into_iter()
            .flat_map(|file| file.message_type);
        Schema(
            messages
                .map(|message| (message.name().to_owned(), message))
                .collect(),
        )
    }

    /// The kinds that have a message, with its name.
    pub fn kinds(&self) -> Vec<(u32, &'static str)> {
        (0..1000)
            .filter_map(MessageKind::from_wire)
            .map(|kind| (kind.wire(), kind.as_str_name()))
            .filter(|(_, name)| self.0.contains_key(*name))
            .collect()
    }

    /// A message of this kind.
    pub fn arbitrary(
        &self,
        kind: u32,
        name: &str,
        entropy: &mut Entropy<'_>,
        keys: Keys,
    ) -> (Envelope, Message) {
        let envelope = Envelope {
            dialogue_nonce: entropy.number() as u32,
            kind,
            error_message: entropy.text(),
        };
        let mut payload = envelope.encode_to_vec();
        payload.extend(self.message(name, entropy, keys));
        codec::decode(Format::Protobuf, kind, payload).expect("a message of the schema")
    }

    fn message(&self, name: &str, entropy: &mut Entropy<'_>, keys: Keys) -> Vec<u8> {
        let mut out = Vec::new();
        if name == "BigInt" {
            return big_int(entropy);
        }
        // Which lists are null survives JSON only where they are empty; that is tested on recorded messages.
        let fields = self.0[name].field.iter();
        for field in fields.filter(|field| field.name() != "null_lists") {
            let repeated = field.label() == Label::Repeated;
            // Only messages can be absent, and fields that say so; in JSON a VMInput can't.
            let optional = field.r#type() == Type::Message || field.proto3_optional();
            let count = match repeated {
                true => entropy.byte() % 4,
                false if optional && name_of_type(field) != "VMInput" => entropy.byte() % 2,
                false => 1,
            };
            let mut taken = BTreeSet::new();
            for _ in 0..count {
                if !is_length_delimited(field) {
                    encode_key(field.number() as u32, WireType::Varint, &mut out);
                    encode_varint(number(field, entropy), &mut out);
                    continue;
                }
                let value = self.value(field, entropy, keys);
                // A map has every key once.
                if !self.is_map(field) || taken.insert(key_of(&value)) {
                    encode_key(field.number() as u32, WireType::LengthDelimited, &mut out);
                    encode_varint(value.len() as u64, &mut out);
                    out.extend(value);
                }
            }
        }
        out
    }

    fn is_map(&self, field: &FieldDescriptorProto) -> bool {
        let message = self.0.get(name_of_type(field));
        message.is_some_and(|message| message.field[0].name() == "key")
    }

    fn value(
        &self,
        field: &FieldDescriptorProto,
        entropy: &mut Entropy<'_>,
        keys: Keys,
    ) -> Vec<u8> {
        match field.r#type() {
            Type::Message => self.message(name_of_type(field), entropy, keys),
            Type::Bytes if field.name() == "key" && keys == Keys::Text => entropy.text().into(),
            Type::Bytes => entropy.bytes(),
            _ => entropy.text().into(),
        }
    }

    /// The protobuf of a message without the keys of its maps.
    pub fn without_keys(&self, name: &str, mut protobuf: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while !protobuf.is_empty() {
            let (number, wire_type) = decode_key(&mut protobuf).expect("a field");
            let value = decode_varint(&mut protobuf).expect("a number or a length");
            encode_varint(u64::from(number), &mut out);
            if wire_type == WireType::Varint {
                encode_varint(value, &mut out);
                continue;
            }
            let (value, rest) = protobuf.split_at(value as usize);
            protobuf = rest;
            let mut fields = self.0[name].field.iter();
            match fields.find(|field| field.number() as u32 == number) {
                Some(field) if field.name() == "key" => {}
                Some(field) if field.r#type() == Type::Message => {
                    let value = self.without_keys(name_of_type(field), value);
                    encode_varint(value.len() as u64, &mut out);
                    out.extend(value);
                }
                _ => out.extend(value),
            }
        }
        out
    }
}

fn is_length_delimited(field: &FieldDescriptorProto) -> bool {
    matches!(field.r#type(), Type::Message | Type::Bytes | Type::String)
}

fn number(field: &FieldDescriptorProto, entropy: &mut Entropy<'_>) -> u64 {
    let number = entropy.number();
    match field.r#type() {
        Type::Bool => number & 1,
        Type::Uint32 => number & u64::from(u32::MAX),
        Type::Int32 => number as i32 as u64,
        Type::Uint64 | Type::Int64 => number,
        other => panic!("make up a {other:?} here"),
    }
}

fn key_of(entry: &[u8]) -> Bytes {
    NameEntry::decode(entry).expect("an entry has a key").key
}

/// The name of a message type, without its package.
fn name_of_type(field: &FieldDescriptorProto) -> &str {
    field.type_name().rsplit('.').next().unwrap_or_default()
}

/// A BigInt without leading zeros, and without a sign if it is zero.
fn big_int(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let number = match entropy.byte() % 3 {
        0 => entropy.bytes(),
        1 => vec![0xff; usize::from(entropy.byte())],
        _ => vec![entropy.byte()],
    };
    let magnitude: Vec<u8> = number.into_iter().skip_while(|byte| *byte == 0).collect();
    let number = arwen::messages::BigInt {
        negative: !magnitude.is_empty() && entropy.byte() % 2 == 1,
        magnitude: magnitude.into(),
    };
    number.encode_to_vec()
}
