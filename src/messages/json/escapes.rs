//! Escapes of JSON strings as Go writes them.

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
pub fn plain_bytes(text: &[u8]) -> usize {
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

/// Whether the character that a text begins with is escaped; it is special. U+2028 and U+2029 are, and U+FFFD: Go escapes that where it
/// replaces a byte that is not UTF-8, which is nearly always.
pub fn is_escaped(text: &[u8]) -> bool {
    match text {
        [0xe2, rest @ ..] => matches!(rest, [0x80, 0xa8 | 0xa9, ..]),
        [0xef, rest @ ..] => matches!(rest, [0xbf, 0xbd, ..]),
        _ => true,
    }
}

/// The escape of a character.
pub fn escape(character: &[u8]) -> Escape {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match character {
        b"\"" | b"\\" => Escape::short(character[0]),
        b"\n" => Escape::short(b'n'),
        b"\r" => Escape::short(b'r'),
        b"\t" => Escape::short(b't'),
        [.., 0xa8] => Escape::long(b"2028"),
        [.., 0xa9] => Escape::long(b"2029"),
        [.., 0xbd] => Escape::REPLACEMENT,
        _ => {
            let (high, low) = (character[0] >> 4, character[0] & 15);
            let digits = [high, low].map(|digit| HEX[usize::from(digit)]);
            Escape::long(&[b'0', b'0', digits[0], digits[1]])
        }
    }
}

/// An escape sequence.
#[derive(Debug, Clone, Copy)]
pub struct Escape {
    bytes: [u8; 6],
    length: usize,
}

impl Escape {
    /// That of U+FFFD.
    const REPLACEMENT: Escape = Escape::long(b"fffd");

    const fn short(letter: u8) -> Escape {
        Escape {
            bytes: [b'\\', letter, 0, 0, 0, 0],
            length: 2,
        }
    }

    const fn long(digits: &[u8; 4]) -> Escape {
        let [a, b, c, d] = *digits;
        Escape {
            bytes: [b'\\', b'u', a, b, c, d],
            length: 6,
        }
    }
}

impl std::ops::Deref for Escape {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Appends a short string of bytes as it stands in JSON between quotes: each byte that is not UTF-8 becomes an escaped U+FFFD.
pub fn push_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let width = match first {
            byte if !IS_SPECIAL[usize::from(*byte)] && byte.is_ascii() => {
                out.push(*byte);
                rest = after;
                continue;
            }
            ..0x80 => 1,
            0xc2..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf5 => 4,
            _ => 0,
        };
        let character = rest
            .get(..width)
            .filter(|bytes| str::from_utf8(bytes).is_ok());
        match character {
            Some(character) if width > 0 => {
                match is_escaped(character) && IS_SPECIAL[usize::from(*first)] {
                    true => out.extend_from_slice(&escape(character)),
                    false => out.extend_from_slice(character),
                }
                rest = &rest[width..];
            }
            _ => {
                out.extend_from_slice(&Escape::REPLACEMENT);
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::json::Writer;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_strings_are_written_like_long_ones(
            parts in prop::collection::vec(
                prop_oneof![
                    any::<char>().prop_map(|character| character.to_string().into_bytes()),
                    prop::sample::select(vec!["\"", "\\", "\n", "\u{1}", "\u{7f}", "<", "\u{2028}", "\u{2029}", "\u{fffd}", "\u{ffee}", "a"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..5),
                    prop::sample::select(vec![b"\xe2\x80".to_vec(), b"\xed\xa0\x80".to_vec(), b"\xf0\x9f\x98".to_vec(), b"\xf4\x90\x80\x80".to_vec(), b"\xc0\x80".to_vec()]),
                ],
                0..12,
            ),
        ) {
            let bytes = parts.concat();
            let mut expected = Vec::new();
            Writer::new(&mut expected, false).bytes_text(&bytes);
            let mut found = b"\"".to_vec();
            push_escaped(&bytes, &mut found);
            found.push(b'"');
            prop_assert_eq!(found, expected);
        }
    }
}
