//! What a scanner answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::finding::{Finding, Vulnerability};
use crate::image::{Digest, Platform};
use crate::job::ScanJob;
use crate::package::{Distro, Package};

/// How a scan ended. "Clean" may be said of `Complete` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything was read and matched.
    Complete,
    /// Something could not be read or is not covered; each gap is a warning.
    Partial,
    /// Not a container image.
    Unsupported,
    /// Limits exceeded, digest mismatch, gone, credentials refused.
    Failed,
}

impl Outcome {
    /// The lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }
}

/// A gap in a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// What kind of gap, for programs: `unreadable-file`, `unknown-distro`, `no-advisories`, `end-of-life`, `stale-advisories`, …
    pub code: String,
    /// The gap, for people; names the file, layer or ecosystem.
    pub message: String,
}

impl Warning {
    /// A gap of the kind `code`.
    pub fn new(code: WarningCode, message: impl Into<String>) -> Self {
        Self { code: code.as_str().to_owned(), message: message.into() }
    }
}

/// Every kind of gap that a scanner tells of. Reports have the word: that of a newer scanner is passed on unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningCode {
    /// The advisory database is damaged.
    DamagedAdvisories,
    /// The release is past the day on which its vendor's support ended.
    EndOfLife,
    /// There is no advisory database, or it has nothing for an ecosystem of the image.
    NoAdvisories,
    /// Not a single package was found.
    NoPackages,
    /// The distribution's moving branch, for which nobody publishes advisories.
    RollingRelease,
    /// The advisory database is older than it may be.
    StaleAdvisories,
    /// Java archives that nothing but a file name tells of.
    UnidentifiedPackages,
    /// A distribution that nothing names, or for which nobody publishes advisories.
    UnknownDistro,
    /// Packages of no ecosystem that has advisories.
    UnknownEcosystem,
    /// Package URLs of types for which no advisories are known.
    UnknownType,
    /// An ecosystem whose order of versions is not known.
    UnorderedEcosystem,
    /// A file that lists packages and cannot be read, or not to its end.
    UnreadableFile,
    /// A version that has no place in its ecosystem's order.
    UnreadableVersion,
    /// A package URL that is none, or that lacks what matching needs.
    UnusablePurl,
    /// Components of a bill of materials that have no package URL.
    WithoutPurl,
}

impl WarningCode {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DamagedAdvisories => "damaged-advisories",
            Self::EndOfLife => "end-of-life",
            Self::NoAdvisories => "no-advisories",
            Self::NoPackages => "no-packages",
            Self::RollingRelease => "rolling-release",
            Self::StaleAdvisories => "stale-advisories",
            Self::UnidentifiedPackages => "unidentified-packages",
            Self::UnknownDistro => "unknown-distro",
            Self::UnknownEcosystem => "unknown-ecosystem",
            Self::UnknownType => "unknown-type",
            Self::UnorderedEcosystem => "unordered-ecosystem",
            Self::UnreadableFile => "unreadable-file",
            Self::UnreadableVersion => "unreadable-version",
            Self::UnusablePurl => "unusable-purl",
            Self::WithoutPurl => "without-purl",
        }
    }
}

/// Which advisory database a result was matched against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdvisoryStamp {
    /// Version of the database: changes with its contents.
    pub version: String,
    /// When it was built.
    #[schema(value_type = String, format = DateTime)]
    pub built_at: Timestamp,
}

/// A layer of an image and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LayerUse {
    /// Digest as in the manifest.
    pub digest: Digest,
    /// Compressed size in bytes.
    pub size: u64,
    /// Whether the result came from the cache, without a pull.
    pub cached: bool,
    /// Line of the image's history that made it, such as `RUN /bin/sh -c apt-get install -y curl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Whether it comes from the image that this one is built on.
    #[serde(default)]
    pub base: bool,
}

/// The image that another one is built on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BaseImage {
    /// Its name: `docker.io/library/debian:12`.
    pub name: Option<String>,
    /// Its digest.
    pub digest: Option<Digest>,
}

/// Wall-clock milliseconds of the steps of one scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    /// Resolving the reference and reading the manifests.
    pub resolve_ms: f64,
    /// Streaming and cataloging the layers that were not cached.
    pub pull_ms: f64,
    /// Matching against the advisory database.
    pub match_ms: f64,
}

/// Result for one platform's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImageReport {
    /// Digest of the manifest.
    pub digest: Digest,
    /// What it runs on, by its configuration.
    pub platform: Option<Platform>,
    /// How its scan ended.
    pub outcome: Outcome,
    /// Why, unless complete.
    pub reason: Option<String>,
    /// Every gap.
    pub warnings: Vec<Warning>,
    /// What it is built on.
    pub distro: Option<Distro>,
    /// The database it was matched against; `None` where there was none.
    pub advisories: Option<AdvisoryStamp>,
    /// What it says it is built on (`org.opencontainers.image.base.*`), or is found to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseImage>,
    /// From the bottom up.
    pub layers: Vec<LayerUse>,
    /// Everything installed.
    pub packages: Vec<Package>,
    /// Everything wrong, worst first.
    pub findings: Vec<Finding>,
    /// One for each id in `findings`.
    pub vulnerabilities: Vec<Vulnerability>,
    /// What it cost.
    pub timings: Timings,
}

impl ImageReport {
    /// The report of an image in which nothing could be read.
    pub fn without_result(
        digest: Digest,
        platform: Option<Platform>,
        outcome: Outcome,
        reason: Option<String>,
    ) -> Self {
        Self {
            digest,
            platform,
            outcome,
            reason,
            warnings: Vec::new(),
            distro: None,
            advisories: None,
            base: None,
            layers: Vec::new(),
            packages: Vec::new(),
            findings: Vec::new(),
            vulnerabilities: Vec::new(),
            timings: Timings::default(),
        }
    }
}

/// The end of one job: for an index, one image for each platform asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanReport {
    /// The job, as it was received.
    pub job: ScanJob,
    /// Name of the scanner process.
    pub scanner: String,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What the reference resolved to: an index or a manifest.
    pub digest: Option<Digest>,
    /// The worst outcome of the images, or why there is none.
    pub outcome: Outcome,
    /// Why, unless complete.
    pub reason: Option<String>,
    /// One for each platform.
    pub images: Vec<ImageReport>,
}

/// A message from a scanner about a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Report {
    /// An attempt began.
    Started {
        /// The job.
        job_id: Uuid,
        /// Name of the scanner process.
        scanner: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// An attempt ended in a way that may pass; another follows.
    Retrying {
        /// The job.
        job_id: Uuid,
        /// Which attempt ended, from 1.
        attempt: u32,
        /// What went wrong.
        reason: String,
        /// When.
        at: Timestamp,
        /// When the next attempt is due.
        next_at: Timestamp,
    },
    /// The job is done.
    Finished(Box<ScanReport>),
}
