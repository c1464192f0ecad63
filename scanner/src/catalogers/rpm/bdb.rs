//! rpm's Berkeley DB, `Packages` (Berkeley DB's `dbinc/db_page.h`): a hash table. Its pages hold keys and values by turns;
//! a value that is too large for that is on a chain of overflow pages. Numbers are in the byte order of the machine that
//! made the database.

use super::database::{Database, HEADER_LIMIT, Visit, array, damaged};
use crate::catalogers::CatalogError;

const HASH_MAGIC: u32 = 0x0006_1561;
const FILE_HEADER: usize = 72;
const PAGE_HEADER: usize = 26;

/// Kinds of pages.
mod page {
    pub(super) const HASH_UNSORTED: u8 = 2;
    pub(super) const OVERFLOW: u8 = 7;
    pub(super) const HASH: u8 = 13;
}

/// Kinds of items on a hash page.
mod item {
    pub(super) const HERE: u8 = 1;
    pub(super) const ON_OVERFLOW_PAGES: u8 = 3;
}

/// Visits the header of every package.
pub(super) fn read(database: &mut Database, visit: &mut Visit<'_>) -> Result<(), CatalogError> {
    let mut table = HashTable::of(database)?;
    for number in 1..=table.last_page {
        let header = table.page(number, PAGE_HEADER)?;
        if matches!(header[25], page::HASH | page::HASH_UNSORTED) {
            table.visit_page(number, visit)?;
        }
    }
    Ok(())
}

struct HashTable<'d> {
    database: &'d mut Database,
    order: Order,
    page_size: usize,
    last_page: u32,
}

impl<'d> HashTable<'d> {
    fn of(database: &'d mut Database) -> Result<Self, CatalogError> {
        let meta = database.read(0, FILE_HEADER)?;
        let is_ours = |order: &Order| order.u32(&meta, 12) == Some(HASH_MAGIC);
        let order = [Order::Little, Order::Big].into_iter().find(is_ours);
        let order = order.ok_or_else(|| damaged("it is not a hash table of Berkeley DB"))?;
        let (encryption, flags) = (meta[24], meta[26]);
        if encryption != 0 || flags != 0 {
            return Err(damaged("its pages are encrypted, or have checksums or partitions, which rpm's never have"));
        }
        let page_size = order.u32(&meta, 20).unwrap_or(0) as usize;
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(damaged("its page size is none of Berkeley DB's"));
        }
        let last_page = order.u32(&meta, 32).unwrap_or(0);
        Ok(Self { database, order, page_size, last_page })
    }

    fn page(&mut self, number: u32, length: usize) -> Result<Vec<u8>, CatalogError> {
        self.database.read(u64::from(number) * self.page_size as u64, length)
    }

    /// Every second item of a page is a value.
    fn visit_page(&mut self, number: u32, visit: &mut Visit<'_>) -> Result<(), CatalogError> {
        let page = self.page(number, self.page_size)?;
        let count = self.order.u16(&page, 20).unwrap_or(0);
        for index in (1..count).step_by(2) {
            let [key, value] = [index - 1, index].map(|index| self.item(&page, index));
            let (Some(key), Some(value)) = (key, value) else {
                visit(Err(damaged(format!("an item leads out of page {number}"))))?;
                continue;
            };
            // The value of the key 0 is the highest key.
            if key != [item::HERE, 0, 0, 0, 0] {
                visit(self.value(value))?;
            }
        }
        Ok(())
    }

    /// Items are laid from the end of the page to its front.
    fn item<'p>(&self, page: &'p [u8], index: u16) -> Option<&'p [u8]> {
        let place = |index: u16| self.order.u16(page, PAGE_HEADER + 2 * usize::from(index)).map(usize::from);
        let end = index.checked_sub(1).map_or(Some(page.len()), place)?;
        page.get(place(index)?..end)
    }

    fn value(&mut self, value: &[u8]) -> Result<Vec<u8>, CatalogError> {
        match value.split_first() {
            Some((&item::HERE, bytes)) => {
                self.database.pay(bytes.len())?;
                Ok(bytes.to_vec())
            }
            Some((&item::ON_OVERFLOW_PAGES, _)) => {
                let [first, length] = [4, 8].map(|at| self.order.u32(value, at));
                let (Some(first), Some(length)) = (first, length) else {
                    return Err(damaged("the place of a header is cut off"));
                };
                self.chain(first, length as usize)
            }
            _ => Err(damaged("the value of a key is of a kind that rpm never writes")),
        }
    }

    /// The bytes on the overflow pages from `number`.
    fn chain(&mut self, mut number: u32, length: usize) -> Result<Vec<u8>, CatalogError> {
        let damage = || damaged("the chain of pages of a header is broken");
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let header = self.page(number, PAGE_HEADER)?;
            let used = self.order.u16(&header, 22).map_or(0, usize::from);
            let is_last = bytes.len() + used >= length;
            let fits = used <= self.page_size - PAGE_HEADER && bytes.len() + used <= length.min(HEADER_LIMIT);
            if number == 0 || header[25] != page::OVERFLOW || !fits {
                return Err(damage());
            }
            let start = u64::from(number) * self.page_size as u64 + PAGE_HEADER as u64;
            self.database.append(start, used, &mut bytes)?;
            number = self.order.u32(&header, 16).unwrap_or(0);
            if is_last != (number == 0) {
                return Err(damage());
            }
        }
        Ok(bytes)
    }
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = array(bytes, at)?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = array(bytes, at)?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }
}
