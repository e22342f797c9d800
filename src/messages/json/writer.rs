use super::bytes_text;
use super::escapes::{escape, is_escaped, plain_bytes};
use std::fmt::{self, Write as _};

/// Writes JSON to the end of a buffer, as Go's encoding/json does: no white space, HTML characters escaped.
#[derive(Debug)]
pub struct Writer<'a> {
    out: Sink<'a>,
    /// Whether members that are zero are left out.
    sparse: bool,
    /// Whether a comma is due before the next member or element.
    comma: bool,
}

/// The output of a writer.
#[derive(Debug)]
enum Sink<'a> {
    /// Appends to this buffer.
    Buffer(&'a mut Vec<u8>),
    /// Only counts the bytes.
    Count(usize),
}

impl<'a> Writer<'a> {
    /// Appends to `out`. If `sparse`, members that are zero, empty or null are left out.
    pub fn new(out: &'a mut Vec<u8>, sparse: bool) -> Writer<'a> {
        Writer {
            out: Sink::Buffer(out),
            sparse,
            comma: false,
        }
    }

    /// The number of bytes that `write` writes, computed without storing them.
    pub fn length(write: impl FnOnce(&mut Self)) -> usize {
        let mut writer = Writer {
            out: Sink::Count(0),
            sparse: false,
            comma: false,
        };
        write(&mut writer);
        match writer.out {
            Sink::Count(length) => length,
            Sink::Buffer(out) => out.len(),
        }
    }

    /// Writes an object; `members` writes its members.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.raw(b"{");
        self.comma = false;
        members(self);
        self.raw(b"}");
        self.comma = true;
    }

    /// Writes an array; `element` writes each one.
    pub fn array<T>(&mut self, elements: &[T], mut element: impl FnMut(&T, &mut Self)) {
        self.raw(b"[");
        self.comma = false;
        for value in elements {
            self.separate();
            element(value, self);
            self.comma = true;
        }
        self.raw(b"]");
        self.comma = true;
    }

    /// Writes a member of an object whose name needs no escapes; `value` writes its value.
    pub fn member(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.escaped_member(name.as_bytes(), value);
    }

    /// Writes a field of the schema, whose name is given with its quotes and the colon.
    #[inline]
    pub fn field(&mut self, name: &str, is_zero: bool, value: impl FnOnce(&mut Self)) {
        if self.sparse && is_zero {
            return;
        }
        self.separate();
        self.raw(name.as_bytes());
        value(self);
        self.comma = true;
    }

    /// Like [`field`](Self::field), but a zero field is left out, so that old peers don't see extensions.
    #[inline]
    pub fn extension(&mut self, name: &str, is_zero: bool, value: impl FnOnce(&mut Self)) {
        if !is_zero {
            self.field(name, is_zero, value);
        }
    }

    /// Writes a member with any name.
    pub fn named_member(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.bytes_member(name.as_bytes(), value);
    }

    /// Like [`member`](Self::member), with a name whose escapes are made.
    pub fn escaped_member(&mut self, name: &[u8], value: impl FnOnce(&mut Self)) {
        self.separate();
        self.raw(b"\"");
        self.raw(name);
        self.raw(b"\":");
        value(self);
        self.comma = true;
    }

    /// Like [`member`](Self::member), with a name that need not be UTF-8.
    pub fn bytes_member(&mut self, name: &[u8], value: impl FnOnce(&mut Self)) {
        self.separate();
        self.bytes_text(name);
        self.raw(b":");
        value(self);
        self.comma = true;
    }

    /// Writes a string.
    pub fn text(&mut self, text: &str) {
        self.raw(b"\"");
        self.escaped(text);
        self.raw(b"\"");
    }

    /// Writes a string of bytes that need not be UTF-8: each byte that is not becomes an escaped U+FFFD.
    pub fn bytes_text(&mut self, bytes: &[u8]) {
        self.raw(b"\"");
        match str::from_utf8(bytes) {
            Ok(text) => self.escaped(text),
            Err(_) => {
                for chunk in bytes.utf8_chunks() {
                    self.escaped(chunk.valid());
                    for _ in chunk.invalid() {
                        self.raw(b"\\ufffd");
                    }
                }
            }
        }
        self.raw(b"\"");
    }

    /// Writes bytes as a base64 string.
    pub fn base64(&mut self, bytes: &[u8]) {
        self.raw(b"\"");
        match &mut self.out {
            Sink::Buffer(out) => bytes_text::encode_base64(bytes, out),
            Sink::Count(length) => *length += bytes_text::base64_length(bytes.len()),
        }
        self.raw(b"\"");
    }

    /// Writes a text that is already JSON: a number, true, false or null.
    #[inline]
    pub fn literal(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    /// Writes a value whose `Display` is valid JSON, such as a number.
    pub fn bare(&mut self, value: impl std::fmt::Display) {
        write!(self, "{value}").expect("writing can't fail");
    }

    /// Writes a text with escapes where JSON or HTML needs them.
    fn escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        let mut plain = 0;
        loop {
            plain += plain_bytes(&rest[plain..]);
            let length = match rest[plain..] {
                [] => break,
                [0xe2 | 0xef, ..] if !is_escaped(&rest[plain..]) => {
                    plain += 1;
                    continue;
                }
                [0xe2 | 0xef, ..] => 3,
                _ => 1,
            };
            if plain > 0 {
                self.raw(&rest[..plain]);
            }
            self.raw(&escape(&rest[plain..plain + length]));
            rest = &rest[plain + length..];
            plain = 0;
        }
        self.raw(rest);
    }

    fn separate(&mut self) {
        if self.comma {
            self.raw(b",");
        }
    }

    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        match &mut self.out {
            Sink::Buffer(out) => out.extend_from_slice(bytes),
            Sink::Count(length) => *length += bytes.len(),
        }
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.raw(text.as_bytes());
        Ok(())
    }
}
