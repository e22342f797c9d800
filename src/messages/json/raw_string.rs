//! A string of a JSON text as it stands there, with its escapes.

use super::bytes_text;
use super::reader::{JsonError, JsonFault};
use bytes::Bytes;
use std::borrow::Cow;

/// Strings up to this length have their escapes resolved on the stack: keys of maps, such as 32 bytes with 6 for each.
const SHORT_TEXT_BYTES: usize = 192;

/// The text of a string, between its quotes.
#[derive(Debug, Clone, Copy)]
pub struct RawString<'a> {
    /// The text, with its escapes.
    pub text: &'a [u8],
    /// Whether there is a backslash in it.
    pub escaped: bool,
    /// Where it begins.
    pub at: usize,
}

impl<'a> RawString<'a> {
    /// The bytes of the string, with escapes resolved. Bytes that are not UTF-8 are kept; a lone surrogate becomes
    /// U+FFFD.
    pub fn bytes(self) -> Result<Cow<'a, [u8]>, JsonError> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.text));
        }
        let mut bytes = Vec::with_capacity(self.text.len());
        self.unescape(|piece| bytes.extend_from_slice(piece))?;
        Ok(Cow::Owned(bytes))
    }

    /// Like [`text`](Self::text), as bytes, with one allocation for short ones.
    pub fn text_bytes(self) -> Result<Bytes, JsonError> {
        if str::from_utf8(self.text).is_err() {
            return Ok(self.text()?.into());
        }
        if !self.escaped {
            return Ok(Bytes::copy_from_slice(self.text));
        }
        // Escapes get shorter when they are resolved, and stand for text.
        let mut short = [0; SHORT_TEXT_BYTES];
        if self.text.len() > short.len() {
            return Ok(self.bytes()?.into_owned().into());
        }
        let mut length = 0;
        self.unescape(|piece| {
            short[length..length + piece.len()].copy_from_slice(piece);
            length += piece.len();
        })?;
        Ok(Bytes::copy_from_slice(&short[..length]))
    }

    /// The text of the string, with escapes resolved. Bytes that are not UTF-8 become U+FFFD.
    pub fn text(self) -> Result<String, JsonError> {
        Ok(bytes_text::go_text(&self.bytes()?))
    }

    /// Fails if there is a bad escape sequence.
    pub fn check(self) -> Result<(), JsonError> {
        self.unescape(|_| {})
    }

    fn unescape(self, piece: impl FnMut(&[u8])) -> Result<(), JsonError> {
        bytes_text::unescape(self.text, piece).ok_or(JsonError {
            at: self.at,
            fault: JsonFault::Escape,
        })
    }
}
