use super::{FrameError, Header, PayloadBytes};
use bytes::Bytes;
use std::mem;
use std::ops::Range;

/// Payloads up to this size, in bytes, are always copied out of the receive buffer, which is then reused.
const COPIED_BYTES: usize = 4 << 10;

/// Capacity that an empty decoder keeps for the next frames, in bytes.
const KEPT_BYTES: usize = 128 << 10;

/// A frame: the kind (0 for a log frame) and the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The kind in the preamble, known or not.
    pub kind: u32,
    /// The payload, as it came.
    pub payload: Bytes,
}

/// A frame whose payload is still in the decoder's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameInPlace<'a> {
    /// The kind in the preamble, known or not.
    pub kind: u32,
    /// The payload, as it came.
    pub payload: PayloadBytes<'a>,
}

/// Splits a stream of bytes into frames.
///
/// Give it bytes with [`push`](Decoder::push), take frames with [`next`](Decoder::next), and tell it about the end of
/// the stream with [`end`](Decoder::end). It buffers only what was pushed and not yet taken: the length in a header
/// never causes an allocation.
#[derive(Debug)]
pub struct Decoder {
    header: Header,
    limit_bytes: u32,
    /// The received bytes.
    buffer: Vec<u8>,
    /// Offset of the first byte that is not yet returned in a frame, where a header begins.
    start: usize,
}

impl Decoder {
    /// A decoder of frames with this header and payloads of at most `limit_bytes`.
    pub fn new(header: Header, limit_bytes: u32) -> Decoder {
        Decoder {
            header,
            limit_bytes,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Appends the next bytes of the stream, in pieces of any size.
    pub fn push(&mut self, bytes: &[u8]) {
        self.move_to_front();
        self.buffer.extend_from_slice(bytes);
    }

    /// Like [`push`](Self::push), for bytes that the caller appends to the returned buffer, which has spare capacity for
    /// about `room_bytes` bytes. What is in it already must stay.
    pub fn room(&mut self, room_bytes: usize) -> &mut Vec<u8> {
        self.move_to_front();
        if self.buffer.capacity() - self.buffer.len() < room_bytes / 2 {
            self.buffer.reserve(room_bytes);
        }
        &mut self.buffer
    }

    /// Compacts the buffer; never moves more bytes than were consumed since the last call.
    fn move_to_front(&mut self) {
        if self.start >= self.buffer.len() - self.start {
            self.buffer.drain(..mem::take(&mut self.start));
            if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BYTES {
                self.buffer = Vec::new();
            }
        }
    }

    /// The next frame: `None` when more bytes are needed, an error when framing is lost. A length over the limit is an
    /// error as soon as the header is complete, and is reported again at every further call.
    #[expect(
        clippy::should_implement_trait,
        reason = "a decoder has no end of its own: None means not yet"
    )]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        let frame = self.next_in_place()?;
        Some(frame.map(|FrameInPlace { kind, payload }| Frame {
            kind,
            payload: payload.into(),
        }))
    }

    /// Like [`next`](Self::next), without copying the payload.
    pub fn next_in_place(&mut self) -> Option<Result<FrameInPlace<'_>, FrameError>> {
        let Announced { kind, length } = match self.announced()? {
            Ok(announced) => announced,
            Err(error) => return Some(Err(error)),
        };
        let payload = self.start + self.header.size();
        let end = payload + length;
        if self.buffer.len() < end {
            return None;
        }
        let payload = match self.is_worth_taking(payload..end) {
            true => {
                let rest = self.buffer.split_off(end);
                self.start = 0;
                let taken = mem::replace(&mut self.buffer, rest);
                Bytes::from(taken).slice(payload..).into()
            }
            false => {
                self.start = end;
                PayloadBytes::Borrowed(&self.buffer[payload..end])
            }
        };
        Some(Ok(FrameInPlace { kind, payload }))
    }

    /// Whether the next frame, or an error, is available.
    pub fn has_next(&self) -> bool {
        let needed = |announced: Announced| self.header.size() + announced.length;
        match self.announced() {
            Some(Ok(announced)) => self.waiting().len() >= needed(announced),
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// Call it at the end of the stream, when [`next`](Decoder::next) has returned `None`. Fails if the stream ended
    /// inside a frame.
    pub fn end(&self) -> Result<(), FrameError> {
        let have = self.waiting().len();
        let want = self.header.size();
        match self.header() {
            None if have == 0 => Ok(()),
            None => Err(FrameError::TornHeader { have, want }),
            Some((length, _)) => Err(FrameError::TornPayload {
                have: have - want,
                want: length as usize,
            }),
        }
    }

    /// Whether all received bytes were returned in frames.
    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    /// Whether to give the buffer away with a payload rather than copy it: if the payload is large and most of the
    /// buffer.
    fn is_worth_taking(&self, payload: Range<usize>) -> bool {
        let rest = self.buffer.len() - payload.end;
        payload.len() > COPIED_BYTES.max(rest) && payload.len() >= self.buffer.capacity() / 2
    }

    /// The bytes that are not yet returned in a frame.
    fn waiting(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The next frame, once its header is complete.
    fn announced(&self) -> Option<Result<Announced, FrameError>> {
        let (length, kind) = self.header()?;
        let limit = self.limit_bytes;
        Some(match length <= limit {
            true => Ok(Announced {
                kind,
                length: length as usize,
            }),
            false => Err(FrameError::TooLong {
                kind,
                length,
                limit,
            }),
        })
    }

    /// Length and kind in the next header, once it is complete.
    fn header(&self) -> Option<(u32, u32)> {
        let (length, rest) = self.waiting().split_first_chunk()?;
        let kind = match self.header {
            Header::Preamble => u32::from_le_bytes(*rest.first_chunk()?),
            Header::Log => 0,
        };
        Some((u32::from_le_bytes(*length), kind))
    }
}

/// A frame whose header was read.
struct Announced {
    kind: u32,
    /// Length of the payload, in bytes.
    length: usize,
}
