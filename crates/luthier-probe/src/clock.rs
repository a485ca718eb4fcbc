//! Wall time that may be used.

use std::time::{Duration, Instant};

/// A stretch of wall time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    budget: Duration,
}

impl Clock {
    pub fn new(budget: Duration) -> Self {
        Clock { began: Instant::now(), budget }
    }

    /// Seconds that are left, none below 0.
    pub fn left(&self) -> f64 {
        self.budget.saturating_sub(self.began.elapsed()).as_secs_f64()
    }

    /// Seconds since it began.
    pub fn spent(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Nothing is left.
    pub fn over(&self) -> bool {
        self.began.elapsed() >= self.budget
    }

    /// A clock of its own, with this share of the whole budget and no more than is left.
    pub fn share(&self, of_budget: f64) -> Clock {
        Clock::new(Duration::from_secs_f64(self.left().min(self.budget.as_secs_f64() * of_budget)))
    }
}
