//! A database file that is read at any place, and never more than its size allows.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use tempfile::SpooledTempFile;

use crate::catalogers::{CatalogError, spool};

/// Bytes of one header. That of a package with 100,000 files has some 20 MB.
pub(super) const HEADER_LIMIT: usize = 64 << 20;

/// How often each byte of a file may be read on average: pages once as such and once as parts of a record, and to spare.
const READS: u64 = 3;

/// Takes the header of a package, or why it cannot be read. An error ends the reading.
pub(super) type Visit<'v> = dyn FnMut(Result<Vec<u8>, CatalogError>) -> Result<(), CatalogError> + 'v;

/// The file. Whatever its pages say of each other, in circles or not, reading ends: every byte read is paid for.
pub(super) struct Database {
    file: BufReader<SpooledTempFile>,
    position: u64,
    size: u64,
    budget: u64,
}

impl Database {
    pub(super) fn of(file: &mut dyn BufRead) -> io::Result<Self> {
        let mut file = spool(file)?;
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, position: size, size, budget: READS * size + 4096 })
    }

    /// The `length` bytes at `offset`.
    pub(super) fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, CatalogError> {
        let mut bytes = Vec::new();
        self.append(offset, length, &mut bytes)?;
        Ok(bytes)
    }

    /// The same, behind what is in `bytes` already.
    pub(super) fn append(&mut self, offset: u64, length: usize, bytes: &mut Vec<u8>) -> Result<(), CatalogError> {
        if offset.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(damaged(format!("it ends before byte {offset} + {length}")));
        }
        self.pay(length)?;
        self.file.seek_relative(offset.wrapping_sub(self.position).cast_signed())?;
        let start = bytes.len();
        bytes.resize(start + length, 0);
        self.file.read_exact(&mut bytes[start..])?;
        self.position = offset + length as u64;
        Ok(())
    }

    /// Pays for work on `bytes` bytes.
    pub(super) fn pay(&mut self, bytes: usize) -> Result<(), CatalogError> {
        let rest = self.budget.checked_sub(bytes as u64);
        self.budget = rest.ok_or_else(|| damaged("its pages lead in circles or overlap"))?;
        Ok(())
    }
}

/// The error of a database, or of a record in it, that is not as its format asks.
pub(super) fn damaged(why: impl Into<String>) -> CatalogError {
    CatalogError::Damaged(why.into())
}

/// `N` bytes at `at`, for `from_be_bytes` and its kin.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
