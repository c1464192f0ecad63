//! Settings of the advisory database: the table `[advisories]` of the configuration file.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tables::TableKind;

/// What OSV publishes and images have packages of. Left out is what says nothing about installed packages (`GIT`,
/// `OSS-Fuzz`, `GitHub Actions`, `VSCode`, `Android`, `Linux`) or is ordered by rules that nobody has written down.
const ECOSYSTEMS: [&str; 34] = [
    "AlmaLinux",
    "Alpaquita",
    "Alpine",
    "Azure Linux",
    "BellSoft Hardened Containers",
    "Bitnami",
    "CRAN",
    "Chainguard",
    "CleanStart",
    "Debian",
    "Echo",
    "GHC",
    "Go",
    "Hackage",
    "Hex",
    "Julia",
    "Mageia",
    "Maven",
    "MinimOS",
    "NuGet",
    "Packagist",
    "Pub",
    "PyPI",
    "Red Hat",
    "Rocky Linux",
    "RubyGems",
    "SUSE",
    "SwiftURL",
    "Ubuntu",
    "Wolfi",
    "crates.io",
    "npm",
    "openEuler",
    "openSUSE",
];

/// Where advisories come from and how old they may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdvisoriesConfig {
    /// Base of the published zips: `<url>/<ecosystem>/all.zip`.
    pub url: String,
    /// Which of them `update` fetches.
    pub ecosystems: Vec<String>,
    /// Where CISA's catalogue of known exploited vulnerabilities is; empty to go without. Unless it is set, `update` asks
    /// CISA, or where `url` is a mirror, the mirror.
    pub kev_url: Option<String>,
    /// Where FIRST's probabilities of exploitation are; empty to go without. Unless it is set, `update` asks FIRST, or
    /// where `url` is a mirror, the mirror.
    pub epss_url: Option<String>,
    /// PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Hours after which results warn that the database is stale.
    pub stale_after_hours: u64,
}

impl AdvisoriesConfig {
    const OSV: &str = "https://osv-vulnerabilities.storage.googleapis.com";
    const KEV: &str = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";
    const EPSS: &str = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz";

    /// The tables that `update` fetches, each with its address.
    pub(super) fn tables(&self) -> Vec<(TableKind, String)> {
        let is_mirror = self.url.trim_end_matches('/') != Self::OSV;
        let address = |set: &Option<String>, public: &str| match set {
            Some(set) => set.clone(),
            None if is_mirror => {
                let file = public.rsplit('/').next().unwrap_or_default();
                format!("{}/{file}", self.url.trim_end_matches('/'))
            }
            None => public.to_owned(),
        };
        let all = [
            (TableKind::Kev, address(&self.kev_url, Self::KEV)),
            (TableKind::Epss, address(&self.epss_url, Self::EPSS)),
        ];
        all.into_iter().filter(|(_, address)| !address.is_empty()).collect()
    }

    /// The age after which a database is stale.
    pub fn stale_after(&self) -> Duration {
        Duration::from_secs(self.stale_after_hours.saturating_mul(3600))
    }
}

impl Default for AdvisoriesConfig {
    fn default() -> Self {
        Self {
            url: Self::OSV.to_owned(),
            ecosystems: ECOSYSTEMS.map(str::to_owned).into(),
            kev_url: None,
            epss_url: None,
            ca_file: None,
            stale_after_hours: 48,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_from_their_publishers_or_from_the_mirror() {
        let addresses = |config: &AdvisoriesConfig| config.tables().into_iter().map(|(_, url)| url).collect::<Vec<_>>();
        let public = AdvisoriesConfig::default();
        assert_eq!(addresses(&public), [AdvisoriesConfig::KEV, AdvisoriesConfig::EPSS]);
        let mut mirror = AdvisoriesConfig { url: "https://mirror.example/osv/".into(), ..public };
        let at_mirror = "https://mirror.example/osv/known_exploited_vulnerabilities.json";
        assert_eq!(addresses(&mirror), [at_mirror, "https://mirror.example/osv/epss_scores-current.csv.gz"]);
        mirror.kev_url = Some(String::new());
        mirror.epss_url = Some("https://other.example/epss".into());
        assert_eq!(addresses(&mirror), ["https://other.example/epss"]);
    }
}
