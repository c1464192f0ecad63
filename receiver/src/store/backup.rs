//! Exports of a store and what is made of them: JSON lines, independent of how the disk is used.
//!
//! ```text
//! {"application":"plimsoll","schema_version":1,"exported_at":"2026-01-31T12:00:00Z"}
//! {"table":"tags","key":"32…","value":{…}}        one line for each row; rows that say all in their key have no value
//! {"records":1234,"sha256":"…"}                   of all lines before, with their line ends
//! ```
//!
//! Both directions stream. An import is all or nothing: it writes a new store beside the place it is meant for, and
//! moves it there once the last line has been checked and everything is on disk.

use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::sled::dump::{Row, is_exported};
use super::sled::keys::{SCHEMA_VERSION, Table};
use super::sled::{APPLICATION, SledStore};

/// Longest line in bytes: a row is at most the packages of one image.
const LONGEST_LINE: u64 = 512 << 20;
/// So much is written to the new store at once, in bytes.
const AT_ONCE: usize = 4 << 20;
/// For how long a store that was closed may keep its lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// What can go wrong with exports and imports.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file or folder cannot be read or written.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system says.
        source: io::Error,
    },
    /// The place is taken.
    #[error("{path} is not empty; move it aside, or name another folder")]
    NotEmpty {
        /// The place.
        path: PathBuf,
    },
    /// The export was written by another version.
    #[error(
        "the export has schema version {found}, this Plimsoll reads version {SCHEMA_VERSION}; \
         import it with the Plimsoll that wrote it"
    )]
    Version {
        /// Version in the export.
        found: u32,
    },
    /// The export is damaged. Nothing was imported.
    #[error("line {line} of the export: {why}; nothing was imported")]
    Damaged {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// The last line: what was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// How many rows.
    pub records: u64,
    /// SHA-256 of all lines before, in hex.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    application: String,
    schema_version: u32,
    exported_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'a> {
    table: &'a str,
    #[serde(with = "hex::serde")]
    key: Vec<u8>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
}

/// Writes everything in `store` to `writer`. Whoever wants to change the store waits meanwhile.
pub fn export(store: &SledStore, writer: &mut impl Write, at: Timestamp) -> Result<Summary, BackupError> {
    let mut lines = Lines { writer, hash: Sha256::new() };
    lines.put(&Header { application: APPLICATION.to_owned(), schema_version: SCHEMA_VERSION, exported_at: at })?;
    let mut records = 0;
    store.dump(|table, row| {
        records += 1;
        let json = row.json.as_deref().map(serde_json::from_slice::<&RawValue>).transpose();
        let value = json.map_err(|why| table.corrupt(why))?;
        lines.put(&Record { table: table.name(), key: row.key, value })
    })?;
    let summary = Summary { records, sha256: hex::encode(lines.hash.clone().finalize()) };
    lines.put(&summary)?;
    lines.writer.flush().map_err(doing("writing the export"))?;
    Ok(summary)
}

struct Lines<'w, W> {
    writer: &'w mut W,
    hash: Sha256,
}

impl<W: Write> Lines<'_, W> {
    fn put(&mut self, line: &impl Serialize) -> Result<(), BackupError> {
        let failed = doing("writing the export");
        let mut bytes = serde_json::to_vec(line).map_err(io::Error::from).map_err(&failed)?;
        bytes.push(b'\n');
        self.hash.update(&bytes);
        self.writer.write_all(&bytes).map_err(&failed)
    }
}

/// Makes a new store of an export, in the folder `path`, which must be empty or not exist.
/// Scans that were under way are sent to the queue again.
pub async fn import(reader: impl BufRead + Send, path: &Path) -> Result<Summary, BackupError> {
    if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(BackupError::NotEmpty { path: path.to_owned() });
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(doing(format!("creating {}", parent.display())))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = parent.join(format!("{name}.import-{}", std::process::id()));
    let result = fill(reader, &unfinished).await.and_then(|summary| {
        move_closed(&unfinished, path).map_err(doing(format!("moving the new store to {}", path.display())))?;
        Ok(summary)
    });
    if result.is_err() {
        // Best effort: the error before this one is what matters.
        let _ = fs::remove_dir_all(&unfinished);
    }
    result
}

async fn fill(reader: impl BufRead + Send, path: &Path) -> Result<Summary, BackupError> {
    let mut input = Input { reader, hash: Sha256::new(), line: 0, buffer: Vec::new() };
    input.header()?;
    let store = SledStore::open(path)?;
    let (mut rows, mut size, mut records) = (Vec::new(), 0, 0);
    let summary = loop {
        let hash = hex::encode(input.hash.clone().finalize());
        match input.next()? {
            Line::Row(row) => {
                size += row.key.len() + row.json.as_ref().map_or(0, Vec::len);
                rows.push(row);
                records += 1;
            }
            Line::End(end) if (end.records, &end.sha256) == (records, &hash) => break end,
            Line::End(_) => return Err(input.damaged("it does not fit the lines before")),
        }
        if size >= AT_ONCE {
            store.restore(std::mem::take(&mut rows))?;
            size = 0;
        }
    };
    store.restore(rows)?;
    store.commit().await?;
    Ok(summary)
}

enum Line {
    Row(Row),
    End(Summary),
}

struct Input<R> {
    reader: R,
    hash: Sha256,
    line: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Input<R> {
    fn damaged(&self, why: impl ToString) -> BackupError {
        BackupError::Damaged { line: self.line, why: why.to_string() }
    }

    fn read(&mut self) -> Result<(), BackupError> {
        self.line += 1;
        self.buffer.clear();
        let mut limited = (&mut self.reader).take(LONGEST_LINE);
        limited.read_until(b'\n', &mut self.buffer).map_err(doing("reading the export"))?;
        if self.buffer.last() != Some(&b'\n') {
            return Err(self.damaged("the export ends here; it is not complete"));
        }
        self.hash.update(&self.buffer);
        Ok(())
    }

    fn header(&mut self) -> Result<(), BackupError> {
        self.read()?;
        let header: Header = serde_json::from_slice(&self.buffer).map_err(|why| self.damaged(why))?;
        if header.application != APPLICATION {
            return Err(self.damaged("it is not an export of Plimsoll"));
        }
        if header.schema_version != SCHEMA_VERSION {
            return Err(BackupError::Version { found: header.schema_version });
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Line, BackupError> {
        self.read()?;
        if let Ok(summary) = serde_json::from_slice(&self.buffer) {
            return Ok(Line::End(summary));
        }
        let record: Record<'_> = serde_json::from_slice(&self.buffer).map_err(|why| self.damaged(why))?;
        let table = Table::named(record.table).filter(|table| is_exported(*table));
        if table.is_none() || Table::of(&record.key) != table {
            return Err(self.damaged(format!("its key does not belong to a table called {:?}", record.table)));
        }
        let json = record.value.map(|value| value.get().as_bytes().to_vec());
        Ok(Line::Row(Row { key: record.key, json }))
    }
}

/// Moves a store whose last handle was just dropped. Its files may be written until its lock is free.
fn move_closed(from: &Path, to: &Path) -> io::Result<()> {
    let lock = File::open(from.join("db"))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    while lock.try_lock().is_err() {
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the new store does not close"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::rename(from, to)?;
    File::open(to)?.sync_all()?;
    to.canonicalize()?.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn doing(what: impl Into<String>) -> impl Fn(io::Error) -> BackupError {
    let what = what.into();
    move |source| BackupError::Io { doing: what.clone(), source }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::contract::builders::{accept_push, at, digest, finding, first_page, found};
    use crate::store::{FindingQuery, ScanStatus, Store};
    use shared::finding::Severity;

    /// An export of a store with a recorded scan and one that is in the queue.
    async fn exported(folder: &TempDir) -> Vec<u8> {
        let store = SledStore::open(&folder.path().join("old")).unwrap();
        let job = accept_push(&store, "1", 1, 0).await;
        let mut report = found(&job, vec![finding("CVE-1", "a", Severity::High)]);
        report.images[0].vulnerabilities[0].description = "x".repeat(100_000);
        store.record(&report, at(70)).await.unwrap();
        let waiting = accept_push(&store, "2", 2, 0).await;
        store.mark_sent(&[waiting.id], at(1)).await.unwrap();
        let mut bytes = Vec::new();
        let summary = export(&store, &mut bytes, at(100)).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count() as u64, summary.records + 2);
        bytes
    }

    #[tokio::test]
    async fn an_import_holds_what_was_exported() {
        let folder = TempDir::new().unwrap();
        let bytes = exported(&folder).await;
        let place = folder.path().join("deep/new");
        import(bytes.as_slice(), &place).await.unwrap();

        let store = SledStore::open(&place).unwrap();
        let row = store.findings(&FindingQuery::default(), &first_page()).await.unwrap().items.remove(0);
        assert_eq!((row.finding.id.as_str(), row.digest), ("CVE-1", digest(1)));
        let detail = store.finding(&row.finding_id).await.unwrap().unwrap();
        assert_eq!(detail.vulnerability.description.len(), 100_000);
        let queued = store.outgoing(10).await.unwrap();
        assert_eq!((queued.len(), &queued[0].digest), (1, &Some(digest(2))), "it is sent again");
        assert_eq!(store.scan(queued[0].id).await.unwrap().unwrap().status, ScanStatus::Queued);

        let mut again = Vec::new();
        let summary = export(&store, &mut again, at(100)).unwrap();
        let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (old, new) = (lines(&bytes), lines(&again));
        let added: Vec<_> = new.iter().filter(|line| !old.contains(line)).collect();
        assert_eq!(added.len(), 2, "the job in the outbox and the last line");
        assert_eq!(summary.records as usize + 3, new.len());
    }

    #[tokio::test]
    async fn a_damaged_export_leaves_nothing_behind() {
        let folder = TempDir::new().unwrap();
        let good = exported(&folder).await;
        let text = String::from_utf8(good.clone()).unwrap();
        let place = folder.path().join("new");
        let cuts = [0, 1, good.len() / 2, good.len() - 1].map(|length| text[..length].to_owned());
        let lies = [
            text.replacen("plimsoll", "plankton", 1),
            text.replacen("\"table\":\"tags\"", "\"table\":\"documents\"", 1),
            text.replacen("\"package\":\"a\"", "\"package\":\"b\"", 1),
            text.replacen("\"key\":\"10", "\"key\":\"11", 1),
            text.replacen("\"key\":\"10", "\"key\":\"x0", 1),
            text.lines().filter(|line| !line.contains("\"aliases\"")).map(|line| format!("{line}\n")).collect(),
        ];
        for bad in cuts.iter().chain(&lies) {
            assert_ne!(*bad, text);
            let error = import(bad.as_bytes(), &place).await.unwrap_err();
            assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
            let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["old"], "{error}");
        }
        let newer = text.replacen("\"schema_version\":1", "\"schema_version\":2", 1);
        let error = import(newer.as_bytes(), &place).await.unwrap_err();
        assert!(matches!(error, BackupError::Version { found: 2 }), "{error}");
    }

    #[tokio::test]
    async fn a_store_is_never_written_over() {
        let folder = TempDir::new().unwrap();
        let bytes = exported(&folder).await;
        let error = import(bytes.as_slice(), &folder.path().join("old")).await.unwrap_err();
        assert!(matches!(error, BackupError::NotEmpty { .. }), "{error}");
        fs::create_dir(folder.path().join("empty")).unwrap();
        import(bytes.as_slice(), &folder.path().join("empty")).await.unwrap();
    }
}
