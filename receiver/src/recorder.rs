//! Takes what scanners report, and what nobody could process, from the queue into the store. A message is acknowledged only
//! after the store's transaction is on disk; coming twice, it changes nothing.

use std::sync::Arc;

use jiff::Timestamp;
use metrics::{counter, histogram};
use shared::job::ScanJob;
use shared::queue::{Consumer, Queue, QueueError, Received, Topic, message};
use shared::report::{Report, ScanReport};
use shared::shutdown::Shutdown;
use shared::telemetry::names;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::gauges::NewestAdvisories;
use crate::outage::Outage;
use crate::store::{DeadLetter, Recorded, Store, StoreError};

/// Messages that are fetched ahead.
const PREFETCH: u16 = 32;

/// How much of an unreadable message is kept, in bytes.
const MAX_BODY: usize = 4096;

/// Records until it is told to stop.
#[derive(Clone)]
pub struct Recorder {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    advisories: NewestAdvisories,
}

impl Recorder {
    /// A recorder that tells `advisories` which advisory database scanners use.
    pub fn new(store: Arc<dyn Store>, queue: Arc<dyn Queue>, advisories: NewestAdvisories) -> Self {
        Self { store, queue, advisories }
    }

    /// Records reports and dead letters until `shutdown`. A message in hand goes back to the queue.
    pub async fn run(self, shutdown: Shutdown) {
        let both = async { tokio::join!(self.follow(Topic::Reports), self.follow(Topic::Dead)) };
        let _ = shutdown.run_until_cancelled(both).await;
    }

    async fn follow(&self, topic: Topic) {
        let what = if topic == Topic::Reports { "queue of reports" } else { "queue of dead letters" };
        let mut outage = Outage::none(what);
        loop {
            let error = match self.queue.consume(&[topic], PREFETCH).await {
                Ok(mut consumer) => self.drain(consumer.as_mut(), &mut outage).await,
                Err(error) => error,
            };
            tokio::time::sleep(outage.failed(&error)).await;
        }
    }

    /// Handles message after message until the queue fails.
    async fn drain(&self, consumer: &mut dyn Consumer, outage: &mut Outage) -> QueueError {
        loop {
            let received = match consumer.next().await {
                Ok(received) => received,
                Err(error) => return error,
            };
            outage.over();
            if let Err(error) = self.handle(received).await {
                return error;
            }
        }
    }

    async fn handle(&self, received: Received) -> Result<(), QueueError> {
        if received.topic == Topic::Dead {
            return self.bury(received).await;
        }
        let report: Report = match message::decode(&received.body) {
            Ok(report) => report,
            Err(error) => return received.dead_letter(&error.to_string()).await,
        };
        match self.record(&report).await {
            Ok(()) => received.ack().await,
            Err(error) => {
                error!(message.id = received.id, %error, "report cannot be recorded");
                received.dead_letter(&error.to_string()).await
            }
        }
    }

    /// Keeps a dead letter; one whose scan cannot be read in the store is kept as text. None is ever dropped: what cannot be
    /// kept stays in the queue.
    async fn bury(&self, received: Received) -> Result<(), QueueError> {
        let mut dead = dead_letter(&received);
        if let Err(error) = self.insist(|| self.store.record_dead(&dead)).await {
            error!(job.id = %dead.id, %error, "dead letter is kept without its job");
            dead = DeadLetter { id: identity(&received), job: None, body: Some(excerpt(&received.body)), ..dead };
            let kept = self.insist(|| self.store.record_dead(&dead)).await;
            kept.map_err(|error| QueueError::Refused(error.to_string()))?;
        }
        warn!(job.id = %dead.id, reason = dead.reason, "message is among the dead letters");
        received.ack().await
    }

    async fn record(&self, report: &Report) -> Result<(), StoreError> {
        match report {
            Report::Started { job_id, scanner, attempt, at } => {
                self.insist(|| self.store.record_started(*job_id, scanner, *attempt, *at)).await
            }
            Report::Retrying { job_id, attempt, reason, at, next_at } => {
                self.insist(|| self.store.record_retrying(*job_id, *attempt, reason, *at, *next_at)).await
            }
            Report::Finished(report) => {
                let at = Timestamp::now();
                match self.insist(|| self.store.record(report, at)).await? {
                    Recorded::New => self.tell(report),
                    Recorded::Duplicate => {
                        info!(trace = report.job.trace, job.id = %report.job.id, "scan was recorded before")
                    }
                }
                Ok(())
            }
        }
    }

    /// Repeats what fails because of the disk until it succeeds; meanwhile the message stays in hand, unacknowledged. (Given
    /// back, it would count as an attempt.) Other failures would not be cured by repeating.
    async fn insist<T, F>(&self, operation: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut outage = Outage::none("store");
        loop {
            match operation().await {
                Err(error @ StoreError::Disk(_)) => tokio::time::sleep(outage.failed(&error)).await,
                result => {
                    outage.over();
                    return result;
                }
            }
        }
    }

    fn tell(&self, report: &ScanReport) {
        let ScanReport { job, images, .. } = report;
        let accepted_to_recorded = since(job.accepted_at, Timestamp::now());
        counter!(names::SCANS, "outcome" => report.outcome.as_str()).increment(1);
        histogram!(names::ACCEPTED_TO_RECORDED_SECONDS).record(accepted_to_recorded);
        if report.attempt == 1 {
            histogram!(names::QUEUE_WAIT_SECONDS).record(since(job.accepted_at, report.started_at));
        }
        for image in images {
            let timings = image.timings;
            histogram!(names::PULL_SECONDS).record((timings.resolve_ms + timings.pull_ms) / 1000.0);
            histogram!(names::MATCH_SECONDS).record(timings.match_ms / 1000.0);
            if let Some(stamp) = &image.advisories {
                self.advisories.seen(stamp.built_at);
            }
        }
        info!(
            trace = job.trace,
            job.id = %job.id,
            registry = job.registry,
            repository = %job.repository,
            tag = job.tag.as_ref().map(|tag| tag.as_str()),
            image.digest = report.digest.as_ref().map(|digest| digest.as_str()),
            outcome = report.outcome.as_str(),
            reason = report.reason,
            scanner = report.scanner,
            images = images.len(),
            packages = images.iter().map(|image| image.packages.len()).sum::<usize>(),
            findings = images.iter().map(|image| image.findings.len()).sum::<usize>(),
            duration_ms = (accepted_to_recorded * 1000.0) as u64,
            "scan recorded"
        );
    }
}

/// Seconds from `start` to `end`; 0 where clocks of two machines say otherwise.
fn since(start: Timestamp, end: Timestamp) -> f64 {
    end.duration_since(start).as_secs_f64().max(0.0)
}

/// What is kept of a message that nobody could process. The job is kept where it can be found: in a job, and in a report
/// of a job's end.
fn dead_letter(received: &Received) -> DeadLetter {
    let job: Option<ScanJob> = message::decode(&received.body).ok().or_else(|| match message::decode(&received.body) {
        Ok(Report::Finished(report)) => Some(report.job),
        _ => None,
    });
    let body = job.is_none().then(|| excerpt(&received.body));
    let id = job.as_ref().map_or_else(|| identity(received), |job| job.id);
    let (topic, reason) = match &received.death {
        Some(death) => (death.topic, death.reason.clone()),
        None => (received.topic, "unknown".to_owned()),
    };
    DeadLetter { id, topic, job, body, reason, died_at: Timestamp::now() }
}

/// The beginning of a message, for people.
fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(MAX_BODY)]).into_owned()
}

/// The same for the same message, however often it comes.
fn identity(received: &Received) -> Uuid {
    use sha2::Digest as _;
    let hash = sha2::Sha256::new().chain_update(&received.id).chain_update([0]).chain_update(&received.body).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use shared::job::JobKind;

    use super::*;
    use crate::testing::{MemoryStore, TestQueue, job, report};

    fn start() -> (Arc<MemoryStore>, Arc<TestQueue>) {
        let (store, queue) = (Arc::new(MemoryStore::default()), TestQueue::new());
        let recorder = Recorder::new(store.clone(), queue.clone(), NewestAdvisories::default());
        tokio::spawn(recorder.run(Shutdown::new()));
        (store, queue)
    }

    async fn put(queue: &TestQueue, id: &str, report: &Report) {
        queue.put(Topic::Reports, id, &message::encode(report).unwrap()).await;
    }

    #[tokio::test]
    async fn reports_are_recorded_in_order_and_once() {
        let (store, queue) = start();
        let (job, at) = (job(JobKind::Push), Timestamp::now());
        put(&queue, "1", &Report::Started { job_id: job.id, scanner: "s".to_owned(), attempt: 1, at }).await;
        let retrying = Report::Retrying { job_id: job.id, attempt: 1, reason: "503".to_owned(), at, next_at: at };
        put(&queue, "2", &retrying).await;
        let finished = Report::Finished(Box::new(report(job.clone())));
        put(&queue, "3", &finished).await;
        put(&queue, "4", &finished).await;
        put(&queue, "5", &Report::Started { job_id: Uuid::nil(), scanner: "s".to_owned(), attempt: 1, at }).await;
        store.until(|store| store.kept().started.len() == 2).await;
        let kept = store.kept();
        assert_eq!((&kept.started[..], &kept.retrying[..]), (&[job.id, Uuid::nil()][..], &[job.id][..]));
        assert_eq!(kept.recorded.keys().collect::<Vec<_>>(), [&job.id]);
        assert!(kept.dead.is_empty());
    }

    #[tokio::test]
    async fn an_unreadable_report_is_among_the_dead_with_its_text() {
        let (store, queue) = start();
        queue.put(Topic::Reports, "x", b"not json").await;
        store.until(|store| !store.kept().dead.is_empty()).await;
        let kept = store.kept();
        let dead = kept.dead.values().next().unwrap();
        assert_eq!((dead.topic, &dead.job, dead.body.as_deref()), (Topic::Reports, &None, Some("not json")));
        assert!(dead.reason.starts_with("not a readable message"), "{}", dead.reason);
    }

    #[tokio::test]
    async fn a_dead_job_is_kept_under_its_own_id() {
        let (store, queue) = start();
        let job = job(JobKind::Push);
        queue.put(Topic::Jobs(JobKind::Push), "x", &message::encode(&job).unwrap()).await;
        let received = queue.consume(&Topic::JOBS, 1).await.unwrap().next().await.unwrap();
        received.dead_letter("it killed three scanners").await.unwrap();
        store.until(|store| !store.kept().dead.is_empty()).await;
        let kept = store.kept();
        let dead = &kept.dead[&job.id];
        assert_eq!((dead.topic, &dead.job), (Topic::Jobs(JobKind::Push), &Some(job)));
        assert_eq!((dead.reason.as_str(), &dead.body), ("it killed three scanners", &None));
    }

    #[tokio::test]
    async fn a_dead_letter_is_kept_although_its_scan_cannot_be_read() {
        let (store, queue) = start();
        let job = job(JobKind::Push);
        store.kept().unreadable.push(job.id);
        queue.put(Topic::Dead, "x", &message::encode(&job).unwrap()).await;
        store.until(|store| !store.kept().dead.is_empty()).await;
        let kept = store.kept();
        let dead = kept.dead.values().next().unwrap();
        assert_eq!(dead.job, None);
        assert!(dead.body.as_ref().unwrap().contains(&job.id.to_string()));
    }

    #[tokio::test]
    async fn a_report_stays_in_hand_until_the_disk_is_back() {
        let (store, queue) = start();
        store.set_broken(true);
        let job = job(JobKind::Push);
        put(&queue, "1", &Report::Finished(Box::new(report(job.clone())))).await;
        store.until(|store| store.failures() > 1).await;
        store.set_broken(false);
        store.until(|store| store.kept().recorded.contains_key(&job.id)).await;
        assert_eq!(queue.waiting(Topic::Dead).await, 0);
    }
}
