//! Durations in the format of the reference's logs, which is Go's.

use std::fmt;
use std::time::Duration;

/// Displays a duration as Go does: `0s`, `153.421µs`, `1.5s`, `1m15.5s`, `2h0m0s`.
#[derive(Debug, Clone, Copy)]
pub struct GoDuration(pub Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GoDuration(duration) = *self;
        let seconds = duration.as_secs();
        if duration.is_zero() {
            return f.write_str("0s");
        }
        if seconds < 60 {
            // Below a minute Rust's format is the same: the largest unit, and a fraction without trailing zeros.
            return write!(f, "{duration:?}");
        }
        if seconds >= 3600 {
            write!(f, "{}h", seconds / 3600)?;
        }
        let rest = Duration::new(seconds % 60, duration.subsec_nanos());
        write!(f, "{}m", seconds / 60 % 60)?;
        match rest.as_secs() {
            // Rust would show a fraction alone in a smaller unit.
            0 if rest.is_zero() => f.write_str("0s"),
            0 => {
                let fraction = format!("{:09}", rest.subsec_nanos());
                write!(f, "0.{}s", fraction.trim_end_matches('0'))
            }
            _ => write!(f, "{rest:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (153_421, "153.421µs"),
            (2_500_000, "2.5ms"),
            (59_999_999_999, "59.999999999s"),
            (60_000_000_000, "1m0s"),
            (60_250_000_000, "1m0.25s"),
            (75_500_000_000, "1m15.5s"),
            (7_200_000_000_000, "2h0m0s"),
            (3_661_000_000_001, "1h1m1.000000001s"),
        ] {
            let shown = GoDuration(Duration::from_nanos(nanoseconds)).to_string();
            assert_eq!(shown, expected);
        }
    }
}
