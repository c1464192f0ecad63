//! The entries of a tar archive, one after the other, with every size bounded.
//!
//! The `tar` crate reads extended headers (long names, pax records) whole into memory, whatever size they claim, so only its
//! view of a single header block is used. Where writers disagree, the rules are those of Go's `archive/tar`, which container
//! engines unpack with: what we see is then what runs.

use std::io::{self, BufRead, Read};

use tar::{EntryType, Header};

use super::decompress::LayerError;
use super::limits::{Limits, check};

const BLOCK: u64 = 512;

/// Nothing follows the header of these, whatever size it claims.
const HEADER_ONLY: [EntryType; 6] =
    [EntryType::Link, EntryType::Symlink, EntryType::Char, EntryType::Block, EntryType::Directory, EntryType::Fifo];

/// One entry. Reused from entry to entry.
#[derive(Default)]
pub(crate) struct Entry {
    /// Path as written, not normalized.
    pub(crate) path: Vec<u8>,
    /// Target of a symbolic or hard link, as written.
    pub(crate) link: Vec<u8>,
    /// What it is.
    pub(crate) kind: Kind,
    /// Whether anybody may execute it.
    pub(crate) executable: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    File,
    /// A regular file with holes: its content is a map and pieces, which nobody writes for package databases.
    SparseFile,
    Directory,
    Symlink,
    Hardlink,
    /// Devices, pipes, and what nobody knows.
    Other,
}

/// A tar archive that is read from its first byte to its last, once.
pub(crate) struct Archive<'a, R> {
    reader: R,
    layer: &'a str,
    limits: &'a Limits,
    entries: u64,
    /// Bytes of the current entry that were not yet read.
    content: u64,
    /// Bytes that fill its last block.
    padding: u64,
}

/// What the extended headers before an entry say of it.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<'a, R: BufRead> Archive<'a, R> {
    pub(crate) fn new(reader: R, layer: &'a str, limits: &'a Limits) -> Self {
        Self { reader, layer, limits, entries: 0, content: 0, padding: 0 }
    }

    pub(crate) fn into_reader(self) -> R {
        self.reader
    }

    /// Moves to the next entry, past what was not read of the current one. `false` at the end of the archive.
    pub(crate) fn next(&mut self, entry: &mut Entry) -> io::Result<bool> {
        let mut extensions = Extensions::default();
        loop {
            self.skip(self.content + self.padding)?;
            let Some(header) = self.header()? else { return Ok(false) };
            self.entries += 1;
            check("entries", self.entries, self.limits.entries, self.layer).map_err(LayerError::from)?;
            self.set_size(header.entry_size()?)?;
            match header.entry_type() {
                EntryType::XHeader => extensions.read_pax(&self.extension()?)?,
                EntryType::GNULongName => extensions.long_name = Some(until_nul(self.extension()?)),
                EntryType::GNULongLink => extensions.long_link = Some(until_nul(self.extension()?)),
                EntryType::XGlobalHeader => {}
                _ => return self.describe(&header, extensions, entry).map(|()| true),
            }
        }
    }

    /// Size of what is left of the current entry's content.
    pub(crate) fn content_size(&self) -> u64 {
        self.content
    }

    /// What is left of the current entry's content.
    pub(crate) fn content(&mut self) -> Content<'_, R> {
        Content { reader: &mut self.reader, left: &mut self.content }
    }

    fn describe(&mut self, header: &Header, extensions: Extensions, entry: &mut Entry) -> io::Result<()> {
        if let Some(size) = extensions.size {
            self.set_size(size)?;
        }
        entry.path = extensions.long_name.or(extensions.path).unwrap_or_else(|| header.path_bytes().into_owned());
        entry.link = extensions
            .long_link
            .or(extensions.link)
            .unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
        entry.kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous if entry.path.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous if extensions.sparse => Kind::SparseFile,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::GNUSparse => Kind::SparseFile,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink,
            EntryType::Link => Kind::Hardlink,
            _ => Kind::Other,
        };
        entry.executable = header.mode().is_ok_and(|mode| mode & 0o111 != 0);
        if header.entry_type() == EntryType::GNUSparse && header.as_gnu().is_some_and(tar::GnuHeader::is_extended) {
            self.skip_sparse_map()?;
        }
        if HEADER_ONLY.contains(&header.entry_type()) {
            self.set_size(0)?;
        }
        Ok(())
    }

    /// The next block, or `None` where the archive ends: at a block of zeros or with the bytes.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        self.reader.read_exact(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        let sum: u32 = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
        if header.cksum()? != sum {
            return Err(invalid("a tar header has a wrong checksum"));
        }
        Ok(Some(header))
    }

    fn set_size(&mut self, size: u64) -> io::Result<()> {
        // No archive of this size passes the limits; it only must not overflow.
        if size > i64::MAX as u64 {
            return Err(invalid("a tar entry has an impossible size"));
        }
        self.content = size;
        self.padding = size.next_multiple_of(BLOCK) - size;
        Ok(())
    }

    /// The content of an extended header.
    fn extension(&mut self) -> io::Result<Vec<u8>> {
        check("header_bytes", self.content, self.limits.header_bytes, self.layer).map_err(LayerError::from)?;
        let mut bytes = Vec::new();
        let expected = self.content;
        self.content().read_to_end(&mut bytes)?;
        if bytes.len() as u64 != expected {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// Old GNU sparse files continue their map in blocks before the content; byte 504 says whether one more follows.
    fn skip_sparse_map(&mut self) -> io::Result<()> {
        let mut block = [0; BLOCK as usize];
        block[504] = 1;
        while block[504] != 0 {
            self.reader.read_exact(&mut block)?;
        }
        Ok(())
    }

    fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let available = self.reader.fill_buf()?.len();
            if available == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends within a file"));
            }
            let step = available.min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.reader.consume(step);
            bytes -= step as u64;
        }
        (self.content, self.padding) = (0, 0);
        Ok(())
    }
}

impl Extensions {
    /// Records are `LENGTH KEY=VALUE\n`, the length counting all of it (POSIX.1-2017, pax, "pax Extended Header").
    fn read_pax(&mut self, mut records: &[u8]) -> io::Result<()> {
        let broken = || invalid("a pax header is broken");
        while !records.is_empty() {
            let space = records.iter().take(20).position(|byte| *byte == b' ').ok_or_else(broken)?;
            let length = number(&records[..space]).ok_or_else(broken)?;
            let length = usize::try_from(length).ok().filter(|length| *length > space).ok_or_else(broken)?;
            let record = records.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n"));
            let record = record.ok_or_else(broken)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.path = Some(value.to_owned()),
                b"linkpath" => self.link = Some(value.to_owned()),
                b"size" => self.size = Some(number(value).ok_or_else(broken)?),
                b"GNU.sparse.name" => (self.path, self.sparse) = (Some(value.to_owned()), true),
                _ => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
            records = &records[length..];
        }
        Ok(())
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The content of one entry. Bytes that end too early are an error, not an end.
pub(crate) struct Content<'a, R> {
    reader: &'a mut R,
    left: &'a mut u64,
}

impl<R: BufRead> Read for Content<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Content<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if *self.left == 0 {
            return Ok(&[]);
        }
        let available = self.reader.fill_buf()?;
        if available.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends within a file"));
        }
        let end = available.len().min(usize::try_from(*self.left).unwrap_or(usize::MAX));
        Ok(&available[..end])
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
        *self.left -= amount as u64;
    }
}
