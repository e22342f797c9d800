//! What the Go implementation wrote: messages, kinds, log lines and log profiles.

use crate::equality::assert_same;
use arwen::internal::codec::{self, Format};
use arwen::internal::frame::{Decoder, Frame, Header};
use arwen::internal::json;
use arwen::messages::{LogLine, LogProfile, MessageKind, Role};
use serde_json::Value;

/// A recorded message.
pub struct Recorded {
    pub kind: u32,
    pub case: &'static str,
    pub payload: &'static str,
}

impl Recorded {
    /// The frame around the payload.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = (self.payload.len() as u32).to_le_bytes().to_vec();
        frame.extend(self.kind.to_le_bytes());
        frame.extend(self.payload.as_bytes());
        frame
    }
}

/// All recorded messages.
pub fn messages() -> Vec<Recorded> {
    let lines = include_str!("../data/messages.tsv").lines();
    let rows = lines.map(|line| {
        let mut columns = line.splitn(3, '\t');
        let mut column = || columns.next().expect("three columns");
        let kind = column().parse().expect("a kind");
        let (case, payload) = (column(), column());
        Recorded {
            kind,
            case,
            payload,
        }
    });
    rows.collect()
}

/// The rows of a JSON lines file.
pub fn json_lines(text: &str) -> Vec<Value> {
    let rows = text.lines();
    rows.map(|row| serde_json::from_str(row).expect("a JSON object per line"))
        .collect()
}

/// Decodes the bytes of one frame.
pub fn cut(bytes: &[u8]) -> Frame {
    let mut decoder = Decoder::new(Header::Preamble, 1 << 20);
    decoder.push(bytes);
    let frame = decoder.next().expect("a whole frame").expect("no fault");
    assert_eq!((decoder.next(), decoder.end()), (None, Ok(())));
    frame
}

#[test]
fn messages_mean_the_same_after_decoding_and_encoding() {
    let messages = messages();
    assert_eq!(messages.len(), 1258);
    for row in messages {
        let what = format!("{} {}", row.kind, row.case);
        let frame = cut(&row.frame());
        let (envelope, message) = codec::decode(Format::Json, frame.kind, frame.payload)
            .unwrap_or_else(|error| panic!("{what}: {error}"));

        let mut json = Vec::new();
        codec::encode_message(Format::Json, &envelope, &message, &mut json).expect("a frame");
        let ours = cut(&json);
        assert_eq!(ours.kind, row.kind, "{what}");
        assert_same(row.kind, &ours.payload, row.payload, &what);

        let mut protobuf = Vec::new();
        codec::encode_message(Format::Protobuf, &envelope, &message, &mut protobuf)
            .expect("a frame");
        let protobuf = cut(&protobuf);
        let again = codec::decode(Format::Protobuf, protobuf.kind, protobuf.payload);
        assert_eq!(again, Ok((envelope, message)), "{what}");
    }
}

/// What we write otherwise than Go, by kind and the beginning of the case (docs/json.md): maps that have a name twice, and
/// null log entries.
const WRITTEN_OTHERWISE: &[(u32, &str)] = &[
    (1, "adversarial"),
    (5, "adversarial"),
    (35, "adversarial"),
    (37, "adversarial"),
    (39, "adversarial"),
    (5, "response:colliding-keys"),
    (5, "rand3"),
    (35, "rand6"),
    (5, "output:gasRefund"),
    (5, "response:typical"),
    (5, "response:nil-entries"),
    (35, "builtin-response:typical"),
    (39, "allstate:binary-keys"),
];

/// Go escapes only those U+FFFD that stand for a byte that is not UTF-8, which a reader can't know.
fn with_escapes(payload: &str) -> String {
    payload.replace('\u{fffd}', "\\ufffd")
}

#[test]
fn messages_are_written_as_recorded() {
    let mut equal = 0;
    for row in messages() {
        let frame = cut(&row.frame());
        let (envelope, message) =
            codec::decode(Format::Json, frame.kind, frame.payload).expect("a message");
        let mut json = Vec::new();
        codec::encode_message(Format::Json, &envelope, &message, &mut json).expect("a frame");
        let ours = String::from_utf8(cut(&json).payload.to_vec()).expect("UTF-8");
        let otherwise = WRITTEN_OTHERWISE
            .iter()
            .any(|(kind, case)| *kind == row.kind && row.case.starts_with(case));
        if !otherwise {
            assert_eq!(ours, with_escapes(row.payload), "{} {}", row.kind, row.case);
            equal += 1;
        } else {
            assert_ne!(ours, with_escapes(row.payload), "{} {}", row.kind, row.case);
        }
    }
    assert_eq!(equal, 1237);
}

#[test]
fn kinds_are_those_of_the_table() {
    let rows: Vec<_> = include_str!("../data/kinds.tsv").lines().collect();
    assert_eq!(rows.len(), 50);
    for row in rows {
        let columns: Vec<_> = row.split('\t').collect();
        let kind = columns[0].parse().expect("a number");
        let kind = MessageKind::from_wire(kind).expect("a kind of ours");
        assert_eq!(kind.as_str_name(), columns[1]);
        let hook = matches!(kind.role(), Some(Role::HookRequest(_) | Role::HookResponse));
        assert_eq!(hook.to_string(), columns[2], "{kind:?}");
    }
    assert_eq!(MessageKind::from_wire(50), None);
}

#[test]
fn log_lines_and_profiles_are_written_as_recorded() {
    for row in json_lines(include_str!("../data/logs.jsonl")) {
        let payload = row["payload"].as_str().expect("a payload");
        let mut ours = Vec::new();
        if row["dir"] == "parent->child" {
            let mut profile = LogProfile::default();
            json::read_object(payload.as_bytes(), &mut profile).expect("a profile");
            codec::encode_json_object(&profile, false, &mut ours);
        } else if row.get("accepted").is_none() {
            let mut line = LogLine::default();
            json::read_object(payload.as_bytes(), &mut line).expect("a log line");
            codec::encode_json_object(&line, true, &mut ours);
        } else {
            continue;
        }
        assert_eq!(
            String::from_utf8(ours).expect("UTF-8"),
            with_escapes(payload)
        );
    }
}

#[test]
fn log_lines_are_read_as_by_the_go_parent() {
    let rows = json_lines(include_str!("../data/logs.jsonl"));
    let rows = rows.iter().filter(|row| row.get("accepted").is_some());
    assert_eq!(rows.clone().count(), 16);
    for row in rows {
        let mut line = LogLine::default();
        let payload = row["payload"].as_str().expect("a payload");
        let outcome = json::read_object(payload.as_bytes(), &mut line);
        assert_eq!(Value::Bool(outcome.is_ok()), row["accepted"], "{payload}");
        let Some(decoded) = row["decoded"].as_str() else {
            continue;
        };
        let decoded: Value = serde_json::from_str(decoded).expect("valid JSON");
        assert_eq!(line.message, decoded["Message"], "{payload}");
        assert_eq!(line.logger_name, decoded["LoggerName"], "{payload}");
        assert_eq!(Value::from(line.args), decoded["Args"], "{payload}");
        // Go keeps one byte of the level; the codec all of it.
        let level = line.log_level.to_le_bytes()[0];
        assert_eq!(Value::from(level), decoded["LogLevel"], "{payload}");
    }
}
