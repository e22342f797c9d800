use bytes::Bytes;
use std::ops::Deref;

/// A payload, borrowed in place or owned. A short one is decoded in place. A long one owns the buffer, so that decoded
/// fields can share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadBytes<'a> {
    /// In the decoder's buffer.
    Borrowed(&'a [u8]),
    /// In memory that can be shared.
    Shared(Bytes),
}

impl Deref for PayloadBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            PayloadBytes::Borrowed(bytes) => bytes,
            PayloadBytes::Shared(bytes) => bytes,
        }
    }
}

impl From<Bytes> for PayloadBytes<'_> {
    fn from(bytes: Bytes) -> Self {
        PayloadBytes::Shared(bytes)
    }
}

impl<'a> From<&'a [u8]> for PayloadBytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        PayloadBytes::Borrowed(bytes)
    }
}

impl From<Vec<u8>> for PayloadBytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        PayloadBytes::Shared(bytes.into())
    }
}

impl From<PayloadBytes<'_>> for Bytes {
    fn from(payload: PayloadBytes<'_>) -> Bytes {
        match payload {
            PayloadBytes::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            PayloadBytes::Shared(bytes) => bytes,
        }
    }
}
