use super::bytes_text;
use crate::messages::elements;
use std::borrow::Cow;
use thiserror::Error;

/// How deep arrays and objects may nest, as in Go's reader. What our messages mean nests 6 deep.
const DEPTH_LIMIT: usize = 10_000;

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("bad JSON at byte {at}: {fault}")]
pub struct JsonError {
    /// Offset into the payload: of the byte that can't be, or of the beginning of the number or the string that can't.
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
    /// So many elements in lists and maps that they would take far more memory than their text.
    #[error("too many elements")]
    Elements,
}

/// Reads a JSON text from front to back.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// How many arrays and objects are open.
    depth: usize,
    /// Memory that elements of lists and maps may still take.
    elements_left_bytes: usize,
}

/// A number as it stands in the text: valid JSON, an integer or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawNumber<'a> {
    pub text: &'a str,
    /// Where it begins.
    pub at: usize,
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
        Reader {
            text,
            at: 0,
            depth: 0,
            elements_left_bytes: elements::limit_bytes(text.len()),
        }
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
        member: impl FnMut(&[u8], &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.begin_object()?;
        self.rest_of_object(member)
    }

    /// Consumes what opens an object.
    pub fn begin_object(&mut self) -> Result<(), JsonError> {
        self.open(b'{', "an object")
    }

    /// Consumes the name of a member, given with its quotes and the colon, if exactly that comes next: behind the bracket
    /// that opens the object, or behind a comma.
    #[inline]
    pub fn takes_member<const N: usize>(&mut self, name: &[u8; N]) -> bool {
        let at = match self.nothing_was_read() {
            true => self.at,
            false if self.text.get(self.at) == Some(&b',') => self.at + 1,
            false => return false,
        };
        let found = self.text[at..].first_chunk() == Some(name);
        if found {
            self.at = at + N;
        }
        found
    }

    /// Whether the last byte that was consumed opened an object: no value ends with that byte.
    fn nothing_was_read(&self) -> bool {
        self.text[..self.at].last() == Some(&b'{')
    }

    /// Reads an object from behind a member, or from its beginning: calls `member` with every name that is left, to read
    /// the value behind it.
    pub fn rest_of_object(
        &mut self,
        mut member: impl FnMut(&[u8], &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if !self.nothing_was_read() {
            if !self.continues(b'}', "',' or '}'")? {
                return Ok(());
            }
        } else if self.peek()? == b'}' {
            self.close();
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
        self.open(b'[', "an array")?;
        if self.peek()? == b']' {
            self.close();
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

    /// Consumes an integer that fits `T`, if it stands here as every known writer writes it: the short way for nearly all
    /// numbers.
    pub(super) fn plain_integer<T: TryFrom<u64>>(&mut self) -> Option<T> {
        // So many always fit an u64.
        const MOST_DIGITS: usize = 19;
        let rest = &self.text[self.at..];
        let digits = rest.iter().take(MOST_DIGITS + 1);
        let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
        let ends = matches!(rest.get(digits), Some(b',' | b'}' | b']'));
        let leading_zero = digits > 1 && rest[0] == b'0';
        if !(1..=MOST_DIGITS).contains(&digits) || !ends || leading_zero {
            return None;
        }
        let number = rest[..digits]
            .iter()
            .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        let number = T::try_from(number).ok()?;
        self.at += digits;
        Some(number)
    }

    /// Consumes a string of base64, if it stands here as every known writer writes it.
    pub(super) fn plain_base64(&mut self) -> Option<Vec<u8>> {
        let text = self.text[self.at..].strip_prefix(b"\"")?;
        let text = &text[..memchr::memchr(b'"', text)?];
        // A backslash or a control character is none of its characters.
        let bytes = base64_simd::STANDARD.decode_to_vec(text).ok()?;
        self.at += text.len() + 2;
        Some(bytes)
    }

    /// Consumes an empty string, if it stands here.
    pub(super) fn empty_string(&mut self) -> bool {
        let found = self.text[self.at..].starts_with(b"\"\"");
        if found {
            self.at += 2;
        }
        found
    }

    /// Reads a number, without making anything of it.
    pub(super) fn number(&mut self) -> Result<RawNumber<'a>, JsonError> {
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
        let text = std::str::from_utf8(&self.text[start..self.at])
            .expect("digits, signs, points and letters are ASCII");
        Ok(RawNumber { text, at: start })
    }

    /// Skips the value that comes next, whatever it is. Takes no stack for nesting.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        // The brackets that close what is open.
        let mut open = Vec::new();
        loop {
            let first = self.peek()?;
            match first {
                b'{' | b'[' => {
                    self.open(first, "an object or array")?;
                    // In ASCII both closing brackets come two behind the opening ones.
                    let close = first + 2;
                    if self.peek()? != close {
                        open.push(close);
                        if first == b'{' {
                            self.skip_name()?;
                        }
                        continue;
                    }
                    self.close();
                }
                b'"' => self.string()?.check()?,
                b't' | b'f' => drop(self.boolean()?),
                b'n' => self.literal(b"null")?,
                _ => drop(self.number()?),
            }
            // A value is complete: close what ends behind it.
            loop {
                let Some(&close) = open.last() else {
                    return Ok(());
                };
                if self.continues(close, "',' or the end of an object or array")? {
                    if close == b'}' {
                        self.skip_name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Accounts for the memory of an element that is added to a list or map which has `before` of its kind.
    pub(super) fn element<T>(&mut self, before: usize) -> Result<(), JsonError> {
        let count = if before == 0 { elements::FIRST } else { 1 };
        self.elements_left_bytes = self
            .elements_left_bytes
            .checked_sub(count * size_of::<T>())
            .ok_or(self.error(JsonFault::Elements))?;
        Ok(())
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
        // All of it, without looking for the first one: that takes several bytes at a time.
        if text
            .iter()
            .fold(false, |found, byte| found | (*byte < 0x20))
        {
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

    /// How much was consumed, in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn error(&self, fault: JsonFault) -> JsonError {
        JsonError { at: self.at, fault }
    }

    pub(super) fn unexpected(&self, found: u8, expected: &'static str) -> JsonError {
        self.error(JsonFault::Unexpected { found, expected })
    }

    fn skip_name(&mut self) -> Result<(), JsonError> {
        self.string()?.check()?;
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
                self.close();
                Ok(false)
            }
            found => Err(self.unexpected(found, expected)),
        }
    }

    /// Consumes an opening bracket.
    fn open(&mut self, bracket: u8, expected: &'static str) -> Result<(), JsonError> {
        self.expect(bracket, expected)?;
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            self.at -= 1;
            return Err(self.error(JsonFault::Depth));
        }
        Ok(())
    }

    /// Consumes the closing bracket that comes next.
    fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
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

impl RawNumber<'_> {
    /// The error that the number is not of this type.
    pub fn is_no(self, what: &'static str) -> JsonError {
        JsonError {
            at: self.at,
            fault: JsonFault::Number(what),
        }
    }
}

impl<'a> RawString<'a> {
    /// The bytes that the string stands for. What is not UTF-8 stays as it is; a lone surrogate is U+FFFD.
    pub fn bytes(self) -> Result<Cow<'a, [u8]>, JsonError> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.text));
        }
        let mut bytes = Vec::with_capacity(self.text.len());
        self.unescape(|piece| bytes.extend_from_slice(piece))?;
        Ok(Cow::Owned(bytes))
    }

    /// The text that the string stands for. What is not UTF-8 reads as U+FFFD.
    pub fn text(self) -> Result<String, JsonError> {
        Ok(bytes_text::go_text(&self.bytes()?))
    }

    /// Fails if there is a bad escape sequence.
    fn check(self) -> Result<(), JsonError> {
        self.unescape(|_| {})
    }

    fn unescape(self, piece: impl FnMut(&[u8])) -> Result<(), JsonError> {
        bytes_text::unescape(self.text, piece).ok_or(JsonError {
            at: self.at,
            fault: JsonFault::Escape,
        })
    }
}
