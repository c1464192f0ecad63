//! Trying again: longer and longer waits with jitter, and one log line when something is lost and one when it is back.

use std::fmt::Display;
use std::time::{Duration, Instant};

use tracing::{info, warn};

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Whether something that is needed is away, and since when.
pub(crate) struct Outage {
    what: &'static str,
    began: Option<Instant>,
    failures: u32,
}

impl Outage {
    /// `what` is there, as far as is known.
    pub(crate) fn none(what: &'static str) -> Self {
        Self { what, began: None, failures: 0 }
    }

    /// It failed (again). Gives the time to wait before the next attempt: 200 ms doubling to 10 s, less up to a half so
    /// that processes do not come back all at once.
    pub(crate) fn failed(&mut self, error: &dyn Display) -> Duration {
        if self.began.is_none() {
            self.began = Some(Instant::now());
            warn!(what = self.what, %error, "not available; trying again until it is");
        }
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(10)).min(LONGEST_WAIT);
        self.failures += 1;
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// It worked.
    pub(crate) fn over(&mut self) {
        self.failures = 0;
        if let Some(began) = self.began.take() {
            let duration_ms = began.elapsed().as_millis() as u64;
            info!(what = self.what, duration_ms, "available again");
        }
    }
}
