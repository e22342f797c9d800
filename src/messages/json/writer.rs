use super::bytes_text;
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

/// The bytes that are escaped in a text, or begin a character that may be.
const IS_SPECIAL: [bool; 256] = {
    let mut is_special = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        is_special[control] = true;
        control += 1;
    }
    let others = b"\"\\<>&\xe2\xef";
    let mut other = 0;
    while other < others.len() {
        is_special[others[other] as usize] = true;
        other += 1;
    }
    is_special
};

/// How many bytes at the beginning need no escape.
fn plain_bytes(text: &[u8]) -> usize {
    let is_special = |byte: &u8| IS_SPECIAL[usize::from(*byte)];
    // Mostly behind another escape: the bytes of an address or a hash.
    if text.first().is_some_and(is_special) {
        return 0;
    }
    // Sixteen at a time, which compiles to vector instructions.
    let (chunks, _) = text.as_chunks::<16>();
    let is_plain = |chunk: &&[u8; 16]| {
        !chunk.iter().fold(false, |found, byte| {
            found | !(0x20..0x80).contains(byte) | matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
        })
    };
    let certain = 16 * chunks.iter().take_while(is_plain).count();
    let rest = &text[certain..];
    certain + rest.iter().position(is_special).unwrap_or(rest.len())
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
        self.separate();
        self.raw(b"\"");
        self.raw(name.as_bytes());
        self.raw(b"\":");
        value(self);
        self.comma = true;
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
        self.separate();
        self.text(name);
        self.raw(b":");
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
                // U+2028 and U+2029.
                [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
                // U+FFFD: Go escapes it where it replaces a byte that is not UTF-8, which is nearly always.
                [0xef, 0xbf, 0xbd, ..] => 3,
                [0xe2 | 0xef, ..] => {
                    plain += 1;
                    continue;
                }
                _ => 1,
            };
            if plain > 0 {
                self.raw(&rest[..plain]);
            }
            self.escape(&rest[plain..plain + length]);
            rest = &rest[plain + length..];
            plain = 0;
        }
        self.raw(rest);
    }

    fn escape(&mut self, character: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        match character {
            b"\"" | b"\\" => self.raw(&[b'\\', character[0]]),
            b"\n" => self.raw(b"\\n"),
            b"\r" => self.raw(b"\\r"),
            b"\t" => self.raw(b"\\t"),
            [.., 0xa8] => self.raw(b"\\u2028"),
            [.., 0xa9] => self.raw(b"\\u2029"),
            [.., 0xbd] => self.raw(b"\\ufffd"),
            _ => {
                let (high, low) = (character[0] >> 4, character[0] & 15);
                self.raw(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    HEX[usize::from(high)],
                    HEX[usize::from(low)],
                ]);
            }
        }
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
