//! Frames: how payloads are delimited in the bytes of a pipe (docs/spec/wire.md#frame).
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | payload length, u32 little-endian |
//! | 4 | 4 | kind, u32 little-endian |
//! | 8 | length | payload |
//!
//! This layer does no IO: the [`Decoder`] takes bytes in pieces of any size, the encoder fills a buffer. The layers
//! above interpret kinds and payloads. Log frames ([`Header::Log`]) have no kind.

mod decoder;
mod encoder;
mod payload;

pub use decoder::{Decoder, Frame, FrameInPlace};
pub use encoder::{encode, encode_log};
pub use payload::PayloadBytes;

use thiserror::Error;

/// Default limit of a payload in both directions, in bytes.
///
/// The largest real payload is a deploy of a contract in base64, well under 1 MiB. But what a contract can pass to the
/// VM is limited by its gas alone, and the reference sends whatever fits the length field. A lower limit could make
/// nodes disagree. This one is far above what gas limits of blocks allow for, and low enough for the memory of both
/// sides, which hold a payload and its decoded form at the same time. The length in a header costs no memory: memory is
/// allocated as bytes arrive.
pub const DEFAULT_PAYLOAD_LIMIT_BYTES: u32 = 1 << 30;

/// The header format of a frame.
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

/// A framing error, after which the rest of the stream can't be decoded.
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
        /// Size of a header in bytes.
        want: usize,
    },
    /// The stream ended inside a payload.
    #[error("unexpected EOF: the stream ended after {have} of {want} payload bytes")]
    TornPayload {
        /// Bytes that came.
        have: usize,
        /// The length in the header.
        want: usize,
    },
}
