//! rpm's SQLite database: the column `blob` of the table `Packages`, read from the file's b-trees ("SQLite Database File
//! Format"). Indexes, free pages and every other table are left alone. Numbers are big-endian.

use super::database::{Database, HEADER_LIMIT, Visit, array, damaged};
use crate::catalogers::CatalogError;

/// Pages from the root of a tree to a leaf: SQLite's own limit.
const DEPTH_LIMIT: usize = 20;

const FILE_HEADER: usize = 100;
const INTERIOR_TABLE: u8 = 0x05;
const LEAF_TABLE: u8 = 0x0d;

/// Visits the header of every package.
pub(super) fn read(database: &mut Database, visit: &mut Visit<'_>) -> Result<(), CatalogError> {
    let mut tables = Tables::of(database)?;
    let mut root = None;
    tables.walk(1, DEPTH_LIMIT, &mut |row| {
        root = root.or(row.ok().as_deref().and_then(root_of_packages));
        Ok(())
    })?;
    let root = root.ok_or_else(|| damaged("it has no table Packages"))?;
    tables.walk(root, DEPTH_LIMIT, &mut |row| {
        visit(row.and_then(|row| match column(&row, 1) {
            Some(Value::Bytes(blob)) => Ok(blob.to_vec()),
            _ => Err(damaged("a row of the table Packages has no header")),
        }))
    })
}

/// The root page, if this row of the schema (type, name, table, root page, text) describes the table.
fn root_of_packages(row: &[u8]) -> Option<u32> {
    let is = |index, text: &str| matches!(column(row, index), Some(Value::Bytes(bytes)) if bytes.eq_ignore_ascii_case(text.as_bytes()));
    match column(row, 3) {
        Some(Value::Number(page)) if is(0, "table") && is(1, "Packages") => u32::try_from(page).ok(),
        _ => None,
    }
}

/// The b-trees of tables.
struct Tables<'d> {
    database: &'d mut Database,
    page_size: usize,
    /// Bytes of a page that are not reserved for extensions of SQLite.
    usable: usize,
}

impl<'d> Tables<'d> {
    fn of(database: &'d mut Database) -> Result<Self, CatalogError> {
        let header = database.read(0, FILE_HEADER)?;
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(damaged("it is not an SQLite database"));
        }
        let page_size = match array(&header, 16).map(u16::from_be_bytes) {
            Some(1) => 65536,
            Some(size) if size.is_power_of_two() && size >= 512 => usize::from(size),
            _ => return Err(damaged("its page size is none of SQLite's")),
        };
        let usable = page_size - usize::from(header[20]);
        if usable < 480 {
            return Err(damaged("its pages are reserved for something else"));
        }
        Ok(Self { database, page_size, usable })
    }

    /// Visits the rows of the tree below `page`.
    fn walk(&mut self, page: u32, depth: usize, visit: &mut Visit<'_>) -> Result<(), CatalogError> {
        let bytes = self.page(page)?;
        let start = if page == 1 { FILE_HEADER } else { 0 };
        let damage = || damaged(format!("page {page} is not one of a table"));
        let kind = bytes[start];
        let count = usize::from(u16::from_be_bytes(array(&bytes, start + 3).ok_or_else(damage)?));
        let header = start + if kind == INTERIOR_TABLE { 12 } else { 8 };
        let pointers = bytes.get(header..header + 2 * count).ok_or_else(damage)?.as_chunks().0;
        let cells = pointers.iter().map(|pointer| usize::from(u16::from_be_bytes(*pointer)));
        match kind {
            LEAF_TABLE => {
                for cell in cells {
                    visit(self.row(bytes.get(cell..self.usable).unwrap_or_default()))?;
                }
                Ok(())
            }
            INTERIOR_TABLE if depth > 1 => {
                for child in cells.chain([start + 8]) {
                    let child = u32::from_be_bytes(array(&bytes, child).ok_or_else(damage)?);
                    self.walk(child, depth - 1, visit)?;
                }
                Ok(())
            }
            _ => Err(damage()),
        }
    }

    /// The row of a cell: its size, its number, as much of it as fits, the page where the rest begins.
    fn row(&mut self, cell: &[u8]) -> Result<Vec<u8>, CatalogError> {
        let damage = || damaged("a row leads out of its page");
        let (size, rest) = varint(cell).ok_or_else(damage)?;
        let (_number, rest) = varint(rest).ok_or_else(damage)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= HEADER_LIMIT);
        let size = size.ok_or_else(|| damaged(format!("a row has more than {HEADER_LIMIT} bytes")))?;
        let local = self.local(size);
        self.database.pay(local)?;
        let mut row = rest.get(..local).ok_or_else(damage)?.to_vec();
        let mut next = array(rest, local).map_or(0, u32::from_be_bytes);
        while row.len() < size {
            let page = self.offset(next)?;
            let link = self.database.read(page, 4)?;
            self.database.append(page + 4, (size - row.len()).min(self.usable - 4), &mut row)?;
            next = array(&link, 0).map_or(0, u32::from_be_bytes);
        }
        Ok(row)
    }

    /// How much of a row is in its leaf.
    fn local(&self, size: usize) -> usize {
        let most = self.usable - 35;
        if size <= most {
            return size;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let even = least + (size - least) % (self.usable - 4);
        if even <= most { even } else { least }
    }

    fn page(&mut self, number: u32) -> Result<Vec<u8>, CatalogError> {
        let offset = self.offset(number)?;
        self.database.read(offset, self.page_size)
    }

    /// Pages are counted from 1.
    fn offset(&self, page: u32) -> Result<u64, CatalogError> {
        let before = page.checked_sub(1).ok_or_else(|| damaged("a row or a tree ends too early"))?;
        Ok(u64::from(before) * self.page_size as u64)
    }
}

enum Value<'r> {
    Number(u64),
    Bytes(&'r [u8]),
}

/// A column of a row: the size of its header, the types of its columns, the columns.
fn column(row: &[u8], index: usize) -> Option<Value<'_>> {
    let (size, types) = varint(row)?;
    let size = usize::try_from(size).ok()?;
    let mut types = types.get(..size.checked_sub(row.len() - types.len())?)?;
    let mut values = row.get(size..)?;
    for _ in 0..index {
        let (kind, rest) = varint(types)?;
        (types, values) = (rest, values.get(width(kind)?..)?);
    }
    let (kind, _) = varint(types)?;
    let bytes = values.get(..width(kind)?)?;
    Some(match kind {
        1..=6 => Value::Number(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))),
        _ => Value::Bytes(bytes),
    })
}

/// Bytes of a column of a type.
fn width(kind: u64) -> Option<usize> {
    match kind {
        0..=4 => usize::try_from(kind).ok(),
        5 => Some(6),
        6 | 7 => Some(8),
        8 | 9 => Some(0),
        10 | 11 => None,
        long => usize::try_from((long - 12) / 2).ok(),
    }
}

/// Seven bits a byte, the highest first; all eight of the ninth.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(8) {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(8)?), &bytes[9..]))
}
