//! All rows one by one, for exports and imports: see [`crate::store::backup`].

use std::sync::PoisonError;

use super::jobs::is_under_way;
use super::keys::{Key, Table};
use super::outbox;
use super::tx::Tx;
use super::{Room, SledStore};
use crate::store::{ScanRecord, StoreError};

/// A row without its table: key with the table's byte, and JSON unless the key says all.
pub(in crate::store) struct Row {
    pub(in crate::store) key: Vec<u8>,
    pub(in crate::store) json: Option<Vec<u8>>,
}

/// Whether rows of this table are part of an export. The others are made again by an import.
pub(in crate::store) fn is_exported(table: Table) -> bool {
    !matches!(table, Table::Meta | Table::Sent | Table::Documents)
}

impl SledStore {
    /// Hands every row to `each`. Writers wait meanwhile, so that the rows belong together.
    pub(in crate::store) fn dump<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(Table, Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let _writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = Tx::new(&self.inner.tree);
        for table in Table::ALL.iter().copied().filter(|table| is_exported(*table)) {
            for row in tx.rows(&Key::of(table)) {
                let (key, value) = row?;
                let json = tx.resolve(&key, value)?.filter(|json| !json.is_empty());
                each(table, Row { key: key.to_vec(), json: json.map(|json| json.to_vec()) })?;
            }
        }
        Ok(())
    }

    /// Writes rows of an export. Jobs under way go to the outbox again: the queue that had them may be gone, and
    /// however often a job is sent, it is recorded once.
    pub(in crate::store) fn restore(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.inner.apply(Room::Needed, |tx| {
            for Row { key, json } in rows {
                if let (Some(Table::Scans), Some(json)) = (Table::of(&key), &json) {
                    let scan: ScanRecord = serde_json::from_slice(json).map_err(|why| Table::Scans.corrupt(why))?;
                    if is_under_way(&scan) {
                        outbox::add(tx, &scan.job);
                    }
                }
                let key = Key::part().raw(&key);
                match json {
                    Some(json) => tx.put_json(key, json)?,
                    None => tx.mark(key),
                }
            }
            Ok(())
        })
    }

    /// Returns once everything that was written before is on disk.
    pub(in crate::store) async fn commit(&self) -> Result<(), StoreError> {
        Ok(self.inner.durable.commit().await?)
    }
}
