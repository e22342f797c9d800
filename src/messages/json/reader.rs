use super::bytes_text;
use super::error::{DEPTH_LIMIT, JsonError, JsonFault};
use super::raw_string::RawString;
use crate::messages::elements;
use crate::short_bytes::{SHORT, ShortBytes};
use base64_simd::{AsOut as _, STANDARD};
use bytes::Bytes;

/// The most bytes that short byte strings of a text share: one that is kept keeps so many.
const LONGEST_CHUNK: usize = 1024;

/// A streaming JSON reader.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Number of open arrays and objects.
    depth: usize,
    /// Memory budget left for the elements of lists and maps.
    elements_left_bytes: usize,
    strings: ShortBytes,
}

/// The text of a number: valid JSON, but not necessarily an integer.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawNumber<'a> {
    pub text: &'a str,
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
            strings: ShortBytes::in_chunks(text.len().min(LONGEST_CHUNK)),
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

    /// Consumes a null, if it is the next value.
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

    /// Like [`object`](Self::object), with the names as text: bytes that are not UTF-8 become U+FFFD.
    pub(super) fn map(
        &mut self,
        member: impl FnMut(Bytes, &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.begin_object()?;
        self.members(Self::text_as_bytes, member)
    }

    /// Consumes the opening brace of an object.
    pub fn begin_object(&mut self) -> Result<(), JsonError> {
        self.open(b'{', "an object")
    }

    /// Consumes the name of a member, given with its quotes and the colon, if the text has exactly that next: after the
    /// opening brace, or after a comma.
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

    /// Whether the last consumed byte is an opening brace, with which no value ends.
    fn nothing_was_read(&self) -> bool {
        self.text[..self.at].last() == Some(&b'{')
    }

    /// Reads the rest of an object, from its beginning or after a member: calls `member` with each remaining name, to
    /// read the value after it.
    pub fn rest_of_object(
        &mut self,
        mut member: impl FnMut(&[u8], &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.members(
            |input| input.string()?.bytes(),
            |name, input| member(&name, input),
        )
    }

    /// The rest of an object; `name` reads a name.
    fn members<N>(
        &mut self,
        name: impl Fn(&mut Self) -> Result<N, JsonError>,
        mut member: impl FnMut(N, &mut Self) -> Result<(), JsonError>,
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
            let name = name(self)?;
            self.expect(b':', "':'")?;
            member(name, self)?;
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

    /// The fast path of integers: consumes one that fits `T`, if it is written as by every known writer.
    pub(super) fn plain_integer<T: TryFrom<u64>>(&mut self) -> Option<T> {
        // This many digits always fit a u64.
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

    /// The fast path of base64: consumes a string, if it is written as by every known writer.
    pub(super) fn plain_base64(&mut self) -> Option<Bytes> {
        let text = self.text[self.at..].strip_prefix(b"\"")?;
        let text = &text[..memchr::memchr(b'"', text)?];
        // Decoding rejects backslashes and control characters, which are not in its alphabet.
        let bytes = if text.len() <= SHORT {
            let mut short = [0_u8; SHORT];
            let decoded = STANDARD.decode(text, short[..].as_out()).ok()?;
            self.strings.copy(decoded)
        } else {
            STANDARD.decode_to_vec(text).ok()?.into()
        };
        self.at += text.len() + 2;
        Some(bytes)
    }

    /// Consumes an empty string, if it is next.
    pub(super) fn empty_string(&mut self) -> bool {
        let found = self.text[self.at..].starts_with(b"\"\"");
        if found {
            self.at += 2;
        }
        found
    }

    /// Reads the text of a number, without converting it.
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

    /// Skips the next value, of any type. Not recursive.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        // The closing brackets of the open arrays and objects.
        let mut open = Vec::new();
        loop {
            let first = self.peek()?;
            match first {
                b'{' | b'[' => {
                    self.open(first, "an object or array")?;
                    // In ASCII both closing brackets are two code points after the opening ones.
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
            // A value is complete: close the arrays and objects that end after it.
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

    /// Accounts for the memory of an element that is added to a list or map of `before` elements.
    pub(super) fn element<T>(&mut self, before: usize) -> Result<(), JsonError> {
        let count = if before == 0 { elements::FIRST } else { 1 };
        self.elements_left_bytes = self
            .elements_left_bytes
            .checked_sub(count * size_of::<T>())
            .ok_or(self.error(JsonFault::Elements))?;
        Ok(())
    }

    /// The next byte after white space, without consuming it.
    pub(super) fn peek(&mut self) -> Result<u8, JsonError> {
        self.white_space();
        self.text
            .get(self.at)
            .copied()
            .ok_or(self.error(JsonFault::End))
    }

    /// Reads a string. Bytes that are not UTF-8 become U+FFFD.
    fn text_as_bytes(&mut self) -> Result<Bytes, JsonError> {
        if self.peek()? == b'"'
            && let Some((text, length)) =
                bytes_text::short_text(&self.text[self.at + 1..], &mut self.strings)
        {
            self.at += length + 2;
            return Ok(text);
        }
        Ok(self.string()?.text()?.into())
    }

    /// Reads the text of a string, without resolving escapes.
    pub(super) fn string(&mut self) -> Result<RawString<'a>, JsonError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = &self.text[self.at..];
            let next = memchr::memchr2(b'"', b'\\', rest);
            let Some(next) = next else {
                self.at = self.text.len();
                return Err(self.error(JsonFault::End));
            };
            self.at += next;
            if self.text[self.at] == b'"' {
                break;
            }
            escaped = true;
            // Skips the escaped character, which may be a quote. It is checked when the escapes are resolved.
            self.at = (self.at + 2).min(self.text.len());
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        // Checks the whole text without an early exit, which compiles to vector instructions.
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

    /// Number of consumed bytes.
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

    /// After an element: whether another one follows. Otherwise consumes the closing bracket.
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
    /// The error of a number that is not of this type.
    pub fn is_no(self, what: &'static str) -> JsonError {
        JsonError {
            at: self.at,
            fault: JsonFault::Number(what),
        }
    }
}
