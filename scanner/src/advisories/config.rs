//! Settings of the advisory database: the table `[advisories]` of the configuration file.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where advisories come from and how old they may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdvisoriesConfig {
    /// Base of the published zips: `<url>/<ecosystem>/all.zip`.
    pub url: String,
    /// Which of them `update` fetches.
    pub ecosystems: Vec<String>,
    /// PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Hours after which results warn that the database is stale.
    pub stale_after_hours: u64,
}

impl AdvisoriesConfig {
    /// The age after which a database is stale.
    pub fn stale_after(&self) -> Duration {
        Duration::from_secs(self.stale_after_hours.saturating_mul(3600))
    }
}

impl Default for AdvisoriesConfig {
    fn default() -> Self {
        let ecosystems = ["Alpine", "Chainguard", "Debian", "PyPI", "Ubuntu", "Wolfi", "npm"];
        Self {
            url: "https://osv-vulnerabilities.storage.googleapis.com".to_owned(),
            ecosystems: ecosystems.map(str::to_owned).into(),
            ca_file: None,
            stale_after_hours: 48,
        }
    }
}
