//! Names and arguments of everything that is declared on the broker, and the steps of delayed retries.

use std::time::Duration;

/// Delays of retries: 5 s doubling to 1 h.
pub const RETRY_STEPS: [Duration; 11] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(80),
    Duration::from_secs(160),
    Duration::from_secs(320),
    Duration::from_secs(640),
    Duration::from_secs(1280),
    Duration::from_secs(2560),
    Duration::from_secs(3600),
];

/// Deliveries that may end with their consumer before a message is dead: it has killed this many workers.
pub const DELIVERY_LIMIT: u32 = 3;

/// The shortest step that is at least `delay`; the longest for anything beyond.
pub fn retry_step(delay: Duration) -> Duration {
    let longest = RETRY_STEPS[RETRY_STEPS.len() - 1];
    RETRY_STEPS.into_iter().find(|step| *step >= delay).unwrap_or(longest)
}
