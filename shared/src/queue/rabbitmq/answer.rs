//! Answering for a delivery: what is to be kept is published and confirmed first, and only then acknowledged.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::ShortString;
use tokio::sync::OwnedSemaphorePermit;

use super::connection::{Broker, fault};
use super::letter::Letter;
use super::publisher::{Publication, Publisher};
use crate::queue::topology::retry_step;
use crate::queue::{Answer, Death, Outgoing, QueueError, Topic};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A delivery in the hands of a consumer's user. It belongs to the connection that brought it: once that is lost,
/// no answer is possible and the broker delivers the message again.
pub(super) struct Unanswered {
    pub(super) broker: Arc<Broker>,
    pub(super) publisher: Arc<Publisher>,
    pub(super) topic: Topic,
    pub(super) message: Outgoing,
    pub(super) attempt: u32,
    pub(super) letter: Letter,
    /// `None` once answered.
    pub(super) acker: Option<Acker>,
    pub(super) permit: OwnedSemaphorePermit,
}

impl Unanswered {
    async fn acknowledge(mut self: Box<Self>) -> Result<(), QueueError> {
        let lost = || QueueError::Unavailable("the connection was lost, the message comes again".to_owned());
        let acker = self.acker.take().ok_or_else(lost)?;
        let acked = tokio::time::timeout(ANSWER_TIMEOUT, acker.ack(BasicAckOptions::default())).await;
        if acked.map_err(|_| lost())?.map_err(fault)? { Ok(()) } else { Err(lost()) }
    }

    /// Publishes the message again, with `letter`.
    async fn forward(&self, route: (ShortString, ShortString), letter: &Letter) -> Result<(), QueueError> {
        let properties = letter.properties(&self.message.id)?;
        self.publisher.publish(vec![Publication { route, body: &self.message.body, properties }]).await
    }
}

#[async_trait]
impl Answer for Unanswered {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        self.acknowledge().await
    }

    async fn retry(self: Box<Self>, delay: Duration) -> Result<(), QueueError> {
        let letter = Letter { attempts: self.attempt, death: self.letter.death.clone() };
        let route = self.broker.topology.retry_route(self.topic, retry_step(delay));
        self.forward(route, &letter).await?;
        self.acknowledge().await
    }

    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), QueueError> {
        let death = Death { topic: self.topic, reason: reason.to_owned() };
        let letter = Letter { attempts: 0, death: Some(death) };
        self.forward(self.broker.topology.route(Topic::Dead), &letter).await?;
        self.acknowledge().await
    }
}

impl Drop for Unanswered {
    /// Gives the message back, unless its consumer is gone: then the broker takes it back with the connection, and both
    /// would count as two deliveries.
    fn drop(&mut self) {
        let Some(acker) = self.acker.take() else { return };
        if self.permit.semaphore().is_closed() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            if let Err(error) = acker.nack(options).await {
                tracing::debug!(error = %error, "message not given back, the broker takes it back");
            }
        });
    }
}
