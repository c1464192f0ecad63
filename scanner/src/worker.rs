//! The loop of a scanner process: take a job, run it, report, and only then answer for the job.
//!
//! A job is acknowledged after its report is confirmed by the queue, so a scanner may end at any moment: the job comes
//! back, and the receiver records one result for it however often it was scanned.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use shared::job::ScanJob;
use shared::queue::topology::{RETRY_STEPS, retry_step};
use shared::queue::{Outgoing, Queue, QueueError, Received, Topic, message};
use shared::report::{Report, ScanReport};
use shared::shutdown::Shutdown;
use tokio::task::JoinSet;
use tracing::Instrument;

/// How long running jobs may go on after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(30);

/// Attempts for one job, unless configured.
pub const MAX_ATTEMPTS: u32 = 12;

/// What a worker does with a job.
#[async_trait]
pub trait JobRunner: Send + Sync {
    /// Scans what `job` names. Whatever cannot change by trying again is a report, not an error.
    async fn scan_job(&self, job: &ScanJob, attempt: u32, started_at: Timestamp) -> Result<ScanReport, Retry>;
}

/// A failure that may pass. After the last attempt the job goes to the dead letters, or ends as `ending`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// What went wrong.
    pub reason: String,
    /// How long the registry asked us to wait.
    pub after: Option<Duration>,
    /// What is recorded if it has not passed by the last attempt, as what then is known: a tag that never came.
    pub ending: Option<Box<ScanReport>>,
}

/// Settings of a worker.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Name of this process in reports.
    pub name: String,
    /// Jobs at the same time.
    pub concurrency: u16,
    /// Attempts for one job.
    pub max_attempts: u32,
}

/// Why a worker ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The queue failed for good; a broker that is merely away does not end a worker.
    #[error("cannot take jobs from the queue: {0}")]
    Queue(#[from] QueueError),
}

/// Takes jobs from `queue` until `shutdown`, then gives running ones half a minute to end.
pub async fn run(
    queue: Arc<dyn Queue>,
    runner: Arc<dyn JobRunner>,
    config: WorkerConfig,
    shutdown: Shutdown,
) -> Result<(), WorkerError> {
    let slots = config.concurrency.max(1);
    let mut consumer = queue.consume(&Topic::JOBS, slots).await?;
    let worker = Arc::new(Worker { queue, runner, config });
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = running.join_next() => {}
            received = consumer.next(), if running.len() < usize::from(slots) => {
                running.spawn(Arc::clone(&worker).work(received?));
            }
        }
    }
    let all_ended = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        tracing::warn!(jobs = running.len(), "running jobs given back");
        // First, so that they go back once and not again with the consumer's connection.
        drop(consumer);
    }
    Ok(())
}

struct Worker {
    queue: Arc<dyn Queue>,
    runner: Arc<dyn JobRunner>,
    config: WorkerConfig,
}

impl Worker {
    /// Does one job to its end. An error means that the job comes back.
    async fn work(self: Arc<Self>, received: Received) {
        let id = received.id.clone();
        let result = match message::decode::<ScanJob>(&received.body) {
            Ok(job) => {
                let span = tracing::info_span!("job", trace = %job.trace, scan.id = %job.id);
                self.scan(received, job).instrument(span).await
            }
            Err(unreadable) => received.dead_letter(&unreadable.to_string()).await,
        };
        if let Err(error) = result {
            tracing::warn!(message.id = id, error = %error, "job not answered, it comes back");
        }
    }

    async fn scan(&self, received: Received, job: ScanJob) -> Result<(), QueueError> {
        let (attempt, started_at, clock) = (received.attempt, Timestamp::now(), Instant::now());
        let scanner = self.config.name.clone();
        let started = Report::Started { job_id: job.id, scanner, attempt, at: started_at };
        self.report(format!("{}/started/{attempt}", job.id), &started).await?;

        let scan = AssertUnwindSafe(self.runner.scan_job(&job, attempt, started_at)).catch_unwind();
        match scan.await.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Ok(report) => {
                tracing::info!(
                    attempt,
                    outcome = report.outcome.as_str(),
                    duration_ms = clock.elapsed().as_secs_f64() * 1e3,
                    "scan finished"
                );
                self.finish(received, Box::new(report)).await
            }
            Err(retry) if attempt < self.config.max_attempts => self.retry(received, &job, retry).await,
            Err(Retry { reason, ending: Some(report), .. }) => {
                tracing::warn!(attempt, reason, "scan ended without attempts left");
                self.finish(received, report).await
            }
            Err(retry) => {
                tracing::warn!(attempt, reason = retry.reason, "scan given up");
                received.dead_letter(&format!("gave up after {attempt} attempts: {}", retry.reason)).await
            }
        }
    }

    async fn finish(&self, received: Received, report: Box<ScanReport>) -> Result<(), QueueError> {
        self.report(report.job.id.to_string(), &Report::Finished(report)).await?;
        received.ack().await
    }

    async fn retry(&self, received: Received, job: &ScanJob, retry: Retry) -> Result<(), QueueError> {
        let attempt = received.attempt;
        let delay = retry_step(retry.after.unwrap_or_else(|| back_off(attempt)));
        tracing::info!(attempt, reason = retry.reason, delay_s = delay.as_secs(), "scan postponed");
        let at = Timestamp::now();
        let report = Report::Retrying { job_id: job.id, attempt, reason: retry.reason, at, next_at: at + delay };
        self.report(format!("{}/retrying/{attempt}", job.id), &report).await?;
        received.retry(delay).await
    }

    /// Publishes a report, again and again while the broker is away.
    async fn report(&self, id: String, report: &Report) -> Result<(), QueueError> {
        let body = message::encode(report).map_err(|error| QueueError::Refused(error.to_string()))?;
        let outgoing = [Outgoing { id, body }];
        let mut waits = RETRY_STEPS.into_iter().map(|step| step / 10).take(4).chain(std::iter::repeat(RETRY_STEPS[0]));
        loop {
            match self.queue.publish(Topic::Reports, &outgoing).await {
                Err(QueueError::Unavailable(_)) => {
                    tokio::time::sleep(waits.next().unwrap_or(RETRY_STEPS[0])).await;
                }
                result => return result,
            }
        }
    }
}

/// 5 s doubling to 1 h.
fn back_off(attempt: u32) -> Duration {
    let step = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    RETRY_STEPS.get(step).copied().unwrap_or(RETRY_STEPS[RETRY_STEPS.len() - 1])
}

fn panicked(panic: &(dyn Any + Send)) -> Retry {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Retry { reason: format!("the scan panicked: {}", text.unwrap_or("no message")), after: None, ending: None }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use shared::durable::{CACHE_BYTES, Durable};
    use shared::image::{Digest, Repository};
    use shared::job::JobKind;
    use shared::queue::Depth;
    use shared::queue::embedded::EmbeddedQueue;
    use shared::report::Outcome;
    use tempfile::TempDir;
    use tokio::sync::{Notify, Semaphore};
    use uuid::Uuid;

    use super::*;

    type Answer = fn() -> Result<Outcome, Retry>;

    /// Answers in turn, the last answer for ever.
    struct Script {
        answers: Mutex<Vec<Answer>>,
    }

    #[async_trait]
    impl JobRunner for Script {
        async fn scan_job(&self, job: &ScanJob, attempt: u32, started_at: Timestamp) -> Result<ScanReport, Retry> {
            let answer = {
                let mut answers = self.answers.lock().unwrap();
                if answers.len() > 1 { answers.remove(0) } else { answers[0] }
            };
            answer().map(|outcome| report(job, attempt, started_at, outcome))
        }
    }

    /// Says when it began and ends when it is told to.
    struct Held {
        began: Notify,
        go_on: Semaphore,
    }

    #[async_trait]
    impl JobRunner for Held {
        async fn scan_job(&self, job: &ScanJob, attempt: u32, started_at: Timestamp) -> Result<ScanReport, Retry> {
            self.began.notify_one();
            let _permit = self.go_on.acquire().await.unwrap();
            Ok(report(job, attempt, started_at, Outcome::Complete))
        }
    }

    fn report(job: &ScanJob, attempt: u32, started_at: Timestamp, outcome: Outcome) -> ScanReport {
        ScanReport {
            job: job.clone(),
            scanner: "test".to_owned(),
            attempt,
            started_at,
            finished_at: started_at,
            digest: job.digest.clone(),
            outcome,
            reason: None,
            images: Vec::new(),
        }
    }

    fn job() -> ScanJob {
        ScanJob {
            id: Uuid::now_v7(),
            kind: JobKind::Push,
            registry: "main".to_owned(),
            repository: "team/app".parse::<Repository>().unwrap(),
            tag: None,
            digest: Some(format!("sha256:{}", "a".repeat(64)).parse::<Digest>().unwrap()),
            accepted_at: Timestamp::now(),
            trace: "trace".to_owned(),
        }
    }

    fn queue(folder: &TempDir) -> Arc<dyn Queue> {
        Arc::new(EmbeddedQueue::open(Durable::open(folder.path(), CACHE_BYTES).unwrap()).unwrap())
    }

    fn config(max_attempts: u32) -> WorkerConfig {
        WorkerConfig { name: "test".to_owned(), concurrency: 2, max_attempts }
    }

    async fn publish(queue: &Arc<dyn Queue>, job: &ScanJob) {
        let outgoing = Outgoing { id: job.id.to_string(), body: message::encode(job).unwrap() };
        queue.publish(Topic::Jobs(job.kind), &[outgoing]).await.unwrap();
    }

    async fn take(queue: &Arc<dyn Queue>, topic: Topic) -> Received {
        queue.consume(&[topic], 1).await.unwrap().next().await.unwrap()
    }

    async fn next_report(queue: &Arc<dyn Queue>) -> Report {
        let received = take(queue, Topic::Reports).await;
        let report = message::decode(&received.body).unwrap();
        received.ack().await.unwrap();
        report
    }

    /// Runs a worker with `answers` while `test` looks at what comes out of the queue.
    async fn with_worker(queue: &Arc<dyn Queue>, answers: &[Answer], max_attempts: u32, test: impl AsyncFnOnce()) {
        let runner = Arc::new(Script { answers: Mutex::new(answers.to_vec()) });
        let shutdown = Shutdown::new();
        let worker = tokio::spawn(run(Arc::clone(queue), runner, config(max_attempts), shutdown.clone()));
        test().await;
        shutdown.cancel();
        worker.await.unwrap().unwrap();
    }

    async fn waiting(queue: &Arc<dyn Queue>, topic: Topic) -> u64 {
        let depths = queue.depths().await.unwrap();
        depths.iter().find(|Depth { topic: other, .. }| *other == topic).unwrap().waiting
    }

    #[tokio::test]
    async fn a_job_ends_as_a_report() {
        let folder = TempDir::new().unwrap();
        let queue = queue(&folder);
        let job = job();
        publish(&queue, &job).await;
        with_worker(&queue, &[|| Ok(Outcome::Complete)], 12, async || {
            assert!(
                matches!(next_report(&queue).await, Report::Started { job_id, attempt: 1, .. } if job_id == job.id)
            );
            let Report::Finished(report) = next_report(&queue).await else { panic!("not finished") };
            assert_eq!((report.job, report.outcome), (job.clone(), Outcome::Complete));
        })
        .await;
        assert_eq!(waiting(&queue, Topic::Jobs(JobKind::Push)).await, 0);
    }

    #[tokio::test]
    async fn a_failure_that_may_pass_is_retried_and_then_given_up() {
        let folder = TempDir::new().unwrap();
        let queue = queue(&folder);
        publish(&queue, &job()).await;
        let away: Answer = || Err(Retry { reason: "503".to_owned(), after: None, ending: None });
        with_worker(&queue, &[away], 2, async || {
            assert!(matches!(next_report(&queue).await, Report::Started { attempt: 1, .. }));
            let Report::Retrying { attempt, reason, at, next_at, .. } = next_report(&queue).await else {
                panic!("not retrying")
            };
            assert_eq!((attempt, reason.as_str()), (1, "503"));
            assert_eq!(next_at.duration_since(at), RETRY_STEPS[0].try_into().unwrap());
            assert!(matches!(next_report(&queue).await, Report::Started { attempt: 2, .. }));
            let dead = take(&queue, Topic::Dead).await;
            assert_eq!(dead.death.as_ref().unwrap().reason, "gave up after 2 attempts: 503");
            dead.ack().await.unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_gone_at_the_last_attempt_is_recorded_and_no_dead_letter() {
        struct Gone;

        #[async_trait]
        impl JobRunner for Gone {
            async fn scan_job(&self, job: &ScanJob, attempt: u32, started_at: Timestamp) -> Result<ScanReport, Retry> {
                let ending = Some(Box::new(report(job, attempt, started_at, Outcome::Failed)));
                Err(Retry { reason: "gone".to_owned(), after: None, ending })
            }
        }

        let folder = TempDir::new().unwrap();
        let queue = queue(&folder);
        publish(&queue, &job()).await;
        let shutdown = Shutdown::new();
        let worker = tokio::spawn(run(Arc::clone(&queue), Arc::new(Gone), config(1), shutdown.clone()));
        assert!(matches!(next_report(&queue).await, Report::Started { .. }));
        let Report::Finished(report) = next_report(&queue).await else { panic!("not finished") };
        assert_eq!(report.outcome, Outcome::Failed);
        shutdown.cancel();
        worker.await.unwrap().unwrap();
        assert_eq!(waiting(&queue, Topic::Dead).await, 0);
    }

    #[tokio::test]
    async fn a_panic_does_not_end_the_worker() {
        let folder = TempDir::new().unwrap();
        let queue = queue(&folder);
        publish(&queue, &job()).await;
        publish(&queue, &job()).await;
        with_worker(&queue, &[|| panic!("index out of range"), || Ok(Outcome::Complete)], 1, async || {
            let dead = take(&queue, Topic::Dead).await;
            let reason = &dead.death.as_ref().unwrap().reason;
            assert!(reason.ends_with("the scan panicked: index out of range"), "{reason}");
            dead.ack().await.unwrap();
            while !matches!(next_report(&queue).await, Report::Finished(_)) {}
        })
        .await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_goes_to_the_dead_letters() {
        let folder = TempDir::new().unwrap();
        let queue = queue(&folder);
        let outgoing = Outgoing { id: "odd".to_owned(), body: b"{\"kind\":\"scan-job\"".to_vec() };
        queue.publish(Topic::Jobs(JobKind::Import), &[outgoing]).await.unwrap();
        with_worker(&queue, &[|| Ok(Outcome::Complete)], 12, async || {
            let dead = take(&queue, Topic::Dead).await;
            let death = dead.death.clone().unwrap();
            assert_eq!((dead.id.as_str(), death.topic), ("odd", Topic::Jobs(JobKind::Import)));
            assert!(death.reason.starts_with("not a readable message"), "{}", death.reason);
            dead.ack().await.unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn a_running_job_ends_before_the_worker_does() {
        let folder = TempDir::new().unwrap();
        let queue = queue(&folder);
        publish(&queue, &job()).await;
        let runner = Arc::new(Held { began: Notify::new(), go_on: Semaphore::new(0) });
        let shutdown = Shutdown::new();
        let worker = tokio::spawn(run(Arc::clone(&queue), Arc::<Held>::clone(&runner), config(12), shutdown.clone()));
        runner.began.notified().await;
        publish(&queue, &job()).await;
        runner.began.notified().await;
        publish(&queue, &job()).await;
        shutdown.cancel();
        runner.go_on.add_permits(2);
        worker.await.unwrap().unwrap();
        assert_eq!(waiting(&queue, Topic::Jobs(JobKind::Push)).await, 1, "nothing new was taken");
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<u64> = [1, 2, 3, 10, 11, 12, u32::MAX].map(|attempt| back_off(attempt).as_secs()).into();
        assert_eq!(waits, [5, 10, 20, 2560, 3600, 3600, 3600]);
    }
}
