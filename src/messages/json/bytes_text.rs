//! Text and base64 as Go reads them.

use crate::short_bytes::ShortBytes;
use bytes::Bytes;
use std::borrow::Cow;

/// Strings with so many bytes at most, once their escapes are resolved, are short.
pub const SHORT_TEXT_BYTES: usize = 192;

/// Converts bytes to text as Go does: every byte that is not part of valid UTF-8 becomes one U+FFFD. (Rust's lossy
/// conversion makes one of a whole broken sequence.)
pub fn go_text(bytes: &[u8]) -> String {
    if let Ok(text) = str::from_utf8(bytes) {
        return text.to_owned();
    }
    let broken: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    let growth = char::REPLACEMENT_CHARACTER.len_utf8() - 1;
    let mut text = String::with_capacity(bytes.len() + broken * growth);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for _ in chunk.invalid() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

/// Resolves the escape sequences of a JSON string without its quotes and passes the result to `out` in pieces. `None`
/// if a sequence is malformed.
pub fn unescape(mut text: &[u8], mut out: impl FnMut(&[u8])) -> Option<()> {
    while let Some(next) = memchr::memchr(b'\\', text) {
        out(&text[..next]);
        let (&letter, rest) = text[next + 1..].split_first()?;
        text = rest;
        let byte = match letter {
            b'u' => {
                let (character, rest) = unicode_escape(text)?;
                text = rest;
                out(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            letter => short_escape(letter)?,
        };
        out(&[byte]);
    }
    out(text);
    Some(())
}

/// The byte that an escape of one letter stands for.
fn short_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// The fast path of keys, which are addresses and hashes: the text of the string that begins after this quote, if it is short, and
/// the number of bytes up to its end. `None` for text that is long, malformed or not UTF-8.
pub fn short_text(text: &[u8], strings: &mut ShortBytes) -> Option<(Bytes, usize)> {
    let (mut out, mut length) = ([0; SHORT_TEXT_BYTES], 0);
    let mut rest = text;
    loop {
        let mut put = |bytes: &[u8]| {
            out.get_mut(length..length + bytes.len())?
                .copy_from_slice(bytes);
            length += bytes.len();
            Some(())
        };
        rest = match rest {
            [b'"', ..] => break,
            // As Go writes each byte that is not UTF-8.
            [b'\\', b'u', b'f', b'f', b'f', b'd', after @ ..] => {
                put("\u{fffd}".as_bytes())?;
                after
            }
            [b'\\', b'u', b'0', b'0', high @ b'0'..=b'7', low, after @ ..] => {
                let low = HEX_VALUES[usize::from(*low)];
                put(&[(low < 16).then_some((high - b'0') << 4 | low)?])?;
                after
            }
            [b'\\', letter, after @ ..] => {
                put(&[short_escape(*letter)?])?;
                after
            }
            // The text ends within an escape.
            [b'\\'] => return None,
            _ => {
                let plain = memchr::memchr2(b'"', b'\\', rest)?;
                let (plain, after) = rest.split_at(plain);
                if plain
                    .iter()
                    .fold(false, |found, byte| found | (*byte < 0x20))
                {
                    return None;
                }
                put(plain)?;
                after
            }
        };
    }
    let out = &out[..length];
    str::from_utf8(out).ok()?;
    Some((strings.copy(out), text.len() - rest.len()))
}

/// The character of a `\u` escape, or of a surrogate pair of two. A lone surrogate becomes U+FFFD.
fn unicode_escape(text: &[u8]) -> Option<(char, &[u8])> {
    let (first, rest) = hex_digits(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    if let Some((second, rest)) = rest.strip_prefix(b"\\u").and_then(hex_digits)
        && let (0xd800..=0xdbff, 0xdc00..=0xdfff) = (first, second)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(code)?, rest));
    }
    Some((char::REPLACEMENT_CHARACTER, rest))
}

fn hex_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    let [a, b, c, d] = digits.map(|digit| u32::from(HEX_VALUES[usize::from(digit)]));
    let code = a << 12 | b << 8 | c << 4 | d;
    (a.max(b).max(c).max(d) < 16).then_some((code, rest))
}

/// The value of each hexadecimal digit; 255 for all other bytes.
const HEX_VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        values[digit as usize] = value as u8;
        values[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

/// Decodes padded standard base64 as Go does: line ends are ignored, and unused bits of the last character may be set.
pub fn decode_base64(text: Cow<'_, [u8]>) -> Option<Vec<u8>> {
    if let Ok(bytes) = base64_simd::STANDARD.decode_to_vec(&text) {
        return Some(bytes);
    }
    let mut text = text.into_owned();
    text.retain(|byte| !matches!(byte, b'\r' | b'\n'));
    // The forgiving decoder would also accept missing padding and other white space.
    if !text.len().is_multiple_of(4) || text.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    base64_simd::forgiving_decode_to_vec(&text).ok()
}

/// The length of the base64 of `bytes` bytes.
pub const fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Appends the base64 of `bytes`.
pub fn encode_base64(bytes: &[u8], out: &mut Vec<u8>) {
    base64_simd::STANDARD.encode_append(bytes, out);
}
