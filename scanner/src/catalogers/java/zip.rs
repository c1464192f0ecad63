//! Reading zip archives of any size and any intent (PKWARE APPNOTE 6.3.10), in little memory.
//!
//! The directory is read as a stream and only what the caller asks for is kept of it: libraries that hold every entry
//! need gigabytes for a hostile one. Where an archive can be read in two ways, it is read as Java reads it: the
//! directory ends where the end record begins, whatever stands before the first entry.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::DeflateDecoder;

/// What can be read in any order.
pub(super) trait ReadSeek: BufRead + Seek {}
impl<T: BufRead + Seek> ReadSeek for T {}

const END_LEN: usize = 22;
const END64_LEN: u64 = 56;
const LOCATOR_LEN: u64 = 20;
const RECORD_LEN: usize = 46;
const LOCAL_LEN: usize = 30;

/// Bytes kept of the name of an entry; longer ones are passed over.
const NAME_LIMIT: usize = 1024;

/// An archive that cannot be read, or an entry of one.
#[derive(Debug, thiserror::Error)]
pub(super) enum ZipError {
    /// A temporary file or the archive itself cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is not what it should be.
    #[error("{0}")]
    Damaged(&'static str),
    /// It is in a form that Java does not write.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Where the directory of an archive lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directory {
    /// First byte of the directory.
    start: u64,
    /// First byte behind it.
    end: u64,
    /// What is to be added to the places that the directory names.
    base: u64,
}

/// One entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Path, as written.
    pub(super) name: String,
    /// Bytes in the archive.
    pub(super) compressed: u64,
    place: u64,
    method: u16,
    is_encrypted: bool,
}

impl Directory {
    /// Finds the directory by the end record.
    pub(super) fn find(file: &mut dyn ReadSeek) -> Result<Self, ZipError> {
        let size = file.seek(SeekFrom::End(0))?;
        let tail_len = size.min((END_LEN + usize::from(u16::MAX)) as u64);
        let tail_start = file.seek(SeekFrom::Start(size - tail_len))?;
        let mut tail = Vec::new();
        file.take(tail_len).read_to_end(&mut tail)?;
        let end = (0..=tail.len().saturating_sub(END_LEN))
            .rev()
            .find(|at| {
                let record = &tail[*at..];
                record.starts_with(b"PK\x05\x06") && usize::from(u16_at(record, 20)) + END_LEN <= record.len()
            })
            .ok_or(ZipError::Damaged("it is no zip archive, or its end is missing"))?;
        let record = &tail[end..];
        let (mut len, mut place) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
        let mut directory_end = tail_start + end as u64;
        let is_wide = len == u64::from(u32::MAX) || place == u64::from(u32::MAX) || u16_at(record, 10) == u16::MAX;
        if is_wide && let Some((at, record)) = end64(file, directory_end)? {
            (len, place, directory_end) = (u64_at(&record, 40), u64_at(&record, 48), at);
        }
        let start = directory_end.checked_sub(len);
        let base = start.and_then(|start| start.checked_sub(place));
        match start.zip(base) {
            Some((start, base)) => Ok(Self { start, end: directory_end, base }),
            None => Err(ZipError::Damaged("its directory lies outside of it")),
        }
    }

    /// Calls `visit` for each entry until that returns false.
    pub(super) fn for_each(
        self,
        file: &mut dyn ReadSeek,
        mut visit: impl FnMut(Entry) -> bool,
    ) -> Result<(), ZipError> {
        file.seek(SeekFrom::Start(self.start))?;
        let mut directory = file.take(self.end - self.start);
        let mut record = [0; RECORD_LEN];
        let (mut name, mut extra) = (Vec::new(), Vec::new());
        while directory.limit() > 0 {
            directory.read_exact(&mut record).map_err(cut_off)?;
            if !record.starts_with(b"PK\x01\x02") {
                return Err(ZipError::Damaged("its directory is damaged"));
            }
            read_part(&mut directory, u16_at(&record, 28), &mut name)?;
            read_part(&mut directory, u16_at(&record, 30), &mut extra)?;
            skip(&mut directory, u16_at(&record, 32).into())?;
            if name.len() <= NAME_LIMIT && !visit(self.entry(&record, &name, &extra)) {
                break;
            }
        }
        Ok(())
    }

    fn entry(&self, record: &[u8], name: &[u8], extra: &[u8]) -> Entry {
        let mut wide = wide_numbers(extra);
        let mut number = |at| match u32_at(record, at) {
            u32::MAX => wide.next().unwrap_or(u64::MAX),
            narrow => narrow.into(),
        };
        // In the extra field they stand in this order.
        let (_, compressed, place) = (number(24), number(20), number(42));
        Entry {
            name: String::from_utf8_lossy(name).into_owned(),
            compressed,
            place: self.base.saturating_add(place),
            method: u16_at(record, 10),
            is_encrypted: u16_at(record, 8) & 1 != 0,
        }
    }
}

impl Entry {
    /// Its contents, unpacked. They are as long as they are, whatever the directory claims.
    pub(super) fn open<'f>(&self, file: &'f mut dyn ReadSeek) -> Result<Box<dyn BufRead + 'f>, ZipError> {
        if self.is_encrypted {
            return Err(ZipError::Unsupported("it is encrypted"));
        }
        file.seek(SeekFrom::Start(self.place))?;
        let mut local = [0; LOCAL_LEN];
        file.read_exact(&mut local).map_err(cut_off)?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(ZipError::Damaged("it is not where the directory says"));
        }
        file.seek_relative(i64::from(u16_at(&local, 26)) + i64::from(u16_at(&local, 28)))?;
        let stored = file.take(self.compressed);
        match self.method {
            0 => Ok(Box::new(stored)),
            8 => Ok(Box::new(BufReader::new(DeflateDecoder::new(stored)))),
            _ => Err(ZipError::Unsupported("its compression is not one that Java knows")),
        }
    }
}

/// The 64-bit end record and its place: where the locator says or, behind a prefix, right before the locator.
fn end64(file: &mut dyn ReadSeek, end: u64) -> Result<Option<(u64, [u8; END64_LEN as usize])>, ZipError> {
    let mut locator = [0; LOCATOR_LEN as usize];
    let Some(place) = end.checked_sub(LOCATOR_LEN) else { return Ok(None) };
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut locator).map_err(cut_off)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    for at in [Some(u64_at(&locator, 8)), place.checked_sub(END64_LEN)].into_iter().flatten() {
        let mut record = [0; END64_LEN as usize];
        if at.checked_add(END64_LEN).is_none_or(|behind| behind > place) {
            continue;
        }
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut record).map_err(cut_off)?;
        if record.starts_with(b"PK\x06\x06") {
            return Ok(Some((at, record)));
        }
    }
    Ok(None)
}

/// The numbers of the extra field 1, which stand for those that do not fit into 32 bits.
fn wide_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut wide: &[u8] = &[];
    while let Some((header, rest)) = extra.split_at_checked(4) {
        let Some((content, rest)) = rest.split_at_checked(u16_at(header, 2).into()) else { break };
        if u16_at(header, 0) == 1 {
            wide = content;
            break;
        }
        extra = rest;
    }
    wide.chunks_exact(8).map(|number| u64_at(number, 0))
}

fn read_part(from: &mut impl Read, len: u16, into: &mut Vec<u8>) -> Result<(), ZipError> {
    into.resize(len.into(), 0);
    from.read_exact(into).map_err(cut_off)
}

fn skip(from: &mut impl Read, len: u64) -> Result<(), ZipError> {
    match io::copy(&mut from.take(len), &mut io::sink())? {
        skipped if skipped == len => Ok(()),
        _ => Err(ZipError::Damaged("it ends too early")),
    }
}

fn cut_off(error: io::Error) -> ZipError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ZipError::Damaged("it ends too early"),
        _ => ZipError::Read(error),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes[at..].first_chunk().copied().map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().copied().map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().copied().map_or(0, u64::from_le_bytes)
}
