//! Store and queue for tests: the store keeps in memory what intake, relay and recorder need; both can be broken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::Timestamp;
use shared::durable::Durable;
use shared::image::{Digest, Repository};
use shared::job::{JobKind, ScanJob};
use shared::package::Package;
use shared::queue::embedded::EmbeddedQueue;
use shared::queue::{Consumer, Depth, Outgoing, Queue, QueueError, Topic};
use shared::report::{Outcome, ScanReport};
use tempfile::TempDir;
use uuid::Uuid;

use crate::store::*;

/// What is in the store.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) deliveries: BTreeMap<(String, String), Intake>,
    pub(crate) outgoing: Vec<ScanJob>,
    pub(crate) sent: Vec<Uuid>,
    /// Jobs that were sent and of which nothing was heard.
    pub(crate) lost: Vec<ScanJob>,
    pub(crate) started: Vec<Uuid>,
    pub(crate) retrying: Vec<Uuid>,
    pub(crate) recorded: BTreeMap<Uuid, ScanReport>,
    pub(crate) dead: BTreeMap<Uuid, DeadLetter>,
    /// Jobs whose records are damaged.
    pub(crate) unreadable: Vec<Uuid>,
}

/// Behaves as a store, except that no two jobs are ever one.
#[derive(Default)]
pub(crate) struct MemoryStore {
    /// Notified of every operation. On a runtime of one thread, whoever is woken sees what it did.
    changed: tokio::sync::Notify,
    kept: Mutex<Kept>,
    broken: AtomicBool,
    failures: AtomicUsize,
}

impl MemoryStore {
    /// Makes every operation fail, or work again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// What is in the store, broken or not.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// Waits until the store is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        while !wanted(self) {
            self.changed.notified().await;
        }
    }

    /// How many operations failed.
    pub(crate) fn failures(&self) -> usize {
        self.failures.load(Ordering::SeqCst)
    }

    fn open(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        self.changed.notify_one();
        if self.broken.load(Ordering::SeqCst) {
            self.failures.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Disk("broken".to_owned()));
        }
        Ok(self.kept())
    }
}

fn not_here<T>() -> Result<T, StoreError> {
    Err(StoreError::Disk("not in the store for tests".to_owned()))
}

#[async_trait]
impl Store for MemoryStore {
    async fn accept(&self, delivery: &Intake) -> Result<Accepted, StoreError> {
        let mut kept = self.open()?;
        let key = (delivery.source.clone(), delivery.delivery_id.clone());
        if kept.deliveries.contains_key(&key) {
            return Ok(Accepted::Duplicate);
        }
        kept.deliveries.insert(key, delivery.clone());
        let job = |event: &PlannedEvent| match &event.action {
            Action::Scan(job) => Some((**job).clone()),
            _ => None,
        };
        let jobs: Vec<Option<ScanJob>> = delivery.events.iter().map(job).collect();
        kept.outgoing.extend(jobs.iter().flatten().cloned());
        let queued = jobs.iter().flatten().count();
        Ok(Accepted::New { jobs: jobs.iter().map(|job| job.as_ref().map(|job| job.id)).collect(), queued })
    }

    async fn outgoing(&self, limit: usize) -> Result<Vec<ScanJob>, StoreError> {
        let mut waiting = self.open()?.outgoing.clone();
        waiting.sort_by_key(|job| (job.kind, job.id));
        waiting.truncate(limit);
        Ok(waiting)
    }

    async fn mark_sent(&self, jobs: &[Uuid], _at: Timestamp) -> Result<(), StoreError> {
        let mut kept = self.open()?;
        kept.outgoing.retain(|job| !jobs.contains(&job.id));
        kept.sent.extend(jobs);
        Ok(())
    }

    async fn resend_lost(&self, kind: JobKind, _since: Timestamp, _at: Timestamp) -> Result<usize, StoreError> {
        let mut kept = self.open()?;
        let lost: Vec<ScanJob> = kept.lost.extract_if(.., |job| job.kind == kind).collect();
        kept.outgoing.extend(lost.iter().cloned());
        Ok(lost.len())
    }

    async fn record_started(&self, job: Uuid, _: &str, _: u32, _: Timestamp) -> Result<(), StoreError> {
        self.open()?.started.push(job);
        Ok(())
    }

    async fn record_retrying(&self, job: Uuid, _: u32, _: &str, _: Timestamp, _: Timestamp) -> Result<(), StoreError> {
        self.open()?.retrying.push(job);
        Ok(())
    }

    async fn record(&self, report: &ScanReport, _at: Timestamp) -> Result<Recorded, StoreError> {
        let before = self.open()?.recorded.insert(report.job.id, report.clone());
        Ok(if before.is_some() { Recorded::Duplicate } else { Recorded::New })
    }

    async fn record_dead(&self, dead: &DeadLetter) -> Result<(), StoreError> {
        let mut kept = self.open()?;
        if dead.job.as_ref().is_some_and(|job| kept.unreadable.contains(&job.id)) {
            return Err(StoreError::Corrupt { table: "scans", why: "damaged".to_owned() });
        }
        kept.dead.insert(dead.id, dead.clone());
        Ok(())
    }

    async fn dead_count(&self) -> Result<u64, StoreError> {
        Ok(self.open()?.dead.len() as u64)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.open().map(drop)
    }

    async fn registries(&self) -> Result<Vec<RegistrySummary>, StoreError> {
        not_here()
    }
    async fn repositories(&self, _: &str, _: &Page) -> Result<Listing<RepositorySummary>, StoreError> {
        not_here()
    }
    async fn images(&self, _: &str, _: &Repository, _: &Page) -> Result<Listing<ImageSummary>, StoreError> {
        not_here()
    }
    async fn image(&self, _: &Digest) -> Result<Vec<ImageDetail>, StoreError> {
        not_here()
    }
    async fn packages(&self, _: &Digest) -> Result<Option<Vec<Package>>, StoreError> {
        not_here()
    }
    async fn findings(&self, _: &FindingQuery, _: &Page) -> Result<Listing<FindingRow>, StoreError> {
        not_here()
    }
    async fn finding(&self, _: &str) -> Result<Option<FindingDetail>, StoreError> {
        not_here()
    }
    async fn events(&self, _: &Page) -> Result<Listing<EventRecord>, StoreError> {
        not_here()
    }
    async fn event(&self, _: Uuid) -> Result<Option<EventRecord>, StoreError> {
        not_here()
    }
    async fn scans(&self, _: Option<ScanStatus>, _: &Page) -> Result<Listing<ScanRecord>, StoreError> {
        not_here()
    }
    async fn scan(&self, _: Uuid) -> Result<Option<ScanRecord>, StoreError> {
        not_here()
    }
    async fn dead(&self, _: &Page) -> Result<Listing<DeadLetter>, StoreError> {
        not_here()
    }
    async fn replay(&self, _: Uuid, _: Timestamp) -> Result<Option<Uuid>, StoreError> {
        not_here()
    }
    async fn discard(&self, _: Uuid) -> Result<bool, StoreError> {
        not_here()
    }
    async fn put_token(&self, _: &TokenRecord) -> Result<(), StoreError> {
        not_here()
    }
    async fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        not_here()
    }
    async fn token_by_hash(&self, _: &[u8; 32]) -> Result<Option<TokenRecord>, StoreError> {
        not_here()
    }
    async fn revoke_token(&self, _: Uuid) -> Result<bool, StoreError> {
        not_here()
    }
}

/// The embedded queue in a folder of its own, with a broker that can go away.
pub(crate) struct TestQueue {
    inner: EmbeddedQueue,
    away: AtomicBool,
    /// Failed attempts to publish.
    pub(crate) refused: tokio::sync::Semaphore,
    _folder: TempDir,
}

impl TestQueue {
    pub(crate) fn new() -> Arc<Self> {
        let folder = TempDir::new().unwrap();
        let durable = Durable::open(folder.path(), 1 << 20).unwrap();
        Arc::new(Self {
            inner: EmbeddedQueue::open(durable).unwrap(),
            away: AtomicBool::new(false),
            refused: tokio::sync::Semaphore::new(0),
            _folder: folder,
        })
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn broker(&self) -> Result<&EmbeddedQueue, QueueError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(QueueError::Unavailable("away".to_owned()));
        }
        Ok(&self.inner)
    }

    /// Publishes `messages` as they are.
    pub(crate) async fn put(&self, topic: Topic, id: &str, body: &[u8]) {
        let message = Outgoing { id: id.to_owned(), body: body.to_vec() };
        self.inner.publish(topic, &[message]).await.unwrap();
    }

    /// How many messages of `topic` wait.
    pub(crate) async fn waiting(&self, topic: Topic) -> u64 {
        let depths = self.inner.depths().await.unwrap();
        depths.iter().find(|depth| depth.topic == topic).map_or(0, |depth| depth.waiting)
    }
}

#[async_trait]
impl Queue for TestQueue {
    async fn publish(&self, topic: Topic, messages: &[Outgoing]) -> Result<(), QueueError> {
        match self.broker() {
            Ok(broker) => broker.publish(topic, messages).await,
            Err(error) => {
                self.refused.add_permits(1);
                Err(error)
            }
        }
    }

    async fn consume(&self, topics: &[Topic], prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        self.broker()?.consume(topics, prefetch).await
    }

    async fn depths(&self) -> Result<Vec<Depth>, QueueError> {
        self.broker()?.depths().await
    }

    async fn ready(&self) -> Result<(), QueueError> {
        self.broker().map(drop)
    }
}

/// A job for `team/app`.
pub(crate) fn job(kind: JobKind) -> ScanJob {
    ScanJob {
        id: Uuid::now_v7(),
        kind,
        registry: "main".to_owned(),
        repository: "team/app".parse().unwrap(),
        tag: Some("1".parse().unwrap()),
        digest: None,
        accepted_at: Timestamp::now(),
        trace: "trace".to_owned(),
    }
}

/// The end of `job`.
pub(crate) fn report(job: ScanJob) -> ScanReport {
    ScanReport {
        job,
        scanner: "scanner-1".to_owned(),
        attempt: 1,
        started_at: Timestamp::now(),
        finished_at: Timestamp::now(),
        digest: None,
        outcome: Outcome::Failed,
        reason: Some("gone".to_owned()),
        images: Vec::new(),
    }
}
