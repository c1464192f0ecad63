//! What the receiver asks of a scanner.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::image::{Digest, Reference, Repository, Tag};

/// Why a scan was asked for. Each kind has a queue of its own; they are served in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// Somebody pushed.
    Push,
    /// Somebody imported, or an operator asked.
    Import,
    /// Something else changed: the advisories, the time.
    Rescan,
}

/// One scan of one reference. Its `id` is the scan's id too: however often the job is delivered, one result is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScanJob {
    /// Identity of the job and of its scan (UUID version 7).
    pub id: Uuid,
    /// Why, and with it how urgent.
    pub kind: JobKind,
    /// Configured name of the registry.
    pub registry: String,
    /// Repository within it.
    pub repository: Repository,
    /// The tag that was named; with a digest it is only a label.
    pub tag: Option<Tag>,
    /// The digest that was named. Without one the tag is resolved.
    pub digest: Option<Digest>,
    /// When the event behind the job was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub accepted_at: Timestamp,
    /// Identifier that log lines carry from the delivery to the report.
    pub trace: String,
}

impl ScanJob {
    /// What to pull: the digest, else the tag. `None` only for a job that names neither.
    pub fn reference(&self) -> Option<Reference> {
        let digest = self.digest.clone().map(Reference::Digest);
        digest.or_else(|| self.tag.clone().map(Reference::Tag))
    }
}
