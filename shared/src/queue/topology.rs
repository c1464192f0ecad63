//! Names and arguments of everything that is declared on the broker, and the steps of delayed retries.
//!
//! ```text
//! publish ─▶ PREFIX.jobs ── #.push ──────▶ PREFIX.jobs.push    ┐ delivered too often
//!           (topic)      ── #.import ────▶ PREFIX.jobs.import  ├───────────────────▶ PREFIX.dead ─▶ PREFIX.dead
//!                        ── #.rescan ────▶ PREFIX.jobs.rescan  ┘                     (fanout)
//!                        ── #.reports ───▶ PREFIX.reports
//!                        ── #.dead ──────▶ PREFIX.dead
//! retry ───▶ PREFIX.retry ── 5s.* … 3600s.* ─▶ PREFIX.retry.5s …  ── expired ─▶ PREFIX.jobs
//!           (topic)
//! ```
//!
//! A routing key is the name of a topic, for a retry with the delay before it (`5s.push`). The broker keeps the key
//! of a message that expires, and each queue is bound to its name with anything before it: so an expired message
//! returns to its own queue.

use std::time::Duration;

use lapin::ExchangeKind;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use super::{QueueError, Topic};

/// Delays of retries: 5 s doubling to 1 h.
pub const RETRY_STEPS: [Duration; 11] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(80),
    Duration::from_secs(160),
    Duration::from_secs(320),
    Duration::from_secs(640),
    Duration::from_secs(1280),
    Duration::from_secs(2560),
    Duration::from_secs(3600),
];

/// Deliveries of a job that may end with their consumer before it is dead: it has killed this many workers.
pub const DELIVERY_LIMIT: u32 = 3;

/// For queues whose messages must never die of restarts: newer brokers have a limit by default.
const NO_DELIVERY_LIMIT: u32 = 1_000_000_000;

/// The shortest step that is at least `delay`; the longest for anything beyond.
pub fn retry_step(delay: Duration) -> Duration {
    let longest = RETRY_STEPS[RETRY_STEPS.len() - 1];
    RETRY_STEPS.into_iter().find(|step| *step >= delay).unwrap_or(longest)
}

/// The names on one broker. Several installations can share a broker under different prefixes.
#[derive(Debug, Clone)]
pub(super) struct Topology {
    prefix: String,
}

/// An exchange to declare.
pub(super) struct Exchange {
    pub(super) name: ShortString,
    pub(super) kind: ExchangeKind,
}

/// A queue to declare and to bind.
pub(super) struct QueueDeclaration {
    pub(super) name: ShortString,
    pub(super) arguments: FieldTable,
    /// Exchanges with the pattern of the routing key.
    pub(super) bindings: Vec<(ShortString, ShortString)>,
}

impl Topology {
    /// Names that begin with `prefix`: letters, digits, `.`, `-` and `_`, at most 100 of them.
    pub(super) fn new(prefix: String) -> Result<Self, QueueError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if prefix.is_empty() || prefix.len() > 100 || !prefix.chars().all(fits) {
            let rule = "letters, digits, `.`, `-` and `_`, at most 100";
            return Err(QueueError::Config(format!("the prefix {prefix:?} may hold only {rule}")));
        }
        Ok(Self { prefix })
    }

    pub(super) fn exchanges(&self) -> [Exchange; 3] {
        [
            Exchange { name: self.main_exchange(), kind: ExchangeKind::Topic },
            Exchange { name: self.retry_exchange(), kind: ExchangeKind::Topic },
            Exchange { name: self.dead_exchange(), kind: ExchangeKind::Fanout },
        ]
    }

    pub(super) fn queues(&self) -> Vec<QueueDeclaration> {
        let topics = Topic::ALL.into_iter().map(|topic| self.topic_queue(topic));
        topics.chain(RETRY_STEPS.into_iter().map(|step| self.retry_queue(step))).collect()
    }

    fn topic_queue(&self, topic: Topic) -> QueueDeclaration {
        let mut arguments = Arguments::quorum();
        if let Topic::Jobs(_) = topic {
            // The limit is on returns: the first delivery does not count.
            arguments.number("x-delivery-limit", DELIVERY_LIMIT - 1);
            arguments.dead_letters_to(self.dead_exchange());
        } else {
            arguments.number("x-delivery-limit", NO_DELIVERY_LIMIT);
        }
        let mut bindings = vec![(self.main_exchange(), ShortString::from(format!("#.{}", topic.name())))];
        if topic == Topic::Dead {
            bindings.push((self.dead_exchange(), ShortString::from("")));
        }
        QueueDeclaration { name: self.queue(topic), arguments: arguments.table, bindings }
    }

    fn retry_queue(&self, step: Duration) -> QueueDeclaration {
        let mut arguments = Arguments::quorum();
        arguments.table.insert("x-message-ttl".into(), AMQPValue::LongLongInt(step.as_secs() as i64 * 1000));
        arguments.dead_letters_to(self.main_exchange());
        QueueDeclaration {
            name: self.name(&format!("retry.{}s", step.as_secs())),
            arguments: arguments.table,
            bindings: vec![(self.retry_exchange(), ShortString::from(format!("{}s.*", step.as_secs())))],
        }
    }

    /// The queue of `topic`.
    pub(super) fn queue(&self, topic: Topic) -> ShortString {
        match topic {
            Topic::Jobs(_) => self.name(&format!("jobs.{}", topic.name())),
            Topic::Reports | Topic::Dead => self.name(topic.name()),
        }
    }

    /// The topic whose queue is called `queue`.
    pub(super) fn topic_of(&self, queue: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| self.queue(*topic).as_str() == queue)
    }

    /// Exchange and routing key for a message of `topic`.
    pub(super) fn route(&self, topic: Topic) -> (ShortString, ShortString) {
        (self.main_exchange(), topic.name().into())
    }

    /// Exchange and routing key for a message that returns to `topic` after `step`.
    pub(super) fn retry_route(&self, topic: Topic, step: Duration) -> (ShortString, ShortString) {
        (self.retry_exchange(), ShortString::from(format!("{}s.{}", step.as_secs(), topic.name())))
    }

    fn main_exchange(&self) -> ShortString {
        self.name("jobs")
    }

    fn retry_exchange(&self) -> ShortString {
        self.name("retry")
    }

    fn dead_exchange(&self) -> ShortString {
        self.name("dead")
    }

    /// Never too long for the protocol: the prefix is bounded.
    fn name(&self, rest: &str) -> ShortString {
        ShortString::from(format!("{}.{rest}", self.prefix))
    }
}

struct Arguments {
    table: FieldTable,
}

impl Arguments {
    fn quorum() -> Self {
        let mut arguments = Self { table: FieldTable::default() };
        arguments.word("x-queue-type", "quorum");
        arguments
    }

    /// Messages leave only once they have arrived in the other queue, which needs publishers to be refused
    /// rather than messages to be dropped where a queue is full.
    fn dead_letters_to(&mut self, exchange: ShortString) {
        self.word("x-dead-letter-exchange", exchange.as_str());
        self.word("x-dead-letter-strategy", "at-least-once");
        self.word("x-overflow", "reject-publish");
    }

    fn word(&mut self, key: &str, value: &str) {
        self.table.insert(key.into(), AMQPValue::LongString(LongString::from(value)));
    }

    fn number(&mut self, key: &str, value: u32) {
        self.table.insert(key.into(), AMQPValue::LongLongInt(value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_rounded_up() {
        let steps = [0, 5, 6, 3599, 3601].map(|delay| retry_step(Duration::from_secs(delay)).as_secs());
        assert_eq!(steps, [5, 5, 10, 3600, 3600]);
    }

    #[test]
    fn names_are_those_of_the_documentation() {
        let topology = Topology::new("plimsoll".to_owned()).unwrap();
        let names: Vec<String> = topology.queues().iter().map(|queue| queue.name.to_string()).collect();
        assert_eq!(
            &names[..6],
            [
                "plimsoll.jobs.push",
                "plimsoll.jobs.import",
                "plimsoll.jobs.rescan",
                "plimsoll.reports",
                "plimsoll.dead",
                "plimsoll.retry.5s"
            ]
        );
        assert_eq!(names.len(), Topic::ALL.len() + RETRY_STEPS.len());
        for topic in Topic::ALL {
            assert_eq!(topology.topic_of(topology.queue(topic).as_str()), Some(topic));
        }
    }

    #[test]
    fn a_prefix_that_does_not_fit_is_refused() {
        for prefix in ["", "with space", "#", &"x".repeat(101)] {
            assert!(matches!(Topology::new(prefix.to_owned()), Err(QueueError::Config(_))), "{prefix:?}");
        }
    }
}
