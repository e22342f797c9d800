//! Frames: how the bytes of a pipe are cut into payloads (docs/spec/wire.md#frame).
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | payload length, u32 little-endian |
//! | 4 | 4 | kind, u32 little-endian |
//! | 8 | length | payload |
//!
//! Nothing here reads or writes: the [`Decoder`] is given bytes in any pieces, the encoder fills a buffer. What a kind
//! or a payload means is for the layers above. Log frames ([`Header::Log`]) have no kind.

mod decoder;
mod encoder;
mod payload;

pub use decoder::{Decoder, Frame, FrameInPlace};
pub use encoder::{encode, encode_log};
pub use payload::PayloadBytes;

use thiserror::Error;

/// Longest payload that is sent and accepted by default, in bytes.
///
/// The largest real payload is a deploy of a contract in base64, well under 1 MiB. But what a contract can hand to the VM is
/// limited by its gas alone, and the reference sends whatever fits the length field, so that a smaller limit would make a
/// difference between nodes. This one is far above what gas limits of blocks allow for, and low enough for the memory of both
/// sides, which hold such a payload and what is in it at the same time. A length that a header announces costs no memory: that
/// is taken as bytes arrive.
pub const DEFAULT_PAYLOAD_LIMIT_BYTES: u32 = 1 << 30;

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The preamble of a message: length and kind.
    Preamble,
    /// The header of a log line or a log profile: only the length.
    Log,
}

impl Header {
    /// Its size in bytes.
    pub const fn size(self) -> usize {
        match self {
            Header::Preamble => 8,
            Header::Log => 4,
        }
    }
}

/// A fatal fault in the stream of frames: what follows can't be cut any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The header announces a payload over the limit.
    #[error("a frame of kind {kind} announces a payload of {length} bytes; the limit is {limit}")]
    TooLong {
        /// The kind in the preamble; 0 for a log frame.
        kind: u32,
        /// The announced length in bytes.
        length: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// A payload is too long for the length field: 4 GiB or more.
    #[error("a payload of {length} bytes does not fit the length field of a frame")]
    Unframeable {
        /// Its length in bytes.
        length: usize,
    },
    /// The stream ended inside a header.
    #[error("unexpected EOF: the stream ended after {have} of {want} header bytes")]
    TornHeader {
        /// Bytes that came.
        have: usize,
        /// Bytes that a header has.
        want: usize,
    },
    /// The stream ended inside a payload.
    #[error("unexpected EOF: the stream ended after {have} of {want} payload bytes")]
    TornPayload {
        /// Bytes that came.
        have: usize,
        /// Bytes that the header announced.
        want: usize,
    },
}
