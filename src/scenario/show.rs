//! Display of values in reports.

use num_bigint::BigUint;
use std::fmt;

/// Longest displayed value, in bytes; longer ones, such as code, are cut.
const SHOWN_BYTES: usize = 64;

/// Shows bytes as hexadecimal digits and, where plausible, as text and as a number.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(bytes) = self;
        if bytes.is_empty() {
            return f.write_str("empty");
        }
        f.write_str("0x")?;
        for byte in bytes.iter().take(SHOWN_BYTES) {
            write!(f, "{byte:02x}")?;
        }
        if bytes.len() > SHOWN_BYTES {
            return write!(f, "... ({} bytes)", bytes.len());
        }
        if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            write!(f, " ``{}", String::from_utf8_lossy(bytes))?;
        }
        // Shown as a number only up to a size that contracts calculate with, which excludes addresses.
        if bytes.len() < 32 {
            write!(f, " {}", BigUint::from_bytes_be(bytes))?;
        }
        Ok(())
    }
}

/// A list of values.
pub fn list<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let shown: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    format!("[{}]", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_what_they_may_be() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (&[1, 0], "0x0100 256"),
            (b"ab", "0x6162 ``ab 24930"),
            (&[0xff; 32], &format!("0x{}", "ff".repeat(32))),
            (&[7; 65], &format!("0x{}... (65 bytes)", "07".repeat(64))),
        ] {
            assert_eq!(Shown(bytes).to_string(), expected);
        }
        assert_eq!(list([Shown(b""), Shown(&[5])]), "[empty, 0x05 5]");
    }
}
