//! What can come in place of a message, and a connection on which it comes.

use crate::dialogue::{DialogueError, MessengerError};
use crate::frame::{FrameError, Header};
use crate::messages::{Envelope, Format, Message, MessageError, codec};
use crate::transport::{Direction, TransportError};
use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use nix::errno::Errno;

/// The payload limit of both loops.
pub const LIMIT_BYTES: u32 = 1 << 16;

/// What comes in place of a message.
#[derive(Debug)]
pub enum WireFault {
    EndOfStream,
    TornHeader { have: usize },
    TornPayload { missing: usize },
    TooLong { by: u32 },
    Garbage(Vec<u8>),
    OtherKindInside,
    WrongNonce(u32),
    OtherMessage,
    Transport(TransportError),
}

impl WireFault {
    /// Most messages have none, or a script would soon be over.
    pub fn choose(input: &mut Unstructured<'_>) -> Result<Option<WireFault>> {
        Ok(Some(match u8::arbitrary(input)? {
            1 => WireFault::EndOfStream,
            2 => WireFault::TornHeader {
                have: input.int_in_range(1..=7)?,
            },
            3 => WireFault::TornPayload {
                missing: input.int_in_range(1..=60)?,
            },
            4 => WireFault::TooLong {
                by: input.int_in_range(1..=u32::MAX - LIMIT_BYTES)?,
            },
            5 => WireFault::Garbage(Vec::arbitrary(input)?),
            6 => WireFault::OtherKindInside,
            7 => WireFault::WrongNonce(u32::arbitrary(input)?),
            8 => WireFault::OtherMessage,
            9 => WireFault::Transport(transport_error(Direction::Receiving, input)?),
            _ => return Ok(None),
        }))
    }
}

/// Why something could not be sent; mostly it can.
pub fn unsendable(input: &mut Unstructured<'_>) -> Result<Option<TransportError>> {
    match u8::arbitrary(input)? {
        1..=3 => transport_error(Direction::Sending, input).map(Some),
        _ => Ok(None),
    }
}

fn transport_error(direction: Direction, input: &mut Unstructured<'_>) -> Result<TransportError> {
    Ok(match input.int_in_range(0..=2)? {
        0 => TransportError::Closed,
        1 => TransportError::DeadlinePassed(direction),
        _ => TransportError::System {
            direction,
            code: Errno::EIO as i32,
        },
    })
}

/// A message that is due.
pub struct DueMessage<'a> {
    pub format: Format,
    pub nonce: u32,
    pub error_message: &'a str,
    pub message: &'a Message,
}

impl DueMessage<'_> {
    /// Its frame, with this nonce and this kind in the payload.
    fn frame(&self, dialogue_nonce: u32, kind: u32) -> Vec<u8> {
        let envelope = Envelope {
            dialogue_nonce,
            kind,
            error_message: self.error_message.to_owned(),
        };
        let mut frame = Vec::new();
        codec::encode_message(self.format, &envelope, self.message, &mut frame).expect("short");
        frame
    }

    /// Sends it.
    pub fn send(&self, wire: &mut Wire) {
        wire.push(self.frame(self.nonce, self.message.kind()));
    }

    /// Sends what comes in its place. What the receiver has to make of that; `other` is another message and what the
    /// receiver says to it.
    pub fn send_broken(
        &self,
        fault: WireFault,
        other: (Message, DialogueError),
        wire: &mut Wire,
    ) -> MessengerError {
        let kind = self.message.kind();
        let mut frame = self.frame(self.nonce, kind);
        let want = frame.len() - Header::Preamble.size();
        match fault {
            WireFault::EndOfStream => {
                wire.end = Some(Ok(0));
                MessengerError::EndOfStream
            }
            WireFault::TornHeader { have } => {
                frame.truncate(have);
                wire.push_last(frame);
                FrameError::TornHeader { have, want: 8 }.into()
            }
            WireFault::TornPayload { missing } => {
                let have = want.saturating_sub(missing);
                frame.truncate(Header::Preamble.size() + have);
                wire.push_last(frame);
                FrameError::TornPayload { have, want }.into()
            }
            WireFault::TooLong { by } => {
                let length = LIMIT_BYTES + by;
                frame[..4].copy_from_slice(&length.to_le_bytes());
                wire.push(frame);
                let limit = LIMIT_BYTES;
                FrameError::TooLong {
                    kind,
                    length,
                    limit,
                }
                .into()
            }
            WireFault::Garbage(payload) => self.send_garbage(payload, wire).into(),
            WireFault::OtherKindInside => {
                wire.push(self.frame(self.nonce, kind + 1));
                let (preamble, payload) = (kind, kind + 1);
                MessageError::KindMismatch { preamble, payload }.into()
            }
            WireFault::WrongNonce(found) => {
                let expected = self.nonce;
                let found = if found == expected { 0 } else { found };
                wire.push(self.frame(found, kind));
                DialogueError::InvalidNonce { found, expected }.into()
            }
            WireFault::OtherMessage => {
                let (message, error) = other;
                let message = &message;
                DueMessage { message, ..*self }.send(wire);
                error.into()
            }
            WireFault::Transport(error) => {
                wire.end = Some(Err(error.clone()));
                error.into()
            }
        }
    }

    fn send_garbage(&self, mut payload: Vec<u8>, wire: &mut Wire) -> MessageError {
        let kind = self.message.kind();
        let error = match codec::decode(self.format, kind, payload.clone()) {
            Err(error) => error,
            // By chance it is a message. This is none in either format.
            Ok(_) => {
                payload = vec![0xff];
                let decoded = codec::decode(self.format, kind, Bytes::from_static(&[0xff]));
                decoded.expect_err("no message")
            }
        };
        let mut frame = Vec::new();
        crate::frame::encode(kind, &mut frame, |out| out.extend(payload)).expect("short");
        wire.push(frame);
        error
    }
}

/// The incoming direction of a connection. Reads give at most `piece` bytes.
pub struct Wire {
    bytes: Vec<u8>,
    read: usize,
    piece: usize,
    /// What comes behind the bytes, once: the end of the stream or an error.
    end: Option<std::result::Result<usize, TransportError>>,
}

impl Wire {
    pub fn new(piece: u8) -> Wire {
        Wire {
            bytes: Vec::new(),
            read: 0,
            // Zero: the reads are as large as they can be.
            piece: usize::from(piece).wrapping_sub(1).max(1),
            end: None,
        }
    }

    fn push(&mut self, bytes: Vec<u8>) {
        assert!(self.is_empty(), "the last message was not read");
        (self.bytes, self.read) = (bytes, 0);
    }

    /// Likewise, and then the stream ends.
    fn push_last(&mut self, bytes: Vec<u8>) {
        self.push(bytes);
        self.end = Some(Ok(0));
    }

    /// Appends to the last message.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether there is nothing to read, not even the end.
    pub fn is_empty(&self) -> bool {
        self.read == self.bytes.len() && self.end.is_none()
    }

    pub fn end_stream(&mut self) {
        self.end = Some(Ok(0));
    }

    pub fn receive(&mut self, into: &mut Vec<u8>) -> std::result::Result<usize, TransportError> {
        let rest = &self.bytes[self.read..];
        let room = into.capacity() - into.len();
        let count = rest.len().min(room).min(self.piece);
        if count == 0 {
            return self.end.take().expect("it is not empty");
        }
        into.extend_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}

/// Cuts and reads what the other side has sent with one write: one message with the right nonce.
pub fn read_one(format: Format, frame: &[u8], nonce: u32) -> (Envelope, Message) {
    let (length, rest) = frame.split_first_chunk().expect("a length");
    let (kind, payload) = rest.split_first_chunk().expect("a kind");
    assert_eq!(u32::from_le_bytes(*length) as usize, payload.len());
    let payload = Bytes::copy_from_slice(payload);
    let kind = u32::from_le_bytes(*kind);
    let decoded = codec::decode(format, kind, payload).expect("a message");
    assert_eq!((decoded.0.kind, decoded.0.dialogue_nonce), (kind, nonce));
    decoded
}
