//! One connection to the broker with one channel, from its beginning to its first fault.
//!
//! lapin's own recovery is off: it can leave a channel dead behind a healthy connection, for ever and without a word.
//! Whatever goes wrong, the whole connection is dropped and the supervisor that owned it begins again.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{FieldTable, LongString};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, DefaultConnectionBuilder};
use secrecy::{ExposeSecret, SecretString};

use crate::queue::QueueError;
use crate::queue::topology::Topology;

/// Time to connect and to declare everything.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a connection is looked at that nobody uses.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Seconds between the heartbeats that the broker is asked for.
const HEARTBEAT: u16 = 10;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Where the broker is and what is declared there.
#[derive(Clone)]
pub(super) struct Broker {
    uri: AMQPUri,
    /// Certificates in PEM that are trusted besides those of the system.
    ca: Option<String>,
    pub(super) topology: Topology,
}

impl Broker {
    pub(super) fn new(url: &SecretString, ca_file: Option<PathBuf>, topology: Topology) -> Result<Self, QueueError> {
        // What the parser says may hold the password.
        let wrong = |_| QueueError::Config("the broker's URL is not amqp://… or amqps://…".to_owned());
        let mut uri = AMQPUri::from_str(url.expose_secret()).map_err(wrong)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let read = |path: PathBuf| {
            std::fs::read_to_string(&path)
                .map_err(|error| QueueError::Config(format!("cannot read {}: {error}", path.display())))
        };
        Ok(Self { uri, ca: ca_file.map(read).transpose()?, topology })
    }

    /// Connects for `purpose`, and declares everything.
    pub(super) async fn connect(&self, purpose: &str) -> Result<Session, QueueError> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.open(purpose));
        connected.await.map_err(|_| QueueError::Unavailable("it does not answer".to_owned()))?.map_err(fault)
    }

    async fn open(&self, purpose: &str) -> lapin::Result<Session> {
        let name = LongString::from(format!("plimsoll {purpose}"));
        let connection = DefaultConnectionBuilder::new()?
            .with_uri(self.uri.clone())
            .with_properties(ConnectionProperties::default().with_connection_name(name))
            .with_tls_config(OwnedTLSConfig { identity: None, cert_chain: self.ca.clone() })
            .connect()
            .await?;
        let channel = connection.create_channel().await?;
        declare(&channel, &self.topology).await?;
        Ok(Session { connection, channel })
    }
}

async fn declare(channel: &Channel, topology: &Topology) -> lapin::Result<()> {
    for exchange in topology.exchanges() {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(exchange.name, exchange.kind, options, FieldTable::default()).await?;
    }
    for queue in topology.queues() {
        channel.queue_declare(queue.name.clone(), QueueDeclareOptions::durable(), queue.arguments).await?;
        for (exchange, pattern) in queue.bindings {
            let options = QueueBindOptions::default();
            channel.queue_bind(queue.name.clone(), exchange, pattern, options, FieldTable::default()).await?;
        }
    }
    Ok(())
}

/// A connection and its channel. Dropped, both are closed, and the broker takes back what was not acknowledged.
pub(super) struct Session {
    connection: Connection,
    pub(super) channel: Channel,
}

impl Session {
    /// Ends at the first sign that the session is dead.
    pub(super) async fn watch(&self) -> QueueError {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            if let Err(error) = self.check() {
                return error;
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), QueueError> {
        if self.channel.status().connected() && self.connection.status().connected() {
            Ok(())
        } else {
            Err(QueueError::Unavailable("the connection was lost".to_owned()))
        }
    }

    /// Whether the broker takes no messages because it is short of memory or disk.
    pub(super) fn blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// A second channel, for what may end a channel.
    pub(super) async fn another_channel(&self) -> Result<Channel, QueueError> {
        self.connection.create_channel().await.map_err(fault)
    }
}

/// An error of lapin. With any of them the connection is given up.
pub(super) fn fault(error: lapin::Error) -> QueueError {
    QueueError::Unavailable(error.to_string())
}

/// How a supervisor keeps on trying: full jitter, without end. It logs when the broker is lost and when it is back.
pub(super) struct Persistence {
    purpose: &'static str,
    failures: u32,
}

impl Persistence {
    pub(super) fn new(purpose: &'static str) -> Self {
        Self { purpose, failures: 0 }
    }

    pub(super) fn succeeded(&mut self) {
        if self.failures > 0 {
            tracing::info!(purpose = self.purpose, failures = self.failures, "broker is back");
        }
        self.failures = 0;
    }

    /// Waits before the next attempt.
    pub(super) async fn failed(&mut self, error: &QueueError) {
        if self.failures == 0 {
            tracing::warn!(purpose = self.purpose, error = %error, "broker lost, reconnecting until it is back");
        }
        let longest = FIRST_WAIT.saturating_mul(1 << self.failures.min(10)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(longest.mul_f64(rand::random())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(url: &str, ca_file: Option<PathBuf>) -> Result<Broker, QueueError> {
        Broker::new(&SecretString::from(url), ca_file, Topology::new("plimsoll".to_owned()).unwrap())
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        let error = broker("http://user:secret@broker", None).err().unwrap();
        assert!(matches!(&error, QueueError::Config(_)));
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_missing_certificate_is_named() {
        let error = broker("amqps://broker", Some("/nonexistent/ca.pem".into())).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    }
}
