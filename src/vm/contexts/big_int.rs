//! Big integers, which contracts know by handles (docs/spec/eei.md#big-integer-handles), and their encodings.

use crate::vm::effort::{FREE_BYTES, NUMBER_STEPS};
use num_bigint::BigInt;
use std::collections::BTreeMap;

/// The big integers of an execution. A handle that was never used stands for 0.
#[derive(Debug, Clone, Default)]
pub struct BigInts {
    values: BTreeMap<i32, BigInt>,
    /// All handles from some number of handles on are in use up to here. Without it a contract could have each new handle searched
    /// for among all others.
    searched_to: i32,
}

impl BigInts {
    /// Gives `value` a new handle: the first free one from the number of handles on.
    pub fn add(&mut self, value: BigInt) -> i32 {
        let mut handle = self.searched_to.max(self.values.len() as i32);
        while self.values.contains_key(&handle) {
            handle = handle.wrapping_add(1);
        }
        self.values.insert(handle, value);
        self.searched_to = handle;
        handle
    }

    /// The value of a handle, which is in use from now on.
    pub fn value(&mut self, handle: i32) -> &mut BigInt {
        self.values.entry(handle).or_default()
    }

    /// The steps to copy all of them (docs/spec/eei.md#limit-of-work).
    pub fn steps_to_copy(&self) -> u64 {
        let values = self.values.values();
        values.map(|value| NUMBER_STEPS + length(value)).sum()
    }

    /// The value of a handle that is in use. Changes nothing.
    pub fn known(&self, handle: i32) -> Option<&BigInt> {
        self.values.get(&handle)
    }

    /// The values of two handles. They and `destination` are in use from now on.
    pub fn operands(&mut self, destination: i32, left: i32, right: i32) -> (&BigInt, &BigInt) {
        for handle in [destination, left, right] {
            self.value(handle);
        }
        (&self.values[&left], &self.values[&right])
    }
}

/// How many bytes the absolute value takes.
pub fn length(value: &BigInt) -> u64 {
    value.bits().div_ceil(8)
}

/// The effort of a product of numbers with so many bytes: less than the words of one for each word of the other.
pub fn product_steps(left: u64, right: u64) -> u64 {
    if left.saturating_add(right) <= FREE_BYTES {
        return 0;
    }
    let (longer, shorter) = (words(left.max(right)), words(left.min(right)));
    longer.saturating_mul(2 * shorter.isqrt())
}

/// The effort of a division of numbers with so many bytes: each word of the quotient takes each of the divisor.
pub fn quotient_steps(dividend: u64, divisor: u64) -> u64 {
    if dividend.saturating_add(divisor) <= FREE_BYTES {
        return 0;
    }
    let (dividend, divisor) = (words(dividend), words(divisor));
    (dividend.saturating_sub(divisor) + 1).saturating_mul(divisor)
}

fn words(bytes: u64) -> u64 {
    bytes.div_ceil(8)
}

/// Shortest unsigned big-endian bytes of the absolute value; none for 0.
pub fn unsigned_bytes(value: &BigInt) -> Vec<u8> {
    if value.magnitude().bits() == 0 {
        return Vec::new();
    }
    value.magnitude().to_bytes_be()
}

/// The number with these unsigned big-endian bytes.
pub fn from_unsigned_bytes(bytes: &[u8]) -> BigInt {
    BigInt::from_bytes_be(num_bigint::Sign::Plus, bytes)
}

/// Shortest two's complement, big-endian; none for 0.
pub fn signed_bytes(value: &BigInt) -> Vec<u8> {
    if value.magnitude().bits() == 0 {
        return Vec::new();
    }
    value.to_signed_bytes_be()
}

/// The number with this two's complement.
pub fn from_signed_bytes(bytes: &[u8]) -> BigInt {
    BigInt::from_signed_bytes_be(bytes)
}

/// The low 64 bits of the absolute value, with the sign put back: what the reference makes of a number that does not
/// fit.
pub fn low_i64(value: &BigInt) -> i64 {
    let low = value.magnitude().iter_u64_digits().next().unwrap_or(0) as i64;
    match value.sign() {
        num_bigint::Sign::Minus => low.wrapping_neg(),
        _ => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn copies_take_steps_for_numbers_and_their_bytes() {
        let mut numbers = BigInts::default();
        assert_eq!(numbers.steps_to_copy(), 0);
        numbers.value(7);
        numbers.add(BigInt::from(1) << 80);
        assert_eq!(numbers.steps_to_copy(), 2 * 64 + 11);
    }

    #[test]
    fn handles_count_up_and_skip_what_is_in_use() {
        let mut numbers = BigInts::default();
        assert_eq!(numbers.add(7.into()), 0);
        assert_eq!(*numbers.value(2), 0.into());
        // Two handles are in use, and handle 2 is one of them.
        assert_eq!(numbers.add(8.into()), 3);
        assert_eq!(*numbers.value(3), 8.into());
    }

    /// Handles as the reference gives them, whose search begins anew each time.
    fn searched(numbers: &BigInts) -> i32 {
        let mut handle = numbers.values.len() as i32;
        while numbers.values.contains_key(&handle) {
            handle += 1;
        }
        handle
    }

    proptest! {
        #[test]
        fn new_handles_are_those_of_a_whole_search(
            uses in prop::collection::vec(prop::option::of(0..60), 0..80),
        ) {
            let mut numbers = BigInts::default();
            for used in uses {
                match used {
                    Some(handle) => {
                        numbers.value(handle);
                    }
                    None => {
                        let expected = searched(&numbers);
                        prop_assert_eq!(numbers.add(1.into()), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn a_new_handle_takes_no_longer_when_many_are_in_use() {
        let mut numbers = BigInts::default();
        let many = 200_000;
        for handle in many..2 * many {
            numbers.value(handle);
        }
        // Each whole search would look at all of them.
        let start = std::time::Instant::now();
        for expected in 2 * many..3 * many {
            assert_eq!(numbers.add(1.into()), expected);
        }
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }

    #[test]
    fn short_numbers_cost_no_effort() {
        assert_eq!([product_steps(512, 512), quotient_steps(512, 512)], [0, 0]);
        // 64 KiB are 8192 words.
        assert_eq!(product_steps(1 << 16, 1 << 16), 8192 * 180);
        assert_eq!(product_steps(8, 1 << 16), product_steps(1 << 16, 8));
        assert_eq!(quotient_steps(1 << 16, 1 << 15), 4097 * 4096);
        assert_eq!(quotient_steps(1 << 15, 1 << 16), 8192);
    }

    #[test]
    fn twos_complement_of_the_examples() {
        let examples: [(i64, &[u8]); 9] = [
            (0, &[]),
            (127, &[0x7f]),
            (128, &[0, 0x80]),
            (-1, &[0xff]),
            (-128, &[0x80]),
            (-129, &[0xff, 0x7f]),
            (255, &[0, 0xff]),
            (-256, &[0xff, 0]),
            (256, &[1, 0]),
        ];
        for (number, bytes) in examples {
            assert_eq!(signed_bytes(&number.into()), bytes, "{number}");
            assert_eq!(from_signed_bytes(bytes), number.into(), "{number}");
        }
    }

    #[test]
    fn what_does_not_fit_64_bits_wraps() {
        let large: BigInt = (BigInt::from(1) << 64) + 5;
        assert_eq!(low_i64(&large), 5);
        assert_eq!(low_i64(&-large), -5);
        assert_eq!(low_i64(&BigInt::from(i64::MIN)), i64::MIN);
        assert_eq!(low_i64(&(BigInt::from(1) << 63)), i64::MIN);
    }

    proptest! {
        #[test]
        fn twos_complement_round_trips_and_is_shortest(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let number = from_signed_bytes(&bytes);
            let shortest = signed_bytes(&number);
            prop_assert_eq!(from_signed_bytes(&shortest), number);
            prop_assert!(shortest.len() <= bytes.len());
            prop_assert!(bytes.ends_with(&shortest));
        }

        #[test]
        fn a_small_number_has_the_bytes_of_its_machine_form(number: i64) {
            let mut padded = vec![if number < 0 { 0xff } else { 0 }; 8];
            let bytes = signed_bytes(&number.into());
            padded.truncate(8usize.saturating_sub(bytes.len()));
            padded.extend(bytes);
            prop_assert_eq!(padded, number.to_be_bytes());
        }
    }
}
