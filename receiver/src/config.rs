//! Section `[receiver]` of the configuration. (The sections of `[sources]` belong to [`crate::sources`].)

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

/// Section `[receiver]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiverConfig {
    /// Address to listen on. Default: `127.0.0.1:8380`.
    pub listen: SocketAddr,
    /// Threads that answer requests. Default: one for each processor core.
    pub workers: Option<NonZeroUsize>,
    /// Section `[receiver.limits]`.
    pub limits: Limits,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 8380).into(), workers: None, limits: Limits::default() }
    }
}

/// How much a sender may use of this process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest body of a delivery. Default: 1 MiB.
    pub body_bytes: usize,
    /// All bodies that are held at the same time. A delivery beyond it is told to come back. Default: 64 MiB.
    pub total_body_bytes: usize,
    /// Most headers of a delivery. Default: 64.
    pub header_count: usize,
    /// All names and values of a delivery's headers together. Default: 16 KiB.
    pub header_bytes: usize,
    /// Time for a delivery's body to arrive. Default: 10 s.
    pub read_timeout_seconds: u64,
    /// Connections that one thread serves at the same time; others wait. Default: 1024.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            total_body_bytes: 64 << 20,
            header_count: 64,
            header_bytes: 16 << 10,
            read_timeout_seconds: 10,
            connections: 1024,
        }
    }
}

impl Limits {
    pub(crate) fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout_seconds)
    }
}

/// A setting of this section that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("receiver.{key}: {why}")]
pub struct InvalidSetting {
    /// Key within the section.
    pub key: &'static str,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl ReceiverConfig {
    /// Checks what the types cannot.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let Limits { body_bytes, total_body_bytes, read_timeout_seconds, connections, .. } = self.limits;
        let rules = [
            (body_bytes > 0, "limits.body_bytes", "must be above 0"),
            (body_bytes <= total_body_bytes, "limits.total_body_bytes", "must not be below limits.body_bytes"),
            (total_body_bytes <= 1 << 40, "limits.total_body_bytes", "must not be above 1 TiB"),
            (read_timeout_seconds > 0, "limits.read_timeout_seconds", "must be above 0"),
            (connections > 0, "limits.connections", "must be above 0"),
        ];
        match rules.iter().find(|(holds, ..)| !holds) {
            Some(&(_, key, why)) => Err(InvalidSetting { key, why }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_the_check_and_nonsense_does_not() {
        let read = |text: &str| toml::from_str::<ReceiverConfig>(text).unwrap();
        assert_eq!(read("").check(), Ok(()));
        for (text, key) in [
            ("limits.body_bytes = 0", "limits.body_bytes"),
            ("limits.body_bytes = 100_000_000", "limits.total_body_bytes"),
            ("limits.read_timeout_seconds = 0", "limits.read_timeout_seconds"),
            ("limits.connections = 0", "limits.connections"),
        ] {
            assert_eq!(read(text).check().unwrap_err().key, key);
        }
        assert!(toml::from_str::<ReceiverConfig>("limits.body = 1").is_err());
    }
}
