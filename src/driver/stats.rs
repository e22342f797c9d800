//! Statistics of a driver: counts and latencies.

use hdrhistogram::Histogram;
use std::time::Duration;

/// The largest time that the histogram can hold, in microseconds: an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// Significant digits of each recorded time.
const DIGITS: u8 = 2;

/// Counters over the life of a driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Requests, including failed ones.
    pub requests_total: u64,
    /// Requests that ended with a critical error.
    pub critical_errors_total: u64,
    /// Hook calls that were answered, ahead or when they were asked.
    pub hook_calls_total: u64,
    /// Hook calls that were answered ahead and used ([`DriverConfig::read_ahead`](super::DriverConfig::read_ahead)).
    pub read_ahead_used_total: u64,
    /// Hook calls that were answered ahead and not used.
    pub read_ahead_wasted_total: u64,
    /// Hook calls that were asked although calls are answered ahead.
    pub read_ahead_missed_total: u64,
    /// Children that were started, including the first one.
    pub starts_total: u64,
    /// Children that were replaced because of their age or memory.
    pub recycled_total: u64,
    /// Log lines received from the children.
    pub log_lines_total: u64,
    /// Log lines that could not be decoded.
    pub bad_log_lines_total: u64,
    /// Bytes on log pipes that were dropped after a framing error.
    pub dropped_log_bytes_total: u64,
    /// Bytes on stdout and stderr that were not shown, because of the rate limit or the line limit.
    pub dropped_text_bytes_total: u64,
    /// Frames that were recorded (`DriverConfig::record`).
    pub recorded_frames_total: u64,
    /// Frames that a recording lacks, because they came faster than they could be written or its disk has failed.
    pub unrecorded_frames_total: u64,
}

/// A histogram of request latencies, to two significant digits, from a microsecond to an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Latencies {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS);
        Latencies(histogram.expect("these bounds are good"))
    }
}

impl Latencies {
    /// Records a latency.
    pub(super) fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    /// The number of recorded latencies.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency at a quantile from 0 to 1, such as 0.99; zero if none is recorded.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(share))
    }

    /// The largest latency.
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
