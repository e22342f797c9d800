use bytes::Bytes;
use std::ops::Deref;

/// A payload, where it lies. Short ones are decoded there; a long one takes the memory along, so that what is decoded
/// can share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// In somebody else's memory.
    Borrowed(&'a [u8]),
    /// In memory that can be shared.
    Shared(Bytes),
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Shared(bytes) => bytes,
        }
    }
}

impl From<Bytes> for Payload<'_> {
    fn from(bytes: Bytes) -> Self {
        Payload::Shared(bytes)
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Payload::Borrowed(bytes)
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::Shared(bytes.into())
    }
}

impl From<Payload<'_>> for Bytes {
    fn from(payload: Payload<'_>) -> Bytes {
        match payload {
            Payload::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Payload::Shared(bytes) => bytes,
        }
    }
}
