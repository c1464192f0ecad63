//! The world around Plimsoll: one file per outside system.

pub(crate) mod broker;
pub(crate) mod image;
pub(crate) mod plimsoll;
pub(crate) mod process;
pub(crate) mod registry;

use std::time::{Duration, Instant};

/// Calls `probe` until it answers, or fails the test with `what`.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A loopback port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
