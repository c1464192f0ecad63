//! The folder of the advisory database: `<data>/advisories`.
//!
//! ```text
//! sources/NAME.zip     the raw records of a source, as imported or downloaded
//! sources/KIND.table   a table of CVEs (kev, epss, cvss), as imported or downloaded
//! sources/NAME.http    of a download: what the server called its version
//! advisories.db        the database
//! lock                 held while either is changed
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::about::{SourceReport, TableReport};
use super::database::{Database, DatabaseError};
use super::tables::TableKind;

/// The advisory database and what it is built from.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

/// An import or update that could not be done. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoriesError {
    /// Another process changes it now.
    #[error("another import or update is running in {0}; wait for it to end")]
    Busy(PathBuf),
    /// There is nothing of the kind at a path.
    #[error(
        "{0} holds no advisories: it must be a zip of OSV records, a record (.json), a table of CVEs (KEV, EPSS, CVSS), or a folder of these"
    )]
    NothingThere(PathBuf),
    /// No source has been imported or downloaded.
    #[error(
        "there is nothing to build from in {0}; run `plimsoll advisories update` or `plimsoll advisories import PATH`"
    )]
    NoSources(PathBuf),
    /// Nothing could be fetched, and nothing was there before.
    #[error("nothing could be fetched: {0}")]
    NothingFetched(String),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The new database is not what was written.
    #[error("the new database is not sound and was not installed: {0}")]
    Unsound(#[from] DatabaseError),
    /// The settings cannot be used.
    #[error("advisories: {0}")]
    Config(String),
}

impl AdvisoriesError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// How far an import or update is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A source is being downloaded.
    Downloading {
        /// Its name.
        source: String,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, if the server says.
        total: Option<u64>,
    },
    /// The records of a source are being read.
    Reading {
        /// Its name.
        source: String,
        /// Records so far.
        records: u64,
        /// Records in all.
        total: u64,
    },
    /// The new database is being written.
    Writing,
}

/// The state of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Changes with the contents.
    pub version: String,
    /// When it was built, or last found to be up to date.
    pub built_at: Timestamp,
    /// Seconds since then.
    pub age_seconds: u64,
    /// Whether it is older than it may be.
    pub stale: bool,
    /// Size of the file in bytes.
    pub size: u64,
    /// What it was built from.
    pub sources: Vec<SourceReport>,
    /// Tables of CVEs that it was built from.
    pub tables: Vec<TableReport>,
    /// Entries by ecosystem and release.
    pub ecosystems: std::collections::BTreeMap<String, u64>,
}

impl Folder {
    /// The folder at `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the database is: for [`DatabaseHandle`](super::DatabaseHandle).
    pub fn database_path(&self) -> PathBuf {
        self.root.join("advisories.db")
    }

    /// Opens the database and says what it is; stale after `stale_after`.
    pub fn status(&self, stale_after: std::time::Duration, now: Timestamp) -> Result<Status, DatabaseError> {
        let database = Database::open(&self.database_path())?.stale_after(stale_after);
        let stamp = database.stamp();
        Ok(Status {
            stale: database.staleness(now).is_some(),
            age_seconds: now.duration_since(stamp.built_at).as_secs().max(0).unsigned_abs(),
            version: stamp.version,
            built_at: stamp.built_at,
            size: database.size(),
            sources: database.about().sources.clone(),
            tables: database.about().tables.clone(),
            ecosystems: database.about().ecosystems.clone(),
        })
    }

    /// Where a new database is written before it is installed.
    pub(super) fn new_database_path(&self) -> PathBuf {
        self.root.join("advisories.db.new")
    }

    pub(super) fn sources_path(&self) -> PathBuf {
        self.root.join("sources")
    }

    /// The zips in the folder, by name.
    pub(super) fn sources(&self) -> Result<Vec<(String, PathBuf)>, AdvisoriesError> {
        let mut sources: Vec<_> = contents(&self.sources_path())?
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "zip"))
            .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
            .collect();
        sources.sort();
        Ok(sources)
    }

    /// Where a table is, if there is one.
    pub(super) fn table_path(&self, kind: TableKind) -> PathBuf {
        self.sources_path().join(format!("{}.table", kind.as_str()))
    }

    /// Makes the folder and keeps others from changing it until the lock is dropped.
    pub(super) fn lock(&self) -> Result<Lock, AdvisoriesError> {
        let sources = self.sources_path();
        fs::create_dir_all(&sources).map_err(AdvisoriesError::io(&sources))?;
        let path = self.root.join("lock");
        let file = File::create(&path).map_err(AdvisoriesError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(AdvisoriesError::Busy(self.root.clone())),
            Err(TryLockError::Error(source)) => Err(AdvisoriesError::Io { path, source }),
        }
    }
}

/// Held while the folder changes; the system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "open as long as the lock is held")] File);

/// The file at `path`, or if it is a folder the files in it, by name.
pub(super) fn contents(path: &Path) -> Result<Vec<PathBuf>, AdvisoriesError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(AdvisoriesError::io(path))? {
        let path = entry.map_err(AdvisoriesError::io(path))?.path();
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Renames `from` over `to` and makes the new name durable.
pub(super) fn install(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    File::open(to.parent().unwrap_or(Path::new(".")))?.sync_all()
}
