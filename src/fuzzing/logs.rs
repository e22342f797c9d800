//! Log lines, log profiles, and the levels that profiles choose.

use crate::frame::{Decoder, Header};
use crate::logs::{Level, line, profile};
use crate::messages::{Format, LogLine};

/// The levels of events, and those of the lines made of them.
const TRACED: [(tracing::Level, Level); 5] = [
    (tracing::Level::TRACE, Level::Trace),
    (tracing::Level::DEBUG, Level::Debug),
    (tracing::Level::INFO, Level::Info),
    (tracing::Level::WARN, Level::Warn),
    (tracing::Level::ERROR, Level::Error),
];

/// The first byte chooses what the others are.
pub fn log_lines(data: &[u8]) {
    let Some((choice, payload)) = data.split_first() else {
        return;
    };
    match choice % 4 {
        0 => log_line(Format::Json, payload),
        1 => log_line(Format::Protobuf, payload),
        2 => log_profile(payload),
        _ => levels(payload),
    }
}

/// A line that can be read reads the same again, in both formats.
fn log_line(format: Format, payload: &[u8]) {
    let Ok(read) = line::decode(format, payload) else {
        return;
    };
    assert!((0..256).contains(&read.log_level));
    for format in [Format::Json, Format::Protobuf] {
        let mut frame = Vec::new();
        line::encode(format, &read, &mut frame).expect("a short line");
        assert_eq!(line::decode(format, &cut(&frame)), Ok(read.clone()));
    }
    assert!(line::text_bytes(&read) <= 3 * payload.len());
    let level = u8::try_from(read.log_level).ok().and_then(Level::from_wire);
    if let Some(level) = level {
        made(level, read);
    }
}

/// A line made of the parts of another is that line, but for the correlation, which nobody sets. Its level keeps its
/// number, and the name that profiles call it by.
fn made(level: Level, read: LogLine) {
    let made = line::line(
        level,
        &read.logger_name,
        read.message.clone(),
        read.args.clone(),
        read.timestamp,
    );
    let correlation = made.correlation.clone();
    assert_eq!(
        made,
        LogLine {
            correlation,
            ..read
        }
    );
    assert_eq!(Level::from_wire(level.wire()), Some(level));
    let named = format!("*:{level}").parse::<profile::LevelPatterns>();
    assert!(named.is_ok(), "{named:?}");
}

/// Likewise a profile, whose levels then can be found.
fn log_profile(payload: &[u8]) {
    let Ok(read) = profile::decode(payload) else {
        return;
    };
    let mut frame = Vec::new();
    profile::encode(&read, &mut frame).expect("a short profile");
    assert_eq!(profile::decode(&cut(&frame)), Ok(read.clone()));
    levels(read.log_level_patterns.as_bytes());
}

/// The payload of the one frame.
fn cut(frame: &[u8]) -> bytes::Bytes {
    let mut decoder = Decoder::new(Header::Log, line::PAYLOAD_LIMIT_BYTES);
    decoder.push(frame);
    let cut = decoder.next().expect("a frame").expect("a short one");
    assert!(decoder.is_empty());
    cut.payload
}

/// Profiles, a line each, applied one after the other: every logger has the level of the last pattern that is for it.
fn levels(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let mut levels = profile::Levels::default();
    let mut rules = vec![("*", Level::Info)];
    for patterns in text.lines() {
        let parsed = patterns.parse::<profile::LevelPatterns>();
        let valid: Option<Vec<_>> = patterns.split(',').map(rule).collect();
        assert_eq!(parsed.is_ok(), valid.is_some(), "{patterns:?}");
        let (Ok(parsed), Some(valid)) = (parsed, valid) else {
            continue;
        };
        match levels.apply(&parsed) {
            Ok(()) => rules.extend(valid),
            Err(_) => assert!(rules.len() + valid.len() > profile::MAX_RULES),
        }
    }
    let names = rules.iter().map(|(part, _)| *part);
    for logger in names.chain(["arwen/host", ""]) {
        let mut last = rules.iter().rev();
        let found = last.find(|(part, _)| *part == "*" || logger.contains(part));
        let level = found.map(|(_, level)| *level);
        assert_eq!(Some(levels.of(logger)), level, "{logger:?} by {text:?}");
        assert!(levels.lowest() <= levels.of(logger));
        for (traced, line) in TRACED {
            assert_eq!(Level::from(traced), line);
            let is_high = level.is_some_and(|level| level as u8 <= line as u8);
            assert_eq!(levels.of(logger).lets_pass(line), is_high);
        }
    }
}

/// `MATCH:LEVEL`.
fn rule(element: &str) -> Option<(&str, Level)> {
    let mut parts = element.split(':');
    let (part, level) = (parts.next()?, parts.next()?);
    let numbers = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "NONE"];
    let level = numbers
        .iter()
        .position(|name| *name == level.to_ascii_uppercase())?;
    match parts.next() {
        None => Some((part, Level::from_wire(level as u8)?)),
        Some(_) => None,
    }
}
