use super::bytes_text;
use std::borrow::Cow;
use thiserror::Error;

/// How deep arrays and objects may nest, as in Go's reader. What our messages mean nests 6 deep.
const DEPTH_LIMIT: usize = 10_000;

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("bad JSON at byte {at}: {fault}")]
pub struct JsonError {
    /// Offset into the payload.
    pub at: usize,
    /// What is wrong there.
    pub fault: JsonFault,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// The text ends inside a value.
    #[error("unexpected end of input")]
    End,
    /// A byte that can't stand here.
    #[error("unexpected byte {found:#04x}, expected {expected}")]
    Unexpected {
        /// The byte.
        found: u8,
        /// What could stand here.
        expected: &'static str,
    },
    /// A string with a bad escape sequence.
    #[error("a bad escape sequence")]
    Escape,
    /// A byte below 0x20 in a string.
    #[error("a control character in a string")]
    Control,
    /// A number that does not fit its field: a fraction, an exponent, a sign or too many digits.
    #[error("a number that is no {0}")]
    Number(&'static str),
    /// A string that is not padded standard base64.
    #[error("bad base64")]
    Base64,
    /// Too many arrays and objects inside each other.
    #[error("nested more than {DEPTH_LIMIT} deep")]
    Depth,
}

/// Reads a JSON text from front to back.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// A string as it stands in the text, between its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawString<'a> {
    /// The text, escapes and all.
    pub text: &'a [u8],
    /// Whether there is a backslash in it.
    pub escaped: bool,
    /// Where it begins.
    pub at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning.
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// Fails unless only white space is left.
    pub fn end(&mut self) -> Result<(), JsonError> {
        self.white_space();
        match self.text.get(self.at) {
            None => Ok(()),
            Some(&found) => Err(self.unexpected(found, "the end")),
        }
    }

    /// Consumes a null, if that comes next.
    pub fn null(&mut self) -> Result<bool, JsonError> {
        if self.peek()? != b'n' {
            return Ok(false);
        }
        self.literal(b"null").map(|()| true)
    }

    /// Reads an object: calls `member` with every name, to read the value behind it.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&[u8], &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.expect(b'{', "an object")?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let name = self.string()?.bytes()?;
            self.expect(b':', "':'")?;
            member(&name, self)?;
            if !self.continues(b'}', "',' or '}'")? {
                return Ok(());
            }
        }
    }

    /// Reads an array: calls `element` to read every element.
    pub fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.expect(b'[', "an array")?;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.continues(b']', "',' or ']'")? {
                return Ok(());
            }
        }
    }

    /// Reads true or false.
    pub fn boolean(&mut self) -> Result<bool, JsonError> {
        match self.peek()? {
            b't' => self.literal(b"true").map(|()| true),
            b'f' => self.literal(b"false").map(|()| false),
            found => Err(self.unexpected(found, "true or false")),
        }
    }

    /// Reads a number as it stands in the text: valid JSON, an integer or not.
    pub fn number(&mut self) -> Result<&'a str, JsonError> {
        let first = self.peek()?;
        if first != b'-' && !first.is_ascii_digit() {
            return Err(self.unexpected(first, "a number"));
        }
        let start = self.at;
        if first == b'-' {
            self.at += 1;
        }
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        Ok(std::str::from_utf8(number).expect("digits, signs, points and letters are ASCII"))
    }

    /// Skips the value that comes next, whatever it is. Takes no stack for nesting.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        // What is open: true for an object.
        let mut open = Vec::new();
        loop {
            let first = self.peek()?;
            match first {
                b'{' | b'[' => {
                    if open.len() == DEPTH_LIMIT {
                        return Err(self.error(JsonFault::Depth));
                    }
                    self.at += 1;
                    let close = if first == b'{' { b'}' } else { b']' };
                    if self.peek()? == close {
                        self.at += 1;
                    } else {
                        open.push(first == b'{');
                        if first == b'{' {
                            self.skip_name()?;
                        }
                        continue;
                    }
                }
                b'"' => drop(self.string()?.bytes()?),
                b't' | b'f' => drop(self.boolean()?),
                b'n' => self.literal(b"null")?,
                _ => drop(self.number()?),
            }
            // A value is complete: close what ends behind it.
            loop {
                let Some(&object) = open.last() else {
                    return Ok(());
                };
                let close = if object { b'}' } else { b']' };
                if self.continues(close, "',' or the end of an object or array")? {
                    if object {
                        self.skip_name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// What comes next after white space, without consuming it.
    pub(super) fn peek(&mut self) -> Result<u8, JsonError> {
        self.white_space();
        self.text
            .get(self.at)
            .copied()
            .ok_or(self.error(JsonFault::End))
    }

    /// Reads a string, without making anything of it.
    pub(super) fn string(&mut self) -> Result<RawString<'a>, JsonError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = &self.text[self.at..];
            let Some(next) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return Err(self.error(JsonFault::End));
            };
            self.at += next;
            if self.text[self.at] == b'"' {
                break;
            }
            escaped = true;
            // The escaped character may be a quote; what it is, is checked when the escapes are resolved.
            self.at = (self.at + 2).min(self.text.len());
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        if text.iter().any(|byte| *byte < 0x20) {
            return Err(JsonError {
                at: start,
                fault: JsonFault::Control,
            });
        }
        Ok(RawString {
            text,
            escaped,
            at: start,
        })
    }

    pub(super) fn error(&self, fault: JsonFault) -> JsonError {
        JsonError { at: self.at, fault }
    }

    pub(super) fn unexpected(&self, found: u8, expected: &'static str) -> JsonError {
        self.error(JsonFault::Unexpected { found, expected })
    }

    fn skip_name(&mut self) -> Result<(), JsonError> {
        self.string()?.bytes()?;
        self.expect(b':', "':'")
    }

    /// Behind an element: whether another one follows, or else the closing bracket, which is consumed.
    fn continues(&mut self, close: u8, expected: &'static str) -> Result<bool, JsonError> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            found if found == close => {
                self.at += 1;
                Ok(false)
            }
            found => Err(self.unexpected(found, expected)),
        }
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        match self.peek()? {
            found if found == byte => {
                self.at += 1;
                Ok(())
            }
            found => Err(self.unexpected(found, expected)),
        }
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<(), JsonError> {
        for expected in word {
            match self.text.get(self.at) {
                Some(found) if found == expected => self.at += 1,
                Some(&found) => return Err(self.unexpected(found, "null, true or false")),
                None => return Err(self.error(JsonFault::End)),
            }
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        match self.text.get(self.at) {
            _ if self.at > start => Ok(()),
            Some(&found) => Err(self.unexpected(found, "a digit")),
            None => Err(self.error(JsonFault::End)),
        }
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
    }
}

impl<'a> RawString<'a> {
    /// The bytes that the string stands for. What is not UTF-8 stays as it is; a lone surrogate is U+FFFD.
    pub fn bytes(self) -> Result<Cow<'a, [u8]>, JsonError> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.text));
        }
        bytes_text::unescape(self.text)
            .map(Cow::Owned)
            .ok_or(JsonError {
                at: self.at,
                fault: JsonFault::Escape,
            })
    }

    /// The text that the string stands for. What is not UTF-8 reads as U+FFFD.
    pub fn text(self) -> Result<String, JsonError> {
        Ok(bytes_text::go_text(&self.bytes()?).into_owned())
    }
}
