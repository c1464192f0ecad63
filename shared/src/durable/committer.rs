//! The thread that makes changes durable, and the one that watches over it.

use std::fs::File;
use std::io;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::DurableError;

/// How often the watcher looks.
const LOOK: Duration = Duration::from_secs(1);

/// A commit that takes longer than this will never end, whatever the disk says.
const STUCK: Duration = Duration::from_secs(60);

/// How a process ends that could not do what it was asked for.
const EXIT_CODE: i32 = 3;

/// Somebody who waits for a commit.
pub(super) type Waiter = oneshot::Sender<Result<(), DurableError>>;

/// It ends when the last [`super::Durable`] is dropped.
pub(super) struct Committer {
    db: sled::Db,
    log: File,
    failed: Arc<OnceLock<String>>,
    /// Since when a commit is being made.
    busy: Arc<Mutex<Option<Instant>>>,
}

impl Committer {
    /// Starts both threads. Commits are asked for over the channel; the first failure is left in `failed`.
    pub(super) fn start(db: sled::Db, log: File, failed: Arc<OnceLock<String>>) -> io::Result<mpsc::Sender<Waiter>> {
        let (waiting, waiters) = mpsc::channel();
        let busy = Arc::new(Mutex::new(None));
        let (watched, watched_log) = (Arc::downgrade(&busy), log.try_clone()?);
        let committer = Self { db, log, failed, busy };
        thread::Builder::new().name("commit".to_owned()).spawn(move || committer.run(&waiters))?;
        thread::Builder::new().name("commit-watch".to_owned()).spawn(move || watch(&watched, &watched_log))?;
        Ok(waiting)
    }

    fn run(&self, waiters: &mpsc::Receiver<Waiter>) {
        while let Ok(first) = waiters.recv() {
            let together: Vec<Waiter> = std::iter::once(first).chain(waiters.try_iter()).collect();
            *lock(&self.busy) = Some(Instant::now());
            let result = self.sync();
            *lock(&self.busy) = None;
            for waiter in together {
                // Whoever no longer waits does not need the answer.
                let _ = waiter.send(result.clone());
            }
        }
    }

    fn sync(&self) -> Result<(), DurableError> {
        let synced = self.db.flush().map_err(io::Error::from).and_then(|_| self.log.sync_data());
        match (self.failed.get(), synced) {
            (Some(reason), _) => Err(DurableError::Failed(reason.clone())),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => Err(DurableError::Failed(self.failed.get_or_init(|| error.to_string()).clone())),
        }
    }
}

/// Ends the process where a commit cannot end. After an error of the disk, sled can wait for ever for a write that is
/// never done, and with it whoever touches the database. A process that hangs is in nobody's interest: one that has
/// ended is started again, and finds everything that was acknowledged.
fn watch(busy: &Weak<Mutex<Option<Instant>>>, log: &File) {
    while let Some(busy) = busy.upgrade() {
        let waited = lock(&busy).map_or(Duration::ZERO, |since| since.elapsed());
        drop(busy);
        if waited > LOOK {
            let disk = log.sync_data().map_err(|error| error.to_string());
            if disk.is_err() || waited > STUCK {
                // The log may be on the same disk, and then writing it panics.
                let _ = catch_unwind(|| tracing::error!(?disk, "the database hangs: the process ends"));
                std::process::exit(EXIT_CODE);
            }
        }
        thread::sleep(LOOK);
    }
}

fn lock(busy: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}
