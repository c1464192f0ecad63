//! The queue between the receiver and the scanners: one small trait, two implementations.
//!
//! | Implementation | For |
//! |---|---|
//! | [`embedded`] | everything in one process: durable, in sled |
//! | [`rabbitmq`] | many machines: quorum queues, publisher confirms |
//!
//! Both pass the same contract (`contract.rs`). A message is delivered at least once; whoever consumes must be idempotent.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::job::JobKind;

#[cfg(test)]
mod contract;
pub mod embedded;
pub mod message;
pub mod rabbitmq;
pub mod topology;

/// Longest reason in bytes that is kept with a dead letter; a broker wants it in one frame.
const MAX_REASON: usize = 4096;

/// A queue by its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Scan jobs of one kind.
    Jobs(JobKind),
    /// What scanners answer.
    Reports,
    /// Messages that nobody could process, with the reason.
    Dead,
}

impl Topic {
    /// Every topic; jobs in the order in which they are served.
    pub const ALL: [Self; 5] = [
        Self::Jobs(JobKind::Push),
        Self::Jobs(JobKind::Import),
        Self::Jobs(JobKind::Rescan),
        Self::Reports,
        Self::Dead,
    ];

    /// The job topics, most urgent first.
    pub const JOBS: [Self; 3] = [Self::Jobs(JobKind::Push), Self::Jobs(JobKind::Import), Self::Jobs(JobKind::Rescan)];

    /// `push`, `import`, `rescan`, `reports`, `dead`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jobs(JobKind::Push) => "push",
            Self::Jobs(JobKind::Import) => "import",
            Self::Jobs(JobKind::Rescan) => "rescan",
            Self::Reports => "reports",
            Self::Dead => "dead",
        }
    }
}

/// A message on its way in. `body` is versioned JSON: see [`message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Identity of what is said; the same when it is said again.
    pub id: String,
    /// Versioned JSON.
    pub body: Vec<u8>,
}

/// A message that was taken from the queue and must be answered with exactly one of [`Received::ack`],
/// [`Received::retry`] and [`Received::dead_letter`]. Dropping it unanswered gives it back to the queue.
pub struct Received {
    /// Where it was taken from.
    pub topic: Topic,
    /// Identity given by the publisher.
    pub id: String,
    /// Versioned JSON, as published.
    pub body: Vec<u8>,
    /// Which attempt this is, from 1; counts retries and deliveries that ended with the consumer.
    pub attempt: u32,
    /// For messages of [`Topic::Dead`]: where the message came from and why it is here.
    pub death: Option<Death>,
    answer: Box<dyn Answer>,
}

/// Why a message is among the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// Queue that it was in.
    pub topic: Topic,
    /// Why nobody could process it.
    pub reason: String,
}

impl Received {
    /// A message whose answer goes to `answer`.
    pub(crate) fn new(
        topic: Topic,
        message: Outgoing,
        attempt: u32,
        death: Option<Death>,
        answer: Box<dyn Answer>,
    ) -> Self {
        Self { topic, id: message.id, body: message.body, attempt, death, answer }
    }

    /// Done: the message is gone for good.
    pub async fn ack(self) -> Result<(), QueueError> {
        self.answer.ack().await
    }

    /// Not now: the message comes back, with its attempt raised, after at least `delay`
    /// (rounded up to the steps of [`topology::RETRY_STEPS`]).
    pub async fn retry(self, delay: Duration) -> Result<(), QueueError> {
        self.answer.retry(delay).await
    }

    /// Never: the message goes to [`Topic::Dead`] with `reason`.
    pub async fn dead_letter(self, reason: &str) -> Result<(), QueueError> {
        self.answer.dead_letter(&reason[..reason.floor_char_boundary(MAX_REASON)]).await
    }
}

/// How an implementation answers for one delivery. Dropped without a call, the delivery goes back to the queue.
#[async_trait]
pub(crate) trait Answer: Send + Sync {
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
    async fn retry(self: Box<Self>, delay: Duration) -> Result<(), QueueError>;
    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), QueueError>;
}

/// How full a queue is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Depth {
    /// Which queue.
    pub topic: Topic,
    /// Messages that wait, delayed retries included, those being worked on not.
    pub waiting: u64,
    /// When the oldest waiting message was published, where the implementation knows.
    pub oldest: Option<Timestamp>,
}

/// A durable queue with topics.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Publishes in order and returns once all of `messages` are safe from a crash of any process.
    /// After an error any part of them may have been published.
    async fn publish(&self, topic: Topic, messages: &[Outgoing]) -> Result<(), QueueError>;

    /// A consumer of `topics` that holds at most `prefetch` unanswered messages. A message of an earlier topic is
    /// always handed out before one of a later topic. The consumer survives the loss of the broker by itself.
    async fn consume(&self, topics: &[Topic], prefetch: u16) -> Result<Box<dyn Consumer>, QueueError>;

    /// Depth of every topic.
    async fn depths(&self) -> Result<Vec<Depth>, QueueError>;

    /// `Ok` while messages can be published; else why not.
    async fn ready(&self) -> Result<(), QueueError>;
}

/// A stream of messages. Dropping it gives back what was not yet answered.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next message, for ever if there is none. Safe to cancel: no message is lost.
    async fn next(&mut self) -> Result<Received, QueueError>;
}

/// What can go wrong with a queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker cannot be reached or does not answer, or the embedded queue's disk is full; trying again later may work.
    #[error("the queue is not available: {0}")]
    Unavailable(String),
    /// The broker answered and refused.
    #[error("the message broker refused: {0}")]
    Refused(String),
    /// The embedded queue's disk failed.
    #[error("the embedded queue failed: {0}")]
    Disk(String),
    /// The broker's address or settings are wrong.
    #[error("the queue is misconfigured: {0}")]
    Config(String),
}
