//! The queue for everything in one process: durable, in a tree of sled.
//!
//! A message that is handed out stays where it is and is marked in memory alone, so a restart gives back everything
//! that was not answered. How often a job was handed out is on disk before the consumer sees it: a job that kills the
//! process [`DELIVERY_LIMIT`] times goes to the dead letters by itself.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use self::messages::{Count, Messages, Place, code};
use super::topology::{DELIVERY_LIMIT, retry_step};
use super::{Answer, Consumer, Death, Depth, Outgoing, Queue, QueueError, Received, Topic};
use crate::durable::{Batch, Durable, DurableError};

mod messages;

/// A queue within this process.
pub struct EmbeddedQueue {
    inner: Arc<Inner>,
}

struct Inner {
    messages: Messages,
    state: Mutex<State>,
    changed: Notify,
}

/// What is known without reading the tree. Whoever changes the tree holds it.
struct State {
    leased: BTreeSet<Place>,
    counts: [Count; Topic::ALL.len()],
    next_number: u64,
}

impl EmbeddedQueue {
    /// The queue in `durable`, with everything that it held when it was last open.
    pub fn open(durable: Durable) -> Result<Self, QueueError> {
        let messages = Messages::open(durable)?;
        let (counts, next_number) = messages.survey()?;
        let state = Mutex::new(State { leased: BTreeSet::new(), counts, next_number });
        Ok(Self { inner: Arc::new(Inner { messages, state, changed: Notify::new() }) })
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, topic: Topic, messages: &[Outgoing]) -> Result<(), QueueError> {
        self.inner.add(topic, messages)?;
        self.inner.messages.durable.commit().await?;
        Ok(())
    }

    async fn consume(&self, topics: &[Topic], prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        Ok(Box::new(EmbeddedConsumer {
            inner: Arc::clone(&self.inner),
            topics: topics.to_vec(),
            free: Arc::new(Semaphore::new(usize::from(prefetch.max(1)))),
        }))
    }

    /// The oldest is the one that is served next; postponed messages are counted, but not looked at for it.
    async fn depths(&self) -> Result<Vec<Depth>, QueueError> {
        let state = self.inner.state();
        let depth = |topic: Topic| {
            let leased = state.leased.iter().filter(|place| place.topic == topic).count() as u64;
            let Count { ready, later } = state.counts[usize::from(code(topic))];
            let first = self.inner.messages.first(topic, &state.leased)?;
            let oldest = first.map(|place| self.inner.messages.published_at(place)).transpose()?;
            Ok(Depth { topic, waiting: (ready + later).saturating_sub(leased), oldest })
        };
        Topic::ALL.into_iter().map(depth).collect()
    }

    async fn ready(&self) -> Result<(), QueueError> {
        Ok(self.inner.messages.durable.ready()?)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, topic: Topic, messages: &[Outgoing]) -> Result<(), DurableError> {
        let mut batch = Batch::default();
        let mut state = self.state();
        for message in messages {
            self.messages.add(&mut batch, Place { topic, number: state.number() }, message)?;
        }
        self.messages.apply(batch)?;
        state.count(topic).ready += messages.len() as u64;
        self.changed.notify_waiters();
        Ok(())
    }

    /// Takes the next message of `topics`, if there is one. Its delivery is counted, but not yet committed.
    fn lease(self: &Arc<Self>, topics: &[Topic]) -> Result<Option<(Lease, Outgoing, Option<Death>)>, DurableError> {
        let mut state = self.state();
        self.recall(&mut state)?;
        for &topic in topics {
            while let Some(place) = self.messages.first(topic, &state.leased)? {
                let deliveries = self.messages.deliveries(place)?;
                if matches!(topic, Topic::Jobs(_)) && deliveries >= DELIVERY_LIMIT {
                    self.bury(&mut state, place, format!("its worker ended {deliveries} times while working on it"))?;
                    continue;
                }
                let (header, body) = self.messages.read(place)?;
                self.messages.set_deliveries(place, deliveries + 1)?;
                state.leased.insert(place);
                let attempt = header.attempts.saturating_add(deliveries).saturating_add(1);
                let lease = Lease { inner: Arc::clone(self), place, deliveries, attempt, end: End::NotDelivered };
                return Ok(Some((lease, Outgoing { id: header.id, body }, header.death)));
            }
        }
        Ok(None)
    }

    fn bury(&self, state: &mut State, place: Place, reason: String) -> Result<(), DurableError> {
        let death = Death { topic: place.topic, reason };
        self.messages.bury(place, state.number(), death)?;
        state.vacate(place);
        state.count(Topic::Dead).ready += 1;
        self.changed.notify_waiters();
        Ok(())
    }

    /// Brings back the postponed messages that are due.
    fn recall(&self, state: &mut State) -> Result<(), DurableError> {
        let now = Timestamp::now();
        while let Some(topic) = self.messages.recall_one(now)? {
            let count = state.count(topic);
            count.later -= 1;
            count.ready += 1;
        }
        Ok(())
    }

    /// Waits until a postponed message is due, for ever if there is none.
    async fn next_due(&self) -> Result<(), DurableError> {
        match self.messages.next_due()? {
            Some(due) => {
                let wait = due.duration_since(Timestamp::now());
                tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
                Ok(())
            }
            None => pending().await,
        }
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    fn count(&mut self, topic: Topic) -> &mut Count {
        &mut self.counts[usize::from(code(topic))]
    }

    fn vacate(&mut self, place: Place) {
        self.leased.remove(&place);
        self.count(place.topic).ready -= 1;
    }
}

struct EmbeddedConsumer {
    inner: Arc<Inner>,
    topics: Vec<Topic>,
    /// One permit for each message that may be handed out.
    free: Arc<Semaphore>,
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Result<Received, QueueError> {
        let closed = |_| QueueError::Disk("the queue is closed".to_owned());
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(closed)?;
        loop {
            let mut changed = std::pin::pin!(self.inner.changed.notified());
            changed.as_mut().enable();
            if let Some((lease, message, death)) = self.inner.lease(&self.topics)? {
                return lease.deliver(message, death, permit).await;
            }
            tokio::select! {
                () = changed => {}
                due = self.inner.next_due() => due?,
            }
        }
    }
}

/// A message that is out of the queue until it is answered.
struct Lease {
    inner: Arc<Inner>,
    place: Place,
    /// How often it was handed out before.
    deliveries: u32,
    attempt: u32,
    end: End,
}

/// What a lease does when it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody has seen the message: give it back and do not count the delivery.
    NotDelivered,
    /// Nobody has answered: give it back.
    NotAnswered,
    /// Nothing more to do.
    Answered,
}

impl Lease {
    async fn deliver(
        mut self,
        message: Outgoing,
        death: Option<Death>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Received, QueueError> {
        if matches!(self.place.topic, Topic::Jobs(_)) {
            self.inner.messages.durable.commit().await?;
        }
        self.end = End::NotAnswered;
        let (topic, attempt) = (self.place.topic, self.attempt);
        Ok(Received::new(topic, message, attempt, death, Box::new(Held { lease: self, _permit: permit })))
    }

    async fn answer(
        mut self,
        change: impl FnOnce(&Inner, &mut State, Place) -> Result<(), DurableError> + Send,
    ) -> Result<(), QueueError> {
        change(&self.inner, &mut self.inner.state(), self.place)?;
        self.end = End::Answered;
        self.inner.changed.notify_waiters();
        self.inner.messages.durable.commit().await?;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.end == End::Answered {
            return;
        }
        let mut state = self.inner.state();
        if self.end == End::NotDelivered
            && let Err(error) = self.inner.messages.set_deliveries(self.place, self.deliveries)
        {
            tracing::warn!(error = %error, "delivery not uncounted");
        }
        state.leased.remove(&self.place);
        self.inner.changed.notify_waiters();
    }
}

/// A lease in the hands of a consumer's user.
struct Held {
    lease: Lease,
    _permit: OwnedSemaphorePermit,
}

#[async_trait]
impl Answer for Held {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        let remove = |inner: &Inner, state: &mut State, place: Place| {
            inner.messages.remove(place)?;
            state.vacate(place);
            Ok(())
        };
        self.lease.answer(remove).await
    }

    async fn retry(self: Box<Self>, delay: Duration) -> Result<(), QueueError> {
        let attempt = self.lease.attempt;
        let due = Timestamp::now() + retry_step(delay);
        let postpone = |inner: &Inner, state: &mut State, place: Place| {
            inner.messages.postpone(place, state.number(), due, attempt)?;
            state.vacate(place);
            state.count(place.topic).later += 1;
            Ok(())
        };
        self.lease.answer(postpone).await
    }

    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), QueueError> {
        self.lease.answer(|inner, state, place| inner.bury(state, place, reason.to_owned())).await
    }
}

impl From<DurableError> for QueueError {
    fn from(error: DurableError) -> Self {
        match error {
            DurableError::NoSpace { .. } => Self::Unavailable(error.to_string()),
            _ => Self::Disk(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::contract::{check, message, next};
    use super::*;
    use crate::durable::CACHE_BYTES;
    use crate::job::JobKind;

    const PUSH: Topic = Topic::Jobs(JobKind::Push);

    fn open(folder: &TempDir) -> EmbeddedQueue {
        EmbeddedQueue::open(Durable::open(folder.path(), CACHE_BYTES).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        let folder = TempDir::new().unwrap();
        let queue = open(&folder);
        check(&queue).await;
        let state = queue.inner.state();
        assert!(state.counts.iter().all(|count| count.ready == 0 && count.later == 0));
        assert!(state.leased.is_empty());
    }

    #[tokio::test]
    async fn reopening_gives_back_what_was_not_answered() {
        let folder = TempDir::new().unwrap();
        let queue = open(&folder);
        queue.publish(PUSH, &[message("one"), message("two"), message("later")]).await.unwrap();
        let mut consumer = queue.consume(&Topic::JOBS, 3).await.unwrap();
        let (one, two) = (next(&mut consumer).await, next(&mut consumer).await);
        next(&mut consumer).await.retry(Duration::from_secs(3600)).await.unwrap();
        one.ack().await.unwrap();
        drop((two, consumer, queue));

        let queue = open(&folder);
        let mut consumer = queue.consume(&Topic::JOBS, 3).await.unwrap();
        let two = next(&mut consumer).await;
        assert_eq!((two.id.as_str(), two.attempt), ("two", 2));
        assert_eq!(queue.depths().await.unwrap()[0].waiting, 1);
        two.ack().await.unwrap();
    }

    #[tokio::test]
    async fn a_job_that_was_out_when_the_process_ended_three_times_is_dead() {
        let folder = TempDir::new().unwrap();
        let queue = open(&folder);
        queue.publish(PUSH, &[message("poison")]).await.unwrap();
        drop(queue);
        for _ in 0..DELIVERY_LIMIT {
            let queue = open(&folder);
            drop(next(&mut queue.consume(&Topic::JOBS, 1).await.unwrap()).await);
        }
        let queue = open(&folder);
        let mut consumer = queue.consume(&[PUSH, Topic::Dead], 1).await.unwrap();
        let dead = next(&mut consumer).await;
        assert_eq!(dead.death.as_ref().unwrap().topic, PUSH);
        dead.ack().await.unwrap();
    }

    /// Else a worker would give its job back at once, again and again, until the job has "killed" enough workers.
    #[test]
    fn a_full_disk_may_pass() {
        let full = QueueError::from(DurableError::NoSpace { path: "queue".into(), free: 1 });
        assert!(matches!(full, QueueError::Unavailable(_)), "{full}");
        let broken = QueueError::from(DurableError::Failed("gone".to_owned()));
        assert!(matches!(broken, QueueError::Disk(_)), "{broken}");
    }

    #[tokio::test]
    async fn the_oldest_is_the_one_served_next() {
        let folder = TempDir::new().unwrap();
        let queue = open(&folder);
        let before = Timestamp::now();
        queue.publish(PUSH, &[message("one")]).await.unwrap();
        let oldest = queue.depths().await.unwrap()[0].oldest.unwrap();
        assert!(oldest >= before && oldest <= Timestamp::now());
    }
}
