//! Values that people type: addresses, numbers, arguments.

use super::ToolError;
use crate::scenario::files::Files;
use crate::scenario::value::{self, ValueError};
use bytes::Bytes;
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// The length of addresses.
pub const ADDRESS_BYTES: usize = 32;

/// What fills up the names of accounts.
const FILLER: u8 = b'_';

/// Evaluates an expression of the scenario value language; files are those of the current folder.
pub fn value(text: &str) -> Result<Bytes, ToolError> {
    evaluate(text).map_err(|reason| ToolError::Value {
        text: text.to_owned(),
        reason,
    })
}

fn evaluate(text: &str) -> Result<Bytes, ValueError> {
    let replacements = BTreeMap::new();
    value::bytes(text.as_bytes(), &Files::new(&replacements))
}

/// An argument of `--arguments`: hexadecimal digits without a prefix, as in the reference's tool, or an expression.
///
/// Digits alone are never a decimal number here, so that `10` is the byte 16, as it is for the reference.
pub fn argument(text: &str) -> Result<Bytes, ToolError> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digits {
        return value(text);
    }
    digits(text).ok_or_else(|| ToolError::OddDigits {
        text: text.to_owned(),
    })
}

/// Pairs of hexadecimal digits.
pub fn digits(text: &str) -> Option<Bytes> {
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        }
        _ => None,
    });
    pairs.collect()
}

/// An address: 64 hexadecimal digits, as in the reference's tool; an expression that begins with `0x`, `''`, two backquotes
/// or `keccak256:`; or a name such as `alice`, which is filled up with `_` to 32 bytes.
pub fn address(text: &str) -> Result<Bytes, ToolError> {
    let is_name = (1..=ADDRESS_BYTES).contains(&text.len()) && { text.bytes() }
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let prefixes = ["0x", "0X", "''", "``", "keccak256:"];
    let bytes = match text {
        _ if prefixes.iter().any(|prefix| text.starts_with(prefix)) => value(text)?,
        _ if text.len() == 2 * ADDRESS_BYTES => digits(text).unwrap_or_default(),
        _ if is_name => {
            let filler = vec![FILLER; ADDRESS_BYTES - text.len()];
            [text.as_bytes(), &filler].concat().into()
        }
        _ => Bytes::new(),
    };
    match bytes.len() {
        ADDRESS_BYTES => Ok(bytes),
        _ => Err(ToolError::Address {
            text: text.to_owned(),
        }),
    }
}

/// An address as it can be typed: its name, if it is one, else `0x` and digits.
pub fn address_text(address: &[u8]) -> String {
    let end = address
        .iter()
        .rposition(|byte| *byte != FILLER)
        .map_or(0, |last| last + 1);
    let name = str::from_utf8(&address[..end]).unwrap_or_default();
    let typed = self::address(name);
    match typed {
        Ok(same) if same == address => name.to_owned(),
        _ => crate::escape::hex(address),
    }
}

/// A number that is not below zero, in decimal digits or any other way that the value language has.
pub fn number(text: &str) -> Result<BigUint, ToolError> {
    if text.starts_with(['-', '+']) {
        return Err(ToolError::Negative {
            text: text.to_owned(),
        });
    }
    Ok(BigUint::from_bytes_be(&value(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_digits_or_expressions() {
        for (text, expected) in [
            ("10", &[0x10][..]),
            ("0aFF", &[0x0a, 0xff]),
            ("0x10", &[0x10]),
            ("0x100", &[1, 0]),
            ("1_0", &[10]),
            ("+5", &[5]),
            ("''10", b"10"),
            ("", b""),
        ] {
            assert_eq!(argument(text).expect(text), expected, "{text}");
        }
        assert!(matches!(argument("100"), Err(ToolError::OddDigits { .. })));
        assert!(matches!(argument("hello"), Err(ToolError::Value { .. })));
        assert_eq!(value("10").expect("a number"), [10][..]);
    }

    #[test]
    fn addresses_have_names() {
        let alice = address("alice").expect("a name");
        assert_eq!(alice, "alice___________________________");
        assert_eq!(address_text(&alice), "alice");
        for text in [
            "''alice___________________________",
            &format!("0x{}", "aa".repeat(32)),
            &"aA".repeat(32),
        ] {
            let found = address(text).expect(text);
            assert_eq!(address(&address_text(&found)).expect("again"), found);
        }
        assert_eq!(address_text(&[b'_'; 32]), format!("0x{}", "5f".repeat(32)));
        assert_eq!(address_text(b""), "0x");
        for text in [
            "",
            "0x00",
            "a b",
            &"g".repeat(64),
            "alice!",
            &"a".repeat(33),
            "keccak256:0xg",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_not_below_zero() {
        assert_eq!(number("1_000").expect("a number"), 1000u16.into());
        assert_eq!(number("").expect("zero"), 0u8.into());
        assert!(number("-1").is_err() && number("x").is_err());
    }
}
