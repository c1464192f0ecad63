//! The default store: one sled tree, owned by one process.
//!
//! One writer at a time reads what it needs, collects its changes and applies them in one batch; then it waits for the
//! disk, together with everybody else who waits at that moment. Readers see each batch as it is applied.
//!
//! How keys are written is said in [`keys`], how values are in [`tx`]. The tables, by the first byte of the key:
//!
//! | Byte | Table | Key | Value |
//! |---|---|---|---|
//! | 01 | meta | | application, schema version |
//! | 10 | deliveries | source, delivery id | when it came in; forgotten after 30 days |
//! | 11 | deliveries-by-age | time, source, delivery id | |
//! | 12 | events | event id | [`EventRecord`] with its own steps only |
//! | 20 | scans | job id | [`ScanRecord`] |
//! | 21 | in-flight | `d` registry, digest; or `t` registry, repository, tag | job id |
//! | 22 | outbox | rank of the kind, job id | a job that the queue has not confirmed |
//! | 23 | dead | id | [`DeadLetter`] |
//! | 24 | dead-by-time | time (newest first), id | |
//! | 25 | sent | rank of the kind, job id | a job that is with the queue or a scanner |
//! | 30 | registries | registry | name, last event |
//! | 31 | repositories | registry, repository | life: pushes and deletes |
//! | 32 | tags | registry, repository, tag | digest (none: retired), when it moved |
//! | 33 | tags-by-digest | registry, repository, digest, tag | tag |
//! | 34 | locations | registry, repository, digest | life: pushes and deletes |
//! | 35 | locations-by-time | registry, repository, time (newest first), digest | only current ones |
//! | 36 | locations-by-digest | digest, registry, repository | only current ones |
//! | 37 | pulls | registry, repository, digest | last pull |
//! | 40 | images | digest | the last result, without the following |
//! | 41 | packages | digest | all packages |
//! | 42 | children | digest of an index | digests of its scanned manifests |
//! | 43 | parents | digest of a manifest, digest of an index | |
//! | 44 | stacks | SHA-256 of a platform and all layers, digest of a manifest with just these | |
//! | 50 | findings | digest, vulnerability, package, version | the finding, when it was first seen |
//! | 51 | findings-by-severity | rank, vulnerability, package, version, digest | |
//! | 52 | findings-by-vulnerability | vulnerability, rank, package, version, digest | |
//! | 53 | findings-by-name | name of the package or its source, rank, vulnerability, package, version, digest | |
//! | 58 | vulnerabilities | id | [`Vulnerability`](shared::finding::Vulnerability) |
//! | 59 | aliases | any name in lower case, id | id |
//! | 60 | tokens | id | [`TokenRecord`] |
//! | 61 | tokens-by-hash | hash | id |
//! | F0 | documents | key of the row it belongs to, number of the chunk | a part of a large value |
//!
//! Retired images keep their results, but are in no listing: what is listed is what is in a registry now.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use shared::durable::{CACHE_BYTES, Durable};
use shared::image::{Digest, Repository};
use shared::job::{JobKind, ScanJob};
use shared::package::Package;
use shared::report::ScanReport;
use sled::Tree;
use uuid::Uuid;

use self::keys::{Key, SCHEMA_VERSION, Table};
use self::places::Home;
use self::rows::Meta;
use self::tx::Tx;
use super::{
    Accepted, DeadLetter, EventRecord, FindingDetail, FindingQuery, FindingRow, ImageDetail, ImageSummary, Intake,
    Listing, Page, Recorded, RegistrySummary, RepositorySummary, ScanRecord, ScanStatus, Store, StoreError,
    TokenRecord,
};

mod accept;
mod bases;
pub(super) mod dump;
mod findings;
mod images;
mod jobs;
pub(super) mod keys;
mod outbox;
mod places;
mod query;
mod record;
mod rows;
mod timeline;
mod tokens;
mod tx;
mod views;

const TREE: &str = "plimsoll";
/// Who writes stores and exports.
pub(super) const APPLICATION: &str = "plimsoll";
const LONGEST_PAGE: usize = 500;

/// A store in a folder of its own. Clones share it; it is closed with the last of them.
#[derive(Clone)]
pub struct SledStore {
    inner: Arc<Inner>,
}

struct Inner {
    durable: Durable,
    tree: Tree,
    /// Held while changes are read for, collected and applied.
    writer: Mutex<()>,
}

/// Whether a change may be made while the disk is nearly full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// No: it takes in something new.
    Needed,
    /// Yes: it ends something.
    Any,
}

impl SledStore {
    /// Opens the store in the folder `path`, or creates it. Blocks for up to two seconds while another process has it
    /// open. Nothing is written to a store of another version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |why: String| StoreError::Open { path: path.display().to_string(), why };
        let durable = Durable::open(path, CACHE_BYTES).map_err(|error| failed(error.to_string()))?;
        let tree = durable.tree(TREE).map_err(|error| failed(error.to_string()))?;
        let inner = Inner { durable, tree, writer: Mutex::new(()) };
        inner.check_meta(path)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Looks at the store on a thread that may block.
    async fn read<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || look(&Tx::new(&inner.tree))).await
    }

    /// Makes a change and returns once it is on disk.
    async fn write<R>(
        &self,
        room: Room,
        change: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let result = self.inner.apply(room, change)?;
        // Also where nothing changed: the answer may rest on what another writer has not yet committed.
        self.inner.durable.commit().await?;
        Ok(result)
    }
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Disk("the process is shutting down".to_owned())),
    }
}

impl Inner {
    fn check_meta(&self, path: &Path) -> Result<(), StoreError> {
        let key = Key::of(Table::Meta);
        let path = path.display().to_string();
        match Tx::new(&self.tree).get::<Meta>(&key)? {
            Some(meta) if meta.application != APPLICATION => {
                Err(StoreError::Open { path, why: format!("it belongs to {}; name another folder", meta.application) })
            }
            Some(meta) if meta.schema_version != SCHEMA_VERSION => {
                Err(StoreError::Version { path, found: meta.schema_version, expected: SCHEMA_VERSION })
            }
            Some(_) => Ok(()),
            None if self.tree.first()?.is_some() => {
                Err(StoreError::Open { path, why: "it is not a store of Plimsoll; name another folder".to_owned() })
            }
            None => self.apply(Room::Needed, |tx| {
                tx.put(key, &Meta { application: APPLICATION.to_owned(), schema_version: SCHEMA_VERSION })
            }),
        }
    }

    fn apply<R>(&self, room: Room, change: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError>) -> Result<R, StoreError> {
        // A writer that panicked has applied nothing.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tx = Tx::new(&self.tree);
        let result = change(&mut tx)?;
        match (tx.into_batch()?, room) {
            (Some(batch), Room::Needed) => self.durable.apply(&self.tree, batch)?,
            (Some(batch), Room::Any) => self.durable.apply_always(&self.tree, batch)?,
            (None, _) => {}
        }
        Ok(result)
    }
}

fn checked(page: &Page) -> Page {
    Page { limit: page.limit.clamp(1, LONGEST_PAGE), cursor: page.cursor.clone() }
}

#[async_trait]
impl Store for SledStore {
    async fn accept(&self, delivery: &Intake) -> Result<Accepted, StoreError> {
        self.write(Room::Needed, |tx| accept::accept(tx, delivery)).await
    }

    async fn outgoing(&self, limit: usize) -> Result<Vec<ScanJob>, StoreError> {
        self.read(move |tx| outbox::outgoing(tx, limit)).await
    }

    async fn mark_sent(&self, jobs: &[Uuid], at: Timestamp) -> Result<(), StoreError> {
        self.write(Room::Any, |tx| outbox::mark_sent(tx, jobs, at)).await
    }

    async fn resend_lost(&self, kind: JobKind, silent_since: Timestamp, at: Timestamp) -> Result<usize, StoreError> {
        let mut count = 0;
        loop {
            // Looked for without holding up writers.
            let lost = self.read(move |tx| outbox::silent(tx, kind, silent_since)).await?;
            if lost.is_empty() {
                return Ok(count);
            }
            self.write(Room::Any, |tx| outbox::resend(tx, &lost, silent_since, at)).await?;
            count += lost.len();
        }
    }

    async fn record_started(&self, job: Uuid, scanner: &str, attempt: u32, at: Timestamp) -> Result<(), StoreError> {
        self.write(Room::Any, |tx| jobs::started(tx, job, scanner, attempt, at)).await
    }

    async fn record_retrying(
        &self,
        job: Uuid,
        attempt: u32,
        reason: &str,
        at: Timestamp,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(Room::Any, |tx| jobs::retrying(tx, job, attempt, reason, at, next_at)).await
    }

    async fn record(&self, report: &ScanReport, at: Timestamp) -> Result<Recorded, StoreError> {
        let (inner, report) = (Arc::clone(&self.inner), report.clone());
        let recorded = blocking(move || inner.apply(Room::Needed, |tx| record::record(tx, &report, at))).await?;
        self.inner.durable.commit().await?;
        Ok(recorded)
    }

    async fn record_dead(&self, dead: &DeadLetter) -> Result<(), StoreError> {
        self.write(Room::Any, |tx| jobs::dead(tx, dead)).await
    }

    async fn registries(&self) -> Result<Vec<RegistrySummary>, StoreError> {
        self.read(images::registries).await
    }

    async fn repositories(&self, registry: &str, page: &Page) -> Result<Listing<RepositorySummary>, StoreError> {
        let (registry, page) = (registry.to_owned(), checked(page));
        self.read(move |tx| images::repositories(tx, &registry, &page)).await
    }

    async fn images(
        &self,
        registry: &str,
        repository: &Repository,
        page: &Page,
    ) -> Result<Listing<ImageSummary>, StoreError> {
        let (registry, repository, page) = (registry.to_owned(), repository.clone(), checked(page));
        self.read(move |tx| images::images(tx, Home { registry: &registry, repository: &repository }, &page)).await
    }

    async fn image(&self, digest: &Digest) -> Result<Vec<ImageDetail>, StoreError> {
        let digest = digest.clone();
        self.read(move |tx| images::image(tx, &digest)).await
    }

    async fn packages(&self, digest: &Digest) -> Result<Option<Vec<Package>>, StoreError> {
        let digest = digest.clone();
        self.read(move |tx| tx.get(&Key::of(Table::Packages).digest(&digest))).await
    }

    async fn findings(&self, query: &FindingQuery, page: &Page) -> Result<Listing<FindingRow>, StoreError> {
        let (query, page) = (query.clone(), checked(page));
        self.read(move |tx| query::findings(tx, &query, &page)).await
    }

    async fn finding(&self, id: &str) -> Result<Option<FindingDetail>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| views::finding(tx, &id)).await
    }

    async fn events(&self, page: &Page) -> Result<Listing<EventRecord>, StoreError> {
        let page = checked(page);
        self.read(move |tx| timeline::events(tx, &page)).await
    }

    async fn event(&self, id: Uuid) -> Result<Option<EventRecord>, StoreError> {
        self.read(move |tx| timeline::event(tx, id)).await
    }

    async fn scans(&self, status: Option<ScanStatus>, page: &Page) -> Result<Listing<ScanRecord>, StoreError> {
        let page = checked(page);
        self.read(move |tx| timeline::scans(tx, status, &page)).await
    }

    async fn scan(&self, id: Uuid) -> Result<Option<ScanRecord>, StoreError> {
        self.read(move |tx| jobs::scan(tx, id)).await
    }

    async fn dead(&self, page: &Page) -> Result<Listing<DeadLetter>, StoreError> {
        let page = checked(page);
        self.read(move |tx| timeline::dead(tx, &page)).await
    }

    async fn dead_count(&self) -> Result<u64, StoreError> {
        self.read(timeline::count_dead).await
    }

    async fn replay(&self, dead: Uuid, at: Timestamp) -> Result<Option<Uuid>, StoreError> {
        self.write(Room::Needed, |tx| jobs::replay(tx, dead, at)).await
    }

    async fn discard(&self, dead: Uuid) -> Result<bool, StoreError> {
        self.write(Room::Any, |tx| jobs::discard(tx, dead, Timestamp::now())).await
    }

    async fn put_token(&self, token: &TokenRecord) -> Result<(), StoreError> {
        self.write(Room::Needed, |tx| tokens::put(tx, token)).await
    }

    async fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        self.read(tokens::all).await
    }

    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>, StoreError> {
        tokens::with_hash(&Tx::new(&self.inner.tree), hash)
    }

    async fn revoke_token(&self, id: Uuid) -> Result<bool, StoreError> {
        self.write(Room::Any, |tx| tokens::revoke(tx, id)).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(self.inner.durable.ready()?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// Every file of a folder.
    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
    }

    /// A folder whose store says that it is of `meta`.
    async fn store_of(meta: Meta) -> TempDir {
        let folder = TempDir::new().unwrap();
        let store = SledStore::open(folder.path()).unwrap();
        store.write(Room::Needed, |tx| tx.put(Key::of(Table::Meta), &meta)).await.unwrap();
        folder
    }

    #[tokio::test]
    async fn a_store_of_another_version_is_refused_and_not_changed() {
        for version in [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1] {
            let folder = store_of(Meta { application: APPLICATION.to_owned(), schema_version: version }).await;
            // Opened once, sled has written what it writes at every open.
            let refused = || SledStore::open(folder.path()).err().unwrap();
            assert!(matches!(refused(), StoreError::Version { found, .. } if found == version));
            let rows = |folder: &Path| {
                let tree = Durable::open(folder, CACHE_BYTES).unwrap().tree(TREE).unwrap();
                tree.iter().map(|row| row.unwrap()).collect::<Vec<_>>()
            };
            let before = rows(folder.path());
            let log = files(folder.path()).remove(&folder.path().join("db").display().to_string()).unwrap();
            let error = refused();
            assert!(error.to_string().contains("plimsoll store export"), "{error}");
            assert_eq!(rows(folder.path()), before);
            let same = files(folder.path()).remove(&folder.path().join("db").display().to_string()).unwrap() == log;
            assert!(same, "the log has changed");
        }
    }

    #[tokio::test]
    async fn a_store_of_another_application_is_refused() {
        let folder = store_of(Meta { application: "other".to_owned(), schema_version: SCHEMA_VERSION }).await;
        assert!(matches!(SledStore::open(folder.path()), Err(StoreError::Open { .. })));

        let folder = TempDir::new().unwrap();
        let durable = Durable::open(folder.path(), CACHE_BYTES).unwrap();
        let mut batch = shared::durable::Batch::default();
        batch.insert("something", "else");
        durable.apply(&durable.tree(TREE).unwrap(), batch).unwrap();
        durable.commit().await.unwrap();
        drop(durable);
        assert!(matches!(SledStore::open(folder.path()), Err(StoreError::Open { .. })));
    }
}
