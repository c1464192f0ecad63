//! The queue for many machines: RabbitMQ 3.10 or later, with quorum queues and publisher confirms.
//!
//! What is declared on the broker is in [`topology`](super::topology). Publishing has a connection of its own, and so has
//! each consumer: a publisher that the broker blocks does not stop acknowledgements. Each connection is kept up by a task
//! of its own, for ever.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use self::connection::Broker;
use self::consumer::RabbitConsumer;
use self::letter::Letter;
use self::publisher::{Publication, Publisher};
use super::topology::Topology;
use super::{Consumer, Depth, Outgoing, Queue, QueueError, Topic};

mod answer;
mod connection;
mod consumer;
mod letter;
mod publisher;
#[cfg(test)]
mod tests;

/// Where the broker is.
#[derive(Debug, Clone)]
pub struct RabbitConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…`.
    pub url: SecretString,
    /// Certificates in PEM that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// How all names on the broker begin.
    pub prefix: String,
}

impl RabbitConfig {
    /// A broker at `url`, with the usual names.
    pub fn new(url: SecretString) -> Self {
        Self { url, ca_file: None, prefix: "plimsoll".to_owned() }
    }

    /// Says what cannot be used, without connecting.
    pub fn check(self) -> Result<(), QueueError> {
        self.broker().map(drop)
    }

    fn broker(self) -> Result<Broker, QueueError> {
        Broker::new(&self.url, self.ca_file, Topology::new(self.prefix)?)
    }
}

/// A queue on a broker.
pub struct RabbitQueue {
    broker: Arc<Broker>,
    publisher: Arc<Publisher>,
}

impl RabbitQueue {
    /// Starts connecting. A broker that is away is no error: [`Queue::ready`] tells, and it is tried for ever.
    pub async fn connect(config: RabbitConfig) -> Result<Self, QueueError> {
        let broker = Arc::new(config.broker()?);
        let publisher = Arc::new(Publisher::start(Arc::clone(&broker)).await);
        Ok(Self { broker, publisher })
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish(&self, topic: Topic, messages: &[Outgoing]) -> Result<(), QueueError> {
        let mut publications = Vec::with_capacity(messages.len());
        for message in messages {
            let properties = Letter::default().properties(&message.id)?;
            publications.push(Publication {
                route: self.broker.topology.route(topic),
                body: &message.body,
                properties,
            });
        }
        self.publisher.publish(publications).await
    }

    async fn consume(&self, topics: &[Topic], prefetch: u16) -> Result<Box<dyn Consumer>, QueueError> {
        if topics.is_empty() {
            return Err(QueueError::Config("a consumer needs a topic".to_owned()));
        }
        let (broker, publisher) = (Arc::clone(&self.broker), Arc::clone(&self.publisher));
        Ok(Box::new(RabbitConsumer::start(broker, publisher, topics.to_vec(), prefetch)))
    }

    /// Messages that wait for a delayed retry are not counted: their queues are shared by all topics.
    async fn depths(&self) -> Result<Vec<Depth>, QueueError> {
        self.publisher.depths().await
    }

    async fn ready(&self) -> Result<(), QueueError> {
        self.publisher.ready()
    }
}
