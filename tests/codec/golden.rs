//! The recorded frames in both formats: cut short, and with a bit flipped. Whole and in pieces they are read in `frames`.

use crate::recorded::{Recorded, cut, json_lines, messages};
use arwen::internal::codec::{self, Format};
use arwen::internal::frame::{Decoder, FrameError, Header};
use arwen::internal::logs::line;
use arwen::messages::*;
use bytes::Bytes;
use std::ops::Range;

const LIMIT_BYTES: u32 = 1 << 20;

/// The recorded message as a frame of this format.
fn golden(format: Format, row: &Recorded) -> Vec<u8> {
    let frame = row.frame();
    if format == Format::Json {
        return frame;
    }
    let frame = cut(&frame);
    let (envelope, message) =
        codec::decode(Format::Json, frame.kind, frame.payload).expect("recorded");
    let mut out = Vec::new();
    codec::encode_message(format, &envelope, &message, &mut out).expect("a frame");
    out
}

/// Reads what a decoder makes of the bytes: frames, each of which is a message or an error.
fn read(format: Format, bytes: &[u8]) -> (usize, Result<(), FrameError>) {
    let mut decoder = Decoder::new(Header::Preamble, LIMIT_BYTES);
    decoder.push(bytes);
    let mut messages = 0;
    while let Some(frame) = decoder.next() {
        match frame {
            Ok(frame) => {
                messages += usize::from(codec::decode(format, frame.kind, frame.payload).is_ok())
            }
            Err(error) => return (messages, Err(error)),
        }
    }
    (messages, decoder.end())
}

#[test]
fn protobuf_frames_may_come_in_any_two_pieces() {
    for row in messages() {
        let bytes = golden(Format::Protobuf, &row);
        let whole = cut(&bytes);
        for at in 0..=bytes.len() {
            let mut decoder = Decoder::new(Header::Preamble, LIMIT_BYTES);
            decoder.push(&bytes[..at]);
            let early = decoder.next();
            assert_eq!(early.is_some(), at == bytes.len(), "{} {at}", row.case);
            decoder.push(&bytes[at..]);
            let frame = early.or_else(|| decoder.next());
            assert_eq!(frame, Some(Ok(whole.clone())), "{} {at}", row.case);
            assert!(decoder.is_empty());
        }
    }
}

#[test]
fn every_prefix_of_a_payload_is_a_message_or_an_error() {
    for format in [Format::Json, Format::Protobuf] {
        let mut messages_read = 0;
        for row in messages() {
            let payload = cut(&golden(format, &row)).payload;
            assert!(
                codec::decode(format, row.kind, payload.clone()).is_ok(),
                "{}",
                row.case
            );
            for end in 0..payload.len() {
                let prefix = codec::decode(format, row.kind, payload.slice(..end));
                messages_read += usize::from(prefix.is_ok());
            }
        }
        // No prefix of an object is JSON. Protobuf can end behind any field.
        assert_eq!(messages_read > 0, format == Format::Protobuf);
    }
}

#[test]
fn every_bit_flip_of_json_gives_a_message_or_an_error() {
    check_bit_flips(Format::Json);
}

#[test]
fn every_bit_flip_of_protobuf_gives_a_message_or_an_error() {
    check_bit_flips(Format::Protobuf);
}

fn check_bit_flips(format: Format) {
    let (mut flips, mut messages_read, mut torn) = (0, 0, 0);
    for row in messages() {
        let mut bytes = golden(format, &row);
        assert_eq!(read(format, &bytes), (1, Ok(())), "{}", row.case);
        for bit in bits(&bytes) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (messages, end) = read(format, &bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(messages <= 1 || bit < 32, "{} {bit}", row.case);
            flips += 1;
            messages_read += messages;
            torn += usize::from(end.is_err());
        }
    }
    assert!(
        messages_read > flips / 10 && messages_read < flips,
        "{messages_read} of {flips}"
    );
    // A longer length always tears the stream, in every frame.
    assert!(torn > 1258 * 20, "{torn}");
}

/// The bits to flip: all, but of long payloads those of the beginning.
fn bits(frame: &[u8]) -> Range<usize> {
    0..8 * frame.len().min(2048)
}

#[test]
fn byte_strings_of_a_decoded_payload_lie_in_the_frame() {
    let code = vec![7; 40 << 10];
    let key = vec![9; 32];
    let account = BlockchainGetUserAccountResponse {
        account: Some(Account {
            code: code.into(),
            balance: Some(300_u64.into()),
            ..Default::default()
        }),
    };
    let state = BlockchainGetAllStateResponse {
        all_state: vec![StorageDataEntry {
            key: key.into(),
            value: Bytes::from_static(b"value"),
        }],
        ..Default::default()
    };
    let inside = |payload: &Bytes, value: &Bytes| {
        let (payload, value) = (payload.as_ptr_range(), value.as_ptr_range());
        assert!(payload.start <= value.start && value.end <= payload.end);
    };
    let payload = |message: &Message| {
        let envelope = Envelope {
            kind: message.kind(),
            ..Default::default()
        };
        let mut frame = Vec::new();
        codec::encode_message(Format::Protobuf, &envelope, message, &mut frame).expect("a frame");
        cut(&frame).payload
    };
    let bytes = payload(&account.into());
    match codec::decode(Format::Protobuf, 41, bytes.clone())
        .expect("our own")
        .1
    {
        Message::BlockchainGetUserAccountResponse(response) => {
            let account = response.account.expect("an account");
            inside(&bytes, &account.code);
            inside(&bytes, &account.balance.expect("a number").magnitude);
        }
        other => panic!("{other:?}"),
    }
    let bytes = payload(&state.into());
    match codec::decode(Format::Protobuf, 39, bytes.clone())
        .expect("our own")
        .1
    {
        Message::BlockchainGetAllStateResponse(response) => {
            inside(&bytes, &response.all_state[0].key);
            inside(&bytes, &response.all_state[0].value);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn recorded_log_lines_survive_protobuf() {
    let rows = json_lines(include_str!("../data/logs.jsonl"));
    let mut lines = 0;
    for row in rows.iter().filter(|row| row["dir"] != "parent->child") {
        let payload = row["payload"].as_str().expect("a payload").as_bytes();
        let Ok(expected) = line::decode(Format::Json, payload) else {
            continue;
        };
        let mut frame = Vec::new();
        line::encode(Format::Protobuf, &expected, &mut frame).expect("a frame");
        let again = line::decode(Format::Protobuf, &frame[Header::Log.size()..]);
        assert_eq!(again, Ok(expected));
        lines += 1;
    }
    assert!(lines > 10, "{lines}");
}
