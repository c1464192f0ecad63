//! Moves accepted jobs from the store to the queue. A job is marked sent only after the queue has confirmed it, so a crash
//! in between publishes it twice, which is harmless: its scan is recorded once.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shared::job::ScanJob;
use shared::queue::{Outgoing, Queue, QueueError, Topic, message};
use shared::shutdown::Shutdown;
use tokio::sync::Notify;
use tracing::debug;
use uuid::Uuid;

use crate::outage::Outage;
use crate::store::{Store, StoreError};

/// Jobs that are published and marked together.
const WINDOW: usize = 256;

/// How often the store is asked although nobody called.
const TICK: Duration = Duration::from_secs(1);

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
        loop {
            match self.move_all().await {
                Ok(()) => outage.over(),
                Err(error) => {
                    tokio::time::sleep(outage.failed(&error)).await;
                    continue;
                }
            }
            let _ = tokio::time::timeout(TICK, self.wake.notified()).await;
        }
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
