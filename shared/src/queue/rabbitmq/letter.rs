//! What travels beside a body: identity, attempts, and why a message is dead.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::queue::topology::{DELIVERY_LIMIT, Topology};
use crate::queue::{Death, Outgoing, QueueError, Topic};

/// Attempts that ended with a retry.
const ATTEMPTS: &str = "x-plimsoll-attempts";
/// Why a message is dead.
const REASON: &str = "x-plimsoll-reason";
/// Topic that a dead message was in.
const TOPIC: &str = "x-plimsoll-topic";

const PERSISTENT: u8 = 2;

/// What travels beside a body.
#[derive(Debug, Default, Clone)]
pub(super) struct Letter {
    /// Attempts that ended with a retry.
    pub(super) attempts: u32,
    /// Set for [`Topic::Dead`].
    pub(super) death: Option<Death>,
}

impl Letter {
    pub(super) fn properties(&self, id: &str) -> Result<BasicProperties, QueueError> {
        let id = ShortString::try_new(id).map_err(|error| QueueError::Refused(error.to_string()))?;
        let mut headers = FieldTable::default();
        headers.insert(ATTEMPTS.into(), AMQPValue::LongLongInt(self.attempts.into()));
        if let Some(death) = &self.death {
            headers.insert(REASON.into(), AMQPValue::LongString(LongString::from(death.reason.as_str())));
            headers.insert(TOPIC.into(), AMQPValue::LongString(LongString::from(death.topic.name())));
        }
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        Ok(BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(id)
            .with_timestamp(now)
            .with_headers(headers))
    }
}

/// Takes a delivery of `topic` apart: the message, which attempt this is, and what travelled beside it.
pub(super) fn open(delivery: &mut Delivery, topic: Topic, topology: &Topology) -> (Outgoing, u32, Letter) {
    let empty = FieldTable::default();
    let headers = delivery.properties.headers().as_ref().unwrap_or(&empty);
    let attempts = number(headers, ATTEMPTS);
    let attempt = attempts.saturating_add(number(headers, "x-delivery-count")).saturating_add(1);
    let death = (topic == Topic::Dead).then(|| our_death(headers).unwrap_or_else(|| brokers_death(headers, topology)));
    let id = delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
    let body = std::mem::take(&mut delivery.data);
    (Outgoing { id, body }, attempt, Letter { attempts, death })
}

fn our_death(headers: &FieldTable) -> Option<Death> {
    let topic = text(headers, TOPIC)?;
    let topic = Topic::ALL.into_iter().find(|known| known.name() == topic)?;
    Some(Death { topic, reason: text(headers, REASON)? })
}

/// The broker itself moved the message, and says in `x-death` from where, the latest move first.
fn brokers_death(headers: &FieldTable, topology: &Topology) -> Death {
    let moves = headers.inner().get("x-death").and_then(AMQPValue::as_array).map_or(&[][..], |moves| moves.as_slice());
    let topic_queue = |entry: &AMQPValue| {
        let entry = entry.as_field_table()?;
        Some((topology.topic_of(&text(entry, "queue")?)?, text(entry, "reason")?))
    };
    match moves.iter().find_map(topic_queue) {
        Some((topic, reason)) if reason == "delivery_limit" => {
            Death { topic, reason: format!("its worker ended {DELIVERY_LIMIT} times while working on it") }
        }
        Some((topic, reason)) => Death { topic, reason: format!("the broker gave it up: {reason}") },
        None => Death { topic: Topic::Dead, reason: "the broker does not say".to_owned() },
    }
}

fn text(headers: &FieldTable, key: &str) -> Option<String> {
    match headers.inner().get(key)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// A count, in whichever of the protocol's integers the broker chose.
fn number(headers: &FieldTable, key: &str) -> u32 {
    let wide = match headers.inner().get(key) {
        Some(AMQPValue::ShortShortInt(number)) => i64::from(*number),
        Some(AMQPValue::ShortShortUInt(number)) => i64::from(*number),
        Some(AMQPValue::ShortInt(number)) => i64::from(*number),
        Some(AMQPValue::ShortUInt(number)) => i64::from(*number),
        Some(AMQPValue::LongInt(number)) => i64::from(*number),
        Some(AMQPValue::LongUInt(number)) => i64::from(*number),
        Some(AMQPValue::LongLongInt(number)) => *number,
        _ => 0,
    };
    u32::try_from(wide.clamp(0, u32::MAX.into())).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldArray;
    use proptest::prelude::*;

    use super::*;
    use crate::job::JobKind;

    fn opened(topic: Topic, properties: BasicProperties) -> (Outgoing, u32, Letter) {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), false, b"body".to_vec());
        delivery.properties = properties;
        open(&mut delivery, topic, &Topology::new("plimsoll".to_owned()).unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let death = Death { topic: Topic::Jobs(JobKind::Import), reason: "größer".to_owned() };
        let letter = Letter { attempts: 4, death: Some(death.clone()) };
        let (message, attempt, letter) = opened(Topic::Dead, letter.properties("id").unwrap());
        assert_eq!((message.id.as_str(), message.body.as_slice()), ("id", &b"body"[..]));
        assert_eq!((attempt, letter.attempts, letter.death), (5, 4, Some(death)));
    }

    fn value() -> impl Strategy<Value = AMQPValue> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(AMQPValue::LongLongInt),
            any::<u32>().prop_map(AMQPValue::LongUInt),
            any::<bool>().prop_map(AMQPValue::Boolean),
            any::<Vec<u8>>().prop_map(|bytes| AMQPValue::LongString(bytes.into())),
            "(plimsoll.jobs.push|push|delivery_limit|x)".prop_map(|text| AMQPValue::LongString(text.into())),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let names = "(queue|reason|x)";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|list| AMQPValue::FieldArray(list.into())),
                prop::collection::vec((names, inner), 0..4).prop_map(|entries| {
                    let mut table = FieldTable::default();
                    for (name, value) in entries {
                        table.insert(name.into(), value);
                    }
                    AMQPValue::FieldTable(table)
                }),
            ]
        })
    }

    proptest! {
           #[test]
           fn no_headers_are_too_odd(
               entries in prop::collection::vec(
                   ("(x-death|x-delivery-count|x-plimsoll-attempts|x-plimsoll-reason|x-plimsoll-topic)", value()),
                   0..5,
               )
           ) {
               let mut headers = FieldTable::default();
               for (name, value) in entries {
    headers.insert(name.into(), value);
    }
               let (message, attempt, letter) = opened(Topic::Dead, BasicProperties::default().with_headers(headers));
               prop_assert!(attempt >= 1 && letter.death.is_some());
               prop_assert_eq!(message.body, b"body");
           }
       }

    #[test]
    fn an_id_that_is_too_long_is_refused() {
        assert!(matches!(Letter::default().properties(&"x".repeat(256)), Err(QueueError::Refused(_))));
    }

    #[test]
    fn the_broker_says_where_a_message_died() {
        let entry = |queue: &str, reason: &str| {
            let mut entry = FieldTable::default();
            entry.insert("queue".into(), AMQPValue::LongString(queue.into()));
            entry.insert("reason".into(), AMQPValue::LongString(reason.into()));
            AMQPValue::FieldTable(entry)
        };
        let moves = vec![entry("plimsoll.retry.5s", "expired"), entry("plimsoll.jobs.push", "delivery_limit")];
        let mut headers = FieldTable::default();
        headers.insert("x-death".into(), AMQPValue::FieldArray(FieldArray::from(moves)));
        let (_, attempt, letter) = opened(Topic::Dead, BasicProperties::default().with_headers(headers));
        let death = letter.death.unwrap();
        assert_eq!((attempt, death.topic), (1, Topic::Jobs(JobKind::Push)));
        assert_eq!(death.reason, "its worker ended 3 times while working on it");
    }

    #[test]
    fn a_stranger_s_message_is_no_error() {
        let (message, attempt, letter) = opened(Topic::Reports, BasicProperties::default());
        assert_eq!((message.id.as_str(), attempt, letter.death), ("", 1, None));
    }
}
