//! Encoding and decoding of log lines.

use super::level::Level;
use crate::frame::{self, FrameError};
use crate::messages::codec::encode_json_object;
use crate::messages::elements::{self, TooManyElements};
use crate::messages::json::{self, JsonError};
use crate::messages::{Format, LogCorrelation, LogLine};
use prost::Message as _;
use thiserror::Error;

/// Longest line that is written, in bytes of text before encoding. JSON takes at most six bytes for each.
pub const LINE_LIMIT_BYTES: usize = 1 << 20;

/// Longest payload of a log frame that is read, in bytes: enough for any line that is written.
pub const PAYLOAD_LIMIT_BYTES: u32 = 8 << 20;

/// A payload that is not a log line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// It is not the JSON of a line.
    #[error("unreadable log line: {0}")]
    Json(JsonError),
    /// It is not the protobuf of a line.
    #[error("unreadable log line: {0}")]
    Protobuf(prost::DecodeError),
    /// Its arguments would take far more memory than their encoding.
    #[error("unreadable log line: {0}")]
    TooManyElements(TooManyElements),
}

/// A line of `logger`. `args` alternates keys and values.
pub fn line(
    level: Level,
    logger: &str,
    message: String,
    args: Vec<String>,
    timestamp: i64,
) -> LogLine {
    LogLine {
        message,
        log_level: i32::from(level.wire()),
        args,
        timestamp,
        logger_name: logger.to_owned(),
        // Present even when empty, as in every recorded line.
        correlation: Some(LogCorrelation::default()),
    }
}

/// The length of the text in a line, in bytes.
pub fn text_bytes(line: &LogLine) -> usize {
    let args: usize = line.args.iter().map(String::len).sum();
    line.message.len() + line.logger_name.len() + args
}

/// Appends a line as a frame for fd 7.
pub fn encode(format: Format, line: &LogLine, out: &mut Vec<u8>) -> Result<(), FrameError> {
    frame::encode_log(out, |out| match format {
        Format::Json => encode_json_object(line, true, out),
        Format::Protobuf => line.encode_raw(out),
    })
}

/// Reads the payload of a frame from fd 7. Levels are truncated to the low byte, as by a reader in Go, and may be
/// unknown.
pub fn decode(format: Format, payload: &[u8]) -> Result<LogLine, LineError> {
    let mut line = LogLine::default();
    match format {
        Format::Json => json::read_object(payload, &mut line).map_err(LineError::Json)?,
        Format::Protobuf => {
            let limit = elements::limit_bytes(payload.len());
            elements::check::<LogLine>(payload, limit).map_err(LineError::TooManyElements)?;
            line.merge(payload).map_err(LineError::Protobuf)?;
        }
    }
    line.log_level &= 0xff;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &LogLine) -> String {
        let mut frame = Vec::new();
        encode(Format::Json, line, &mut frame).expect("a short line");
        String::from_utf8(frame.split_off(4)).expect("JSON is text")
    }

    #[test]
    fn what_is_zero_is_left_out_but_the_correlation() {
        let trace = line(Level::Trace, "arwen/host", "m".to_owned(), Vec::new(), 7);
        assert_eq!(
            json(&trace),
            r#"{"Message":"m","Timestamp":7,"LoggerName":"arwen/host","Correlation":{}}"#
        );
        let args = vec!["err".to_owned(), "<&>".to_owned()];
        let warn = line(Level::Warn, "l", String::new(), args, 0);
        assert_eq!(
            json(&warn),
            r#"{"LogLevel":3,"Args":["err","\u003c\u0026\u003e"],"LoggerName":"l","Correlation":{}}"#
        );
    }

    #[test]
    fn both_formats_read_what_they_wrote() {
        let args = vec!["k\n".to_owned(), "\u{2028}\0".to_owned(), "odd".to_owned()];
        let written = line(Level::Error, "arwen/host", "m".to_owned(), args, i64::MAX);
        for format in [Format::Json, Format::Protobuf] {
            let mut frame = Vec::new();
            encode(format, &written, &mut frame).expect("a short line");
            assert_eq!(decode(format, &frame[4..]), Ok(written.clone()));
        }
    }

    #[test]
    fn levels_are_bytes_as_in_the_reference() {
        for (level, read) in [("9", 9), ("-1", 255), ("258", 2)] {
            let text = format!(r#"{{"LogLevel":{level}}}"#);
            let line = decode(Format::Json, text.as_bytes()).expect("a line");
            assert_eq!(line.log_level, read);
        }
        assert!(decode(Format::Json, br#"{"Args":[1]}"#).is_err());
        assert!(decode(Format::Protobuf, b"\xff").is_err());
    }

    #[test]
    fn no_line_is_too_long_to_be_read() {
        let message = "\0".repeat(LINE_LIMIT_BYTES);
        let longest = line(Level::Error, "", message, Vec::new(), i64::MIN);
        assert!(json(&longest).len() <= PAYLOAD_LIMIT_BYTES as usize);
    }
}
