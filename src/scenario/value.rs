//! The value language (docs/spec/scenarios.md#values): expressions that evaluate to bytes. Only verbatim parts may be
//! other than ASCII; they need not be UTF-8.

use super::files::{Files, Unreadable};
use crate::messages::go_text;
use bytes::Bytes;
use num_bigint::{BigInt, BigUint, Sign};
use sha3::{Digest, Keccak256};
use thiserror::Error;

/// Limit of nested `keccak256:`.
const DEPTH_LIMIT: usize = 64;

/// An invalid value expression.
#[derive(Debug, Error)]
pub enum ValueError {
    /// Invalid hexadecimal digits, in which no underscores or commas are allowed.
    #[error("could not parse hex value: {0}")]
    Hexadecimal(String),
    /// Invalid digits after `0b`.
    #[error("could not parse binary value: {0}")]
    Binary(String),
    /// An invalid number without prefix.
    #[error("could not parse base 10 value: {0}")]
    Decimal(String),
    /// A number that does not fit 64 bits.
    #[error("{0} is not uint64")]
    NotU64(BigUint),
    /// An address or an identifier of the wrong length.
    #[error("{actual} bytes instead of {expected}")]
    Length {
        /// The length it has.
        actual: usize,
        /// The length it should have.
        expected: usize,
    },
    /// `keccak256:` is nested too deep.
    #[error("more than {DEPTH_LIMIT} times keccak256 within each other")]
    TooDeep,
    /// The file that the value names can't be read.
    #[error(transparent)]
    File(#[from] Unreadable),
}

/// Evaluates a text to bytes.
pub fn bytes(text: &[u8], files: &Files<'_>) -> Result<Bytes, ValueError> {
    evaluate(text, files, 0)
}

/// Evaluates a text to an unsigned number.
pub fn unsigned(text: &[u8], files: &Files<'_>) -> Result<BigUint, ValueError> {
    Ok(BigUint::from_bytes_be(&bytes(text, files)?))
}

/// Evaluates a text to a number in two's complement.
pub fn signed(text: &[u8], files: &Files<'_>) -> Result<BigInt, ValueError> {
    Ok(BigInt::from_signed_bytes_be(&bytes(text, files)?))
}

/// Evaluates a text to an unsigned 64-bit number.
pub fn unsigned_64(text: &[u8], files: &Files<'_>) -> Result<u64, ValueError> {
    let number = unsigned(text, files)?;
    u64::try_from(&number).map_err(|_| ValueError::NotU64(number))
}

/// Evaluates a text to bytes of a fixed length: an address or an identifier.
pub fn fixed(text: &[u8], expected: usize, files: &Files<'_>) -> Result<Bytes, ValueError> {
    let bytes = bytes(text, files)?;
    if bytes.len() == expected {
        Ok(bytes)
    } else {
        Err(ValueError::Length {
            actual: bytes.len(),
            expected,
        })
    }
}

fn evaluate(text: &[u8], files: &Files<'_>, depth: usize) -> Result<Bytes, ValueError> {
    if depth > DEPTH_LIMIT {
        return Err(ValueError::TooDeep);
    }
    if let Some(name) = text.strip_prefix(b"file:") {
        return Ok(files.contents(name)?);
    }
    if let Some(hashed) = text.strip_prefix(b"keccak256:") {
        let hashed = evaluate(hashed, files, depth + 1)?;
        return Ok(Bytes::copy_from_slice(&Keccak256::digest(&hashed)));
    }
    if text.contains(&b'|') {
        let mut all = Vec::new();
        for part in text.split(|&byte| byte == b'|') {
            all.extend_from_slice(&evaluate(part, files, depth + 1)?);
        }
        return Ok(all.into());
    }
    match text {
        b"" | b"false" => return Ok(Bytes::new()),
        b"true" => return Ok(Bytes::from_static(&[1])),
        _ => {}
    }
    if let Some(verbatim) = strip_either(text, b"``", b"''") {
        return Ok(Bytes::copy_from_slice(verbatim));
    }
    match text {
        [b'+', magnitude @ ..] => signed_bytes(Sign::Plus, magnitude),
        [b'-', magnitude @ ..] => signed_bytes(Sign::Minus, magnitude),
        _ => unsigned_bytes(text),
    }
    .map(Bytes::from)
}

/// The shortest two's complement; empty for zero.
fn signed_bytes(sign: Sign, magnitude: &[u8]) -> Result<Vec<u8>, ValueError> {
    let number = BigInt::from_bytes_be(sign, &unsigned_bytes(magnitude)?);
    Ok(match number.sign() {
        Sign::NoSign => Vec::new(),
        _ => number.to_signed_bytes_be(),
    })
}

fn unsigned_bytes(text: &[u8]) -> Result<Vec<u8>, ValueError> {
    if let Some(digits) = strip_either(text, b"0x", b"0X") {
        return hexadecimal(digits).ok_or_else(|| ValueError::Hexadecimal(go_text(text)));
    }
    let digits = text.iter().copied();
    let plain: Vec<u8> = digits.filter(|byte| !matches!(byte, b'_' | b',')).collect();
    match strip_either(&plain, b"0b", b"0B") {
        // Only if the text itself has the prefix: `0_b1` has none.
        Some(digits) if strip_either(text, b"0b", b"0B").is_some() => {
            number(digits, 2).ok_or_else(|| ValueError::Binary(go_text(text)))
        }
        _ => number(&plain, 10).ok_or_else(|| ValueError::Decimal(go_text(text))),
    }
}

fn strip_either<'a>(text: &'a [u8], one: &[u8; 2], other: &[u8; 2]) -> Option<&'a [u8]> {
    text.strip_prefix(one).or(text.strip_prefix(other))
}

/// Pairs of digits from the right; leading zero bytes are kept.
fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    digits
        .rchunks(2)
        .rev()
        .map(|pair| {
            let value = pair
                .iter()
                .try_fold(0, |sum, byte| Some(sum * 16 + digit(byte)?))?;
            u8::try_from(value).ok()
        })
        .collect()
}

/// The absolute value of a number, without leading zero bytes. A sign is ignored: `+-5` is 5, as in the reference.
fn number(text: &[u8], radix: u32) -> Option<Vec<u8>> {
    let digits = match text {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    if !digits
        .iter()
        .all(|&digit| char::from(digit).is_digit(radix))
    {
        return None;
    }
    let number = BigUint::parse_bytes(digits, radix)?;
    Some(match number.bits() {
        0 => Vec::new(),
        _ => number.to_bytes_be(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn evaluated(text: impl AsRef<[u8]>) -> Result<String, ValueError> {
        let replacements = BTreeMap::new();
        let value = bytes(text.as_ref(), &Files::new(&replacements))?;
        Ok(value.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    #[test]
    fn the_table_of_the_language() {
        for (text, expected) in [
            ("", ""),
            ("file:", ""),
            ("false", ""),
            ("true", "01"),
            ("``abc", "616263"),
            ("''abc", "616263"),
            ("```", "60"),
            ("`` é ", "20c3a920"),
            ("''true", "74727565"),
            ("0", ""),
            ("00012", "0c"),
            ("256", "0100"),
            ("1,000_000", "0f4240"),
            ("0x", ""),
            ("0x00", "00"),
            ("0X0aB", "00ab"),
            ("0b101", "05"),
            ("0B1_0000,0000", "0100"),
            ("+255", "00ff"),
            ("+127", "7f"),
            ("-1", "ff"),
            ("-128", "80"),
            ("-129", "ff7f"),
            ("-256", "ff00"),
            ("+0", ""),
            ("-0", ""),
            ("+0x00ff", "00ff"),
            ("-0b101", "fb"),
            ("|", ""),
            ("||0x01|5||", "0105"),
            ("``a|0x0062|true|-1", "61006201ff"),
            // Signs after the first are ignored, and so is one behind a separator.
            ("+-5", "05"),
            ("--5", "fb"),
            ("_-5", "05"),
        ] {
            assert_eq!(evaluated(text).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn hashes_what_follows() {
        const OF_NOTHING: &str = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        const OF_ABC: &str = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45";
        let evaluated = |text| evaluated(text).expect(text);
        assert_eq!(evaluated("keccak256:"), OF_NOTHING);
        assert_eq!(evaluated("keccak256:``abc"), OF_ABC);
        // The whole concatenation, unless the value begins with something else.
        assert_eq!(evaluated("keccak256:``a|``b|``c"), OF_ABC);
        assert_eq!(evaluated("1|keccak256:``abc|2"), format!("01{OF_ABC}02"));
        assert_eq!(
            evaluated("keccak256:keccak256:``abc"),
            evaluated(&format!("keccak256:0x{OF_ABC}"))
        );
    }

    #[test]
    fn rejects_what_is_no_value() {
        for (text, expected) in [
            ("0x1_0", "could not parse hex value: 0x1_0"),
            ("0x1,0", "could not parse hex value: 0x1,0"),
            ("0xg0", "could not parse hex value: 0xg0"),
            ("0x+1", "could not parse hex value: 0x+1"),
            ("0b", "could not parse binary value: 0b"),
            ("0b2", "could not parse binary value: 0b2"),
            ("_0b1", "could not parse base 10 value: _0b1"),
            ("0_b1", "could not parse base 10 value: 0_b1"),
            ("+", "could not parse base 10 value: "),
            ("-", "could not parse base 10 value: "),
            ("_,", "could not parse base 10 value: _,"),
            ("*", "could not parse base 10 value: *"),
            ("1.5", "could not parse base 10 value: 1.5"),
            (" 1", "could not parse base 10 value:  1"),
            ("1-1", "could not parse base 10 value: 1-1"),
            ("`abc", "could not parse base 10 value: `abc"),
            ("True", "could not parse base 10 value: True"),
            ("str:abc", "could not parse base 10 value: str:abc"),
            ("``a|b", "could not parse base 10 value: b"),
            ("1|file:a|b", "can't read a: "),
            ("file:a|b", "can't read a|b: "),
        ] {
            let error = evaluated(text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        let deep = "keccak256:".repeat(1 << 16);
        assert!(matches!(evaluated(&deep), Err(ValueError::TooDeep)));
    }

    #[test]
    fn text_need_not_be_utf8() {
        const OF_FF: &str = "8b1a944cf13a9a1c08facb2c9e98623ef3254d2ddb48113885c3e8e97fec8db9";
        for (text, expected) in [
            (&b"''\xff"[..], "ff"),
            (b"``\xc3|''\xa9\xfe|1", "c3a9fe01"),
            (b"keccak256:''\xff", OF_FF),
        ] {
            assert_eq!(evaluated(text).expect("verbatim"), expected);
        }
        for (text, expected) in [
            (&b"\xff"[..], "could not parse base 10 value: \u{fffd}"),
            (
                b"1\xff\xfe",
                "could not parse base 10 value: 1\u{fffd}\u{fffd}",
            ),
            (b"0x\xff0", "could not parse hex value: 0x\u{fffd}0"),
            (b"0b1\xff", "could not parse binary value: 0b1\u{fffd}"),
            (b"-\xff", "could not parse base 10 value: \u{fffd}"),
            // One quote; a second one of the other kind; digits of other scripts.
            (b"'\xff", "could not parse base 10 value: '\u{fffd}"),
            (b"`'a", "could not parse base 10 value: `'a"),
            ("١".as_bytes(), "could not parse base 10 value: ١"),
            (b"file:a\xff", "can't read a\u{fffd}: No such file"),
        ] {
            let error = evaluated(text).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn numbers_of_a_certain_kind() {
        let replacements = BTreeMap::new();
        let files = Files::new(&replacements);
        assert_eq!(unsigned(b"-1", &files).expect("255"), BigUint::from(255u8));
        assert_eq!(signed(b"0xff", &files).expect("-1"), BigInt::from(-1));
        assert_eq!(signed(b"255", &files).expect("-1"), BigInt::from(-1));
        assert_eq!(signed(b"", &files).expect("0"), BigInt::from(0));
        assert_eq!(unsigned_64(b"", &files).expect("0"), 0);
        let largest = b"0x00ffffffffffffffff";
        assert_eq!(unsigned_64(largest, &files).expect("fits"), u64::MAX);
        let error = unsigned_64(b"0x010000000000000000", &files).expect_err("65 bits");
        assert_eq!(error.to_string(), "18446744073709551616 is not uint64");
        let error = fixed(b"0x0102", 32, &files).expect_err("2 bytes");
        assert_eq!(error.to_string(), "2 bytes instead of 32");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(text: Vec<u8>) {
            // Names of files are for another test.
            prop_assume!(!text.windows(5).any(|part| part == b"file:"));
            let value = evaluated([b"``", &text[..]].concat());
            prop_assert!(value.is_ok() || text.contains(&b'|'));
            let _ = evaluated(text);
        }

        #[test]
        fn any_text_is_a_value_or_an_error(text in "[-+0-9a-fxXbB_,|`'k:]{0,12}|keccak256:.{0,9}") {
            let replacements = BTreeMap::new();
            let _ = bytes(text.as_bytes(), &Files::new(&replacements));
        }

        #[test]
        fn signed_numbers_come_back(number: i128) {
            let replacements = BTreeMap::new();
            let text = format!("{number:+}");
            let value = signed(text.as_bytes(), &Files::new(&replacements));
            prop_assert_eq!(value.expect("a number"), BigInt::from(number));
        }
    }
}
