//! What is known, kept for good. One trait; backends pass one contract (`contract.rs`).
//!
//! The store has one owner: a receiver. Every method that changes something returns only once the change is on disk
//! (flushed *and* synced), so whatever is answered afterwards survives a crash and a power cut.

use async_trait::async_trait;
use jiff::Timestamp;
use shared::event::RegistryEvent;
use shared::image::{Digest, Repository};
use shared::job::{JobKind, ScanJob};
use shared::package::Package;
use shared::report::ScanReport;
use uuid::Uuid;

pub mod backup;
#[cfg(test)]
mod contract;
pub mod sled;
mod views;

pub use views::*;

/// Everything that a receiver keeps.
#[async_trait]
pub trait Store: Send + Sync {
    // --- Taking in -------------------------------------------------------------------------------------------------

    /// Takes in one verified delivery in one transaction: its id (for deduplication), its events, the outgoing jobs.
    ///
    /// Idempotent by (source, delivery id): the second time nothing changes and the answer is [`Accepted::Duplicate`].
    /// A scan whose digest (or, without one, whose tag) is already queued or being scanned in the same registry joins
    /// that job. So does one whose digest was scanned completely within the last minute, unless an operator asks. A push moves its tag, unless a later event has moved it already; a pull moves `last_pulled`;
    /// a delete retires the tag, the digest or the repository.
    async fn accept(&self, delivery: &Intake) -> Result<Accepted, StoreError>;

    // --- Relay -----------------------------------------------------------------------------------------------------

    /// The oldest jobs that are not yet marked sent, most urgent kind first, at most `limit`.
    async fn outgoing(&self, limit: usize) -> Result<Vec<ScanJob>, StoreError>;

    /// The queue has confirmed these jobs. Idempotent.
    async fn mark_sent(&self, jobs: &[Uuid], at: Timestamp) -> Result<(), StoreError>;

    /// The queue has nothing of this kind: jobs that it confirmed, that have not ended, and of which nothing was heard
    /// since `silent_since` are lost. They go out again under their ids; one that is lost for the third time goes to the
    /// dead letters. Returns how many there were.
    async fn resend_lost(&self, kind: JobKind, silent_since: Timestamp, at: Timestamp) -> Result<usize, StoreError>;

    // --- Recorder --------------------------------------------------------------------------------------------------

    /// An attempt began. Idempotent; ignored for a job that has ended. A job without a digest can no longer be joined.
    async fn record_started(&self, job: Uuid, scanner: &str, attempt: u32, at: Timestamp) -> Result<(), StoreError>;

    /// An attempt ended and another follows. Idempotent; ignored for a job that has ended.
    async fn record_retrying(
        &self,
        job: Uuid,
        attempt: u32,
        reason: &str,
        at: Timestamp,
        next_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// A job is done: inventory, findings, the timeline, all in one transaction. Idempotent by the job's id.
    /// Findings of an earlier scan of the same digest are replaced, keeping when each was first seen; a failed or
    /// unsupported scan leaves the last good result standing.
    async fn record(&self, report: &ScanReport, at: Timestamp) -> Result<Recorded, StoreError>;

    /// A message ended among the dead letters. Idempotent by `dead.id`.
    async fn record_dead(&self, dead: &DeadLetter) -> Result<(), StoreError>;

    // --- Operators -------------------------------------------------------------------------------------------------

    /// Registries that anything is known of, by name.
    async fn registries(&self) -> Result<Vec<RegistrySummary>, StoreError>;

    /// Repositories of a registry, by name.
    async fn repositories(&self, registry: &str, page: &Page) -> Result<Listing<RepositorySummary>, StoreError>;

    /// Images of a repository, most recently pushed first.
    async fn images(
        &self,
        registry: &str,
        repository: &Repository,
        page: &Page,
    ) -> Result<Listing<ImageSummary>, StoreError>;

    /// One image by the digest of its manifest; for the digest of an index, each platform's image.
    async fn image(&self, digest: &Digest) -> Result<Vec<ImageDetail>, StoreError>;

    /// Packages of one image.
    async fn packages(&self, digest: &Digest) -> Result<Option<Vec<Package>>, StoreError>;

    /// Findings across all images.
    async fn findings(&self, query: &FindingQuery, page: &Page) -> Result<Listing<FindingRow>, StoreError>;

    /// One finding, by the id in its row.
    async fn finding(&self, id: &str) -> Result<Option<FindingDetail>, StoreError>;

    /// Events, newest first.
    async fn events(&self, page: &Page) -> Result<Listing<EventRecord>, StoreError>;

    /// One event with its timeline.
    async fn event(&self, id: Uuid) -> Result<Option<EventRecord>, StoreError>;

    /// Scans, newest first.
    async fn scans(&self, status: Option<ScanStatus>, page: &Page) -> Result<Listing<ScanRecord>, StoreError>;

    /// One scan.
    async fn scan(&self, id: Uuid) -> Result<Option<ScanRecord>, StoreError>;

    /// Dead letters, newest first.
    async fn dead(&self, page: &Page) -> Result<Listing<DeadLetter>, StoreError>;

    /// How many dead letters wait.
    async fn dead_count(&self) -> Result<u64, StoreError>;

    /// Takes a dead job out of the dead letters and queues it again under a new id.
    /// `None` if there is no such dead letter or its message was unreadable.
    async fn replay(&self, dead: Uuid, at: Timestamp) -> Result<Option<Uuid>, StoreError>;

    /// Drops a dead letter. `false` if there is none.
    async fn discard(&self, dead: Uuid) -> Result<bool, StoreError>;

    /// Adds a token, or replaces the one of the same id.
    async fn put_token(&self, token: &TokenRecord) -> Result<(), StoreError>;

    /// All tokens, by name.
    async fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError>;

    /// The token whose hash this is.
    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>, StoreError>;

    /// Removes a token for good. `false` if there is none.
    async fn revoke_token(&self, id: Uuid) -> Result<bool, StoreError>;

    /// `Ok` while changes can be made; else why not.
    async fn ready(&self) -> Result<(), StoreError>;
}

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be opened.
    #[error("the store at {path} cannot be opened: {why}")]
    Open {
        /// The folder.
        path: String,
        /// Why, and what to do.
        why: String,
    },
    /// Written by another version of Plimsoll; nothing was changed.
    #[error(
        "the store at {path} has schema version {found}, this Plimsoll writes version {expected}; nothing was changed. \
         Use the Plimsoll that wrote it to run `plimsoll store export`, then `plimsoll store import` with this one"
    )]
    Version {
        /// The folder.
        path: String,
        /// Version in the store.
        found: u32,
        /// Version of this program.
        expected: u32,
    },
    /// The disk failed or is full. Nothing that was acknowledged is lost; the process should be restarted.
    #[error("the store's disk failed: {0}")]
    Disk(String),
    /// A record cannot be read.
    #[error("a record of {table} in the store cannot be read: {why}")]
    Corrupt {
        /// Which kind of record.
        table: &'static str,
        /// Why.
        why: String,
    },
    /// The cursor is not one of ours.
    #[error("the cursor is not valid; start without one")]
    Cursor,
}

/// A verified delivery and what its events mean.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Configured name of the source.
    pub source: String,
    /// The sender's id of the delivery, or a hash of its body where it has none.
    pub delivery_id: String,
    /// When the request came in.
    pub received_at: Timestamp,
    /// Identifier for log lines.
    pub trace: String,
    /// In the sender's order.
    pub events: Vec<PlannedEvent>,
}

/// An event and what is to be done about it.
#[derive(Debug, Clone)]
pub struct PlannedEvent {
    /// Identity of the event (UUID version 7).
    pub id: Uuid,
    /// What the registry said.
    pub event: RegistryEvent,
    /// Configured name of the registry that the event's host selects, if any.
    pub registry: Option<String>,
    /// What follows.
    pub action: Action,
}

/// What follows from an event.
#[derive(Debug, Clone)]
pub enum Action {
    /// Scan, unless the same is already queued or being scanned.
    Scan(Box<ScanJob>),
    /// Somebody read the image.
    Pulled,
    /// Retire the tag, the digest or the repository.
    Deleted,
    /// Nothing, for this reason.
    Ignored(String),
}

/// What [`Store::accept`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// The delivery is new.
    New {
        /// For each event, in order, the job that it started or joined.
        jobs: Vec<Option<Uuid>>,
        /// How many jobs are new.
        queued: usize,
    },
    /// It was here before; nothing changed.
    Duplicate,
}

/// What [`Store::record`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is recorded now.
    New,
    /// It was recorded before; nothing changed.
    Duplicate,
}
