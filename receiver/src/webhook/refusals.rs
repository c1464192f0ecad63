//! One line in the log for many refused deliveries: whoever may send, may be refused, as often as he likes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines about the same source.
const PAUSE: Duration = Duration::from_secs(1);

/// What was said about refused deliveries, by source.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<String, Told>>);

struct Told {
    last: Instant,
    untold: u64,
}

impl Refusals {
    /// A delivery to `source`, which is one of the configuration, was refused at `now`. `None` if nothing should be said
    /// about it, else how many were refused since something was said.
    pub(super) fn count(&self, source: &str, now: Instant) -> Option<u64> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sources.get_mut(source) {
            None => {
                sources.insert(source.to_owned(), Told { last: now, untold: 0 });
                Some(0)
            }
            Some(told) if now.duration_since(told.last) < PAUSE => {
                told.untold += 1;
                None
            }
            Some(told) => {
                told.last = now;
                Some(std::mem::take(&mut told.untold))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_second_for_each_source() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let count = |source, ms| refusals.count(source, start + Duration::from_millis(ms));
        assert_eq!(count("a", 0), Some(0));
        assert_eq!([count("a", 1), count("a", 999)], [None, None]);
        assert_eq!(count("b", 500), Some(0), "another source speaks for itself");
        assert_eq!([count("a", 1000), count("a", 1001)], [Some(2), None]);
        assert_eq!(count("a", 9000), Some(1));
    }
}
