//! Decides how long a receive looks for input before it sleeps. A sleeping core of a virtual machine takes 30 to 100 us
//! to wake, often longer than the other side takes for its answer. Looking takes CPU time, so it goes on only while it
//! finds something, as the halt polling of KVM does. No IO and no clock here: times, and how often the thread was switched out,
//! are arguments.

use super::Awaited;
use std::time::{Duration, Instant};

/// How long to look: what is not there by then comes so late that waking adds little. KVM has the same limit.
const LONGEST: Duration = Duration::from_micros(200);

/// After looks in vain, at most so many waits begin without one: then looking takes less than 1 % of a core.
const MOST_SKIPPED: u32 = 255;

/// How long looking stops after another thread has held the core of a look, as a multiple of the time that it held it: longer
/// after each further time, so that a machine that stays busy loses at most a tenth of a percent. The first time may be a
/// thread that seldom runs, such as one that writes logs.
const REST_FACTORS: [u32; 4] = [1, 8, 64, 1024];

/// The looks in a row without another thread on their core after which the machine counts as idle again.
const CALM_LOOKS: u32 = 300;

/// When to look, for one connection.
#[derive(Debug, Default)]
pub(super) struct Looking {
    /// Waits within a dialogue are mostly short, those between dialogues are as long as the node likes.
    answers: Gains,
    requests: Gains,
    /// The cores are busy; nobody looks before this.
    rests_until: Option<Instant>,
    /// Rests since the machine was calm.
    rests: usize,
    calm_looks: u32,
    /// How often the thread had been switched out when that was last asked for: once in [`CALM_LOOKS`], and after each gap.
    switches: Option<i64>,
}

/// A wait that begins with a look.
#[derive(Debug)]
pub(super) struct Look {
    awaited: Awaited,
    start: Instant,
    /// When the thread last had its core.
    last: Instant,
}

impl Looking {
    /// Begins a wait. Returns a look if it is to begin with one. `now` is called if that depends on the time.
    pub(super) fn begin(
        &mut self,
        awaited: Awaited,
        now: impl FnOnce() -> Instant,
    ) -> Option<Look> {
        if !self.gains(awaited).has_look() {
            return None;
        }
        let now = now();
        if self.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        self.rests_until = None;
        Some(Look {
            awaited,
            start: now,
            last: now,
        })
    }

    /// The input has come. `switches` says how often this thread was switched out for others; `None` if that is unknown.
    pub(super) fn seen(&mut self, look: &Look, switches: impl FnOnce() -> Option<i64>) {
        self.gains(look.awaited).seen();
        self.calm_looks += 1;
        if self.calm_looks == CALM_LOOKS {
            self.calm_looks = 0;
            self.rests = 0;
            self.switches = switches();
        }
    }

    /// The look was in vain so far, and the thread has its core again after it yielded. Returns whether to look once
    /// more. `switches` as in [`seen`](Self::seen).
    pub(super) fn goes_on(
        &mut self,
        look: &mut Look,
        now: Instant,
        switches: impl FnOnce() -> Option<i64>,
    ) -> bool {
        let away = now.saturating_duration_since(look.last);
        look.last = now;
        if away > LONGEST {
            let switches = switches();
            let before = std::mem::replace(&mut self.switches, switches);
            if switches.is_some() && switches == before {
                // Nobody else had the core: the machine stood still, as virtual ones do when their host is busy.
                look.start = look.start.checked_add(away).unwrap_or(now);
                return true;
            }
            let factor = REST_FACTORS[self.rests.min(REST_FACTORS.len() - 1)];
            self.rests_until = now.checked_add(away.saturating_mul(factor));
            self.rests += 1;
            self.calm_looks = 0;
            return false;
        }
        let goes_on = now.saturating_duration_since(look.start) < LONGEST;
        if !goes_on {
            self.gains(look.awaited).in_vain();
        }
        goes_on
    }

    fn gains(&mut self, awaited: Awaited) -> &mut Gains {
        match awaited {
            Awaited::Answer => &mut self.answers,
            Awaited::Request => &mut self.requests,
        }
    }
}

/// Whether looking gains something.
#[derive(Debug, Default)]
struct Gains {
    /// Waits that begin without a look after the next look in vain; one less than a power of two.
    skipped_next: u32,
    /// Waits that are yet to begin without a look.
    skipped: u32,
}

impl Gains {
    fn has_look(&mut self) -> bool {
        let is_skipped = self.skipped > 0;
        self.skipped = self.skipped.saturating_sub(1);
        !is_skipped
    }

    fn seen(&mut self) {
        self.skipped_next /= 2;
    }

    fn in_vain(&mut self) {
        self.skipped_next = (self.skipped_next * 2 + 1).min(MOST_SKIPPED);
        self.skipped = self.skipped_next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    /// A connection, a clock, and how often the thread was switched out.
    struct Bench {
        looking: Looking,
        now: Instant,
        switches: i64,
    }

    impl Bench {
        fn new() -> Bench {
            Bench {
                looking: Looking::default(),
                now: Instant::now(),
                switches: 0,
            }
        }

        /// Waits for input that comes after so many microseconds, and looks at each. Returns how many it has looked for,
        /// and whether it has seen the input.
        fn wait(&mut self, awaited: Awaited, micros: u32) -> (u32, bool) {
            let start = self.now;
            let arrival = start + micros * MICRO;
            let Some(mut look) = self.looking.begin(awaited, || start) else {
                self.now = arrival;
                return (0, false);
            };
            while self.now < arrival {
                self.now += MICRO;
                let switches = || Some(self.switches);
                if !self.looking.goes_on(&mut look, self.now, switches) {
                    let looked = self.now - start;
                    self.now = self.now.max(arrival);
                    return (looked.as_micros() as u32, false);
                }
            }
            self.looking.seen(&look, || Some(self.switches));
            (micros, true)
        }

        /// A look during which 3 ms pass. Returns whether it goes on.
        fn gap(&mut self) -> Option<bool> {
            let mut look = self.looking.begin(Awaited::Answer, || self.now)?;
            self.now += 3000 * MICRO;
            let switches = || Some(self.switches);
            Some(self.looking.goes_on(&mut look, self.now, switches))
        }
    }

    #[test]
    fn what_comes_soon_is_seen_without_sleep() {
        let mut bench = Bench::new();
        for micros in [1, 8, 30, 199].into_iter().cycle().take(100) {
            assert_eq!(bench.wait(Awaited::Answer, micros), (micros, true));
        }
    }

    #[test]
    fn long_waits_cost_next_to_nothing() {
        let mut bench = Bench::new();
        let mut waits = (0..1000).map(|_| bench.wait(Awaited::Request, 1000));
        let looked: u32 = waits.by_ref().map(|(micros, _)| micros).sum();
        assert!(looked < 12 * 200, "{looked} us of a second");
    }

    #[test]
    fn looking_begins_again_when_it_pays() {
        let mut bench = Bench::new();
        for _ in 0..1000 {
            bench.wait(Awaited::Answer, 1000);
        }
        let mut sleeps = || {
            (0..2000)
                .filter(|_| !bench.wait(Awaited::Answer, 10).1)
                .count()
        };
        assert!(sleeps() <= 255);
        assert_eq!(sleeps(), 0);
    }

    #[test]
    fn waits_for_requests_and_for_answers_are_learnt_apart() {
        let mut bench = Bench::new();
        for _ in 0..100 {
            bench.wait(Awaited::Request, 5000);
            assert_eq!(bench.wait(Awaited::Answer, 8), (8, true));
        }
    }

    /// Another thread has the core of a look for 3 ms. Returns how many milliseconds pass until the next look.
    fn rest(bench: &mut Bench) -> u32 {
        let begin = |bench: &mut Bench| bench.looking.begin(Awaited::Answer, || bench.now);
        bench.switches += 1;
        assert_eq!(
            bench.gap(),
            Some(false),
            "no other thread was in the way yet"
        );
        let mut milliseconds = 0;
        while begin(bench).is_none() {
            bench.now += 1000 * MICRO;
            milliseconds += 1;
        }
        milliseconds
    }

    #[test]
    fn a_busy_core_is_left_to_others_for_ever_longer() {
        let mut bench = Bench::new();
        let rests: Vec<u32> = (0..5).map(|_| rest(&mut bench)).collect();
        assert_eq!(rests, [3, 24, 192, 3072, 3072]);
        // Until nothing has been in the way for long.
        for _ in 1..CALM_LOOKS {
            bench.wait(Awaited::Answer, 1);
        }
        assert_eq!(rest(&mut bench), 3072);
        for _ in 0..CALM_LOOKS {
            bench.wait(Awaited::Answer, 1);
        }
        assert_eq!(rest(&mut bench), 3);
    }

    #[test]
    fn a_machine_that_stands_still_is_not_busy() {
        let mut bench = Bench::new();
        // At first it is not known how often the thread was switched out.
        assert_eq!(bench.gap(), Some(false));
        bench.now += 3000 * MICRO;
        for _ in 0..5 {
            assert_eq!(bench.gap(), Some(true));
            // It does not count as looked, either.
            assert_eq!(bench.wait(Awaited::Answer, 199), (199, true));
        }
        bench.switches += 1;
        assert_eq!(bench.gap(), Some(false));
        assert_eq!(bench.gap(), None, "it rests");
        // What was in the way long ago is not taken for what is now.
        let mut bench = Bench::new();
        for calls in [1, CALM_LOOKS] {
            bench.switches += 1;
            for _ in 0..calls {
                bench.wait(Awaited::Answer, 1);
            }
            bench.now += 3000 * MICRO;
        }
        assert_eq!(bench.gap(), Some(true));
    }

    #[test]
    fn a_look_ends_though_the_machine_stands_still_meanwhile() {
        let mut bench = Bench::new();
        bench.wait(Awaited::Answer, 1);
        bench.looking.switches = Some(0);
        let mut look = bench.looking.begin(Awaited::Answer, || bench.now);
        let look = look.as_mut().expect("it has not rested");
        let mut looked = 0;
        for micros in [3000, 1].into_iter().cycle() {
            bench.now += micros * MICRO;
            if !bench.looking.goes_on(look, bench.now, || Some(0)) {
                break;
            }
            looked += 1;
        }
        assert_eq!(looked, 2 * 200 - 1);
    }
}
