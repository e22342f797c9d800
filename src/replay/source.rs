//! The frames of a file.

use super::error::ReplayError;
use super::lines;
use crate::messages::{Envelope, Format, Message, MessageError, MessageKind, Role, codec};
use crate::recording::{Head, Reader, Record, RecordedFrame, RecordingError};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek as _};
use std::path::{Path, PathBuf};

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An open file.
pub(super) struct Source {
    path: PathBuf,
    contents: Contents,
}

enum Contents {
    Recording(Box<Reader<BufReader<File>>>),
    Lines {
        input: Box<dyn BufRead>,
        contracts: Option<PathBuf>,
        line: u64,
    },
}

/// A frame and its message.
pub(super) struct Said {
    pub frame: RecordedFrame,
    /// Not if it is not one.
    pub message: Result<(Envelope, Message), MessageError>,
}

impl Said {
    /// A frame of a recording with this format.
    pub(super) fn of(format: Format, frame: RecordedFrame) -> Said {
        let message = decode(format, &frame);
        Said { frame, message }
    }

    /// Whether it tells the child to end.
    pub(super) fn is_stop(&self) -> bool {
        self.frame.kind == MessageKind::Stop.wire()
    }

    /// Whether it is a request of a node, not of the driver itself at the start of a child.
    pub(super) fn begins_dialogue(&self) -> bool {
        let is_of_the_driver = matches!(
            &self.message,
            Ok((_, Message::DiagnoseWaitRequest(wait))) if wait.ready
        );
        let role = MessageKind::from_wire(self.frame.kind).and_then(MessageKind::role);
        self.frame.from_node && matches!(role, Some(Role::Request(_))) && !is_of_the_driver
    }
}

impl Source {
    /// Opens a recording of the driver or a file of JSON lines, plain or compressed. `contracts` is where the code is that
    /// JSON lines name.
    pub(super) fn open(path: &Path, contracts: Option<&Path>) -> Result<Source, ReplayError> {
        let unreadable = |reason| ReplayError::unreadable(path, reason);
        let mut file = File::open(path).map_err(unreadable)?;
        let is_compressed = begins_with(&mut file, &GZIP).map_err(unreadable)?;
        let mut input: Box<dyn BufRead> = match is_compressed {
            true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
            false => Box::new(BufReader::new(file)),
        };
        let first = input.fill_buf().unwrap_or_default().first().copied();
        let contents = match first {
            Some(b'{') => Contents::Lines {
                input,
                contracts: contracts.map(Path::to_owned),
                line: 0,
            },
            _ => {
                let file = BufReader::new(File::open(path).map_err(unreadable)?);
                let reader = Reader::new(file);
                let reader = reader.map_err(|reason| ReplayError::recording(path, reason))?;
                Contents::Recording(Box::new(reader))
            }
        };
        let path = path.to_owned();
        Ok(Source { path, contents })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of the child; nothing from JSON lines, which have no times either.
    pub(super) fn head(&self) -> Option<&Head> {
        match &self.contents {
            Contents::Recording(reader) => Some(reader.head()),
            Contents::Lines { .. } => None,
        }
    }

    /// The format of the payloads, but for Initialize.
    pub(super) fn format(&self) -> Format {
        self.head().map_or(Format::Json, |head| head.format)
    }

    /// The next frame, or what else there is; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Record>, ReplayError> {
        match &mut self.contents {
            Contents::Recording(reader) => {
                let record = reader.next();
                record.map_err(|why| ReplayError::recording(&self.path, why))
            }
            Contents::Lines {
                input,
                contracts,
                line,
            } => match next_line(&self.path, input, line)? {
                None => Ok(None),
                Some(text) => match lines::read(&text, contracts.as_deref()) {
                    Ok(frame) => Ok(Some(Record::Frame(frame))),
                    Err(reason) => {
                        let path = self.path.clone();
                        let line = *line;
                        Err(ReplayError::Line { path, line, reason })
                    }
                },
            },
        }
    }
}

/// The message of a frame in a recording with this format.
pub(super) fn decode(
    format: Format,
    frame: &RecordedFrame,
) -> Result<(Envelope, Message), MessageError> {
    let format = match frame.kind == MessageKind::Initialize.wire() {
        true => Format::Json,
        false => format,
    };
    codec::decode(format, frame.kind, frame.payload.clone())
}

fn begins_with(file: &mut File, start: &[u8]) -> std::io::Result<bool> {
    let mut found = Vec::new();
    file.take(start.len() as u64).read_to_end(&mut found)?;
    file.rewind()?;
    Ok(found == start)
}

/// The next line that is not empty. One that does not end with the file is cut.
fn next_line(
    path: &Path,
    input: &mut dyn BufRead,
    line: &mut u64,
) -> Result<Option<Vec<u8>>, ReplayError> {
    loop {
        let mut text = Vec::new();
        *line += 1;
        match input.read_until(b'\n', &mut text) {
            Ok(0) => return Ok(None),
            Ok(_) if text.trim_ascii().is_empty() => {}
            Ok(_) => return Ok(Some(text)),
            Err(error) => {
                let reason = match error.kind() {
                    ErrorKind::UnexpectedEof => RecordingError::Cut,
                    ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                        RecordingError::Damaged(error.to_string())
                    }
                    _ => return Err(ReplayError::unreadable(path, error)),
                };
                return Err(ReplayError::recording(path, reason));
            }
        }
    }
}
