//! Log lines and profiles as recorded from the reference: `tests/data/logs.jsonl`.

use arwen::logs::{line, profile};
use arwen::messages::Format;
use serde_json::Value;

fn rows() -> Vec<Value> {
    let text = include_str!("data/logs.jsonl");
    text.lines()
        .map(|row| serde_json::from_str(row).expect("a row"))
        .collect()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

#[test]
fn lines_of_the_reference_read_and_are_written_again_byte_by_byte() {
    let mut lines = 0;
    for row in rows() {
        if text(&row, "dir") == "child->parent" && row.get("accepted").is_none() {
            let payload = text(&row, "payload");
            let decoded = line::decode(Format::Json, payload.as_bytes()).expect("recorded");
            let mut frame = Vec::new();
            line::encode(Format::Json, &decoded, &mut frame).expect("fits");
            assert_eq!(String::from_utf8_lossy(&frame[4..]), payload);
            lines += 1;
        }
    }
    assert_eq!(lines, 17);
}

#[test]
fn odd_lines_read_as_the_reference_reads_them() {
    let (mut accepted, mut rejected) = (0, 0);
    for row in rows() {
        let Some(is_accepted) = row.get("accepted") else {
            continue;
        };
        let found = line::decode(Format::Json, text(&row, "payload").as_bytes());
        if is_accepted == &Value::Bool(false) {
            assert!(found.is_err(), "{row}");
            rejected += 1;
            continue;
        }
        let found = found.expect("accepted by the reference");
        let decoded: Value = serde_json::from_str(text(&row, "decoded")).expect("JSON");
        assert_eq!(found.message, text(&decoded, "Message"), "{row}");
        assert_eq!(found.logger_name, text(&decoded, "LoggerName"), "{row}");
        assert_eq!(Value::from(found.log_level), decoded["LogLevel"], "{row}");
        assert_eq!(Value::from(found.args), decoded["Args"], "{row}");
        let seconds = found.timestamp / 1_000_000_000;
        let time = match seconds {
            0 => "1970-01-01T00:00:00Z",
            1_600_000_000 => "2020-09-13T12:26:40Z",
            other => panic!("not recorded: {other}"),
        };
        assert_eq!(time, text(&decoded, "Timestamp"), "{row}");
        accepted += 1;
    }
    assert_eq!((accepted, rejected), (13, 3));
}

#[test]
fn profiles_are_the_recorded_ones() {
    let mut profiles = 0;
    for row in rows() {
        if text(&row, "dir") == "parent->child" {
            let payload = text(&row, "payload");
            let decoded = profile::decode(payload.as_bytes()).expect("recorded");
            let mut frame = Vec::new();
            profile::encode(&decoded, &mut frame).expect("fits");
            assert_eq!(String::from_utf8_lossy(&frame[4..]), payload);
            profiles += 1;
        }
    }
    assert_eq!(profiles, 3);
}
