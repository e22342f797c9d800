//! Properties of the codec: of messages of every kind, and of bytes that are none.

use crate::arbitrary::{Entropy, Keys, Schema};
use crate::recorded::{cut, messages};
use arwen::internal::codec::{self, Format, MessageError};
use arwen::messages::{Envelope, Message, kind_name};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

type Decoded = (Envelope, Message);

fn encoded(format: Format, (envelope, message): &Decoded) -> Vec<u8> {
    let mut frame = Vec::new();
    codec::encode_message(format, envelope, message, &mut frame).expect("a frame");
    let frame = cut(&frame);
    assert_eq!(frame.kind, envelope.kind);
    frame.payload.into()
}

fn decoded(format: Format, kind: u32, payload: &[u8]) -> Result<Decoded, MessageError> {
    codec::decode(format, kind, payload.to_vec())
}

/// What is read is written such that it is read again.
fn check_stability(format: Format, kind: u32, payload: &[u8]) {
    let Ok(message) = decoded(format, kind, payload) else {
        return;
    };
    let again = decoded(format, kind, &encoded(format, &message)).expect("our own");
    let twice = decoded(format, kind, &encoded(format, &again)).expect("our own");
    assert_eq!(again, twice, "{}", kind_name(kind));
}

#[test]
fn the_schema_has_all_kinds() {
    let kinds = Schema::load().kinds();
    assert!(kinds.len() >= 48, "{kinds:?}");
}

proptest! {
    #[test]
    fn messages_of_every_kind_survive_both_formats(entropy in vec(any::<u8>(), 0..600)) {
        let schema = Schema::load();
        for (kind, name) in schema.kinds() {
            let message = schema.arbitrary(kind, name, &mut Entropy(&entropy), Keys::Text);
            for format in [Format::Json, Format::Protobuf] {
                let again = decoded(format, kind, &encoded(format, &message));
                prop_assert_eq!(again.as_ref(), Ok(&message), "{} {:?}", name, format);
            }
        }
    }

    #[test]
    fn the_length_of_the_json_is_what_is_limited(entropy in vec(any::<u8>(), 0..600)) {
        let schema = Schema::load();
        for (kind, name) in schema.kinds() {
            let (envelope, message) = schema.arbitrary(kind, name, &mut Entropy(&entropy), Keys::Bytes);
            // An envelope as long as they get.
            let envelope = Envelope { dialogue_nonce: u32::MAX, ..envelope };
            let message = (envelope, message);
            let json = encoded(Format::Json, &message).len();
            let protobuf = encoded(Format::Protobuf, &message).len();
            // What a message is not measured for that is far below the limit.
            prop_assert!(protobuf < json && json < 64 * (protobuf + 128), "{}", name);
            if let (envelope, Message::ContractResponse(response)) = message {
                let check = |limit| codec::check_length(&envelope.error_message, &*response, limit as u32);
                prop_assert_eq!(check(json), Ok(()));
                prop_assert_eq!(check(json - 1).map_err(|error| error.length), Err(json));
            }
        }
    }

    #[test]
    fn keys_that_are_no_text_cost_no_entry(entropy in vec(any::<u8>(), 0..600)) {
        let schema = Schema::load();
        for (kind, name) in schema.kinds() {
            let message = schema.arbitrary(kind, name, &mut Entropy(&entropy), Keys::Bytes);
            let protobuf = encoded(Format::Protobuf, &message);
            let again = decoded(Format::Protobuf, kind, &protobuf);
            prop_assert_eq!(again.as_ref(), Ok(&message), "{}", name);

            let json = encoded(Format::Json, &message);
            let again = decoded(Format::Json, kind, &json).expect("our own");
            // Entries keep their values and their order.
            let values = |message| {
                let protobuf = encoded(Format::Protobuf, message);
                schema.without_keys(name, &protobuf)
            };
            prop_assert_eq!(values(&again), values(&message), "{}", name);
            prop_assert_eq!(encoded(Format::Json, &again), json, "{}", name);
        }
    }

    #[test]
    fn arbitrary_bytes_are_messages_or_errors(kind in 0..60_u32, payload in vec(any::<u8>(), 0..200)) {
        for format in [Format::Json, Format::Protobuf] {
            check_stability(format, kind, &payload);
        }
    }

    #[test]
    fn broken_messages_are_messages_or_errors(
        row: Index,
        edits in vec((any::<Index>(), 0..3_u8, any::<u8>()), 1..6),
        entropy in vec(any::<u8>(), 0..300),
    ) {
        let rows = messages();
        let row = &rows[row.index(rows.len())];
        let schema = Schema::load();
        let mut protobuf = Vec::new();
        if let Some((kind, name)) = schema.kinds().iter().find(|(kind, _)| *kind == row.kind) {
            let message = schema.arbitrary(*kind, name, &mut Entropy(&entropy), Keys::Bytes);
            protobuf = encoded(Format::Protobuf, &message);
        }
        for (format, mut payload) in [(Format::Json, row.payload.into()), (Format::Protobuf, protobuf)] {
            for (at, edit, byte) in &edits {
                let at = at.index(payload.len() + 1);
                match edit {
                    0 => payload.truncate(at),
                    1 => payload.insert(at, *byte),
                    _ => payload[at..].iter_mut().take(1).for_each(|old| *old = *byte),
                }
            }
            check_stability(format, row.kind, &payload);
        }
    }

    /// serde_json is another reader of the same grammar, but for surrogates and bytes that are not UTF-8, which are not
    /// among these pieces.
    #[test]
    fn what_is_json_is_what_serde_takes_for_json(text in pieces_of_json()) {
        let member = format!("{{\"X\":{text}}}");
        let ours = decoded(Format::Json, 1000, member.as_bytes());
        let serde: Result<Value, _> = serde_json::from_str(&member);
        prop_assert_eq!(ours.is_ok(), serde.is_ok(), "{:?} {:?}", ours, serde);
    }
}

fn pieces_of_json() -> impl Strategy<Value = String> {
    const PIECES: [&str; 32] = [
        "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"a\":", "\\n", "\\u00e9", "\\", "\\u12",
        "0", "1", "-", "12.5", ".", "e3", "E+2", "true", "null", "false", " ", "\n", "tru",
        "\u{1}", "é", "[]", "{}", "\"\"", "[1,",
    ];
    vec(proptest::sample::select(&PIECES[..]), 0..8).prop_map(|pieces| pieces.concat())
}
