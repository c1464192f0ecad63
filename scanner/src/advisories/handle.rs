//! The database that is current: opened again when its file was replaced.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::database::{Database, DatabaseError};

/// Gives out the current database. What was given out before stays usable until it is dropped.
#[derive(Debug)]
pub struct DatabaseHandle {
    path: PathBuf,
    stale_after: Duration,
    open: Mutex<Option<(Identity, Arc<Database>)>>,
}

impl DatabaseHandle {
    /// The database at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), stale_after: Database::STALE_AFTER, open: Mutex::new(None) }
    }

    /// The same, but its databases are stale after `age`.
    #[must_use]
    pub fn stale_after(mut self, age: Duration) -> Self {
        self.stale_after = age;
        self
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The current database. Costs one `stat` unless the file was replaced.
    pub fn current(&self) -> Result<Arc<Database>, DatabaseError> {
        let found = std::fs::metadata(&self.path).ok().map(|metadata| Identity::of(&metadata));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((identity, database)), Some(found)) = (&*open, found)
            && *identity == found
        {
            return Ok(database.clone());
        }
        let database = Arc::new(Database::open(&self.path)?.stale_after(self.stale_after));
        *open = found.map(|identity| (identity, database.clone()));
        Ok(database)
    }
}

/// Tells one file from the next of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}
