//! Listings in the order of time: events, scans, dead letters.

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::jobs;
use super::keys::{Key, Listed, Parts, Table, cursor, position};
use super::tx::{Order, Tx};
use crate::store::{DeadLetter, EventRecord, Listing, Page, ScanRecord, ScanStatus, StoreError};

/// How many rows one page looks at. A rare selection gives short pages with a cursor rather than long waits.
pub(super) const MOST_LOOKED_AT: usize = 50_000;

/// See [`crate::store::Store::events`].
pub(super) fn events(tx: &Tx<'_>, page: &Page) -> Result<Listing<EventRecord>, StoreError> {
    let mut listing = newest_first(tx, Table::Events, Listed::Events, page, |_: &EventRecord| true)?;
    for event in &mut listing.items {
        follow_scan(tx, event)?;
    }
    Ok(listing)
}

/// See [`crate::store::Store::event`].
pub(super) fn event(tx: &Tx<'_>, id: Uuid) -> Result<Option<EventRecord>, StoreError> {
    let mut event: Option<EventRecord> = tx.get(&Key::of(Table::Events).id(id))?;
    if let Some(event) = &mut event {
        follow_scan(tx, event)?;
    }
    Ok(event)
}

/// Adds the steps of the event's scan: all if the event started it, else those since the event came in.
fn follow_scan(tx: &Tx<'_>, event: &mut EventRecord) -> Result<(), StoreError> {
    let Some(scan) = event.scan_id.map_or(Ok(None), |id| jobs::scan(tx, id))? else { return Ok(()) };
    let joined = !event.timeline.is_empty();
    let mut steps = scan.timeline;
    steps.retain(|step| !joined || (step.at >= event.received_at && step.step != "accepted"));
    event.timeline.extend(steps);
    Ok(())
}

/// See [`crate::store::Store::scans`].
pub(super) fn scans(tx: &Tx<'_>, status: Option<ScanStatus>, page: &Page) -> Result<Listing<ScanRecord>, StoreError> {
    let wanted = |scan: &ScanRecord| status.is_none_or(|status| scan.status == status);
    newest_first(tx, Table::Scans, Listed::Scans, page, wanted)
}

/// Rows of a table whose keys are ids in the order of time.
fn newest_first<T: DeserializeOwned>(
    tx: &Tx<'_>,
    table: Table,
    listed: Listed,
    page: &Page,
    wanted: impl Fn(&T) -> bool,
) -> Result<Listing<T>, StoreError> {
    let prefix = Key::of(table);
    let after = position(listed, page.cursor.as_deref())?.map(|id| prefix.clone().raw(&id));
    let mut items = Vec::new();
    let mut last = None;
    for (count, row) in tx.page(&prefix, Order::Descending, after.as_ref().map(Key::bytes))?.enumerate() {
        if items.len() == page.limit || count == MOST_LOOKED_AT {
            return Ok(Listing { items, next: last.map(|key: sled::IVec| cursor(listed, &key[1..])) });
        }
        let (key, value) = row?;
        items.extend(tx.decode(&key, value)?.filter(&wanted));
        last = Some(key);
    }
    Ok(Listing { items, next: None })
}

/// See [`crate::store::Store::dead`].
pub(super) fn dead(tx: &Tx<'_>, page: &Page) -> Result<Listing<DeadLetter>, StoreError> {
    let prefix = Key::of(Table::DeadByTime);
    let after = position(Listed::Dead, page.cursor.as_deref())?.map(|place| prefix.clone().raw(&place));
    let mut items = Vec::new();
    let mut last = None;
    for row in tx.page(&prefix, Order::Ascending, after.as_ref().map(Key::bytes))? {
        if items.len() == page.limit {
            return Ok(Listing { items, next: last.map(|key: sled::IVec| cursor(Listed::Dead, &key[1..])) });
        }
        let (key, _) = row?;
        let mut parts = Parts(&key[1..]);
        let id = parts.time().and_then(|()| parts.id());
        let id = id.ok_or_else(|| Table::DeadByTime.corrupt("its key holds no id"))?;
        items.extend(tx.get::<DeadLetter>(&Key::of(Table::Dead).id(id))?);
        last = Some(key);
    }
    Ok(Listing { items, next: None })
}

/// How many dead letters there are.
pub(super) fn count_dead(tx: &Tx<'_>) -> Result<u64, StoreError> {
    tx.rows(&Key::of(Table::DeadByTime)).try_fold(0, |count, row| row.map(|_| count + 1))
}
