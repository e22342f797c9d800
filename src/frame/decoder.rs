use super::{FrameError, Header, PayloadBytes};
use bytes::Bytes;
use std::mem;
use std::ops::Range;

/// Up to this size, in bytes, a payload is always copied out of what was received, whose memory serves again.
const COPIED_BYTES: usize = 4 << 10;

/// How much memory a decoder keeps for the next frames when it is empty, in bytes.
const KEPT_BYTES: usize = 128 << 10;

/// A frame: the kind (0 for a log frame) and the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The kind in the preamble, known or not.
    pub kind: u32,
    /// The payload, as it came.
    pub payload: Bytes,
}

/// A frame as it lies in the decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameInPlace<'a> {
    /// The kind in the preamble, known or not.
    pub kind: u32,
    /// The payload, as it came.
    pub payload: PayloadBytes<'a>,
}

/// Cuts a stream of bytes into frames.
///
/// Give it bytes with [`push`](Decoder::push), take frames with [`next`](Decoder::next), and tell it about the end of the
/// stream with [`end`](Decoder::end). It holds what was pushed and not yet taken, and nothing else: a length that a header
/// announces never causes an allocation.
#[derive(Debug)]
pub struct Decoder {
    header: Header,
    limit_bytes: u32,
    /// What was received.
    buffer: Vec<u8>,
    /// Where it was not yet returned as frames: a header begins there.
    start: usize,
}

impl Decoder {
    /// For frames with this header and payloads of at most `limit_bytes`.
    pub fn new(header: Header, limit_bytes: u32) -> Decoder {
        Decoder {
            header,
            limit_bytes,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Takes in the next bytes of the stream, however few.
    pub fn push(&mut self, bytes: &[u8]) {
        self.move_to_front();
        self.buffer.extend_from_slice(bytes);
    }

    /// Like [`push`](Self::push), for bytes that `read` appends to a buffer which has room for about `room_bytes` of them. Returns what it
    /// returns.
    pub fn receive<T>(&mut self, room_bytes: usize, read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.move_to_front();
        if self.buffer.capacity() - self.buffer.len() < room_bytes / 2 {
            self.buffer.reserve(room_bytes);
        }
        read(&mut self.buffer)
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

    /// The next frame: `None` when more bytes are needed, an error when the stream can't be cut any further. An
    /// announced length over the limit is an error as soon as the header is there; it is reported at every further call.
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

    /// Whether the next frame, or what is wrong with it, is there.
    pub fn has_next(&self) -> bool {
        let needed = |announced: Announced| self.header.size() + announced.length;
        match self.announced() {
            Some(Ok(announced)) => self.waiting().len() >= needed(announced),
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// Tells the end of the stream, when [`next`](Decoder::next) has returned `None`: clean between two frames, torn
    /// inside one.
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

    /// Whether everything that has come was returned in frames.
    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    /// Whether a payload takes its memory along, rather than being copied: if it is large, and most of that memory.
    fn is_worth_taking(&self, payload: Range<usize>) -> bool {
        let rest = self.buffer.len() - payload.end;
        payload.len() > COPIED_BYTES.max(rest) && payload.len() >= self.buffer.capacity() / 2
    }

    /// What is not yet part of a returned frame.
    fn waiting(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The frame that comes next, once its header is there.
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

    /// Length and kind in the next header, once that is there.
    fn header(&self) -> Option<(u32, u32)> {
        let (length, rest) = self.waiting().split_first_chunk()?;
        let kind = match self.header {
            Header::Preamble => u32::from_le_bytes(*rest.first_chunk()?),
            Header::Log => 0,
        };
        Some((u32::from_le_bytes(*length), kind))
    }
}

/// What a header says of its frame.
struct Announced {
    kind: u32,
    /// Of the payload, in bytes.
    length: usize,
}
