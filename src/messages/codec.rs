//! The codec: payload bytes to messages and back.
//!
//! In both formats the fields of the envelope and of the message are merged. In JSON they form one object. In protobuf
//! the encoding of the envelope is followed by that of the message, whose field numbers start after the envelope's.

use super::elements::{self, TooManyElements, limit_bytes};
use super::json::{self, JsonError, JsonObject, Writer};
use super::{Envelope, Marshalizer, Message, Payload, kind_name};
pub use crate::frame::DEFAULT_PAYLOAD_LIMIT_BYTES;
use crate::frame::{self, PayloadBytes};
use prost::Message as _;
use std::fmt;
use thiserror::Error;

/// The encoding of payloads, set by a marshalizer of the Initialize arguments (docs/spec/wire.md#formats).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON as the Go node driver writes it.
    #[default]
    Json,
    /// Protobuf, as the schema defines it.
    Protobuf,
}

/// A marshalizer that this build does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnsupportedMarshalizer {
    /// Go's own format.
    #[error("marshalizer 1 (Gob) is Go's own format; use {SUPPORTED}")]
    Gob,
    /// The feature `protobuf` is off.
    #[error(
        "marshalizer 2 (protobuf) is not in this build; build with --features protobuf or use 0 (JSON)"
    )]
    Protobuf,
    /// No such marshalizer.
    #[error("unknown marshalizer {0}; use {SUPPORTED}")]
    Unknown(u32),
}

const SUPPORTED: &str = if cfg!(feature = "protobuf") {
    "0 (JSON) or 2 (protobuf)"
} else {
    "0 (JSON)"
};

impl Format {
    /// The format that a marshalizer field of the Initialize arguments asks for.
    pub fn from_marshalizer(number: u32) -> Result<Format, UnsupportedMarshalizer> {
        let marshalizer = i32::try_from(number)
            .ok()
            .and_then(|n| Marshalizer::try_from(n).ok());
        match marshalizer {
            Some(Marshalizer::Json) => Ok(Format::Json),
            Some(Marshalizer::Protobuf) if cfg!(feature = "protobuf") => Ok(Format::Protobuf),
            Some(Marshalizer::Protobuf) => Err(UnsupportedMarshalizer::Protobuf),
            Some(Marshalizer::Gob) => Err(UnsupportedMarshalizer::Gob),
            None => Err(UnsupportedMarshalizer::Unknown(number)),
        }
    }

    /// The fastest format of this build: protobuf with the feature `protobuf`, else JSON.
    pub const PREFERRED: Format = match cfg!(feature = "protobuf") {
        true => Format::Protobuf,
        false => Format::Json,
    };

    /// Fails if this build does not have the format.
    pub fn check(self) -> Result<(), UnsupportedMarshalizer> {
        Format::from_marshalizer(self.marshalizer()).map(drop)
    }

    /// The number of the format in the Initialize arguments.
    pub fn marshalizer(self) -> u32 {
        let marshalizer = match self {
            Format::Json => Marshalizer::Json,
            Format::Protobuf => Marshalizer::Protobuf,
        };
        marshalizer as u32
    }
}

/// A payload that is not a message of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The JSON is malformed or does not fit the schema.
    #[error("{kind}: {error}", kind = kind_name(*.kind))]
    Json {
        /// The kind in the preamble.
        kind: u32,
        /// What is wrong, and where.
        error: JsonError,
    },
    /// The protobuf is malformed or does not fit the schema.
    #[error("{kind}: {error}", kind = kind_name(*.kind))]
    Protobuf {
        /// The kind in the preamble.
        kind: u32,
        /// What is wrong.
        error: prost::DecodeError,
    },
    /// The elements of lists and maps in the protobuf would take far more memory than their encoding.
    #[error("{kind}: {error}", kind = kind_name(*.kind))]
    TooManyElements {
        /// The kind in the preamble.
        kind: u32,
        /// The memory needed, and the limit.
        error: TooManyElements,
    },
    /// The kind in the payload is not that of the preamble (docs/spec/wire.md#kind-in-the-payload).
    #[error("a payload of {} ({payload}) in a frame of {} ({preamble})", kind_name(*.payload), kind_name(*.preamble))]
    KindMismatch {
        /// The kind in the preamble.
        preamble: u32,
        /// The kind in the payload.
        payload: u32,
    },
}

/// A message that is too long to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a payload of {} that takes {length} bytes {measure}; the limit is {limit}", kind_name(*.kind))]
pub struct PayloadTooLong {
    /// The kind of the message.
    pub kind: u32,
    /// What is too long.
    pub measure: Measure,
    /// The length, in bytes.
    pub length: usize,
    /// The limit, in bytes.
    pub limit: u32,
}

/// In which way a message is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Measure {
    /// Its JSON form, against the payload limit.
    Json,
    /// The elements of its lists and maps up to the first one over the limit, in memory. No reader takes more.
    Elements,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Measure::Json => "as JSON",
            Measure::Elements => "as elements in memory",
        })
    }
}

/// Upper bound of the ratio of JSON to protobuf length: an account with only zero fields takes 4 bytes in protobuf and
/// 160 in JSON.
const LONGEST_JSON: usize = 64;

/// Upper bound of an envelope without its error message, in bytes.
const LONGEST_ENVELOPE: usize = 128;

/// Fails for a message whose JSON form is longer than `limit` bytes, whatever the format is, so that both formats can
/// send the same messages. Protobuf is always shorter.
pub fn check_length<P: Payload>(
    error_message: &str,
    payload: &P,
    limit: u32,
) -> Result<(), PayloadTooLong> {
    let encoded = payload.encoded_len();
    check_json_length(error_message, payload, encoded, limit)?;
    // Last, as a payload of any length takes any time to count.
    elements::check_message(payload, encoded).map_err(|error| PayloadTooLong {
        kind: P::KIND.wire(),
        measure: Measure::Elements,
        length: error.needed,
        limit: u32::try_from(error.limit).unwrap_or(u32::MAX),
    })
}

/// `encoded` is the length of the payload's protobuf.
fn check_json_length<P: Payload>(
    error_message: &str,
    payload: &P,
    encoded: usize,
    limit: u32,
) -> Result<(), PayloadTooLong> {
    // The fast path of ordinary messages: an estimate is enough.
    let shortest = encoded + error_message.len() + LONGEST_ENVELOPE;
    if shortest.saturating_mul(LONGEST_JSON) <= limit as usize {
        return Ok(());
    }
    let envelope = Envelope {
        dialogue_nonce: u32::MAX,
        kind: P::KIND.wire(),
        error_message: error_message.to_owned(),
    };
    let length = Writer::length(|out| json::write_pair(&envelope, Some(payload), out));
    match length <= limit as usize {
        true => Ok(()),
        false => Err(PayloadTooLong {
            kind: envelope.kind,
            measure: Measure::Json,
            length,
            limit,
        }),
    }
}

/// The longest message that is far below the limits, in bytes of protobuf.
const SHORT: usize = 128 << 10;

/// Whether a message without an error is far below all limits of what can be sent.
pub fn is_short<P: Payload>(payload: &P, limit: u32) -> bool {
    let encoded = payload.encoded_len();
    let longest = (encoded + LONGEST_ENVELOPE).saturating_mul(LONGEST_JSON);
    encoded <= SHORT
        && longest <= limit as usize
        && elements::check_message(payload, encoded).is_ok()
}

/// Appends a whole frame: the preamble, the envelope and the message.
pub fn encode<P: Payload>(
    format: Format,
    dialogue_nonce: u32,
    error_message: &str,
    payload: &P,
    out: &mut Vec<u8>,
) -> Result<(), frame::FrameError> {
    let envelope = Envelope {
        dialogue_nonce,
        kind: P::KIND.wire(),
        error_message: error_message.to_owned(),
    };
    frame::encode(P::KIND.wire(), out, |out| match format {
        Format::Json => json::write_pair(&envelope, Some(payload), &mut Writer::new(out, false)),
        Format::Protobuf => {
            envelope.encode_raw(out);
            payload.encode_raw(out);
        }
    })
}

/// Like [`encode`], for a message whose kind is only known at run time.
pub fn encode_message(
    format: Format,
    envelope: &Envelope,
    message: &Message,
    out: &mut Vec<u8>,
) -> Result<(), frame::FrameError> {
    frame::encode(message.kind(), out, |out| match format {
        Format::Json => {
            json::write_pair(envelope, message.as_json(), &mut Writer::new(out, false));
        }
        Format::Protobuf => {
            envelope.encode_raw(out);
            message.write_protobuf(out);
        }
    })
}

/// Decodes a payload. `kind` is that of the preamble; the returned envelope has it even if the payload leaves it out.
pub fn decode<'a>(
    format: Format,
    kind: u32,
    payload: impl Into<PayloadBytes<'a>>,
) -> Result<(Envelope, Message), MessageError> {
    decode_payload(format, kind, payload.into())
}

fn decode_payload(
    format: Format,
    kind: u32,
    payload: PayloadBytes<'_>,
) -> Result<(Envelope, Message), MessageError> {
    let mut message = Message::zero(kind);
    let mut envelope = Envelope {
        kind,
        ..Envelope::default()
    };
    match format {
        Format::Json => json::read_pair(&payload, &mut envelope, message.as_json_mut())
            .map_err(|error| MessageError::Json { kind, error })?,
        Format::Protobuf => {
            let fault = |error| MessageError::Protobuf { kind, error };
            message
                .check_elements(&payload, limit_bytes(payload.len()))
                .map_err(|error| MessageError::TooManyElements { kind, error })?;
            envelope.kind = 0;
            let read = match payload {
                PayloadBytes::Borrowed(bytes) => message.read_protobuf(&mut envelope, bytes),
                PayloadBytes::Shared(bytes) => message.read_protobuf(&mut envelope, bytes),
            };
            read.map_err(fault)?;
            if envelope.kind == 0 {
                envelope.kind = kind;
            }
        }
    }
    if envelope.kind != kind {
        return Err(MessageError::KindMismatch {
            preamble: kind,
            payload: envelope.kind,
        });
    }
    Ok((envelope, message))
}

/// Encodes a JSON object without envelope, such as a log profile. If `sparse`, zero and empty fields are left out.
pub fn encode_json_object<T: JsonObject>(object: &T, sparse: bool, out: &mut Vec<u8>) {
    json::write_object(object, sparse, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marshalizer_is_a_format_of_this_build() {
        let protobuf = match cfg!(feature = "protobuf") {
            true => Ok(Format::Protobuf),
            false => Err(UnsupportedMarshalizer::Protobuf),
        };
        for (number, format) in [
            (0, Ok(Format::Json)),
            (1, Err(UnsupportedMarshalizer::Gob)),
            (2, protobuf),
            (3, Err(UnsupportedMarshalizer::Unknown(3))),
            (u32::MAX, Err(UnsupportedMarshalizer::Unknown(u32::MAX))),
        ] {
            assert_eq!(Format::from_marshalizer(number), format);
        }
        for format in [Format::Json, Format::Protobuf] {
            let found = Format::from_marshalizer(format.marshalizer());
            assert_eq!(format.check(), found.map(drop));
        }
        assert_eq!(Format::PREFERRED.check(), Ok(()));
    }
}
