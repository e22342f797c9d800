//! Recordings: the frames of one child's life in a file, both ways, with times (docs/recordings.md#format).
//!
//! The driver writes them, `arwendebug` reads them. A file is a gzip stream that is flushed after each batch of frames, so that what
//! a crash leaves can be read up to its last batch. This module has the format and a reader, and no threads.

mod reader;

pub use reader::{Reader, RecordingError};

use crate::messages::Format;
use bytes::Bytes;

/// The first line of the contents, without the number of the version.
const MAGIC: &str = "arwen-recording ";

/// The version that is written; a reader refuses others.
const VERSION: &str = "1";

/// How the name of a file ends.
pub const EXTENSION: &str = "rec.gz";

const HEAD: u8 = b'h';
const FROM_NODE: u8 = b'>';
const FROM_CHILD: u8 = b'<';
const GAP: u8 = b'g';
const END: u8 = b'e';

/// What is known of a child at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// When the recording begins, in microseconds since 1970.
    pub started_micros: u64,
    /// The process id of the child.
    pub child: u32,
    /// The format of the payloads, but for Initialize, which is always JSON.
    pub format: Format,
}

/// What a recording has behind its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A frame.
    Frame(RecordedFrame),
    /// So many frames are missing here, because they came faster than they could be written.
    Gap {
        /// The number of frames.
        frames: u64,
    },
    /// The end of the child. Nothing follows.
    End {
        /// When, in microseconds since the beginning.
        micros: u64,
        /// How it ended, in words.
        how: String,
    },
}

/// A frame as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFrame {
    /// When it was sent or received, in microseconds since the beginning.
    pub micros: u64,
    /// Whether the node has sent it.
    pub from_node: bool,
    /// The kind in the preamble.
    pub kind: u32,
    /// The payload.
    pub payload: Bytes,
}

/// Appends the first line and the head.
pub fn write_head(head: &Head, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC.as_bytes());
    out.extend_from_slice(VERSION.as_bytes());
    out.extend_from_slice(b"\n");
    out.push(HEAD);
    out.extend_from_slice(&head.started_micros.to_le_bytes());
    out.extend_from_slice(&head.child.to_le_bytes());
    out.extend_from_slice(&head.format.marshalizer().to_le_bytes());
}

/// Appends what stands before a frame.
pub fn write_frame_start(from_node: bool, micros: u64, out: &mut Vec<u8>) {
    out.push(if from_node { FROM_NODE } else { FROM_CHILD });
    out.extend_from_slice(&micros.to_le_bytes());
}

/// Appends a frame of a kind whose payload was read without its preamble. Not of 4 GiB: no payload is.
pub fn write_frame(from_node: bool, micros: u64, kind: u32, payload: &[u8], out: &mut Vec<u8>) {
    write_frame_start(from_node, micros, out);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Appends a gap.
pub fn write_gap(frames: u64, out: &mut Vec<u8>) {
    out.push(GAP);
    out.extend_from_slice(&frames.to_le_bytes());
}

/// Appends the end.
pub fn write_end(micros: u64, how: &str, out: &mut Vec<u8>) {
    out.push(END);
    out.extend_from_slice(&micros.to_le_bytes());
    out.extend_from_slice(&(how.len() as u32).to_le_bytes());
    out.extend_from_slice(how.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn contents() -> (Head, Vec<Record>, Vec<u8>) {
        let head = Head {
            started_micros: 1_795_940_000_123_456,
            child: 4711,
            format: Format::Json,
        };
        let frame = |micros, from_node, kind, payload: &'static str| {
            Record::Frame(RecordedFrame {
                micros,
                from_node,
                kind,
                payload: payload.into(),
            })
        };
        let records = vec![
            frame(0, true, 1, "{\"Arguments\":{}}"),
            frame(17, true, 46, "{}"),
            Record::Gap { frames: 3 },
            frame(u64::MAX, false, 47, ""),
            Record::End {
                micros: 99,
                how: "exit code 3".to_owned(),
            },
        ];
        let mut bytes = Vec::new();
        write_head(&head, &mut bytes);
        for record in &records {
            match record {
                Record::Frame(frame) => write_frame(
                    frame.from_node,
                    frame.micros,
                    frame.kind,
                    &frame.payload,
                    &mut bytes,
                ),
                Record::Gap { frames } => write_gap(*frames, &mut bytes),
                Record::End { micros, how } => write_end(*micros, how, &mut bytes),
            }
        }
        (head, records, bytes)
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).expect("memory");
        gzip.finish().expect("memory")
    }

    /// The records up to the end or the error.
    fn read(file: &[u8]) -> Result<(Head, Vec<Record>, Option<RecordingError>), RecordingError> {
        let mut reader = Reader::new(file)?;
        let mut records = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => return Ok((*reader.head(), records, None)),
                Err(error) => return Ok((*reader.head(), records, Some(error))),
            }
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let (head, records, bytes) = contents();
        let found = read(&compressed(&bytes)).expect("a recording");
        assert!(found.2.is_none(), "{:?}", found.2);
        assert_eq!((found.0, found.1), (head, records));
    }

    /// Cut anywhere, with the end of its gzip stream and without: the whole records are read, and then it is an error.
    #[test]
    fn a_recording_cut_short_is_read_up_to_the_cut() {
        let (_, records, bytes) = contents();
        let mut seen = std::collections::BTreeSet::new();
        for end in 0..bytes.len() {
            let whole_stream = compressed(&bytes[..end]);
            for file in [&whole_stream[..], &whole_stream[..whole_stream.len() - 8]] {
                match read(file) {
                    Err(RecordingError::Cut | RecordingError::NotARecording) => {}
                    Err(other) => panic!("{end}: {other}"),
                    Ok((_, found, error)) => {
                        assert!(
                            matches!(error, Some(RecordingError::Cut)),
                            "{end}: {error:?}"
                        );
                        assert_eq!(found, records[..found.len()]);
                        seen.insert(found.len());
                    }
                }
            }
        }
        assert!(seen.into_iter().eq(0..records.len()));
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        let (_, _, bytes) = contents();
        let refused = |file: &[u8]| read(file).expect_err("refused").to_string();
        let is_none = RecordingError::NotARecording.to_string();
        assert_eq!(refused(b""), is_none);
        assert_eq!(refused(&bytes), is_none, "not compressed");
        assert_eq!(refused(&compressed(b"")), is_none);
        assert_eq!(refused(&compressed(&[b'x'; 100])), is_none);
        let of_the_future = [b"arwen-recording 2\n", &bytes[18..]].concat();
        let text = refused(&compressed(&of_the_future));
        assert!(text.contains("version 2"), "{text}");
        // A tag that does not exist.
        let mut unknown = bytes;
        unknown.truncate(18 + 17);
        unknown.extend_from_slice(b"?\0\0\0\0\0\0\0\0");
        let (_, _, error) = read(&compressed(&unknown)).expect("its head is good");
        assert!(
            matches!(error, Some(RecordingError::Damaged(_))),
            "{error:?}"
        );
    }

    #[test]
    fn a_length_alone_allocates_nothing() {
        let (_, _, mut bytes) = contents();
        bytes.truncate(18 + 17);
        write_frame_start(true, 0, &mut bytes);
        bytes.extend_from_slice(&[0xff; 8]);
        let (_, records, error) = read(&compressed(&bytes)).expect("its head is good");
        assert_eq!(records, []);
        assert!(matches!(error, Some(RecordingError::Cut)), "{error:?}");
    }
}
