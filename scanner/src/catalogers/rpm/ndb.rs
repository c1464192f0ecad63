//! rpm's "new" database, `Packages.db` (rpm's `lib/backend/ndb/rpmpkg.c`): a header and slots of 16 bytes on pages of 4096,
//! and blobs on blocks of 16 bytes to which the slots point. Numbers are little-endian.

use super::database::{Database, HEADER_LIMIT, Visit, array, damaged};
use crate::catalogers::CatalogError;

const PAGE: usize = 4096;
const BLOCK: usize = 16;
const SLOT: usize = 16;
/// The header takes the place of the first two slots.
const FILE_HEADER: usize = 2 * SLOT;
const BLOB_HEADER: usize = 16;
/// Checksum, length and magic number behind a blob.
const BLOB_TAIL: usize = 12;

/// Visits the header of every package.
pub(super) fn read(database: &mut Database, visit: &mut Visit<'_>) -> Result<(), CatalogError> {
    let header = database.read(0, FILE_HEADER)?;
    if !header.starts_with(b"RpmP") || number(&header, 4) != Some(0) {
        return Err(damaged("it is not an rpm database of the kind ndb, version 0"));
    }
    for page in 0..u64::from(number(&header, 12).unwrap_or(0)) {
        let slots = database.read(page * PAGE as u64, PAGE)?;
        let first = if page == 0 { FILE_HEADER } else { 0 };
        for slot in slots[first..].as_chunks::<SLOT>().0 {
            if let Some(slot) = Slot::of(slot).transpose() {
                visit(slot.and_then(|slot| slot.blob(database)))?;
            }
        }
    }
    Ok(())
}

/// Where the blob of a package is.
struct Slot {
    package: u32,
    /// In blocks.
    offset: u64,
    /// In blocks.
    size: usize,
}

impl Slot {
    /// `None` if the slot is free.
    fn of(bytes: &[u8; SLOT]) -> Result<Option<Self>, CatalogError> {
        let numbers = (number(bytes, 4), number(bytes, 8), number(bytes, 12));
        let (Some(package), Some(offset), Some(size)) = numbers else { return Ok(None) };
        if !bytes.starts_with(b"Slot") {
            return Err(damaged("a slot has no magic number"));
        }
        Ok((offset != 0).then(|| Self { package, offset: offset.into(), size: size as usize }))
    }

    fn blob(&self, database: &mut Database) -> Result<Vec<u8>, CatalogError> {
        let damage = || damaged(format!("the header of package {} is not where its slot says", self.package));
        let start = self.offset * BLOCK as u64;
        let header = database.read(start, BLOB_HEADER)?;
        let length = number(&header, 12).map_or(0, |length| length as usize);
        let is_ours = header.starts_with(b"BlbS") && number(&header, 4) == Some(self.package);
        let blocks = (BLOB_HEADER + length + BLOB_TAIL).div_ceil(BLOCK);
        if !is_ours || length > HEADER_LIMIT || blocks != self.size {
            return Err(damage());
        }
        database.read(start + BLOB_HEADER as u64, length)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}
