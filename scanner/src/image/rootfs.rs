//! A folder on this machine, read as if it were an image of one layer.
//!
//! Symbolic links are recorded and never followed, so nothing outside the folder is read.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::BufReader;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use shared::image::Digest;
use shared::shutdown::Shutdown;

use super::collect::Collector;
use super::decompress::LayerError;
use super::layer::LayerContents;
use super::limits::{Limits, check};
use crate::catalogers::Cataloger;

/// Folders of a running system that hold no files of their own.
const VIRTUAL: [&str; 3] = ["dev", "proc", "sys"];

/// Reads what `catalogers` want of `folder`. Folders and files that may not be read are problems of the result.
pub fn read(
    folder: &Path,
    catalogers: &[&dyn Cataloger],
    limits: &Limits,
    stop: &Shutdown,
) -> Result<LayerContents, LayerError> {
    let name = format!("folder {}", folder.display());
    let damaged = |why: String| LayerError::Damaged { layer: name.clone(), why };
    let top = fs::read_dir(folder).map_err(|error| damaged(error.to_string()))?;
    let mut walk = Walk { root: folder, collector: Collector::new(&name, catalogers, limits), pending: Vec::new() };
    let mut entries = 0;
    let mut current = Some(top);
    while let Some(directory) = current {
        for entry in directory {
            if stop.is_cancelled() {
                return Err(LayerError::Stopped);
            }
            entries += 1;
            check("entries", entries, limits.entries, &name)?;
            walk.entry(&entry.map_err(|error| damaged(error.to_string()))?)?;
        }
        current = walk.next_directory();
    }
    // Hard links are files here like any other, so nothing is left unread.
    let (mut contents, _) = walk.collector.finish()?;
    contents.files.sort_by(|a, b| a.path.cmp(&b.path));
    contents.links.sort();
    Ok(contents)
}

/// The digest of what was found: nobody gave the folder one.
pub fn digest(contents: &LayerContents) -> Digest {
    Digest::sha256_of(&serde_json::to_vec(contents).unwrap_or_default())
}

struct Walk<'a> {
    root: &'a Path,
    collector: Collector<'a>,
    /// Directories that were seen and not yet read.
    pending: Vec<PathBuf>,
}

impl Walk<'_> {
    fn entry(&mut self, entry: &DirEntry) -> Result<(), LayerError> {
        let full = entry.path();
        let Ok(relative) = full.strip_prefix(self.root) else { return Ok(()) };
        let Some(path) = self.collector.checked_path(relative.as_os_str().as_bytes())? else { return Ok(()) };
        let read = match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                self.collector.directory(&path);
                if !VIRTUAL.contains(&path.as_str()) {
                    self.pending.push(full);
                }
                return Ok(());
            }
            Ok(kind) if kind.is_symlink() => fs::read_link(&full).map(Entry::Symlink),
            Ok(kind) if kind.is_file() => match entry.metadata().map(|metadata| is_executable(&metadata)) {
                Ok(executable) if self.collector.is_wanted(&path, executable) => open(&full).map(Entry::Wanted),
                Ok(_) => Ok(Entry::Other),
                Err(error) => Err(error),
            },
            Ok(_) => Ok(Entry::Other),
            Err(error) => Err(error),
        };
        match read {
            Ok(Entry::Symlink(target)) => self.collector.symlink(path, target.as_os_str().as_bytes()),
            Ok(Entry::Wanted((file, size, executable))) => {
                self.collector.file(&path, size, executable, &mut BufReader::new(file))
            }
            Ok(Entry::Other) => {
                self.collector.other(&path);
                Ok(())
            }
            Err(error) => {
                self.collector.problem(&path, &error.to_string());
                Ok(())
            }
        }
    }

    fn next_directory(&mut self) -> Option<fs::ReadDir> {
        loop {
            let directory = self.pending.pop()?;
            match fs::read_dir(&directory) {
                Ok(entries) => return Some(entries),
                Err(error) => self.collector.problem(&directory.to_string_lossy(), &error.to_string()),
            }
        }
    }
}

enum Entry {
    Symlink(PathBuf),
    Wanted((File, u64, bool)),
    Other,
}

fn is_executable(metadata: &fs::Metadata) -> bool {
    metadata.mode() & 0o111 != 0
}

/// Opens a regular file, with its size and whether anybody may execute it, and nothing else, even if it was replaced by a link or a pipe since it was listed.
fn open(path: &Path) -> std::io::Result<(File, u64, bool)> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    Ok((file, metadata.len(), is_executable(&metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::testing::LINES;

    #[test]
    fn a_folder_is_read_like_a_layer_and_never_left() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("status"), "evil 1\n").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("var/lib")).unwrap();
        fs::create_dir_all(root.join("proc")).unwrap();
        fs::write(root.join("var/lib/status"), "a 1\n").unwrap();
        fs::write(root.join("proc/status"), "not a package\n").unwrap();
        fs::write(root.join("other"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("status"), root.join("status")).unwrap();

        let contents = read(root, LINES, &Limits::default(), &Shutdown::new()).unwrap();
        let paths: Vec<&str> = contents.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["var/lib/status"]);
        assert_eq!(contents.links.len(), 2);
        assert_eq!(digest(&contents), digest(&read(root, LINES, &Limits::default(), &Shutdown::new()).unwrap()));

        let few = Limits { entries: 3, ..Limits::default() };
        assert!(
            matches!(read(root, LINES, &few, &Shutdown::new()), Err(LayerError::Limit(limit)) if limit.limit == "entries")
        );
        assert!(read(&root.join("missing"), LINES, &Limits::default(), &Shutdown::new()).is_err());
    }
}
