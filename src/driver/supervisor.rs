//! Restart back-off. Only children that failed or never answered count. One that was killed because a request used up
//! its budget, or because the node failed, is replaced at once.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

/// Delay of the restart after the second death in a row. The first restart is immediate: most deaths are caused by a
/// single request.
pub const FIRST_DELAY: Duration = Duration::from_millis(10);

/// The longest delay: short enough that requests work soon after the cause is fixed.
pub const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Factor by which the delay grows with each death: a child that always dies at once is started less than ten times in
/// ten seconds.
const GROWTH: u32 = 4;

/// Counts the deaths since the last served request, and computes when the next start is due.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    deaths: u32,
    due: Option<Instant>,
}

impl Restarts {
    /// Records that a child failed or could not be started.
    pub(super) fn died(&mut self, now: Instant) {
        let delay = match self.deaths {
            0 => Duration::ZERO,
            earlier => FIRST_DELAY
                .saturating_mul(GROWTH.saturating_pow(earlier - 1))
                .min(LONGEST_DELAY),
        };
        self.deaths = self.deaths.saturating_add(1);
        self.due = Some(now + jittered(delay));
    }

    /// Records that the child served a request, which resets the back-off.
    pub(super) fn served(&mut self) {
        *self = Restarts::default();
    }

    /// Time left until the next start is due.
    pub(super) fn delay(&self, now: Instant) -> Duration {
        self.due
            .map_or(Duration::ZERO, |due| due.saturating_duration_since(now))
    }
}

/// Varies a delay at random by up to a quarter either way, so that nodes whose children died of the same request do not
/// restart them all at once.
fn jittered(delay: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    delay * (768 + random as u32) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_until_a_request_is_served() {
        let now = Instant::now();
        let mut restarts = Restarts::default();
        assert_eq!(restarts.delay(now), Duration::ZERO);
        let expected = [0, 10, 40, 160, 640, 2560].into_iter();
        for expected in expected.chain([5000; 34]) {
            restarts.died(now);
            let delay = restarts.delay(now).as_secs_f64() * 1000.0;
            let expected = f64::from(expected);
            let range = expected * 0.749..=expected * 1.251;
            assert!(range.contains(&delay), "{delay} is not about {expected}");
        }
        assert_eq!(restarts.delay(now + 2 * LONGEST_DELAY), Duration::ZERO);
        restarts.served();
        restarts.died(now);
        assert_eq!(restarts.delay(now), Duration::ZERO);
    }

    #[test]
    fn no_two_nodes_start_their_children_at_the_same_moment() {
        let delays: std::collections::BTreeSet<_> =
            (0..50).map(|_| jittered(LONGEST_DELAY)).collect();
        assert!(delays.len() > 20, "{delays:?}");
    }

    #[test]
    fn a_child_that_dies_at_once_is_started_less_than_ten_times_in_ten_seconds() {
        let start = Instant::now();
        let mut restarts = Restarts::default();
        let (mut now, mut starts) = (start, 0);
        while now < start + Duration::from_secs(10) {
            starts += 1;
            restarts.died(now);
            now += restarts.delay(now);
        }
        assert!(starts < 10, "{starts}");
    }
}
