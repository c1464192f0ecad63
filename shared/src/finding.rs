//! What is wrong with what an image contains.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::image::Digest;

/// How bad, on one scale for all sources. Ordered from `Unknown` to `Critical`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody has said.
    #[default]
    Unknown,
    /// CVSS 0.0, or the vendor's word for not worth a fix.
    Negligible,
    /// CVSS 0.1 to 3.9.
    Low,
    /// CVSS 4.0 to 6.9.
    Medium,
    /// CVSS 7.0 to 8.9.
    High,
    /// CVSS 9.0 and above.
    Critical,
}

impl Severity {
    /// All of them, worst first.
    pub const ALL: [Self; 6] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Negligible, Self::Unknown];

    /// The lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == word)
            .ok_or_else(|| format!("{text:?} is no severity; use critical, high, medium, low, negligible or unknown"))
    }
}

/// What is known about a vulnerability, whatever it is found in. Kept once, not per finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Vulnerability {
    /// Canonical id: the CVE if there is one.
    pub id: String,
    /// Every other name: GHSA, PYSEC, DSA, DLA, …
    pub aliases: Vec<String>,
    /// One line.
    pub title: String,
    /// Text or Markdown, as published; cut by the advisory database to a few kilobytes.
    pub description: String,
    /// Pages to read.
    pub references: Vec<String>,
    /// RFC 3339, as published.
    pub published: Option<String>,
    /// RFC 3339, as published.
    pub modified: Option<String>,
}

/// One vulnerability that applies to one package in one image. Its identity within the image is (id, package, version).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Canonical id of the vulnerability: see [`Vulnerability`].
    pub id: String,
    /// Name of the installed package.
    pub package: String,
    /// Its installed version.
    pub version: String,
    /// Its ecosystem in OSV's words.
    pub ecosystem: String,
    /// Its package URL.
    pub purl: String,
    /// Source package that the advisory names, where that is another.
    pub source_name: Option<String>,
    /// The vendor's own word for distro packages, else from the best CVSS vector.
    pub severity: Severity,
    /// CVSS base score, 0.0 to 10.0.
    pub score: Option<f64>,
    /// CVSS vector that the score comes from.
    pub vector: Option<String>,
    /// The remedy: lowest version known to be free of it and above the installed one.
    pub fixed_version: Option<String>,
    /// Whether the vendor has said that there will be no fix for this release.
    #[serde(default)]
    pub wont_fix: bool,
    /// What CISA says of its exploitation; `None` where it is not in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploited: Option<KnownExploited>,
    /// How likely it is to be exploited, by FIRST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Epss>,
    /// How soon to act, from all of these.
    #[serde(default)]
    pub priority: Priority,
    /// Ids of the advisories that say so.
    pub advisories: Vec<String>,
    /// Layer of the package.
    pub layer: Option<Digest>,
    /// Path of the package.
    pub path: String,
}

/// An entry of CISA's catalogue of known exploited vulnerabilities (KEV).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownExploited {
    /// Day on which it was added, `2021-12-10`.
    pub added: String,
    /// Day by which US agencies must have acted.
    pub due: String,
    /// Whether ransomware is known to use it.
    pub ransomware: bool,
}

/// FIRST's Exploit Prediction Scoring System.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Epss {
    /// Probability of exploitation within 30 days, 0.0 to 1.0.
    pub score: f64,
    /// Share of all vulnerabilities with a lower or the same score, 0.0 to 1.0.
    pub percentile: f64,
}

/// How soon to act. Ordered from the least urgent.
///
/// | priority | when |
/// |---|---|
/// | `now` | known to be exploited |
/// | `soon` | critical, or an EPSS score of at least 0.1 |
/// | `planned` | high, or medium with an EPSS score of at least 0.01 |
/// | `watch` | everything else |
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When there is time.
    #[default]
    Watch,
    /// With the next release.
    Planned,
    /// This week.
    Soon,
    /// Drop everything.
    Now,
}

impl Priority {
    /// The least EPSS score that makes any finding one of [`Priority::Soon`].
    const LIKELY: f64 = 0.1;
    /// The least EPSS score that makes a medium finding one of [`Priority::Planned`].
    const NOT_UNLIKELY: f64 = 0.01;

    /// The priority by the table above.
    pub fn of(is_exploited: bool, severity: Severity, epss: Option<Epss>) -> Self {
        let epss = epss.map_or(0.0, |epss| epss.score);
        match severity {
            _ if is_exploited => Self::Now,
            Severity::Critical => Self::Soon,
            _ if epss >= Self::LIKELY => Self::Soon,
            Severity::High => Self::Planned,
            Severity::Medium if epss >= Self::NOT_UNLIKELY => Self::Planned,
            _ => Self::Watch,
        }
    }

    /// The lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Planned => "planned",
            Self::Soon => "soon",
            Self::Now => "now",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priority_is_that_of_the_table() {
        let of = |is_exploited, severity, score: f64| {
            Priority::of(is_exploited, severity, Some(Epss { score, percentile: 0.5 }))
        };
        assert_eq!(of(true, Severity::Low, 0.0), Priority::Now);
        assert_eq!(of(false, Severity::Critical, 0.0), Priority::Soon);
        assert_eq!(of(false, Severity::Unknown, 0.1), Priority::Soon);
        assert_eq!(of(false, Severity::High, 0.099), Priority::Planned);
        assert_eq!(of(false, Severity::Medium, 0.01), Priority::Planned);
        assert_eq!(of(false, Severity::Medium, 0.0099), Priority::Watch);
        assert_eq!(of(false, Severity::Low, 0.05), Priority::Watch);
        assert_eq!(Priority::of(false, Severity::High, None), Priority::Planned);
        assert_eq!(Priority::of(false, Severity::Unknown, None), Priority::Watch);
    }
}
