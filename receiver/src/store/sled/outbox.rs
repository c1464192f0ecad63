//! Jobs on their way to the queue, and jobs that are with it: until a job ends, it is in one of the two tables.

use jiff::Timestamp;
use shared::job::{JobKind, ScanJob};
use shared::queue::Topic;
use uuid::Uuid;

use super::accept::step;
use super::jobs::{self, is_under_way, put_scan, scan};
use super::keys::{Key, Parts, Table};
use super::tx::Tx;
use crate::store::{DeadLetter, ScanRecord, ScanStatus, StoreError};

/// How many lost jobs are sent again at once.
pub(super) const MOST_AT_ONCE: usize = 256;

/// How often a job may be lost. Then it is dead: whatever loses it would lose it again.
const MOST_LOSSES: usize = 3;

/// Puts a job among those that the queue has not confirmed.
pub(super) fn add(tx: &mut Tx<'_>, job: &ScanJob) {
    tx.mark(key(Table::Outbox, job));
}

/// The job has ended: it is neither to be sent nor waited for.
pub(super) fn forget(tx: &mut Tx<'_>, job: &ScanJob) -> Result<(), StoreError> {
    tx.remove(key(Table::Outbox, job))?;
    tx.remove(key(Table::Sent, job))
}

/// Most urgent kind first, then by age.
fn key(table: Table, job: &ScanJob) -> Key {
    of_kind(table, job.kind).id(job.id)
}

fn of_kind(table: Table, kind: JobKind) -> Key {
    let rank = match kind {
        JobKind::Push => 0,
        JobKind::Import => 1,
        JobKind::Rescan => 2,
    };
    Key::of(table).byte(rank)
}

/// The scans of a table, in its order.
fn scans<'t>(
    tx: &'t Tx<'_>,
    table: Table,
    prefix: &Key,
) -> impl Iterator<Item = Result<ScanRecord, StoreError>> + use<'t> {
    let look_up = move |row: Result<super::tx::Row, StoreError>| {
        let (key, _) = row?;
        let id = key.get(2..).and_then(|id| Parts(id).id());
        scan(tx, id.ok_or_else(|| table.corrupt("its key holds no id"))?)
    };
    tx.rows(prefix).filter_map(move |row| look_up(row).transpose())
}

/// See [`crate::store::Store::outgoing`].
pub(super) fn outgoing(tx: &Tx<'_>, limit: usize) -> Result<Vec<ScanJob>, StoreError> {
    scans(tx, Table::Outbox, &Key::of(Table::Outbox)).take(limit).map(|scan| Ok(scan?.job)).collect()
}

/// See [`crate::store::Store::mark_sent`].
pub(super) fn mark_sent(tx: &mut Tx<'_>, jobs: &[Uuid], at: Timestamp) -> Result<(), StoreError> {
    for id in jobs {
        let Some(mut scan) = scan(tx, *id)? else { continue };
        tx.remove(key(Table::Outbox, &scan.job))?;
        if is_under_way(&scan) {
            tx.mark(key(Table::Sent, &scan.job));
        }
        if scan.status == ScanStatus::Accepted {
            scan.status = ScanStatus::Queued;
        }
        tell_queued(&mut scan, at);
        put_scan(tx, &scan)?;
    }
    Ok(())
}

/// A scanner may have begun, and even ended, before we were told that its job was confirmed.
fn tell_queued(scan: &mut ScanRecord, at: Timestamp) {
    if scan.timeline.iter().any(|step| step.step == "queued") {
        return;
    }
    let place = scan.timeline.len().min(1);
    let at = scan.timeline.get(place).map_or(at, |next| next.at.min(at));
    scan.timeline.insert(place, step("queued", at, None));
}

fn is_silent(scan: &ScanRecord, since: Timestamp) -> bool {
    is_under_way(scan) && scan.timeline.iter().all(|step| step.at < since)
}

/// Jobs of a kind that are with the queue and of which nothing was heard `since`, the oldest first.
pub(super) fn silent(tx: &Tx<'_>, kind: JobKind, since: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    scans(tx, Table::Sent, &of_kind(Table::Sent, kind))
        .filter(|scan| scan.as_ref().map_or(true, |scan| is_silent(scan, since)))
        .take(MOST_AT_ONCE)
        .map(|scan| Ok(scan?.job.id))
        .collect()
}

/// Sends those of `jobs` again that are still silent.
pub(super) fn resend(tx: &mut Tx<'_>, jobs: &[Uuid], since: Timestamp, at: Timestamp) -> Result<(), StoreError> {
    for id in jobs {
        let Some(mut scan) = scan(tx, *id)?.filter(|scan| is_silent(scan, since)) else { continue };
        let losses = 1 + scan.timeline.iter().filter(|step| step.step == "resent").count();
        if losses >= MOST_LOSSES {
            jobs::dead(tx, &lost_too_often(scan.job, losses, at))?;
            continue;
        }
        forget(tx, &scan.job)?;
        add(tx, &scan.job);
        scan.status = ScanStatus::Accepted;
        scan.timeline.push(step("resent", at, Some("nothing was heard of it: its message was lost".to_owned())));
        put_scan(tx, &scan)?;
    }
    Ok(())
}

fn lost_too_often(job: ScanJob, losses: usize, at: Timestamp) -> DeadLetter {
    let reason = format!("it was sent {losses} times and nothing was heard of it");
    DeadLetter { id: job.id, topic: Topic::Jobs(job.kind), job: Some(job), body: None, reason, died_at: at }
}
