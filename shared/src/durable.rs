//! The one way in which Plimsoll uses sled: what was committed survives a crash and a power cut.
//!
//! sled's own `flush` writes its log, but does not empty the disk's cache and never syncs values that it keeps in files
//! of their own. So the database is created with segments of 8 MiB (no value of at most [`MAX_VALUE`] bytes ever gets a
//! file of its own) and nothing counts as kept before [`Durable::commit`] has flushed *and* synced. Commits
//! that are waited for at the same time share one sync.
//!
//! Changes go through a [`Batch`], which is atomic within one tree.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use tokio::sync::oneshot;

mod batch;
mod committer;

use committer::{Committer, Waiter};

pub use batch::{Batch, MAX_VALUE, get_large};

/// A page cache for a database of modest size, in bytes.
pub const CACHE_BYTES: u64 = 64 << 20;

/// Free bytes on the file system below which nothing new is taken in: opening a database needs space too.
const MIN_FREE: u64 = 64 << 20;

/// A format parameter of the database: another value does not open it.
const SEGMENT_BYTES: usize = 8 << 20;

/// The lock of a database that was just closed can outlive its handle by some milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// What can go wrong with the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DurableError {
    /// Another process owns the database.
    #[error("{path} is already open in another process; a database belongs to one process at a time")]
    AlreadyOpen {
        /// Folder of the database.
        path: PathBuf,
    },
    /// The database cannot be read.
    #[error(
        "{path} is damaged ({reason}); move the folder aside and restore the newest export with `plimsoll store import`"
    )]
    Damaged {
        /// Folder of the database.
        path: PathBuf,
        /// What sled says.
        reason: String,
    },
    /// The folder cannot be created or read.
    #[error("cannot open {path}: {reason}")]
    Folder {
        /// Folder of the database.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Too little space is left; nothing new is taken in until there is more.
    #[error("only {free} bytes are free at {path}, at least {MIN_FREE} are needed; make room there")]
    NoSpace {
        /// Folder of the database.
        path: PathBuf,
        /// Free bytes.
        free: u64,
    },
    /// A value larger than [`MAX_VALUE`].
    #[error("a value of {size} bytes is too large for the database (limit {MAX_VALUE})")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// A large document has lost a part.
    #[error("a document of the database cannot be read: {0}")]
    Document(String),
    /// The disk or the database failed. Every later commit fails too, until the process is started again; where the
    /// database hangs instead of failing, the process ends.
    #[error("the database failed and the process must be started again: {0}")]
    Failed(String),
}

impl From<sled::Error> for DurableError {
    fn from(error: sled::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// An open database. Clones share it; it is closed with the last of them and of its trees.
#[derive(Clone)]
pub struct Durable {
    inner: Arc<Inner>,
}

struct Inner {
    db: sled::Db,
    path: PathBuf,
    waiting: mpsc::Sender<Waiter>,
    failed: Arc<OnceLock<String>>,
}

impl Durable {
    /// Opens the database in the folder `path`, or creates it, with a page cache of `cache_bytes` (see [`CACHE_BYTES`]).
    /// Blocks for up to two seconds while another process has it open.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, DurableError> {
        let folder = |error: io::Error| DurableError::Folder { path: path.to_owned(), reason: error.to_string() };
        let new = !path.join("db").exists();
        fs::create_dir_all(path).map_err(folder)?;
        let db = open_patiently(path, cache_bytes)?;
        if new {
            sync_names(path).map_err(folder)?;
        }
        let log = File::open(path.join("db")).map_err(folder)?;

        let failed = Arc::new(OnceLock::new());
        let waiting = Committer::start(db.clone(), log, Arc::clone(&failed)).map_err(folder)?;
        Ok(Self { inner: Arc::new(Inner { db, path: path.to_owned(), waiting, failed }) })
    }

    /// The tree called `name`, created if there is none. Read it directly; change it through a [`Batch`].
    pub fn tree(&self, name: &str) -> Result<sled::Tree, DurableError> {
        Ok(self.inner.db.open_tree(name)?)
    }

    /// Makes the changes of `batch` all at once. They are kept for good after the next [`Self::commit`].
    /// Refused while there is too little space.
    pub fn apply(&self, tree: &sled::Tree, batch: Batch) -> Result<(), DurableError> {
        self.ready()?;
        self.apply_always(tree, batch)
    }

    /// Like [`Self::apply`], also while there is too little space: for changes that end in less being kept.
    pub fn apply_always(&self, tree: &sled::Tree, batch: Batch) -> Result<(), DurableError> {
        self.sound()?;
        tree.apply_batch(batch.finish()?).map_err(|error| self.inner.fail(&error.to_string()))
    }

    /// Returns once everything that was applied before the call is safe from a crash and a power cut.
    pub async fn commit(&self) -> Result<(), DurableError> {
        self.sound()?;
        let (waiter, done) = oneshot::channel();
        let gone = "the commit thread ended";
        self.inner.waiting.send(waiter).map_err(|_| self.inner.fail(gone))?;
        done.await.unwrap_or_else(|_| Err(self.inner.fail(gone)))
    }

    /// `Ok` while new things can be kept, else why not.
    pub fn ready(&self) -> Result<(), DurableError> {
        self.sound()?;
        let path = &self.inner.path;
        let space = rustix::fs::statvfs(path.as_path())
            .map_err(|error| DurableError::Folder { path: path.clone(), reason: error.to_string() })?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < MIN_FREE { Err(DurableError::NoSpace { path: path.clone(), free }) } else { Ok(()) }
    }

    /// An error of the disk is final: what sled holds in memory may differ from what is on disk.
    fn sound(&self) -> Result<(), DurableError> {
        self.inner.failed.get().map_or(Ok(()), |reason| Err(DurableError::Failed(reason.clone())))
    }
}

impl Inner {
    fn fail(&self, reason: &str) -> DurableError {
        DurableError::Failed(self.failed.get_or_init(|| reason.to_owned()).clone())
    }
}

fn open_patiently(path: &Path, cache_bytes: u64) -> Result<sled::Db, DurableError> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match open_guarded(path, cache_bytes) {
            Err(DurableError::AlreadyOpen { .. }) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

/// sled can panic on a damaged database: it is opened in a thread of its own, where a panic is a result.
fn open_guarded(path: &Path, cache_bytes: u64) -> Result<sled::Db, DurableError> {
    let config = sled::Config::new()
        .path(path)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(cache_bytes)
        .flush_every_ms(Some(500));
    let opened = thread::spawn(move || config.open()).join();
    let damaged = |reason: String| DurableError::Damaged { path: path.to_owned(), reason };
    match opened {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
            Err(DurableError::AlreadyOpen { path: path.to_owned() })
        }
        Ok(Err(sled::Error::Io(error))) if error.kind() != io::ErrorKind::Other => {
            Err(DurableError::Folder { path: path.to_owned(), reason: error.to_string() })
        }
        Ok(Err(error)) => Err(damaged(error.to_string())),
        Err(panic) => Err(damaged(panic_text(&*panic))),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("sled gave up while opening it").to_owned()
}

/// Makes the names of a new database's files, and of its folder, durable.
fn sync_names(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    match path.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::try_join_all;
    use tempfile::TempDir;

    use super::*;

    fn open(folder: &TempDir) -> Durable {
        Durable::open(&folder.path().join("data"), CACHE_BYTES).unwrap()
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_reopening() {
        let folder = TempDir::new().unwrap();
        let durable = open(&folder);
        let mut batch = Batch::default();
        batch.insert("key", "value");
        durable.apply(&durable.tree("things").unwrap(), batch).unwrap();
        durable.commit().await.unwrap();
        drop(durable);

        let tree = open(&folder).tree("things").unwrap();
        assert_eq!(tree.get("key").unwrap().unwrap(), "value");
    }

    #[tokio::test]
    async fn many_commits_at_once_are_all_answered() {
        let folder = TempDir::new().unwrap();
        let durable = open(&folder);
        let tree = durable.tree("things").unwrap();
        let writers = (0..200_u32).map(|number| {
            let (durable, tree) = (durable.clone(), tree.clone());
            async move {
                let mut batch = Batch::default();
                batch.insert(&number.to_be_bytes()[..], "value");
                durable.apply(&tree, batch)?;
                durable.commit().await
            }
        });
        try_join_all(writers).await.unwrap();
        assert_eq!(tree.len(), 200);
        durable.ready().unwrap();
    }

    #[test]
    fn a_second_owner_is_refused() {
        let folder = TempDir::new().unwrap();
        let _first = open(&folder);
        let second = Durable::open(&folder.path().join("data"), CACHE_BYTES);
        assert!(matches!(second, Err(DurableError::AlreadyOpen { .. })));
    }

    #[tokio::test]
    async fn a_damaged_database_is_an_error_that_names_the_way_back() {
        let folder = TempDir::new().unwrap();
        let durable = open(&folder);
        let tree = durable.tree("things").unwrap();
        for number in 0..200_u32 {
            let mut batch = Batch::default();
            batch.insert(&number.to_be_bytes()[..], vec![7; 10_000]);
            durable.apply(&tree, batch).unwrap();
        }
        durable.commit().await.unwrap();
        drop((tree, durable));

        let settings = folder.path().join("data/conf");
        fs::write(&settings, "not what sled wrote").unwrap();
        let error = Durable::open(&folder.path().join("data"), CACHE_BYTES).err().unwrap();
        assert!(matches!(error, DurableError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("plimsoll store import"));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("data"), "").unwrap();
        let error = Durable::open(&folder.path().join("data"), CACHE_BYTES).err().unwrap();
        assert!(matches!(error, DurableError::Folder { .. }), "{error}");
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_accepted() {
        let folder = TempDir::new().unwrap();
        let durable = open(&folder);
        durable.inner.fail("the disk is gone");
        let tree = durable.tree("things").unwrap();
        assert!(matches!(durable.apply(&tree, Batch::default()), Err(DurableError::Failed(_))));
        assert!(matches!(durable.commit().await, Err(DurableError::Failed(_))));
        assert!(matches!(durable.ready(), Err(DurableError::Failed(_))));
    }
}
