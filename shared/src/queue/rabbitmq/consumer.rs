//! Taking messages: a task of its own connects, again whenever it must, and takes one message for each that is
//! asked for. So a wait that is cancelled loses nothing, and nothing is taken that nobody waits for.
//!
//! With one topic it subscribes. With several, everything that waits is fetched (`basic.get`) in the order of the
//! topics; only while all of them are empty does it subscribe to the first, and look at the others ten times a
//! second. So no message of a lesser topic is held while a more urgent one may come, and none is held by a
//! busy worker while another is idle: the broker closes the channel of whoever holds a message for
//! half an hour (its `consumer_timeout`), which must be longer than the longest scan.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::answer::Unanswered;
use super::connection::{Broker, Persistence, Session, fault};
use super::letter::open;
use super::publisher::Publisher;
use crate::queue::{Consumer, QueueError, Received, Topic};

/// How often the later topics are looked at while nothing waits.
const POLL: Duration = Duration::from_millis(100);

/// What the queue hands to its users.
pub(super) struct RabbitConsumer {
    requests: mpsc::Sender<()>,
    received: mpsc::Receiver<Received>,
    /// Whether a message was asked for that has not come yet.
    asked: bool,
    /// One permit for each message that may be handed out; closed with the consumer.
    free: Arc<Semaphore>,
    _task: AbortOnDropHandle<()>,
}

impl RabbitConsumer {
    pub(super) fn start(broker: Arc<Broker>, publisher: Arc<Publisher>, topics: Vec<Topic>, prefetch: u16) -> Self {
        let (requests, asked) = mpsc::channel(1);
        let (answers, received) = mpsc::channel(1);
        let prefetch = prefetch.max(1);
        let free = Arc::new(Semaphore::new(usize::from(prefetch)));
        let taker = Taker { broker, publisher, topics, prefetch, free: Arc::clone(&free) };
        let task = tokio::spawn(taker.run(asked, answers));
        Self { requests, received, asked: false, free, _task: AbortOnDropHandle::new(task) }
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Result<Received, QueueError> {
        let ended = || QueueError::Unavailable("the consumer has ended".to_owned());
        if !self.asked {
            self.requests.send(()).await.map_err(|_| ended())?;
            self.asked = true;
        }
        let received = self.received.recv().await.ok_or_else(ended)?;
        self.asked = false;
        Ok(received)
    }
}

impl Drop for RabbitConsumer {
    /// The task ends, with it the connection, and the broker takes back what is not answered.
    fn drop(&mut self) {
        self.free.close();
    }
}

struct Taker {
    broker: Arc<Broker>,
    publisher: Arc<Publisher>,
    topics: Vec<Topic>,
    prefetch: u16,
    free: Arc<Semaphore>,
}

impl Taker {
    /// Serves requests over one session after the other, for ever.
    async fn run(self, mut requests: mpsc::Receiver<()>, answers: mpsc::Sender<Received>) {
        let mut persistence = Persistence::new("consuming");
        let mut asked = false;
        loop {
            let error = match self.broker.connect("consuming").await {
                Ok(session) => {
                    persistence.succeeded();
                    tokio::select! {
                        error = session.watch() => error,
                        served = self.serve(&session, &mut asked, &mut requests, &answers) => match served {
                            Ok(()) => return,
                            Err(error) => error,
                        }
                    }
                }
                Err(error) => error,
            };
            persistence.failed(&error).await;
        }
    }

    /// `Ok` when nobody asks any more.
    async fn serve(
        &self,
        session: &Session,
        asked: &mut bool,
        requests: &mut mpsc::Receiver<()>,
        answers: &mpsc::Sender<Received>,
    ) -> Result<(), QueueError> {
        let mut source = Source::open(self, session).await?;
        loop {
            if !*asked && requests.recv().await.is_none() {
                return Ok(());
            }
            *asked = true;
            let closed = |_| QueueError::Unavailable("the consumer is closed".to_owned());
            let permit = Arc::clone(&self.free).acquire_owned().await.map_err(closed)?;
            let (topic, delivery) = source.take().await?;
            if answers.send(self.received(topic, delivery, permit)).await.is_err() {
                return Ok(());
            }
            *asked = false;
        }
    }

    fn received(&self, topic: Topic, mut delivery: Delivery, permit: OwnedSemaphorePermit) -> Received {
        let (message, attempt, letter) = open(&mut delivery, topic, &self.broker.topology);
        let death = letter.death.clone();
        let answer = Unanswered {
            broker: Arc::clone(&self.broker),
            publisher: Arc::clone(&self.publisher),
            topic,
            message: message.clone(),
            attempt,
            letter,
            acker: Some(delivery.acker),
            permit,
        };
        Received::new(topic, message, attempt, death, Box::new(answer))
    }
}

/// The queues of one consumer over one session.
struct Source<'a> {
    broker: &'a Broker,
    session: &'a Session,
    topics: &'a [Topic],
    /// The subscription to the first topic, where there is one.
    subscription: Option<lapin::Consumer>,
    /// Came by a subscription that was being ended: the next to be handed out.
    straggler: Option<Delivery>,
}

impl<'a> Source<'a> {
    async fn open(taker: &'a Taker, session: &'a Session) -> Result<Self, QueueError> {
        let mut source =
            Self { broker: &taker.broker, session, topics: &taker.topics, subscription: None, straggler: None };
        let prefetch = if source.is_single() { taker.prefetch } else { 1 };
        session.channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(fault)?;
        if source.is_single() {
            source.subscription = Some(source.subscribe().await?);
        }
        Ok(source)
    }

    fn is_single(&self) -> bool {
        self.topics.len() == 1
    }

    /// Waits for the most urgent message.
    async fn take(&mut self) -> Result<(Topic, Delivery), QueueError> {
        if self.is_single() {
            return Ok((self.topics[0], self.next_delivery().await?));
        }
        if let Some(delivery) = self.straggler.take() {
            return Ok((self.topics[0], delivery));
        }
        let taken = self.take_any().await?;
        self.unsubscribe().await?;
        Ok(taken)
    }

    async fn take_any(&mut self) -> Result<(Topic, Delivery), QueueError> {
        let (session, broker, topics) = (self.session, self.broker, self.topics);
        loop {
            if let Some(taken) = self.take_waiting().await? {
                return Ok(taken);
            }
            if self.subscription.is_none() {
                self.subscription = Some(self.subscribe().await?);
            }
            tokio::select! {
                biased;
                delivery = self.next_delivery() => return Ok((topics[0], delivery?)),
                waiting = later_messages(session, broker, topics) => waiting?,
            }
        }
    }

    async fn take_waiting(&mut self) -> Result<Option<(Topic, Delivery)>, QueueError> {
        for (place, &topic) in self.topics.iter().enumerate() {
            let queue = self.broker.topology.queue(topic);
            let got = self.session.channel.basic_get(queue, BasicGetOptions::default()).await.map_err(fault)?;
            if let Some(message) = got {
                return Ok(Some((topic, message.delivery)));
            }
            // What the subscription was given before the queue was found empty is here by now.
            if place == 0
                && let Some(subscription) = &mut self.subscription
                && let Some(Some(delivery)) = subscription.next().now_or_never()
            {
                return Ok(Some((topic, delivery.map_err(fault)?)));
            }
        }
        Ok(None)
    }

    async fn subscribe(&self) -> Result<lapin::Consumer, QueueError> {
        let queue = self.broker.topology.queue(self.topics[0]);
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        self.session.channel.basic_consume(queue, "".into(), options, arguments).await.map_err(fault)
    }

    /// One message at most can have come meanwhile: that is the subscription's prefetch.
    async fn unsubscribe(&mut self) -> Result<(), QueueError> {
        let Some(mut subscription) = self.subscription.take() else { return Ok(()) };
        let options = BasicCancelOptions::default();
        self.session.channel.basic_cancel(subscription.tag(), options).await.map_err(fault)?;
        if let Some(Some(delivery)) = subscription.next().now_or_never() {
            self.straggler = Some(delivery.map_err(fault)?);
        }
        Ok(())
    }

    async fn next_delivery(&mut self) -> Result<Delivery, QueueError> {
        let gone = || QueueError::Unavailable("the broker ended the subscription".to_owned());
        let subscription = self.subscription.as_mut().ok_or_else(gone)?;
        subscription.next().await.ok_or_else(gone)?.map_err(fault)
    }
}

/// Ends once a topic after the first has a message. Counting costs the broker nothing, fetching from an empty
/// quorum queue does.
async fn later_messages(session: &Session, broker: &Broker, topics: &[Topic]) -> Result<(), QueueError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    loop {
        tokio::time::sleep(POLL).await;
        for topic in &topics[1..] {
            let name = broker.topology.queue(*topic);
            let queue = session.channel.queue_declare(name, options, FieldTable::default()).await.map_err(fault)?;
            if queue.message_count() > 0 {
                return Ok(());
            }
        }
    }
}
