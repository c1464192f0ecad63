//! Section `[scanner]` of the configuration.

use serde::{Deserialize, Serialize};
use shared::image::Platform;

use crate::image::limits::Limits;

/// How a scanner process works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScannerConfig {
    /// Name in reports and logs. Default: host name and process id, filled in by the process.
    pub name: Option<String>,
    /// Jobs that are worked on at the same time. Default: 4; they share the places for layers below.
    pub concurrency: usize,
    /// Layers that are read at the same time, by all jobs together: each keeps one core busy and at most about 50 MB.
    /// Default: number of cores, at most 4.
    pub layer_concurrency: usize,
    /// Platforms of an index that are scanned; empty means all of them. Default: `linux/amd64` and `linux/arm64`, which is
    /// nearly everything that runs. An image that is no index is scanned whatever its platform.
    pub platforms: Vec<Platform>,
    /// Size of the cache of layer results on disk, in bytes. Default: 2 GiB.
    pub cache_bytes: u64,
    /// Whether packages that a package of the distribution brought are matched by their languages' advisories too. Their
    /// vendor patches them without changing their versions, so most of what is found by these is fixed already. Default:
    /// false.
    pub match_owned: bool,
    /// Attempts before a job goes to the dead letters. Default: 10, which is about two hours of trying.
    pub max_attempts: u32,
    /// How much of an image is read and kept.
    pub limits: Limits,
}

impl Default for ScannerConfig {
    fn default() -> Self {
        let linux = |architecture: &str| Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        };
        Self {
            name: None,
            concurrency: 4,
            layer_concurrency: std::thread::available_parallelism().map_or(2, usize::from).min(4),
            platforms: vec![linux("amd64"), linux("arm64")],
            cache_bytes: 2 << 30,
            match_owned: false,
            max_attempts: 10,
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default_and_unknown_keys_are_named() {
        assert_eq!(toml::from_str::<ScannerConfig>("").unwrap(), ScannerConfig::default());
        let config: ScannerConfig = toml::from_str("platforms = [\"linux/arm/v7\"]\n[limits]\nratio = 7").unwrap();
        assert_eq!((config.platforms[0].to_string().as_str(), config.limits.ratio), ("linux/arm/v7", 7));
        assert!(toml::from_str::<ScannerConfig>("platform = []").unwrap_err().to_string().contains("platform"));
    }
}
