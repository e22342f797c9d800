//! Whether the pages that a call has used stay with its instance, or go back to the system.

/// An instance keeps as many bytes of pages, whatever its calls do with them: to restore them takes less than to make a
/// few of them anew.
const ALWAYS_KEPT_BYTES: usize = 128 * 1024;

/// An instance keeps no more bytes than this between calls: to restore more takes longer than to make them anew.
const MOST_KEPT_BYTES: usize = 1024 * 1024;

/// The most calls that an instance makes before it tries again whether it can do with fewer pages.
const LONGEST_PAUSE: u32 = 1_023;

/// Learns from the calls of an instance how many pages they need. Which of them a call has written to can't be told while they
/// stay. So they are given back at times: what exists after the next call is what that needed. If it is most of what was given back, the
/// pages stay, each time for twice as many calls.
#[derive(Debug, Default)]
pub(super) struct Residence {
    /// Bytes that existed when they were given back, before the last call.
    given_back: Option<usize>,
    /// Calls for which pages stay.
    pause: u32,
    /// Those that are left of them.
    left: u32,
}

impl Residence {
    /// Whether pages are to be given back after a call, when so many bytes of them exist.
    pub(super) fn gives_back(&mut self, bytes: usize) -> bool {
        if let Some(before) = self.given_back.take() {
            let was_in_vain = bytes > before / 2;
            self.pause = match was_in_vain {
                true => (2 * self.pause + 1).min(LONGEST_PAUSE),
                false => 0,
            };
            self.left = self.pause;
        }
        if bytes <= ALWAYS_KEPT_BYTES {
            return false;
        }
        if self.left > 0 && bytes <= MOST_KEPT_BYTES {
            self.left -= 1;
            return false;
        }
        self.given_back = Some(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times_given_back(calls: impl IntoIterator<Item = usize>) -> usize {
        let mut residence = Residence::default();
        let calls = calls.into_iter();
        calls.filter(|&bytes| residence.gives_back(bytes)).count()
    }

    #[test]
    fn few_pages_stay_and_many_never_do() {
        assert_eq!(times_given_back([ALWAYS_KEPT_BYTES; 100]), 0);
        assert_eq!(times_given_back([MOST_KEPT_BYTES + 1; 100]), 100);
    }

    #[test]
    fn what_each_call_needs_stays_ever_longer() {
        // After the calls 1, 3, 7, 15, 31 and 63.
        assert_eq!(times_given_back([MOST_KEPT_BYTES; 100]), 6);
        assert!(times_given_back(std::iter::repeat_n(MOST_KEPT_BYTES, 100_000)) < 110);
    }

    #[test]
    fn what_one_call_needed_goes_at_once() {
        let calls = [500_000, 8_192, 8_192, 500_000, 8_192];
        assert_eq!(times_given_back(calls), 2);
    }
}
