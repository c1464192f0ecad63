//! What the store shows to operators, and how they ask for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::event::RegistryEvent;
use shared::finding::{Finding, Severity, Vulnerability};
use shared::image::{Digest, Platform, Repository, Tag};
use shared::job::ScanJob;
use shared::package::Distro;
use shared::queue::Topic;
use shared::report::{AdvisoryStamp, BaseImage, LayerUse, Outcome, Timings, Warning};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a listing goes on.
#[derive(Debug, Clone)]
pub struct Page {
    /// At most this many items, 1 to 500.
    pub limit: usize,
    /// [`Listing::next`] of the page before. Opaque, and stable under inserts.
    pub cursor: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Findings by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SeverityCounts {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub negligible: u64,
    pub unknown: u64,
}

impl SeverityCounts {
    /// Counts one more.
    pub fn add(&mut self, severity: Severity) {
        let count = match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Negligible => &mut self.negligible,
            Severity::Unknown => &mut self.unknown,
        };
        *count += 1;
    }
}

/// A registry at a glance.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RegistrySummary {
    /// Configured name.
    pub name: String,
    /// Repositories that anything is known of.
    pub repositories: u64,
    /// Images, by digest, that a tag or an event points at.
    pub images: u64,
    /// When the newest event came in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_event_at: Option<Timestamp>,
}

/// A repository at a glance.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RepositorySummary {
    /// Configured name of the registry.
    pub registry: String,
    /// Repository within it.
    pub repository: Repository,
    /// Current tags.
    pub tags: u64,
    /// Images, by digest.
    pub images: u64,
    /// When something was last pushed or imported.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_pushed_at: Option<Timestamp>,
}

/// An image of a repository at a glance. An index counts as one image for each of its scanned platforms.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImageSummary {
    /// Digest of the manifest.
    pub digest: Digest,
    /// Index that it was scanned through, if any.
    pub index: Option<Digest>,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Tags of this repository that point at it now, directly or through the index.
    pub tags: Vec<Tag>,
    /// How its last scan that gave a result ended; `None` before the first.
    pub outcome: Option<Outcome>,
    /// When that scan was recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub scanned_at: Option<Timestamp>,
    /// What it is built on.
    pub distro: Option<Distro>,
    /// How many packages it has.
    pub packages: u64,
    /// Its findings.
    pub findings: SeverityCounts,
    /// When it was last pushed or imported here.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, as far as the registry tells.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_pulled_at: Option<Timestamp>,
}

/// A place where an image is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    /// Configured name of the registry.
    pub registry: String,
    /// Repository within it.
    pub repository: Repository,
    /// Tags that point at the image now.
    pub tags: Vec<Tag>,
}

/// Everything about one image but its packages and findings.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImageDetail {
    /// At a glance; `tags` are those of all locations.
    #[serde(flatten)]
    pub summary: ImageSummary,
    /// Everywhere it is found.
    pub locations: Vec<Location>,
    /// Why the outcome is not complete.
    pub reason: Option<String>,
    /// Every gap in the result.
    pub warnings: Vec<Warning>,
    /// Database that it was last matched against.
    pub advisories: Option<AdvisoryStamp>,
    /// What it says it is built on (annotations or labels `org.opencontainers.image.base.*`); else the image of this
    /// store that its lowest layers are.
    pub base: Option<BaseImage>,
    /// From the bottom up, each with the line of the Dockerfile that made it, and whether it is the base's.
    pub layers: Vec<LayerUse>,
    /// What its last good scan cost.
    pub timings: Timings,
    /// The scan that gave this result.
    pub scan_id: Option<Uuid>,
    /// The newest scan, where it failed and the result is of an earlier one.
    pub failed_scan: Option<ScanRecord>,
}

/// Which findings, and in which order.
#[derive(Debug, Clone, Default)]
pub struct FindingQuery {
    /// Exactly this severity.
    pub severity: Option<Severity>,
    /// This severity or a worse one.
    pub at_least: Option<Severity>,
    /// Canonical id or any alias, in any case.
    pub vulnerability: Option<String>,
    /// Name of the package or of its source package.
    pub package: Option<String>,
    /// Ecosystem, with or without its release: `Debian` finds `Debian:12`.
    pub ecosystem: Option<String>,
    /// Configured name of the registry.
    pub registry: Option<String>,
    /// Repository.
    pub repository: Option<Repository>,
    /// A tag that points at the image now.
    pub tag: Option<Tag>,
    /// Digest of the manifest or of an index that holds it.
    pub digest: Option<Digest>,
    /// Whether a fixed version is known.
    pub fix_available: Option<bool>,
    /// Whether the package's layer comes from the image's base.
    pub base: Option<bool>,
    /// The order.
    pub sort: FindingSort,
}

/// Order of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingSort {
    /// Worst first, then by vulnerability.
    #[default]
    Severity,
    /// By vulnerability id.
    Vulnerability,
    /// By name of the package.
    Package,
}

/// One finding in one image.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingRow {
    /// Opaque id for [`Store::finding`](super::Store::finding).
    pub finding_id: String,
    /// Digest of the manifest.
    pub digest: Digest,
    /// What that image runs on.
    pub platform: Option<Platform>,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Whether the package's layer comes from the image that this one is built on. `false` where no base is known.
    pub base: bool,
    /// Every other name of the vulnerability.
    pub aliases: Vec<String>,
    /// One line about the vulnerability.
    pub title: String,
    /// When it was first recorded for this image.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When it was last recorded for this image.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// Where the image is found.
    pub locations: Vec<Location>,
}

/// A finding with everything needed to act.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingDetail {
    /// The finding.
    #[serde(flatten)]
    pub row: FindingRow,
    /// What is known about the vulnerability.
    pub vulnerability: Vulnerability,
    /// Every image that has the vulnerability in this package and version: at most 1,000.
    pub images: Vec<AffectedImage>,
}

/// An image that has a vulnerability.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AffectedImage {
    /// Digest of the manifest.
    pub digest: Digest,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Where it is found.
    pub locations: Vec<Location>,
}

/// Where a scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScanStatus {
    /// Accepted; not yet confirmed by the queue.
    Accepted,
    /// In the queue.
    Queued,
    /// A scanner is at it.
    Started,
    /// An attempt ended; the next is due later.
    Retrying,
    /// Recorded as complete.
    Complete,
    /// Recorded as partial.
    Partial,
    /// Recorded as unsupported.
    Unsupported,
    /// Recorded as failed.
    Failed,
    /// Among the dead letters.
    Dead,
    /// Replayed from the dead letters under a new id, or discarded.
    Dropped,
}

impl From<Outcome> for ScanStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Complete => Self::Complete,
            Outcome::Partial => Self::Partial,
            Outcome::Unsupported => Self::Unsupported,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// A step of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// What happened: an action of intake (`joined`, `pulled`, `deleted`, `ignored`), a status of the scan, or
    /// `resent` where the queue had lost its job.
    pub step: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Which attempt, why, by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// An event and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventRecord {
    /// Identity of the event.
    pub id: Uuid,
    /// What the registry said.
    pub event: RegistryEvent,
    /// Configured name of the registry, if the host selected one.
    pub registry: Option<String>,
    /// When the delivery came in.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// The scan that it started or joined.
    pub scan_id: Option<Uuid>,
    /// Accepted, queued, started, recorded, or how it ended. Of the scan's steps, those after this event.
    pub timeline: Vec<Step>,
}

/// A scan and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScanRecord {
    /// The job; its id is the scan's.
    pub job: ScanJob,
    /// Where it stands.
    pub status: ScanStatus,
    /// Why it ended so, unless complete.
    pub reason: Option<String>,
    /// What the reference resolved to.
    pub digest: Option<Digest>,
    /// The manifests that were scanned.
    pub images: Vec<Digest>,
    /// Accepted, queued, started, recorded, or how it ended.
    pub timeline: Vec<Step>,
}

/// A message that nobody could process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Identity; the job's id where the message was a job.
    pub id: Uuid,
    /// Queue that it was in.
    #[schema(value_type = String)]
    pub topic: Topic,
    /// The job, where the message could be read as one.
    pub job: Option<ScanJob>,
    /// The message where it could not: its first 4 kB, with unreadable bytes replaced.
    pub body: Option<String>,
    /// Why nobody could process it.
    pub reason: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub died_at: Timestamp,
}

/// What a token may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Viewer,
    /// Ask for scans; replay and discard dead jobs.
    Operator,
    /// Manage tokens.
    Admin,
}

/// A token for the API, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRecord {
    /// Identity.
    pub id: Uuid,
    /// Whose it is, for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the token. (A token has 256 random bits, so a plain hash cannot be reversed.)
    #[serde(with = "hex::serde")]
    #[schema(value_type = String)]
    pub hash: [u8; 32],
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}
