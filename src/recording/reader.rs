use super::{END, FROM_CHILD, FROM_NODE, GAP, HEAD, Head, MAGIC, Record, RecordedFrame, VERSION};
use crate::messages::{Format, UnsupportedMarshalizer};
use bytes::Bytes;
use flate2::read::GzDecoder;
use std::io::{self, BufReader, ErrorKind, Read};
use thiserror::Error;

/// Length of the first line up to which one is looked for, in bytes.
const LONGEST_FIRST_LINE: usize = 64;

/// Why a recording can't be read, or not any further.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It does not begin like one.
    #[error("it is not a recording; a driver with DriverConfig::record writes them")]
    NotARecording,
    /// It was written by a later version.
    #[error(
        "it is a recording of version {0}, and this program reads version {VERSION}; use a newer one"
    )]
    Version(String),
    /// It has payloads in a format that this build can't read.
    #[error(transparent)]
    Format(UnsupportedMarshalizer),
    /// It ends before its child does.
    #[error(
        "it is cut short: the end is missing, because its driver was killed, its disk was full, or its child still runs"
    )]
    Cut,
    /// Its bytes are not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The system can't read it.
    #[error("it can't be read: {0}")]
    Io(io::Error),
}

impl RecordingError {
    fn of(error: io::Error) -> RecordingError {
        match error.kind() {
            ErrorKind::UnexpectedEof => RecordingError::Cut,
            // What a decompressor says of bytes that it can't read.
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                RecordingError::Damaged(error.to_string())
            }
            _ => RecordingError::Io(error),
        }
    }
}

/// Reads a recording, record by record.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<GzDecoder<R>>,
    head: Head,
    has_ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning.
    pub fn new(file: R) -> Result<Reader<R>, RecordingError> {
        let mut input = BufReader::new(GzDecoder::new(file));
        check_first_line(&mut input)?;
        let [tag] = array(&mut input)?;
        if tag != HEAD {
            return Err(RecordingError::Damaged("its head is missing".to_owned()));
        }
        let head = Head {
            started_micros: u64::from_le_bytes(array(&mut input)?),
            child: u32::from_le_bytes(array(&mut input)?),
            format: Format::from_marshalizer(u32::from_le_bytes(array(&mut input)?))
                .map_err(RecordingError::Format)?,
        };
        Ok(Reader {
            input,
            head,
            has_ended: false,
        })
    }

    /// What is known of the child.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next record; `None` behind the end of the child.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would go on behind an error"
    )]
    pub fn next(&mut self) -> Result<Option<Record>, RecordingError> {
        if self.has_ended {
            return Ok(None);
        }
        let [tag] = array(&mut self.input)?;
        let number = u64::from_le_bytes(array(&mut self.input)?);
        let record = match tag {
            FROM_NODE | FROM_CHILD => {
                let length = u32::from_le_bytes(array(&mut self.input)?);
                let kind = u32::from_le_bytes(array(&mut self.input)?);
                Record::Frame(RecordedFrame {
                    micros: number,
                    from_node: tag == FROM_NODE,
                    kind,
                    payload: self.bytes(length)?,
                })
            }
            GAP => Record::Gap { frames: number },
            END => {
                let length = u32::from_le_bytes(array(&mut self.input)?);
                let how = self.bytes(length)?;
                self.has_ended = true;
                Record::End {
                    micros: number,
                    how: String::from_utf8_lossy(&how).into_owned(),
                }
            }
            other => {
                let what = format!("there is no record `{}`", other.escape_ascii());
                return Err(RecordingError::Damaged(what));
            }
        };
        Ok(Some(record))
    }

    fn bytes(&mut self, length: u32) -> Result<Bytes, RecordingError> {
        let mut bytes = Vec::new();
        let rest = (&mut self.input).take(length.into());
        let read = { rest }.read_to_end(&mut bytes);
        read.map_err(RecordingError::of)?;
        match bytes.len() == length as usize {
            true => Ok(bytes.into()),
            false => Err(RecordingError::Cut),
        }
    }
}

fn array<const N: usize>(input: &mut impl Read) -> Result<[u8; N], RecordingError> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(RecordingError::of)?;
    Ok(bytes)
}

fn check_first_line(input: &mut impl Read) -> Result<(), RecordingError> {
    let mut line = Vec::new();
    while line.len() < LONGEST_FIRST_LINE {
        match array::<1>(input) {
            Ok([b'\n']) => break,
            Ok([byte]) => line.push(byte),
            Err(error @ RecordingError::Io(_)) => return Err(error),
            Err(_) => return Err(RecordingError::NotARecording),
        }
    }
    let line = String::from_utf8_lossy(&line);
    match line.strip_prefix(MAGIC) {
        Some(VERSION) => Ok(()),
        Some(other) => Err(RecordingError::Version(other.escape_debug().to_string())),
        None => Err(RecordingError::NotARecording),
    }
}
