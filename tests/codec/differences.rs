//! What the Go implementation makes of odd input, and where we differ on purpose.

use crate::equality::assert_same;
use crate::recorded::json_lines;
use arwen::internal::codec::{self, Format, MessageError};
use arwen::internal::frame::{Decoder, FrameError, Header};
use serde_json::Value;
use std::collections::BTreeSet;

/// What we do where Go does something else.
enum Here {
    /// The payload is rejected: its kind is not that of the preamble.
    KindMismatch,
    /// The message is accepted, and written as this: `#` is the kind.
    Writes(&'static str),
}

/// The recorded rows, by case and kinds, where we differ. docs/json.md has the reasons.
const DIFFERENCES: &[(&str, &[u32], Here)] = &[
    (
        "header: kind in payload overrides preamble",
        &[5],
        Here::KindMismatch,
    ),
    ("header: kind u32 max", &[5], Here::KindMismatch),
    (
        "header: unicode case fold (K=KELVIN SIGN)",
        &[5],
        Here::KindMismatch,
    ),
    ("header: escaped field name", &[5], Here::KindMismatch),
    (
        "header: exact + other case, other last",
        &[5],
        Here::KindMismatch,
    ),
    (
        "header: unusual preamble kind, payload says ContractResponse",
        &[0, 48, 49, 50, 1000, 4294967295],
        Here::KindMismatch,
    ),
    ("diagnose response: Kind wrong", &[47], Here::KindMismatch),
    (
        "header: unusual preamble kind, empty object",
        &[0, 48, 49, 50, 1000, 4294967295],
        Here::Writes(r##"{"DialogueNonce":0,"Kind":#,"ErrorMessage":""}"##),
    ),
    (
        "builtin request: CallInput null",
        &[34],
        Here::Writes(r##"{"DialogueNonce":2,"Kind":#,"ErrorMessage":"","CallInput":null}"##),
    ),
    (
        "initialize: empty",
        &[1],
        Here::Writes(r##"{"DialogueNonce":0,"Kind":#,"ErrorMessage":"","Arguments":null}"##),
    ),
    (
        "initialize: arguments null",
        &[1],
        Here::Writes(r##"{"DialogueNonce":0,"Kind":#,"ErrorMessage":"","Arguments":null}"##),
    ),
    (
        "initialize: old name ElrondProtectedKeyPrefix is unknown",
        &[1],
        Here::Writes(
            r##"{"DialogueNonce":0,"Kind":#,"ErrorMessage":"","Arguments":{"VMType":null,"BlockGasLimit":0,"GasSchedule":null,"ProtocolBuiltinFunctions":null,"Kalyan3104ProtectedKeyPrefix":null,"LogsMarshalizer":0,"MessagesMarshalizer":0,"ElrondProtectedKeyPrefix":"RUxST05E"}}"##,
        ),
    ),
];

/// The recorded payloads, without the torn frames.
fn rows() -> Vec<Value> {
    let rows = json_lines(include_str!("../data/decode.jsonl"));
    assert_eq!(rows.len(), 167);
    rows.into_iter()
        .filter(|row| row.get("kind").is_some())
        .collect()
}

fn name_of(row: &Value) -> (&str, u32) {
    let case = row["case"].as_str().expect("a case");
    (case, number(&row["kind"]))
}

fn number(value: &Value) -> u32 {
    let number = value.as_u64().expect("a number");
    u32::try_from(number).expect("a kind")
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hex")
        })
        .collect()
}

fn payload(row: &Value) -> Vec<u8> {
    match row["payload"].as_str() {
        Some(text) => text.into(),
        None => unhex(row["payload_hex"].as_str().expect("a payload")),
    }
}

#[test]
fn odd_payloads_are_taken_as_by_go_but_for_the_named_differences() {
    for row in rows() {
        let (case, kind) = name_of(&row);
        let what = format!("{case}, kind {kind}");
        let outcome = codec::decode(Format::Json, kind, payload(&row));
        let difference = DIFFERENCES
            .iter()
            .find(|(name, kinds, _)| *name == case && kinds.contains(&kind));
        let expected = match difference {
            None if row["accepted"] == false => {
                let error = outcome.expect_err(&what);
                assert!(
                    matches!(error, MessageError::Json { .. }),
                    "{what}: {error}"
                );
                continue;
            }
            Some((.., Here::KindMismatch)) => {
                let mismatch = MessageError::KindMismatch {
                    preamble: kind,
                    payload: number(&row["kindAfter"]),
                };
                assert_eq!(outcome, Err(mismatch), "{what}");
                continue;
            }
            Some((.., Here::Writes(text))) => text.replace('#', &kind.to_string()),
            None => row["reencoded"].as_str().expect("a payload").to_owned(),
        };
        let (envelope, message) = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut ours = Vec::new();
        codec::encode_message(Format::Json, &envelope, &message, &mut ours).expect("a frame");
        assert_same(kind, &ours[8..], &expected, &what);
    }
}

#[test]
fn torn_frames_are_errors() {
    let rows = json_lines(include_str!("../data/decode.jsonl"));
    let ends = rows.iter().filter_map(|row| {
        let bytes = unhex(row["frame_hex"].as_str()?);
        let mut decoder = Decoder::new(Header::Preamble, 1 << 20);
        decoder.push(&bytes);
        assert_eq!(decoder.next(), None);
        Some((decoder.end(), row["error"].as_str()?))
    });
    let ends: Vec<_> = ends.collect();
    // For Go the first one is an error too: its reader was asked for a frame.
    let expected = [
        (Ok(()), "EOF"),
        (
            Err(FrameError::TornHeader { have: 3, want: 8 }),
            "unexpected EOF",
        ),
        (
            Err(FrameError::TornPayload { have: 1, want: 5 }),
            "unexpected EOF",
        ),
    ];
    assert_eq!(ends, expected);
}

/// Each row of the table in docs/json.md names a case in backticks, and its kinds.
fn documented() -> BTreeSet<(String, u32)> {
    let text = include_str!("../../docs/json.md");
    let (_, section) = text
        .split_once("## Differences: recorded rows")
        .expect("docs/json.md lists the recorded rows where we differ");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut named = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let columns: Vec<_> = row.split('|').map(str::trim).collect();
        let case = columns[1].trim_matches('`');
        assert!(
            columns.len() == 6 && !columns[4].is_empty(),
            "no reason: {row}"
        );
        for kind in columns[2].split(", ") {
            named.insert((case.to_owned(), kind.parse().expect("a kind")));
        }
    }
    named
}

#[test]
fn every_difference_is_documented_and_recorded() {
    let listed: BTreeSet<_> = DIFFERENCES
        .iter()
        .flat_map(|(case, kinds, _)| kinds.iter().map(|kind| (case.to_string(), *kind)))
        .collect();
    assert_eq!(listed, documented());
    let rows = rows();
    let recorded: BTreeSet<_> = rows
        .iter()
        .map(name_of)
        .map(|(case, kind)| (case.to_owned(), kind))
        .collect();
    assert!(listed.is_subset(&recorded));
}
