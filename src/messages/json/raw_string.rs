//! A string of a JSON text as it stands there, with its escapes.

use super::bytes_text;
use super::error::{JsonError, JsonFault};
use std::borrow::Cow;

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

    /// The text of the string, with escapes resolved. Bytes that are not UTF-8 become U+FFFD.
    pub fn text(self) -> Result<String, JsonError> {
        Ok(bytes_text::go_text(&self.bytes()?))
    }

    /// Fails if there is a bad escape sequence.
    pub fn check(self) -> Result<(), JsonError> {
        self.unescape(|_| {})
    }

    fn unescape(self, out: impl FnMut(&[u8])) -> Result<(), JsonError> {
        bytes_text::unescape(self.text, out).ok_or(JsonError {
            at: self.at,
            fault: JsonFault::Escape,
        })
    }
}
