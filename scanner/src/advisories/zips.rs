//! Reading the zips that sources publish, and writing one from loose records. Nothing is ever extracted to disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;
use zip::write::SimpleFileOptions;

/// What a zip may be. Several times the largest that is published.
pub(super) struct Limits {
    /// Bytes of the zip.
    pub(super) zip: u64,
    /// Files in it.
    pub(super) files: u64,
    /// Bytes of its directory, which is held in memory.
    pub(super) directory: u64,
    /// Bytes of one record, unpacked.
    pub(super) record: u64,
    /// Bytes of all records, unpacked.
    pub(super) unpacked: u64,
}

/// The limits in force.
pub(super) const LIMITS: Limits =
    Limits { zip: 4 << 30, files: 3_000_000, directory: 512 << 20, record: 16 << 20, unpacked: 64 << 30 };

/// A file of a zip.
pub(super) enum Content<'a> {
    /// Its bytes.
    Json(&'a [u8]),
    /// More than [`Limits::record`].
    TooLarge,
    /// Encrypted, of an unknown compression, damaged.
    Unreadable,
}

/// An open zip of records.
pub(super) struct RecordZip {
    archive: ZipArchive<BufReader<File>>,
}

impl RecordZip {
    /// Opens the zip and checks what can be checked without unpacking.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        check_directory(&mut file)?;
        let archive = ZipArchive::new(file).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { archive })
    }

    /// How many files it has.
    pub(super) fn len(&self) -> usize {
        self.archive.len()
    }

    /// Calls `visit` with the name and content of each `.json` file, in the order of the directory.
    pub(super) fn for_each(&mut self, mut visit: impl FnMut(&str, Content<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = Vec::new();
        let mut unpacked = 0;
        for index in 0..self.archive.len() {
            buffer.clear();
            let (name, is_whole) = match self.archive.by_index(index) {
                Ok(mut file) => {
                    let name = String::from_utf8_lossy(file.name_raw()).into_owned();
                    if !name.ends_with(".json") {
                        continue;
                    }
                    (name, file.by_ref().take(LIMITS.record + 1).read_to_end(&mut buffer).is_ok())
                }
                Err(_) => (format!("entry {index}"), false),
            };
            unpacked += buffer.len() as u64;
            if unpacked > LIMITS.unpacked {
                return Err(invalid(format!("it unpacks to more than {} bytes", LIMITS.unpacked)));
            }
            let content = match is_whole {
                true if buffer.len() as u64 > LIMITS.record => Content::TooLarge,
                true => Content::Json(&buffer),
                false => Content::Unreadable,
            };
            visit(&name, content)?;
        }
        Ok(())
    }
}

/// What is in the only file of a zip; `None` where there are several or it is longer than `limit`.
pub(super) fn only_file(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut zip = RecordZip::open(path)?;
    if zip.len() != 1 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = zip.archive.by_index(0).map_err(|error| invalid(error.to_string()))?;
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Refuses a zip whose directory would not fit into memory. Follows the "end of central directory" record and its
/// 64-bit form (PKWARE APPNOTE 6.3.10, sections 4.3.14 to 4.3.16).
fn check_directory(file: &mut (impl Read + Seek)) -> io::Result<()> {
    const END_LEN: usize = 22;
    let size = file.seek(SeekFrom::End(0))?;
    if size > LIMITS.zip {
        return Err(invalid(format!("it is larger than {} bytes", LIMITS.zip)));
    }
    let tail_len = size.min((END_LEN + 20 + usize::from(u16::MAX)) as u64);
    file.seek(SeekFrom::Start(size - tail_len))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let end =
        tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").ok_or_else(|| invalid("it has no end record"))?;
    let mut files = number(&tail, end + 10, 2);
    let mut directory = number(&tail, end + 12, 4);
    let locator = end.wrapping_sub(20);
    if tail.get(locator..end).is_some_and(|bytes| bytes.starts_with(b"PK\x06\x07")) {
        file.seek(SeekFrom::Start(number(&tail, locator + 8, 8).min(size)))?;
        let mut end64 = Vec::new();
        file.take(56).read_to_end(&mut end64)?;
        files = files.max(number(&end64, 32, 8));
        directory = if directory == u64::from(u32::MAX) { number(&end64, 40, 8) } else { directory };
    }
    file.rewind()?;
    if files > LIMITS.files || directory > LIMITS.directory {
        return Err(invalid(format!(
            "it has more than {} files or a directory of over {} bytes",
            LIMITS.files, LIMITS.directory
        )));
    }
    Ok(())
}

/// The little-endian number of `len` bytes at `at`; 0 where there are none.
fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let bytes = bytes.get(at..at + len).unwrap_or_default();
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// SHA-256 of a file, in hex.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Writes `files` as a zip, named as they are on disk, with no times: the same records give the same zip.
pub(super) fn write(path: &Path, files: &[std::path::PathBuf]) -> io::Result<()> {
    let failed = |error: zip::result::ZipError| invalid(error.to_string());
    let mut zip = zip::ZipWriter::new(io::BufWriter::new(File::create(path)?));
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        zip.start_file(name, SimpleFileOptions::default()).map_err(failed)?;
        let mut json = Vec::new();
        File::open(file)?.take(LIMITS.record + 1).read_to_end(&mut json)?;
        zip.write_all(&json)?;
    }
    let file = zip.finish().map_err(failed)?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}
