//! Integers of any size on the wire.

use super::BigInt;
use num_bigint::{BigInt as Number, Sign};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Limit of decimal digits. Parsing takes more than linear time: 0.1 s for this many, a minute for 64 MiB.
const DIGITS_LIMIT: usize = 1 << 20;

/// The text is not a decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a decimal integer of at most {DIGITS_LIMIT} digits")]
pub struct NotABigInt;

impl From<&Number> for BigInt {
    fn from(number: &Number) -> BigInt {
        // Most are zero, whose bytes would be allocated.
        if number.sign() == Sign::NoSign {
            return BigInt::default();
        }
        let (sign, magnitude) = number.to_bytes_be();
        BigInt {
            negative: sign == Sign::Minus,
            magnitude: magnitude.into(),
        }
    }
}

impl From<&BigInt> for Number {
    fn from(number: &BigInt) -> Number {
        let sign = if number.negative {
            Sign::Minus
        } else {
            Sign::Plus
        };
        Number::from_bytes_be(sign, &number.magnitude)
    }
}

impl From<u64> for BigInt {
    fn from(number: u64) -> BigInt {
        BigInt::from(&Number::from(number))
    }
}

impl From<i64> for BigInt {
    fn from(number: i64) -> BigInt {
        BigInt::from(&Number::from(number))
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(small) = self.small_magnitude() {
            let sign = if self.negative && small != 0 { "-" } else { "" };
            return write!(f, "{sign}{small}");
        }
        fmt::Display::fmt(&Number::from(self), f)
    }
}

impl BigInt {
    /// The number if it fits 128 bits.
    pub(super) fn as_small(&self) -> Option<i128> {
        let magnitude = i128::try_from(self.small_magnitude()?).ok()?;
        Some(match self.negative {
            true => -magnitude,
            false => magnitude,
        })
    }

    /// The magnitude if it fits 128 bits, as nearly all do.
    fn small_magnitude(&self) -> Option<u128> {
        let mut padded = [0; 16];
        let start = padded.len().checked_sub(self.magnitude.len())?;
        padded[start..].copy_from_slice(&self.magnitude);
        Some(u128::from_be_bytes(padded))
    }
}

impl FromStr for BigInt {
    type Err = NotABigInt;

    /// Parses an optional minus sign and at most 2^20 digits.
    fn from_str(text: &str) -> Result<BigInt, NotABigInt> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let valid = (1..=DIGITS_LIMIT).contains(&digits.len());
        if !valid || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(NotABigInt);
        }
        if let Ok(small) = digits.parse::<u128>() {
            let bytes = small.to_be_bytes();
            let magnitude = &bytes[small.leading_zeros() as usize / 8..];
            let negative = small != 0 && text.starts_with('-');
            return Ok(BigInt {
                negative,
                magnitude: magnitude.to_vec().into(),
            });
        }
        let magnitude = parse_digits(digits);
        let negative = text.starts_with('-');
        let number = if negative { -magnitude } else { magnitude };
        Ok(BigInt::from(&number))
    }
}

/// Parses decimal digits. The conversion of num-bigint is quadratic and takes a second for a million digits, so it is
/// applied to pieces, which are combined by multiplication.
fn parse_digits(digits: &str) -> Number {
    const PIECE_DIGITS: u32 = 1024;
    let mut pieces: Vec<Number> = digits
        .as_bytes()
        .rchunks(PIECE_DIGITS as usize)
        .map(|piece| Number::parse_bytes(piece, 10).expect("digits are a number"))
        .collect();
    let mut weight = Number::from(10).pow(PIECE_DIGITS);
    // The least significant piece comes first; each round joins neighbours.
    while pieces.len() > 1 {
        let joined = pieces.chunks_mut(2).map(|pair| match pair {
            [low, high] => std::mem::take(high) * &weight + std::mem::take(low),
            rest => std::mem::take(&mut rest[0]),
        });
        pieces = joined.collect();
        if pieces.len() > 1 {
            weight = &weight * &weight;
        }
    }
    pieces.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_has_no_sign_and_no_bytes() {
        for text in ["0", "-0", "000"] {
            assert_eq!(text.parse(), Ok(BigInt::default()), "{text}");
        }
        assert_eq!(BigInt::default().to_string(), "0");
    }

    /// Small numbers have a way of their own.
    #[test]
    fn small_numbers_are_written_with_their_sign() {
        let edges = [i64::MIN, i64::MIN + 1, -1_000_000_007, i64::MAX];
        for number in (-300..=300).chain(edges) {
            let wire = BigInt::from(&Number::from(number));
            assert_eq!(wire.to_string(), number.to_string());
            assert_eq!(number.to_string().parse(), Ok(wire));
        }
    }

    #[test]
    fn rejects_what_is_no_integer() {
        for text in ["", "-", "+1", "1.0", "1e3", " 1", "0x1", "--1"] {
            assert_eq!(text.parse::<BigInt>(), Err(NotABigInt), "{text}");
        }
    }

    #[test]
    fn reads_as_many_digits_as_it_says_and_no_more() {
        let mut text = format!("-1{}", "0".repeat(DIGITS_LIMIT - 1));
        let ten = Number::from(10).pow(DIGITS_LIMIT as u32 - 1);
        assert_eq!(text.parse(), Ok(BigInt::from(&-ten)));
        text.push('0');
        assert_eq!(text.parse::<BigInt>(), Err(NotABigInt));
    }

    proptest! {
        #[test]
        fn pieces_make_the_number(digits in "-?[0-9]{1000,6000}") {
            let expected = Number::from_str(&digits).expect("a decimal");
            prop_assert_eq!(digits.parse(), Ok(BigInt::from(&expected)));
        }

        #[test]
        fn text_round_trips(negative: bool, magnitude in proptest::collection::vec(any::<u8>(), 0..40)) {
            let sign = if negative { Sign::Minus } else { Sign::Plus };
            let number = Number::from_bytes_be(sign, &magnitude);
            let wire = BigInt::from(&number);
            prop_assert_eq!(wire.to_string(), number.to_string());
            let small = i128::try_from(&number).ok().filter(|small| *small != i128::MIN);
            prop_assert_eq!(wire.as_small(), small);
            prop_assert_eq!(number.to_string().parse::<BigInt>().expect("a decimal"), wire.clone());
            prop_assert_eq!(Number::from(&wire), number);
        }
    }
}
