//! One streaming pass over a layer: what every cataloger wanted from it, and how it changes the layers below.
//!
//! Nothing is unpacked. Files that a cataloger wants go straight to it; of everything else only a fingerprint of its path is
//! kept, so that [`squash`](super::squash) knows when a file or a link took the place of a directory below.

use std::collections::HashMap;
use std::io::Read;

use serde::{Deserialize, Serialize};
use shared::shutdown::Shutdown;

use super::LayerDescriptor;
use super::archive::{Archive, Entry, Kind};
use super::collect::Collector;
use super::decompress::{LayerError, Unpacked, layer_error, layer_name};
use super::limits::{Limits, check};
use super::path::normalize;
use super::whiteout::{self, Name};
use crate::catalogers::{Cataloger, Found};

/// What is known of a layer by itself, whatever image it is part of. This is what the cache keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerContents {
    /// Files that a cataloger read, in the order of the layer.
    pub files: Vec<LayerFile>,
    /// Symbolic links (path, target as written) that may lead to such files.
    pub links: Vec<(String, String)>,
    /// Paths of lower layers that this layer removes, with everything below them.
    pub removed: Vec<String>,
    /// Directories whose contents in lower layers this layer removes.
    pub opaque: Vec<String>,
    /// Paths and what could not be read there.
    pub problems: Vec<(String, String)>,
    /// Fingerprints of the paths of everything that is not a directory, sorted.
    #[serde(skip)]
    pub occupied: Vec<u64>,
    /// Fingerprints of the paths of directories, sorted.
    #[serde(skip)]
    pub directories: Vec<u64>,
}

/// One file and what one cataloger found in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFile {
    /// Relative to the root.
    pub path: String,
    /// Name of the cataloger.
    pub cataloger: String,
    /// What it found.
    pub found: Found,
}

/// A wanted path that is a hard link to a file whose content went by unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The wanted path.
    pub path: String,
    /// Where the content is.
    pub target: String,
}

/// Reads one layer. Blocks, so it belongs on a blocking thread.
pub struct LayerReader<'a> {
    /// The layer.
    pub layer: &'a LayerDescriptor,
    /// Who is asked for each file.
    pub catalogers: &'a [&'a dyn Cataloger],
    /// How much is read and kept.
    pub limits: &'a Limits,
    /// Ends the reading when cancelled.
    pub stop: &'a Shutdown,
}

impl LayerReader<'_> {
    /// The first pass. If it leaves files unread, [`read_linked`](Self::read_linked) must follow.
    pub fn read(&self, source: impl Read) -> Result<(LayerContents, Vec<Unread>), LayerError> {
        let name = layer_name(&self.layer.digest);
        let mut collector = Collector::new(&name, self.catalogers, self.limits);
        self.walk(source, &name, |entry, archive| collect(&mut collector, entry, archive))?;
        collector.finish()
    }

    /// The second pass, for the few layers where a wanted path is a hard link to a file that nobody wanted by its own path.
    pub fn read_linked(
        &self,
        source: impl Read,
        contents: &mut LayerContents,
        unread: &[Unread],
    ) -> Result<(), LayerError> {
        let name = layer_name(&self.layer.digest);
        let mut paths_of: HashMap<&str, Vec<&str>> = HashMap::new();
        for Unread { path, target } in unread {
            paths_of.entry(target).or_default().push(path);
        }
        let mut collector = Collector::resume(&name, self.catalogers, self.limits, std::mem::take(contents));
        self.walk(source, &name, |entry, archive| {
            let paths = normalize(&entry.path).and_then(|path| paths_of.get(path.as_str()));
            match paths {
                Some(paths) if entry.kind == Kind::File => {
                    collector.file_of_links(paths, archive.content_size(), &mut archive.content())
                }
                _ => Ok(()),
            }
        })?;
        *contents = collector.into_contents();
        Ok(())
    }

    /// Visits every entry, then compares digest and size.
    fn walk<R: Read>(
        &self,
        source: R,
        name: &str,
        mut visit: impl FnMut(&Entry, &mut Archive<'_, Unpacked<R>>) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        if let Some(size) = self.layer.size {
            check("layer_bytes", size, self.limits.layer_bytes, name)?;
        }
        let unpacked = Unpacked::new(source, self.layer, self.limits, self.stop.clone())?;
        let mut archive = Archive::new(unpacked, name, self.limits);
        let mut entry = Entry::default();
        let walked = loop {
            match archive.next(&mut entry) {
                Ok(false) => break Ok(()),
                Ok(true) => {}
                Err(error) => break Err(layer_error(error, name)),
            }
            if let Err(error) = visit(&entry, &mut archive) {
                break Err(error);
            }
        };
        match walked {
            // Bytes that make no sense are most often bytes of something else.
            Ok(()) | Err(LayerError::Damaged { .. }) => archive.into_reader().finish().and(walked),
            stopped => stopped,
        }
    }
}

fn collect<R: Read>(
    collector: &mut Collector<'_>,
    entry: &Entry,
    archive: &mut Archive<'_, Unpacked<R>>,
) -> Result<(), LayerError> {
    let Some(path) = collector.checked_path(&entry.path)? else { return Ok(()) };
    match whiteout::read(&path) {
        Name::Plain => {}
        Name::Removed(path) => return collector.removed(path),
        Name::Opaque(directory) => return collector.opaque(directory),
        Name::Bookkeeping => return Ok(()),
        Name::Odd => {
            collector.problem(&path, "it is a whiteout of nothing");
            return Ok(());
        }
    }
    match entry.kind {
        Kind::Directory => collector.directory(&path),
        Kind::File => {
            return collector.file(&path, archive.content_size(), entry.executable, &mut archive.content());
        }
        Kind::SparseFile => collector.sparse_file(&path),
        Kind::Symlink => return collector.symlink(path, &entry.link),
        Kind::Hardlink => return collector.hardlink(path, &entry.link),
        Kind::Other => collector.other(&path),
    }
    Ok(())
}
