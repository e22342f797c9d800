use super::{FrameError, Header};
use bytes::{Bytes, BytesMut};

/// How much memory a decoder keeps for the next frames when it is empty.
const KEEP_BYTES: usize = 64 << 10;

/// A frame: the kind (0 for a log frame) and the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The kind in the preamble, known or not.
    pub kind: u32,
    /// The payload, as it came.
    pub payload: Bytes,
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
    /// Received, not yet part of a returned frame. Starts at a header.
    buffer: BytesMut,
}

impl Decoder {
    /// For frames with this header and payloads of at most `limit_bytes`.
    pub fn new(header: Header, limit_bytes: u32) -> Decoder {
        Decoder {
            header,
            limit_bytes,
            buffer: BytesMut::new(),
        }
    }

    /// Takes in the next bytes of the stream, however few.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame: `None` when more bytes are needed, an error when the stream can't be cut any further. An
    /// announced length over the limit is an error as soon as the header is there; it is reported at every further call.
    #[expect(
        clippy::should_implement_trait,
        reason = "a decoder has no end of its own: None means not yet"
    )]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        let (length, kind) = self.announced()?;
        if length > self.limit_bytes {
            return Some(Err(FrameError::TooLong {
                kind,
                length,
                limit: self.limit_bytes,
            }));
        }
        let end = self.header.size() + length as usize;
        if self.buffer.len() < end {
            return None;
        }
        let mut frame = self.buffer.split_to(end);
        if self.buffer.is_empty() && end > KEEP_BYTES {
            // Otherwise the memory of a large frame would stay here for as long as the decoder lives.
            self.buffer = BytesMut::new();
        }
        let payload = frame.split_off(self.header.size()).freeze();
        Some(Ok(Frame { kind, payload }))
    }

    /// Tells the end of the stream, when [`next`](Decoder::next) has returned `None`: clean between two frames, torn
    /// inside one.
    pub fn end(&self) -> Result<(), FrameError> {
        let have = self.buffer.len();
        let want = self.header.size();
        match self.announced() {
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
        self.buffer.is_empty()
    }

    /// Length and kind of the frame that the buffer starts with, once its header is there.
    fn announced(&self) -> Option<(u32, u32)> {
        let (length, rest) = self.buffer.split_first_chunk()?;
        let kind = match self.header {
            Header::Preamble => u32::from_le_bytes(*rest.first_chunk()?),
            Header::Log => 0,
        };
        Some((u32::from_le_bytes(*length), kind))
    }
}
