//! Reading and writing rows: what is written is seen by later reads of the same transaction and applied at once.
//!
//! A value is JSON. Above [`INLINE`] bytes it is a document (compressed, in chunks) under the same key with the byte of
//! [`Table::Documents`] before it, and the row holds [`ELSEWHERE`].

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::durable::{Batch, DurableError, get_large};
use sled::{IVec, Tree};

use super::keys::{Key, Table};
use crate::store::StoreError;

/// Largest value in bytes that is kept in its row. Pages of the tree are written as a whole, so rows stay small.
const INLINE: usize = 8_000;
/// No JSON.
const ELSEWHERE: &[u8] = b"@";
/// How often a row is read whose document is replaced while it is read.
const READS: u32 = 5;

/// Key and value.
pub(super) type Row = (IVec, IVec);

/// A view of the store with changes that nobody else sees until [`Tx::into_batch`] is applied.
pub(super) struct Tx<'a> {
    tree: &'a Tree,
    rows: BTreeMap<Vec<u8>, Option<IVec>>,
    documents: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        Self { tree, rows: BTreeMap::new(), documents: BTreeMap::new() }
    }

    /// The changes, to be applied in one piece. `None` if there are none.
    pub(super) fn into_batch(self) -> Result<Option<Batch>, StoreError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut batch = Batch::default();
        for (key, value) in self.rows {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        for (key, document) in self.documents {
            match document {
                Some(document) => batch.put_large(self.tree, &key, &document)?,
                None => batch.remove_large(self.tree, &key)?,
            }
        }
        Ok(Some(batch))
    }

    fn row(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.rows.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.tree.get(key)?),
        }
    }

    pub(super) fn has(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.row(key.bytes())?.is_some())
    }

    pub(super) fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        match self.row(key.bytes())? {
            Some(value) => self.decode(key.bytes(), value),
            None => Ok(None),
        }
    }

    /// The value of a row that was just read. `None` if it was removed in between.
    pub(super) fn decode<T: DeserializeOwned>(&self, key: &[u8], value: IVec) -> Result<Option<T>, StoreError> {
        let table = Table::of(key).unwrap_or(Table::Meta);
        let Some(json) = self.resolve(key, value)? else { return Ok(None) };
        serde_json::from_slice(&json).map(Some).map_err(|why| table.corrupt(why))
    }

    /// The JSON of a row that was just read.
    pub(super) fn resolve(&self, key: &[u8], mut value: IVec) -> Result<Option<IVec>, StoreError> {
        let document = document_key(key);
        for _ in 0..READS {
            if value != ELSEWHERE {
                return Ok(Some(value));
            }
            let json = match self.documents.get(&document) {
                Some(changed) => changed.clone(),
                None => get_large(self.tree, &document)?,
            };
            if let Some(json) = json {
                return Ok(Some(json.into()));
            }
            let Some(again) = self.row(key)? else { return Ok(None) };
            value = again;
        }
        Err(Table::of(key).unwrap_or(Table::Documents).corrupt("its document is missing"))
    }

    pub(super) fn put<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> Result<(), StoreError> {
        let table = Table::of(key.bytes()).unwrap_or(Table::Meta);
        let json = serde_json::to_vec(value).map_err(|why| table.corrupt(why))?;
        self.put_json(key, json)
    }

    pub(super) fn put_json(&mut self, key: Key, json: Vec<u8>) -> Result<(), StoreError> {
        self.clear_document(&key)?;
        if json.len() <= INLINE {
            self.rows.insert(key.into(), Some(json.into()));
        } else {
            self.documents.insert(document_key(key.bytes()), Some(json));
            self.rows.insert(key.into(), Some(ELSEWHERE.into()));
        }
        Ok(())
    }

    /// A row that says all in its key.
    pub(super) fn mark(&mut self, key: Key) {
        self.rows.insert(key.into(), Some(IVec::default()));
    }

    pub(super) fn remove(&mut self, key: Key) -> Result<(), StoreError> {
        self.clear_document(&key)?;
        self.rows.insert(key.into(), None);
        Ok(())
    }

    fn clear_document(&mut self, key: &Key) -> Result<(), StoreError> {
        if self.row(key.bytes())?.is_some_and(|value| value == ELSEWHERE) {
            self.documents.insert(document_key(key.bytes()), None);
        }
        Ok(())
    }

    /// All rows whose key begins with `prefix`, changes included, read as they are asked for.
    pub(super) fn rows(&self, prefix: &Key) -> impl Iterator<Item = Result<Row, StoreError>> + use<'_, 'a> {
        let mut stored = self.tree.scan_prefix(prefix.bytes()).peekable();
        let range = (Bound::Included(prefix.bytes().to_vec()), Bound::Excluded(prefix.end()));
        let mut changed = self.rows.range(range).peekable();
        std::iter::from_fn(move || {
            loop {
                let order = match (stored.peek(), changed.peek()) {
                    (Some(Ok((key, _))), Some((new, _))) => key.as_ref().cmp(new.as_slice()),
                    (None, Some(_)) => Ordering::Greater,
                    _ => Ordering::Less,
                };
                if order == Ordering::Less {
                    return stored.next().map(|row| row.map_err(StoreError::from));
                }
                if order == Ordering::Equal {
                    stored.next();
                }
                if let Some((key, Some(value))) = changed.next() {
                    return Some(Ok((key.as_slice().into(), value.clone())));
                }
            }
        })
    }

    /// The values of all rows whose key begins with `prefix`, changes included.
    pub(super) fn list<T: DeserializeOwned>(&self, prefix: &Key) -> Result<Vec<T>, StoreError> {
        let mut values = Vec::new();
        for row in self.rows(prefix) {
            let (key, value) = row?;
            values.extend(self.decode(&key, value)?);
        }
        Ok(values)
    }

    /// Stored rows under `prefix` in either order; after the key `position` if there is one.
    pub(super) fn page(&self, prefix: &Key, order: Order, position: Option<&[u8]>) -> Result<Page, StoreError> {
        if position.is_some_and(|position| !position.starts_with(prefix.bytes())) {
            return Err(StoreError::Cursor);
        }
        let behind = |otherwise| position.map_or(otherwise, |key| Bound::Excluded(key.to_vec()));
        let (first, end) = (Bound::Included(prefix.bytes().to_vec()), Bound::Excluded(prefix.end()));
        Ok(match order {
            Order::Ascending => Page { rows: self.tree.range((behind(first), end)), order },
            Order::Descending => Page { rows: self.tree.range((first, behind(end))), order },
        })
    }
}

/// In which order of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

/// Stored rows, one after the other.
pub(super) struct Page {
    rows: sled::Iter,
    order: Order,
}

impl Iterator for Page {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match self.order {
            Order::Ascending => self.rows.next(),
            Order::Descending => self.rows.next_back(),
        };
        row.map(|row| row.map_err(StoreError::from))
    }
}

fn document_key(key: &[u8]) -> Vec<u8> {
    [&[Table::Documents as u8], key].concat()
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

impl From<DurableError> for StoreError {
    fn from(error: DurableError) -> Self {
        match error {
            DurableError::Document(_) | DurableError::TooLarge { .. } => Table::Documents.corrupt(error),
            _ => Self::Disk(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_may_pass_is_said_to_be_the_disk() {
        let damaged = StoreError::from(DurableError::Document("chunk 1 is gone".to_owned()));
        assert!(matches!(&damaged, StoreError::Corrupt { why, .. } if why.contains("chunk 1 is gone")), "{damaged}");
        let full = StoreError::from(DurableError::NoSpace { path: "store".into(), free: 1 });
        assert!(matches!(full, StoreError::Disk(_)), "{full}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn changes_lie_over_what_is_stored(stored: BTreeSet<u8>, changes: BTreeMap<u8, bool>) {
            let db = sled::Config::new().temporary(true).open().unwrap();
            let key = |byte: u8| Key::of(Table::Tags).byte(byte);
            let mut expected: BTreeMap<u8, u32> = stored.iter().map(|byte| (*byte, 1)).collect();
            for byte in &stored {
                db.insert(key(*byte).bytes(), "1").unwrap();
            }
            db.insert(Key::of(Table::Scans).bytes(), "0").unwrap();
            db.insert(Key::of(Table::Events).bytes(), "0").unwrap();

            let mut tx = Tx::new(&db);
            for (byte, is_put) in changes {
                if is_put {
                    tx.put(key(byte), &2).unwrap();
                    expected.insert(byte, 2);
                } else {
                    tx.remove(key(byte)).unwrap();
                    expected.remove(&byte);
                }
            }
            let seen: Vec<u32> = tx.list(&Key::of(Table::Tags)).unwrap();
            prop_assert_eq!(seen, expected.into_values().collect::<Vec<_>>());
        }
    }
}
