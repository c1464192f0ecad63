//! Taking deliveries in: deduplication, what each event moves, and the jobs that follow.

use jiff::{SignedDuration, Timestamp};
use shared::event::{Authenticity, EventKind};
use shared::job::{JobKind, ScanJob};
use shared::report::Outcome;
use uuid::Uuid;

use super::keys::{Key, Table};
use super::outbox;
use super::places::{self, Home};
use super::record::children;
use super::rows::ImageRow;
use super::tx::Tx;
use crate::store::{Accepted, Action, EventRecord, Intake, PlannedEvent, ScanRecord, ScanStatus, Step, StoreError};

/// For how long a delivery's id is remembered. Senders repeat for at most a few days.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A digest that was scanned completely within this time is not scanned again for another push: ten tags on one digest
/// are one scan, however quick the scan.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// How many ids that are older are forgotten with each delivery: more than come in, so that they do run out.
const FORGOTTEN_AT_ONCE: usize = 4;

/// See [`crate::store::Store::accept`].
pub(super) fn accept(tx: &mut Tx<'_>, delivery: &Intake) -> Result<Accepted, StoreError> {
    let key = Key::of(Table::Deliveries).text(&delivery.source).text(&delivery.delivery_id);
    if tx.has(&key)? {
        return Ok(Accepted::Duplicate);
    }
    // First, while its listing has no changes to merge: with one it would read all ids.
    forget_old(tx, delivery.received_at)?;
    tx.mark(Key::of(Table::DeliveriesByAge).time(delivery.received_at).raw(&key.bytes()[1..]));
    tx.put(key, &delivery.received_at)?;
    let mut jobs = Vec::with_capacity(delivery.events.len());
    let mut queued = 0;
    for planned in &delivery.events {
        let (scan_id, is_new) = take_in(tx, planned, delivery.received_at)?;
        jobs.push(scan_id);
        queued += usize::from(is_new);
    }
    Ok(Accepted::New { jobs, queued })
}

fn forget_old(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
    let by_age = Key::of(Table::DeliveriesByAge);
    let limit = by_age.clone().time(now.saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN));
    let time = by_age.bytes().len()..limit.bytes().len();
    let oldest: Vec<_> = tx.rows(&by_age).take(FORGOTTEN_AT_ONCE).collect::<Result<_, _>>()?;
    for (key, _) in oldest.iter().filter(|(key, _)| key.as_ref() < limit.bytes()) {
        tx.remove(by_age.clone().raw(&key[time.start..]))?;
        tx.remove(Key::of(Table::Deliveries).raw(&key[time.end..]))?;
    }
    Ok(())
}

/// The event's job, and whether it is a new one.
fn take_in(
    tx: &mut Tx<'_>,
    planned: &PlannedEvent,
    received_at: Timestamp,
) -> Result<(Option<Uuid>, bool), StoreError> {
    let PlannedEvent { id, event, registry, action } = planned;
    // No event happened after we heard of it; a sender whose clock runs ahead must not pin a tag for ever.
    let happened_at = event.time.min(received_at);
    let home = registry.as_deref().map(|registry| Home { registry, repository: &event.repository });
    let (tag, digest) = (event.tag.as_ref(), event.digest.as_ref());
    if let Some(registry) = registry {
        places::heard_of(tx, registry, Some(received_at))?;
    }
    let (scan_id, is_new, step) = match (action, home) {
        (Action::Scan(job), _) => {
            if job.kind != JobKind::Rescan && matches!(event.kind, EventKind::Push | EventKind::Import) {
                let home = Home { registry: &job.registry, repository: &job.repository };
                places::pushed(tx, home, job.tag.as_ref(), job.digest.as_ref(), happened_at)?;
            }
            match scan_to_join(tx, job, event.authenticity, received_at)? {
                Some((scan, detail)) => (Some(scan), false, Some(step("joined", received_at, detail))),
                None => {
                    enqueue(tx, job, received_at)?;
                    (Some(job.id), true, None)
                }
            }
        }
        (Action::Pulled, home) => {
            if let Some(home) = home {
                places::pulled(tx, home, tag, digest, happened_at)?;
            }
            (None, false, Some(step("pulled", received_at, None)))
        }
        (Action::Deleted, home) => {
            if let Some(home) = home {
                places::deleted(tx, home, tag, digest, happened_at)?;
            }
            (None, false, Some(step("deleted", received_at, None)))
        }
        (Action::Ignored(why), _) => (None, false, Some(step("ignored", received_at, Some(why.clone())))),
    };
    let timeline = step.into_iter().collect();
    let record =
        EventRecord { id: *id, event: event.clone(), registry: registry.clone(), received_at, scan_id, timeline };
    tx.put(Key::of(Table::Events).id(*id), &record)?;
    Ok((scan_id, is_new))
}

/// A step of a timeline.
pub(super) fn step(name: &str, at: Timestamp, detail: Option<String>) -> Step {
    Step { step: name.to_owned(), at, detail }
}

/// Where a job is found by those who want the same; nothing for a job that names neither digest nor tag.
fn in_flight(job: &ScanJob) -> Option<Key> {
    let key = |kind| Key::of(Table::InFlight).byte(kind).text(&job.registry);
    match (&job.digest, &job.tag) {
        (Some(digest), _) => Some(key(b'd').digest(digest)),
        (None, Some(tag)) => Some(key(b't').text(job.repository.as_str()).text(tag.as_str())),
        (None, None) => None,
    }
}

/// The scan that makes this one needless, and a word on it where it is not simply under way.
fn scan_to_join(
    tx: &Tx<'_>,
    job: &ScanJob,
    authenticity: Authenticity,
    now: Timestamp,
) -> Result<Option<(Uuid, Option<String>)>, StoreError> {
    if let Some(running) = join(tx, job)? {
        return Ok(Some((running, None)));
    }
    if authenticity == Authenticity::Operator {
        return Ok(None);
    }
    let scanned = just_scanned(tx, job, now)?;
    Ok(scanned.map(|scan| (scan, Some("scanned less than a minute ago".to_owned()))))
}

/// The job that is already under way to the same end.
pub(super) fn join(tx: &Tx<'_>, job: &ScanJob) -> Result<Option<Uuid>, StoreError> {
    in_flight(job).map_or(Ok(None), |key| tx.get(&key))
}

/// The scan that gave a complete result for all that the job's digest holds, if that was a moment ago.
fn just_scanned(tx: &Tx<'_>, job: &ScanJob, now: Timestamp) -> Result<Option<Uuid>, StoreError> {
    let Some(digest) = &job.digest else { return Ok(None) };
    let mut manifests = children(tx, digest)?;
    if manifests.is_empty() {
        manifests.push(digest.clone());
    }
    let mut newest = None;
    for manifest in &manifests {
        let image: Option<ImageRow> = tx.get(&Key::of(Table::Images).digest(manifest))?;
        let fresh = image.filter(|image| {
            image.outcome == Outcome::Complete
                && image.failed_scan.is_none()
                && now.duration_since(image.scanned_at).abs() < FRESH
        });
        let Some(image) = fresh else { return Ok(None) };
        newest = newest.max(Some(image.scan));
    }
    Ok(newest)
}

/// From now on nobody joins this job.
pub(super) fn leave_flight(tx: &mut Tx<'_>, job: &ScanJob) -> Result<(), StoreError> {
    if let Some(key) = in_flight(job)
        && tx.get(&key)? == Some(job.id)
    {
        tx.remove(key)?;
    }
    Ok(())
}

/// Adds a job to the scans, to those in flight and to the outbox.
pub(super) fn enqueue(tx: &mut Tx<'_>, job: &ScanJob, at: Timestamp) -> Result<(), StoreError> {
    if let Some(key) = in_flight(job) {
        tx.put(key, &job.id)?;
    }
    outbox::add(tx, job);
    let scan = ScanRecord {
        job: job.clone(),
        status: ScanStatus::Accepted,
        reason: None,
        digest: None,
        images: Vec::new(),
        timeline: vec![step("accepted", at, None)],
    };
    tx.put(Key::of(Table::Scans).id(job.id), &scan)
}
