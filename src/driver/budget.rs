//! The time budget of a request.

use super::error::Fault;
use std::time::{Duration, Instant};

/// Budget of a dialogue without a time limit: a year, which an `Instant` can represent.
pub(super) const ENDLESS: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time budget of a request, including the start of a child if it needs one. Time in the node's hooks does not
/// count.
#[derive(Debug)]
pub(crate) struct Budget {
    /// The whole budget.
    pub(super) whole: Duration,
    /// When it is used up. Each hook call moves it by the time that the hook took.
    pub(super) deadline: Instant,
}

impl Budget {
    /// A budget that begins now.
    pub(crate) fn new(whole: Duration) -> Budget {
        Budget::from(Instant::now(), whole)
    }

    /// A budget that begins at `start`.
    pub(crate) fn from(start: Instant, whole: Duration) -> Budget {
        Budget {
            whole,
            deadline: start + whole.min(ENDLESS),
        }
    }

    /// A budget that ends at `deadline`.
    pub(super) fn until(deadline: Instant) -> Budget {
        Budget {
            whole: deadline.saturating_duration_since(Instant::now()),
            deadline,
        }
    }

    /// The time left.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The fault of a used-up budget.
    pub(super) fn expired(&self) -> Fault {
        Fault::TimeExpired { budget: self.whole }
    }

    /// The current time, or the fault if the budget is used up. A budget with exactly zero left is used up.
    pub(super) fn check(&self) -> Result<Instant, Fault> {
        let now = Instant::now();
        if now < self.deadline {
            Ok(now)
        } else {
            Err(self.expired())
        }
    }
}
