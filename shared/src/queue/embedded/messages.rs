//! The embedded queue's tree: where each message stands, in keys that sort in the order of service.
//!
//! | Key | Value |
//! |---|---|
//! | `r` topic number | a message that waits: length of the header (4 bytes), header (JSON), body |
//! | `l` due topic number | the same, for a message that waits until `due`, in milliseconds since 1970 |
//! | `d` topic number | how often that message has been handed out since it got this place (4 bytes) |
//! | `b` number, chunks | body of a message that is too large to lie in its record |
//!
//! Numbers are big-endian and rise; a topic is one byte, see [`code`].

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sled::{IVec, Tree};

use crate::durable::{Batch, Durable, DurableError, get_large};
use crate::job::JobKind;
use crate::queue::{Death, Outgoing, Topic};

/// Largest body in bytes that lies in its record.
const INLINE: usize = 40_000;

/// Where a waiting message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) topic: Topic,
    pub(super) number: u64,
}

/// Everything about a message but its body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) id: String,
    /// Attempts that ended with a retry.
    pub(super) attempts: u32,
    pub(super) published_at: Timestamp,
    pub(super) death: Option<Death>,
    /// Number under which the body is kept apart.
    body_apart: Option<u64>,
}

/// How full a topic is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) ready: u64,
    pub(super) later: u64,
}

pub(super) struct Messages {
    pub(super) durable: Durable,
    tree: Tree,
}

impl Messages {
    pub(super) fn open(durable: Durable) -> Result<Self, DurableError> {
        Ok(Self { tree: durable.tree("queue")?, durable })
    }

    /// Counts every topic, and finds the first free number.
    pub(super) fn survey(&self) -> Result<([Count; Topic::ALL.len()], u64), DurableError> {
        let mut counts = [Count::default(); Topic::ALL.len()];
        let mut free = 0;
        for key in self.tree.iter().keys() {
            let key = key?;
            let (topic, later, number) = match key.split_first() {
                Some((b'r', place)) => (place.first(), false, number_at(place, 1)),
                Some((b'l', place)) => (place.get(8), true, number_at(place, 9)),
                Some((b'b', place)) => (None, false, number_at(place, 0)),
                _ => continue,
            };
            free = free.max(number.map_or(0, |number| number + 1));
            let Some(count) = topic.and_then(|code| counts.get_mut(usize::from(*code))) else { continue };
            if later { count.later += 1 } else { count.ready += 1 }
        }
        Ok((counts, free))
    }

    /// Adds a new message at `place`.
    pub(super) fn add(&self, batch: &mut Batch, place: Place, message: &Outgoing) -> Result<(), DurableError> {
        let apart = message.body.len() > INLINE;
        let header = Header {
            id: message.id.clone(),
            attempts: 0,
            published_at: Timestamp::now(),
            death: None,
            body_apart: apart.then_some(place.number),
        };
        if apart {
            batch.put_large(&self.tree, &body_key(place.number), &message.body)?;
        }
        let inline = if apart { &[] } else { message.body.as_slice() };
        batch.insert(ready_key(place), encode(&header, inline)?);
        Ok(())
    }

    /// The first message of `topic` whose place is not in `taken`.
    pub(super) fn first(&self, topic: Topic, taken: &BTreeSet<Place>) -> Result<Option<Place>, DurableError> {
        for key in self.tree.scan_prefix([b'r', code(topic)]).keys() {
            let key = key?;
            let place = Place { topic, number: number_at(&key, 2).ok_or_else(|| unreadable(&key))? };
            if !taken.contains(&place) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The message at `place`.
    pub(super) fn read(&self, place: Place) -> Result<(Header, Vec<u8>), DurableError> {
        let (header, inline) = self.record(place)?;
        let Some(number) = header.body_apart else { return Ok((header, inline)) };
        let body = get_large(&self.tree, &body_key(number))?;
        Ok((header, body.ok_or_else(|| DurableError::Document(format!("body {number} of the queue is gone")))?))
    }

    /// When the message at `place` was published.
    pub(super) fn published_at(&self, place: Place) -> Result<Timestamp, DurableError> {
        Ok(self.record(place)?.0.published_at)
    }

    /// How often the message at `place` has been handed out.
    pub(super) fn deliveries(&self, place: Place) -> Result<u32, DurableError> {
        let count = self.tree.get(deliveries_key(place))?;
        Ok(count.and_then(|count| Some(u32::from_be_bytes(count.as_ref().try_into().ok()?))).unwrap_or(0))
    }

    /// Sets how often the message at `place` has been handed out.
    pub(super) fn set_deliveries(&self, place: Place, deliveries: u32) -> Result<(), DurableError> {
        let mut batch = Batch::default();
        batch.insert(deliveries_key(place), &deliveries.to_be_bytes());
        self.apply_always(batch)
    }

    /// Removes the message at `place` for good.
    pub(super) fn remove(&self, place: Place) -> Result<(), DurableError> {
        let mut batch = Batch::default();
        let (header, _) = self.record(place)?;
        if let Some(number) = header.body_apart {
            batch.remove_large(&self.tree, &body_key(number))?;
        }
        vacate(&mut batch, place);
        self.apply_always(batch)
    }

    /// Moves the message at `from` to the dead letters, at the end.
    pub(super) fn bury(&self, from: Place, number: u64, death: Death) -> Result<(), DurableError> {
        let (mut header, inline) = self.record(from)?;
        header.attempts = 0;
        header.death = Some(death);
        let mut batch = Batch::default();
        vacate(&mut batch, from);
        batch.insert(ready_key(Place { topic: Topic::Dead, number }), encode(&header, &inline)?);
        self.apply_always(batch)
    }

    /// Moves the message at `from` away until `due`, after `attempts` attempts.
    pub(super) fn postpone(&self, from: Place, number: u64, due: Timestamp, attempts: u32) -> Result<(), DurableError> {
        let (mut header, inline) = self.record(from)?;
        header.attempts = attempts;
        let mut batch = Batch::default();
        vacate(&mut batch, from);
        batch.insert(later_key(due, Place { topic: from.topic, number }), encode(&header, &inline)?);
        self.apply_always(batch)
    }

    /// When the next postponed message is due.
    pub(super) fn next_due(&self) -> Result<Option<Timestamp>, DurableError> {
        let Some(first) = self.tree.scan_prefix(b"l").keys().next().transpose()? else { return Ok(None) };
        Ok(Some(parse_later(&first)?.0))
    }

    /// Moves the first postponed message back to its topic if it is due by `now`. Returns its topic.
    pub(super) fn recall_one(&self, now: Timestamp) -> Result<Option<Topic>, DurableError> {
        let Some(first) = self.tree.scan_prefix(b"l").next().transpose()? else { return Ok(None) };
        let (key, record) = first;
        let (due, place) = parse_later(&key)?;
        if due > now {
            return Ok(None);
        }
        let mut batch = Batch::default();
        batch.remove(key);
        batch.insert(ready_key(place), record);
        self.apply_always(batch)?;
        Ok(Some(place.topic))
    }

    pub(super) fn apply(&self, batch: Batch) -> Result<(), DurableError> {
        self.durable.apply(&self.tree, batch)
    }

    fn apply_always(&self, batch: Batch) -> Result<(), DurableError> {
        self.durable.apply_always(&self.tree, batch)
    }

    fn record(&self, place: Place) -> Result<(Header, Vec<u8>), DurableError> {
        let key = ready_key(place);
        let record = self.tree.get(&key)?.ok_or_else(|| unreadable(&key))?;
        decode(&record).ok_or_else(|| unreadable(&key))
    }
}

fn vacate(batch: &mut Batch, place: Place) {
    batch.remove(ready_key(place));
    batch.remove(deliveries_key(place));
}

fn encode(header: &Header, inline: &[u8]) -> Result<Vec<u8>, DurableError> {
    let header = serde_json::to_vec(header).map_err(|error| DurableError::Document(error.to_string()))?;
    let size = u32::try_from(header.len()).map_err(|_| DurableError::TooLarge { size: header.len() })?;
    Ok([&size.to_be_bytes(), header.as_slice(), inline].concat())
}

fn decode(record: &IVec) -> Option<(Header, Vec<u8>)> {
    let (size, rest) = record.split_first_chunk::<4>()?;
    let (header, inline) = rest.split_at_checked(u32::from_be_bytes(*size) as usize)?;
    Some((serde_json::from_slice(header).ok()?, inline.to_vec()))
}

/// A topic on disk: its place in [`Topic::ALL`]. New topics go to the end of that list.
pub(super) fn code(topic: Topic) -> u8 {
    match topic {
        Topic::Jobs(JobKind::Push) => 0,
        Topic::Jobs(JobKind::Import) => 1,
        Topic::Jobs(JobKind::Rescan) => 2,
        Topic::Reports => 3,
        Topic::Dead => 4,
    }
}

fn ready_key(place: Place) -> Vec<u8> {
    [&[b'r', code(place.topic)][..], &place.number.to_be_bytes()].concat()
}

fn deliveries_key(place: Place) -> Vec<u8> {
    [&[b'd', code(place.topic)][..], &place.number.to_be_bytes()].concat()
}

fn later_key(due: Timestamp, place: Place) -> Vec<u8> {
    let due = u64::try_from(due.as_millisecond()).unwrap_or(0);
    [&b"l"[..], &due.to_be_bytes(), &[code(place.topic)], &place.number.to_be_bytes()].concat()
}

fn body_key(number: u64) -> Vec<u8> {
    [&b"b"[..], &number.to_be_bytes()].concat()
}

fn parse_later(key: &[u8]) -> Result<(Timestamp, Place), DurableError> {
    let parts = || {
        let due = Timestamp::from_millisecond(i64::try_from(number_at(key, 1)?).ok()?).ok()?;
        let topic = *Topic::ALL.get(usize::from(*key.get(9)?))?;
        Some((due, Place { topic, number: number_at(key, 10)? }))
    };
    parts().ok_or_else(|| unreadable(key))
}

fn number_at(key: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(at..at + 8)?.try_into().ok()?))
}

fn unreadable(key: &[u8]) -> DurableError {
    DurableError::Document(format!("record {} of the queue", hex::encode(key)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_row_is_too_odd(row: Vec<u8>) {
            let _ = (parse_later(&row), number_at(&row, 1), decode(&row.as_slice().into()));
        }

        #[test]
        fn what_is_written_is_read(inline: Vec<u8>, number: u64, due in 0..4_000_000_000_000_i64) {
            let due = Timestamp::from_millisecond(due).unwrap();
            let place = Place { topic: Topic::Reports, number };
            prop_assert_eq!(parse_later(&later_key(due, place)).unwrap(), (due, place));
            let header =
                Header { id: "id".to_owned(), attempts: 1, published_at: due, death: None, body_apart: Some(number) };
            let (read, body) = decode(&encode(&header, &inline).unwrap().into()).unwrap();
            prop_assert_eq!((read.id, read.body_apart, body), (header.id, Some(number), inline));
        }
    }

    #[test]
    fn codes_are_places_in_the_list() {
        for (place, topic) in Topic::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(code(topic)), place);
        }
    }
}
