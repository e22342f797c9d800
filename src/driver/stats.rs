//! What a driver has done: counts, and how long requests take.

use hdrhistogram::Histogram;
use std::time::Duration;

/// The longest time that is told apart: no budget is longer.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// Digits that are kept of each time.
const DIGITS: u8 = 2;

/// Figures over the life of a driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Requests, with those that failed.
    pub requests_total: u64,
    /// Requests that ended with a critical error.
    pub critical_errors_total: u64,
    /// Hook calls that were answered.
    pub hook_calls_total: u64,
    /// Children that were started, the first one included.
    pub starts_total: u64,
    /// Children that were replaced because of their age or memory.
    pub recycled_total: u64,
    /// Log lines that came from the children.
    pub log_lines_total: u64,
    /// Log lines that could not be read.
    pub bad_log_lines_total: u64,
    /// Bytes on log pipes that were no log lines any more.
    pub dropped_log_bytes_total: u64,
    /// Bytes on stdout and stderr that were not shown: too much at once, or too long lines.
    pub dropped_text_bytes_total: u64,
}

/// The times of many requests, to two digits: from a microsecond to an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Latencies {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS);
        Latencies(histogram.expect("these bounds are good"))
    }
}

impl Latencies {
    /// One more.
    pub(super) fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that this share of the requests, from 0 to 1, took at most; zero if there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(share))
    }

    /// The longest time.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_times() {
        let mut latencies = Latencies::default();
        assert_eq!(
            (latencies.count(), latencies.longest()),
            (0, Duration::ZERO)
        );
        for micros in 1..=100 {
            latencies.add(Duration::from_micros(micros));
        }
        latencies.add(Duration::MAX);
        assert_eq!(latencies.count(), 101);
        assert_eq!(latencies.quantile(0.5), Duration::from_micros(51));
        assert!(
            latencies.longest() >= Duration::from_secs(3600),
            "{:?}",
            latencies.longest()
        );
    }
}
