//! Integers of any size on the wire.

use super::BigInt;
use num_bigint::{BigInt as Number, Sign};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The text is no decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a decimal integer")]
pub struct NotABigInt;

impl From<&Number> for BigInt {
    fn from(number: &Number) -> BigInt {
        let (sign, magnitude) = number.to_bytes_be();
        match sign {
            Sign::NoSign => BigInt::default(),
            _ => BigInt {
                negative: sign == Sign::Minus,
                magnitude: magnitude.into(),
            },
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
    /// The magnitude when it fits 128 bits, as nearly all do.
    fn small_magnitude(&self) -> Option<u128> {
        let mut padded = [0; 16];
        let start = padded.len().checked_sub(self.magnitude.len())?;
        padded[start..].copy_from_slice(&self.magnitude);
        Some(u128::from_be_bytes(padded))
    }
}

impl FromStr for BigInt {
    type Err = NotABigInt;

    /// Digits with an optional minus sign in front.
    fn from_str(text: &str) -> Result<BigInt, NotABigInt> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
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
        let number = Number::from_str(text).map_err(|_| NotABigInt)?;
        Ok(BigInt::from(&number))
    }
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

    #[test]
    fn rejects_what_is_no_integer() {
        for text in ["", "-", "+1", "1.0", "1e3", " 1", "0x1", "--1"] {
            assert_eq!(text.parse::<BigInt>(), Err(NotABigInt), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(negative: bool, magnitude in proptest::collection::vec(any::<u8>(), 0..40)) {
            let sign = if negative { Sign::Minus } else { Sign::Plus };
            let number = Number::from_bytes_be(sign, &magnitude);
            let wire = BigInt::from(&number);
            prop_assert_eq!(wire.to_string(), number.to_string());
            prop_assert_eq!(number.to_string().parse::<BigInt>().expect("a decimal"), wire.clone());
            prop_assert_eq!(Number::from(&wire), number);
        }
    }
}
