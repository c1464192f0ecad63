//! Moves accepted jobs from the store to the queue. A job is marked sent only after the queue has confirmed it, so a crash
//! in between publishes it twice, which is harmless: its scan is recorded once.
//!
//! A queue can lose what it confirmed: its folder is deleted, its broker replaced or purged. So jobs that were sent, of
//! which nothing was heard for [`PATIENCE`], and whose queue is empty, are sent again. Otherwise they would wait for
//! ever, and with them everybody who asks for the same digest.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use shared::job::{JobKind, ScanJob};
use shared::queue::{Outgoing, Queue, QueueError, Topic, message};
use shared::shutdown::Shutdown;
use tokio::sync::Notify;
use tokio::time::Interval;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::outage::Outage;
use crate::store::{Store, StoreError};

/// Jobs that are published and marked together.
const WINDOW: usize = 256;

/// How often the store is asked although nobody called.
const TICK: Duration = Duration::from_secs(1);

/// How often lost jobs are looked for; the first time when the relay starts.
const SEARCH: Duration = Duration::from_secs(600);

/// For how long nothing need be heard of a job: longer than the longest scan and the longest wait for a retry (1 h).
const PATIENCE: SignedDuration = SignedDuration::from_hours(2);

/// Moves jobs until it is told to stop.
pub struct Relay {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    wake: Arc<Notify>,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("a job cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

impl Relay {
    /// A relay that looks for jobs whenever `wake` is notified, and every second.
    pub fn new(store: Arc<dyn Store>, queue: Arc<dyn Queue>, wake: Arc<Notify>) -> Self {
        Self { store, queue, wake }
    }

    /// Runs until `shutdown`. While the queue or the store is away it keeps trying, and jobs wait in the store.
    pub async fn run(self, shutdown: Shutdown) {
        let _ = shutdown.run_until_cancelled(self.run_for_ever()).await;
    }

    async fn run_for_ever(self) {
        let mut outage = Outage::none("relay of jobs to the queue");
        let mut search = tokio::time::interval(SEARCH);
        loop {
            match self.work(&mut search).await {
                Ok(()) => outage.over(),
                Err(error) => {
                    tokio::time::sleep(outage.failed(&error)).await;
                    continue;
                }
            }
            let _ = tokio::time::timeout(TICK, self.wake.notified()).await;
        }
    }

    async fn work(&self, search: &mut Interval) -> Result<(), RelayError> {
        self.move_all().await?;
        if search.tick().now_or_never().is_some() && self.resend_lost(Timestamp::now()).await? {
            self.move_all().await?;
        }
        Ok(())
    }

    /// Puts lost jobs among those to be sent; says whether there were any. Where a report waits, none is known to be lost:
    /// it may be of that job.
    async fn resend_lost(&self, now: Timestamp) -> Result<bool, RelayError> {
        let depths = self.queue.depths().await?;
        let is_empty = |topic| depths.iter().all(|depth| depth.topic != topic || depth.waiting == 0);
        let mut any = false;
        for kind in [JobKind::Push, JobKind::Import, JobKind::Rescan] {
            if !is_empty(Topic::Reports) || !is_empty(Topic::Jobs(kind)) {
                continue;
            }
            let jobs = self.store.resend_lost(kind, now - PATIENCE, now).await?;
            if jobs > 0 {
                warn!(jobs, ?kind, "jobs were lost by the queue; they are sent again");
                any = true;
            }
        }
        Ok(any)
    }

    /// Moves window after window until nothing waits.
    async fn move_all(&self) -> Result<(), RelayError> {
        loop {
            let jobs = self.store.outgoing(WINDOW).await?;
            if jobs.is_empty() {
                return Ok(());
            }
            for of_one_kind in jobs.chunk_by(|a, b| a.kind == b.kind) {
                self.publish(of_one_kind).await?;
            }
        }
    }

    async fn publish(&self, jobs: &[ScanJob]) -> Result<(), RelayError> {
        let Some(first) = jobs.first() else { return Ok(()) };
        let outgoing = |job: &ScanJob| Ok(Outgoing { id: job.id.to_string(), body: message::encode(job)? });
        let messages = jobs.iter().map(outgoing).collect::<Result<Vec<_>, serde_json::Error>>()?;
        self.queue.publish(Topic::Jobs(first.kind), &messages).await?;
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        self.store.mark_sent(&ids, Timestamp::now()).await?;
        debug!(jobs = jobs.len(), kind = ?first.kind, "jobs queued");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use shared::job::JobKind;

    use super::*;
    use crate::testing::{MemoryStore, TestQueue, job};

    struct Running {
        store: Arc<MemoryStore>,
        queue: Arc<TestQueue>,
        wake: Arc<Notify>,
        shutdown: Shutdown,
        task: tokio::task::JoinHandle<()>,
    }

    fn start(waiting: Vec<ScanJob>, away: bool) -> Running {
        let (store, queue) = (Arc::new(MemoryStore::default()), TestQueue::new());
        let (wake, shutdown) = (Arc::new(Notify::new()), Shutdown::new());
        store.kept().outgoing = waiting;
        queue.set_away(away);
        let relay = Relay::new(store.clone(), queue.clone(), wake.clone());
        let task = tokio::spawn(relay.run(shutdown.clone()));
        Running { store, queue, wake, shutdown, task }
    }

    async fn next(queue: &TestQueue, topics: &[Topic]) -> ScanJob {
        let received = queue.consume(topics, 1).await.unwrap().next().await.unwrap();
        let job: ScanJob = message::decode(&received.body).unwrap();
        assert_eq!(received.id, job.id.to_string());
        received.ack().await.unwrap();
        job
    }

    #[tokio::test]
    async fn every_job_goes_to_the_queue_of_its_kind() {
        let jobs = [JobKind::Rescan, JobKind::Push, JobKind::Import].map(job);
        let running = start(jobs.to_vec(), false);
        for job in &jobs {
            assert_eq!(next(&running.queue, &[Topic::Jobs(job.kind)]).await, *job);
        }
        let later = job(JobKind::Push);
        running.store.kept().outgoing.push(later.clone());
        running.wake.notify_one();
        assert_eq!(next(&running.queue, &Topic::JOBS).await, later);
        running.shutdown.cancel();
        running.task.await.unwrap();
        let kept = running.store.kept();
        assert_eq!(kept.sent[0], jobs[1].id, "the most urgent kind goes first");
    }

    #[tokio::test]
    async fn jobs_wait_in_the_store_while_the_broker_is_away() {
        let waiting = job(JobKind::Push);
        let running = start(vec![waiting.clone()], true);
        let _ = running.queue.refused.acquire_many(2).await.unwrap();
        assert_eq!(
            running.store.kept().outgoing.as_slice(),
            std::slice::from_ref(&waiting),
            "not lost, not marked sent"
        );
        running.queue.set_away(false);
        assert_eq!(next(&running.queue, &Topic::JOBS).await, waiting);
    }

    #[tokio::test]
    async fn jobs_that_the_queue_has_lost_are_sent_again() {
        let (store, queue) = (Arc::new(MemoryStore::default()), TestQueue::new());
        let relay = Relay::new(store.clone(), queue.clone(), Arc::default());
        let (lost, held) = (job(JobKind::Push), job(JobKind::Import));
        store.kept().lost = vec![lost.clone(), held.clone()];
        queue.put(Topic::Jobs(JobKind::Import), "waiting", b"{}").await;
        queue.put(Topic::Reports, "waiting", b"{}").await;
        assert!(!relay.resend_lost(Timestamp::now()).await.unwrap(), "the report may be of that job");

        let mut reports = queue.consume(&[Topic::Reports], 1).await.unwrap();
        reports.next().await.unwrap().ack().await.unwrap();
        assert!(relay.resend_lost(Timestamp::now()).await.unwrap());
        assert_eq!(store.kept().lost, [held], "what waits in its queue is not lost");
        relay.move_all().await.unwrap();
        assert_eq!(next(&queue, &[Topic::Jobs(JobKind::Push)]).await, lost);
    }

    #[tokio::test]
    async fn a_store_that_fails_is_asked_again() {
        let waiting = job(JobKind::Push);
        let running = start(vec![waiting.clone()], false);
        running.store.set_broken(true);
        running.store.until(|store| store.failures() > 1).await;
        running.store.set_broken(false);
        assert_eq!(next(&running.queue, &Topic::JOBS).await.id, waiting.id);
    }
}
