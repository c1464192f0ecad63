//! What is known of layers, on disk, so that a push costs its new layers only.
//!
//! One file for each layer and set of catalogers, `<algorithm>-<hex>-<set>.zst`: a zstd frame with a checksum of its own
//! (a damaged file is a miss), holding the lengths of the three parts, [`LayerContents`] as JSON, and both lists of
//! fingerprints, little-endian. Files are written under another name and renamed, so that several scanner processes can
//! share the folder. Nothing is lost with it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use shared::image::Digest;
use tokio::sync::OwnedMutexGuard;
use xxhash_rust::xxh3::xxh3_64;

use crate::catalogers::Cataloger;
use crate::image::layer::LayerContents;

/// Raised when files of another form, or another reading of layers, must not be used any more.
const FORMAT: u32 = 1;

/// The folder is swept after this part of its size was written: 1/16.
const SWEEP_SHARE: u64 = 16;

/// Results of layers, in one folder.
pub struct LayerCache {
    folder: PathBuf,
    max_bytes: u64,
    /// Stands for the catalogers and their versions.
    set: u64,
    written: AtomicU64,
    sequence: AtomicU64,
    busy: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

impl LayerCache {
    /// The cache in `folder`, which is made if it is missing, for results of `catalogers`.
    pub fn open(folder: PathBuf, max_bytes: u64, catalogers: &[&dyn Cataloger]) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let names: Vec<String> = catalogers.iter().map(|c| format!("{}@{}", c.name(), c.version())).collect();
        let set = xxh3_64(format!("{FORMAT} {}", names.join(" ")).as_bytes());
        let cache = Self {
            folder,
            max_bytes,
            set,
            written: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            busy: Mutex::default(),
        };
        cache.sweep()?;
        Ok(cache)
    }

    /// Waits until nobody else in this process works on `layer`, and keeps it until the guard is dropped.
    pub async fn claim(&self, layer: &Digest) -> OwnedMutexGuard<()> {
        let lock = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            busy.retain(|_, lock| lock.strong_count() > 0);
            busy.get(layer).and_then(Weak::upgrade).unwrap_or_else(|| {
                let lock = Arc::new(tokio::sync::Mutex::new(()));
                busy.insert(layer.clone(), Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }

    /// What is known of `layer`. A file that cannot be read is as good as none.
    pub fn get(&self, layer: &Digest) -> Option<LayerContents> {
        let file = File::open(self.path(layer)).ok()?;
        let _ = file.set_modified(SystemTime::now());
        match read(file) {
            Ok(contents) => Some(contents),
            Err(error) => {
                tracing::warn!(%layer, %error, "cached layer is damaged; it will be read again");
                None
            }
        }
    }

    /// Keeps what is known of `layer`.
    pub fn put(&self, layer: &Digest, contents: &LayerContents) -> io::Result<()> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!("new-{}-{sequence}", std::process::id()));
        let size = File::create(&temporary).and_then(|file| write(file, contents)).inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })?;
        fs::rename(&temporary, self.path(layer))?;
        if self.written.fetch_add(size, Ordering::Relaxed) + size > self.max_bytes / SWEEP_SHARE {
            self.written.store(0, Ordering::Relaxed);
            self.sweep()?;
        }
        Ok(())
    }

    fn path(&self, layer: &Digest) -> PathBuf {
        self.folder.join(format!("{}-{}-{:016x}.zst", layer.algorithm(), layer.hex(), self.set))
    }

    /// Deletes the files that were not used for longest, until the rest is within bounds.
    fn sweep(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(&self.folder)?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort_unstable_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let mut total = 0;
        for (_, size, path) in files {
            total += size;
            if total > self.max_bytes {
                remove_if_there(&path)?;
            }
        }
        Ok(())
    }
}

/// Another process may have been faster.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(file: File, contents: &LayerContents) -> io::Result<u64> {
    let mut encoder = zstd::stream::write::Encoder::new(BufWriter::new(file), 1)?;
    encoder.include_checksum(true)?;
    let known = serde_json::to_vec(contents)?;
    for length in [known.len(), contents.occupied.len(), contents.directories.len()] {
        encoder.write_all(&(length as u64).to_le_bytes())?;
    }
    encoder.write_all(&known)?;
    drop(known);
    for fingerprints in [&contents.occupied, &contents.directories] {
        for some in fingerprints.chunks(8192) {
            encoder.write_all(&some.iter().flat_map(|one| one.to_le_bytes()).collect::<Vec<u8>>())?;
        }
    }
    let file = encoder.finish()?.into_inner()?;
    Ok(file.metadata()?.len())
}

fn read(file: File) -> io::Result<LayerContents> {
    let mut decoder = BufReader::with_capacity(64 * 1024, zstd::stream::read::Decoder::new(file)?);
    let mut length = || {
        let mut bytes = [0; 8];
        decoder.read_exact(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    };
    let (known_length, occupied, directories) = (length()?, length()?, length()?);
    let mut known = Vec::new();
    decoder.by_ref().take(known_length).read_to_end(&mut known)?;
    let mut contents: LayerContents = serde_json::from_slice(&known)?;
    drop(known);
    contents.occupied = read_fingerprints(&mut decoder, occupied)?;
    contents.directories = read_fingerprints(&mut decoder, directories)?;
    // Only at the end of the frame is its checksum compared.
    match decoder.read(&mut [0])? {
        0 => Ok(contents),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "there is more in it than it says")),
    }
}

fn read_fingerprints(reader: &mut impl Read, count: u64) -> io::Result<Vec<u64>> {
    let mut fingerprints = Vec::with_capacity(count.min(1 << 20) as usize);
    let mut bytes = [0; 8];
    for _ in 0..count {
        reader.read_exact(&mut bytes)?;
        fingerprints.push(u64::from_le_bytes(bytes));
    }
    Ok(fingerprints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::Found;
    use crate::image::layer::LayerFile;

    fn cache(folder: &Path, max_bytes: u64) -> LayerCache {
        LayerCache::open(folder.to_owned(), max_bytes, &[]).unwrap()
    }

    fn digest(text: &str) -> Digest {
        Digest::sha256_of(text.as_bytes())
    }

    fn contents() -> LayerContents {
        let found = Found { problems: vec!["line 3".into()], ..Found::default() };
        LayerContents {
            files: vec![LayerFile { path: "a/b".into(), cataloger: "test".into(), found }],
            links: vec![("lib".into(), "usr/lib".into())],
            removed: vec!["x".into()],
            opaque: vec!["y".into()],
            problems: vec![("z".into(), "odd".into())],
            occupied: (0..20_000).collect(),
            directories: vec![7, 8],
        }
    }

    #[test]
    fn what_is_put_comes_back_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), 1 << 20);
        assert_eq!(cache.get(&digest("a")), None);
        cache.put(&digest("a"), &contents()).unwrap();
        assert_eq!(cache.get(&digest("a")), Some(contents()));
        assert_eq!(cache.get(&digest("b")), None);
    }

    #[test]
    fn a_damaged_file_is_a_miss_wherever_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), 1 << 20);
        let layer = digest("a");
        cache.put(&layer, &contents()).unwrap();
        let path = cache.path(&layer);
        let good = fs::read(&path).unwrap();
        for position in (0..good.len()).step_by(97) {
            let mut bad = good.clone();
            bad[position] ^= 0x55;
            fs::write(&path, bad).unwrap();
            // The first bytes say how the frame is laid out; some of their bits say nothing.
            assert!(cache.get(&layer).is_none_or(|got| got == contents()), "byte {position}");
        }
        fs::write(&path, &good[..good.len() / 2]).unwrap();
        assert_eq!(cache.get(&layer), None);
    }

    #[test]
    fn the_folder_stays_within_bounds_and_loses_what_was_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let one = {
            let cache = cache(folder.path(), u64::MAX);
            cache.put(&digest("old"), &contents()).unwrap();
            cache.put(&digest("used"), &contents()).unwrap();
            let past = SystemTime::now() - std::time::Duration::from_secs(3600);
            for name in ["old", "used"] {
                File::open(cache.path(&digest(name))).unwrap().set_modified(past).unwrap();
            }
            assert!(cache.get(&digest("used")).is_some());
            fs::metadata(cache.path(&digest("old"))).unwrap().len()
        };
        let cache = cache(folder.path(), one * 2 + one / 2);
        cache.put(&digest("new"), &contents()).unwrap();
        let known: Vec<bool> = ["old", "used", "new"].iter().map(|name| cache.get(&digest(name)).is_some()).collect();
        assert_eq!(known, [false, true, true]);
    }

    #[tokio::test]
    async fn one_layer_is_worked_on_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), 1 << 20);
        let (layer, other) = (digest("a"), digest("b"));
        let first = cache.claim(&layer).await;
        let _other = cache.claim(&other).await;
        let mut second = std::pin::pin!(cache.claim(&layer));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        second.await;
    }
}
