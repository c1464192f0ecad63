//! The life of a job between the queue and its report: attempts, dead letters.

use jiff::Timestamp;
use uuid::{NoContext, Uuid};

use super::accept::{enqueue, join, leave_flight, step};
use super::keys::{Key, Table};
use super::outbox;
use super::tx::Tx;
use crate::store::{DeadLetter, ScanRecord, ScanStatus, Step, StoreError};
use shared::job::ScanJob;

/// How many steps of a scan are kept; a job that restarts its scanner for ever must not grow its record for ever.
const MOST_STEPS: usize = 100;

/// See [`crate::store::Store::record_started`].
pub(super) fn started(
    tx: &mut Tx<'_>,
    job: Uuid,
    scanner: &str,
    attempt: u32,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut scan) = scan(tx, job)?.filter(is_under_way) else { return Ok(()) };
    if scan.job.digest.is_none() {
        leave_flight(tx, &scan.job)?;
    }
    if add_step(&mut scan, step("started", at, Some(attempt_by(attempt, scanner)))) {
        scan.status = ScanStatus::Started;
    }
    put_scan(tx, &scan)
}

/// Words for an attempt in a timeline.
pub(super) fn attempt_by(attempt: u32, scanner: &str) -> String {
    format!("attempt {attempt} by {scanner}")
}

/// See [`crate::store::Store::record_retrying`].
pub(super) fn retrying(
    tx: &mut Tx<'_>,
    job: Uuid,
    attempt: u32,
    reason: &str,
    at: Timestamp,
    next_at: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut scan) = scan(tx, job)?.filter(is_under_way) else { return Ok(()) };
    let detail = format!("attempt {attempt}: {reason}; the next is due at {next_at}");
    if add_step(&mut scan, step("retrying", at, Some(detail))) {
        scan.status = ScanStatus::Retrying;
        scan.reason = Some(reason.to_owned());
    }
    put_scan(tx, &scan)
}

/// `false` if the step is there already or there are too many.
fn add_step(scan: &mut ScanRecord, step: Step) -> bool {
    let is_new = !scan.timeline.contains(&step) && scan.timeline.len() < MOST_STEPS;
    if is_new {
        scan.timeline.push(step);
    }
    is_new
}

/// Whether a job may still end.
pub(super) fn is_under_way(scan: &ScanRecord) -> bool {
    matches!(scan.status, ScanStatus::Accepted | ScanStatus::Queued | ScanStatus::Started | ScanStatus::Retrying)
}

/// Whether a report of the job was recorded.
pub(super) fn is_recorded(scan: &ScanRecord) -> bool {
    use ScanStatus::{Complete, Failed, Partial, Unsupported};
    matches!(scan.status, Complete | Partial | Unsupported | Failed)
}

/// See [`crate::store::Store::record_dead`]. With the report of its end, a job is dead too: nothing more will be heard of
/// it. A job that has ended otherwise leaves no dead letter: there is nothing to do.
pub(super) fn dead(tx: &mut Tx<'_>, dead: &DeadLetter) -> Result<(), StoreError> {
    let key = Key::of(Table::Dead).id(dead.id);
    if tx.has(&key)? {
        return Ok(());
    }
    if let Some(job) = &dead.job {
        let mut scan = scan(tx, job.id)?.unwrap_or_else(|| unheard_of(job));
        if !is_under_way(&scan) {
            return Ok(());
        }
        leave_flight(tx, job)?;
        outbox::forget(tx, job)?;
        scan.status = ScanStatus::Dead;
        scan.reason = Some(dead.reason.clone());
        scan.timeline.push(step("dead", dead.died_at, Some(dead.reason.clone())));
        put_scan(tx, &scan)?;
    }
    tx.mark(dead_by_time(dead));
    tx.put(key, dead)
}

/// The record of a job that another store accepted.
pub(super) fn unheard_of(job: &ScanJob) -> ScanRecord {
    ScanRecord {
        job: job.clone(),
        status: ScanStatus::Queued,
        reason: None,
        digest: None,
        images: Vec::new(),
        timeline: vec![step("accepted", job.accepted_at, None)],
    }
}

/// See [`crate::store::Store::replay`]. If the same is under way by now, the job joins that.
pub(super) fn replay(tx: &mut Tx<'_>, id: Uuid, at: Timestamp) -> Result<Option<Uuid>, StoreError> {
    let letter: Option<DeadLetter> = tx.get(&Key::of(Table::Dead).id(id))?;
    let Some((letter, job)) = letter.and_then(|letter| letter.job.clone().map(|job| (letter, job))) else {
        return Ok(None);
    };
    let again = match join(tx, &job)? {
        Some(running) => running,
        None => {
            let job = ScanJob { id: id_at(at), accepted_at: at, ..job };
            enqueue(tx, &job, at)?;
            job.id
        }
    };
    drop_letter(tx, &letter, at, format!("replayed as {again}"))?;
    Ok(Some(again))
}

fn id_at(at: Timestamp) -> Uuid {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
}

/// See [`crate::store::Store::discard`].
pub(super) fn discard(tx: &mut Tx<'_>, id: Uuid, at: Timestamp) -> Result<bool, StoreError> {
    let letter: Option<DeadLetter> = tx.get(&Key::of(Table::Dead).id(id))?;
    let Some(letter) = letter else { return Ok(false) };
    drop_letter(tx, &letter, at, "discarded".to_owned())?;
    Ok(true)
}

fn drop_letter(tx: &mut Tx<'_>, letter: &DeadLetter, at: Timestamp, detail: String) -> Result<(), StoreError> {
    remove_letter(tx, letter)?;
    if let Some(mut scan) = scan(tx, letter.id)? {
        scan.status = ScanStatus::Dropped;
        scan.timeline.push(step("dropped", at, Some(detail)));
        put_scan(tx, &scan)?;
    }
    Ok(())
}

/// Takes a letter out of the dead letters.
pub(super) fn remove_letter(tx: &mut Tx<'_>, letter: &DeadLetter) -> Result<(), StoreError> {
    tx.remove(dead_by_time(letter))?;
    tx.remove(Key::of(Table::Dead).id(letter.id))
}

fn dead_by_time(dead: &DeadLetter) -> Key {
    Key::of(Table::DeadByTime).newest_first(Some(dead.died_at)).id(dead.id)
}

/// The record of a scan.
pub(super) fn scan(tx: &Tx<'_>, id: Uuid) -> Result<Option<ScanRecord>, StoreError> {
    tx.get(&Key::of(Table::Scans).id(id))
}

/// Writes the record of a scan.
pub(super) fn put_scan(tx: &mut Tx<'_>, scan: &ScanRecord) -> Result<(), StoreError> {
    tx.put(Key::of(Table::Scans).id(scan.job.id), scan)
}
