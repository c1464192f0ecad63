//! The connection that everything is published through, and every publication confirmed.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Broker, Persistence, Session, fault};
use crate::queue::{Depth, QueueError, Topic};

/// Time in which the broker must confirm what was published at once.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages published before their confirms are awaited.
const WINDOW: usize = 512;

/// A message with where it goes.
pub(super) struct Publication<'a> {
    pub(super) route: (ShortString, ShortString),
    pub(super) body: &'a [u8],
    pub(super) properties: BasicProperties,
}

pub(super) struct Publisher {
    broker: Arc<Broker>,
    link: watch::Receiver<Link>,
    _supervisor: AbortOnDropHandle<()>,
}

/// What the supervisor has at the moment.
#[derive(Clone)]
enum Link {
    Up(Arc<Live>),
    /// With the reason.
    Down(String),
}

/// A session with the means to report that it is dead.
struct Live {
    session: Session,
    broken: Notify,
}

impl Publisher {
    /// Starts connecting, and returns after the first attempt, whatever came of it.
    pub(super) async fn start(broker: Arc<Broker>) -> Self {
        let (state, mut link) = watch::channel(Link::Down("connecting".to_owned()));
        let supervisor = tokio::spawn(supervise(Arc::clone(&broker), state));
        // It fails only if the supervisor is gone, which the first publication will report.
        let _ = link.changed().await;
        Self { broker, link, _supervisor: AbortOnDropHandle::new(supervisor) }
    }

    /// Publishes in order; `Ok` once the broker has confirmed all of it.
    pub(super) async fn publish(&self, publications: Vec<Publication<'_>>) -> Result<(), QueueError> {
        let live = self.live()?;
        let mut rest = publications.into_iter();
        loop {
            let window: Vec<Publication<'_>> = rest.by_ref().take(WINDOW).collect();
            if window.is_empty() {
                return Ok(());
            }
            let late = |_| Err(QueueError::Unavailable("it does not confirm what is published".to_owned()));
            let published = tokio::time::timeout(PUBLISH_TIMEOUT, publish_window(&live.session, window)).await;
            let published = published.unwrap_or_else(late);
            if let Err(QueueError::Unavailable(_)) = published {
                live.broken.notify_one();
            }
            published?;
        }
    }

    pub(super) async fn depths(&self) -> Result<Vec<Depth>, QueueError> {
        let live = self.live()?;
        let late = |_| QueueError::Unavailable("it does not answer".to_owned());
        tokio::time::timeout(PUBLISH_TIMEOUT, depths(&live.session, &self.broker)).await.map_err(late)?
    }

    pub(super) fn ready(&self) -> Result<(), QueueError> {
        self.live().map(|_| ())
    }

    fn live(&self) -> Result<Arc<Live>, QueueError> {
        match &*self.link.borrow() {
            Link::Up(live) if live.session.blocked() => {
                Err(QueueError::Unavailable("it is short of memory or disk and takes no messages".to_owned()))
            }
            Link::Up(live) => live.session.check().map(|()| Arc::clone(live)),
            Link::Down(reason) => Err(QueueError::Unavailable(reason.clone())),
        }
    }
}

/// Keeps a session up for ever.
async fn supervise(broker: Arc<Broker>, state: watch::Sender<Link>) {
    let mut persistence = Persistence::new("publishing");
    loop {
        let error = match connect(&broker).await {
            Ok(live) => {
                persistence.succeeded();
                state.send_replace(Link::Up(Arc::clone(&live)));
                tokio::select! {
                    error = live.session.watch() => error,
                    () = live.broken.notified() => QueueError::Unavailable("a message was not confirmed".to_owned()),
                }
            }
            Err(error) => error,
        };
        state.send_replace(Link::Down(error.to_string()));
        persistence.failed(&error).await;
    }
}

async fn connect(broker: &Broker) -> Result<Arc<Live>, QueueError> {
    let session = broker.connect("publishing").await?;
    session.channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(fault)?;
    Ok(Arc::new(Live { session, broken: Notify::new() }))
}

async fn publish_window(session: &Session, window: Vec<Publication<'_>>) -> Result<(), QueueError> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let mut confirms = Vec::with_capacity(window.len());
    for Publication { route: (exchange, key), body, properties } in window {
        let confirm = session.channel.basic_publish(exchange, key, options, body, properties).await.map_err(fault)?;
        confirms.push(confirm);
    }
    for confirm in confirms {
        check(confirm.await.map_err(fault)?)?;
    }
    Ok(())
}

/// A message that no queue took is acknowledged too, with the message inside. Then somebody has deleted a queue: it is
/// declared again with the next connection.
fn check(confirmation: Confirmation) -> Result<(), QueueError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) => {
            Err(QueueError::Unavailable(format!("no queue takes the message: {}", returned.reply_text)))
        }
        Confirmation::Nack(_) => Err(QueueError::Refused("the queue did not take the message".to_owned())),
        Confirmation::NotRequested => Err(QueueError::Unavailable("confirms are not on".to_owned())),
    }
}

async fn depths(session: &Session, broker: &Broker) -> Result<Vec<Depth>, QueueError> {
    let channel = session.another_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let mut depths = Vec::with_capacity(Topic::ALL.len());
    for topic in Topic::ALL {
        let name = broker.topology.queue(topic);
        let queue = channel.queue_declare(name, options, FieldTable::default()).await.map_err(fault)?;
        depths.push(Depth { topic, waiting: queue.message_count().into(), oldest: None });
    }
    Ok(depths)
}
