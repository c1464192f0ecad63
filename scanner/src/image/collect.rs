//! What is kept of a layer while its entries pass by: of an archive or of a folder, under the same limits.

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Seek};

use super::decompress::{LayerError, layer_error};
use super::layer::{LayerContents, LayerFile, Unread};
use super::limits::{Limits, check};
use super::path::{fingerprint, normalize};
use crate::catalogers::{CatalogError, Cataloger, Found, spool};

/// Odd entries and unreadable files that are named; those beyond are counted.
const MAX_PROBLEMS: usize = 100;

/// A file under a name for which a cataloger wants it.
struct Asked<'a> {
    path: &'a str,
    cataloger: &'a dyn Cataloger,
}

pub(crate) struct Collector<'a> {
    /// As named in errors.
    layer: &'a str,
    catalogers: &'a [&'a dyn Cataloger],
    limits: &'a Limits,
    contents: LayerContents,
    /// Fingerprints of regular files; those of everything else are in `contents.occupied`.
    regular: Vec<u64>,
    /// Wanted paths that are hard links, and their targets.
    hardlinks: Vec<(String, String)>,
    packages: u64,
    name_bytes: u64,
    problems_left_out: u64,
    links_left_out: u64,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(layer: &'a str, catalogers: &'a [&'a dyn Cataloger], limits: &'a Limits) -> Self {
        Self::resume(layer, catalogers, limits, LayerContents::default())
    }

    /// Goes on with what an earlier pass has found.
    pub(crate) fn resume(
        layer: &'a str,
        catalogers: &'a [&'a dyn Cataloger],
        limits: &'a Limits,
        contents: LayerContents,
    ) -> Self {
        let packages = contents.files.iter().map(|file| file.found.packages.len() as u64).sum();
        Self {
            layer,
            catalogers,
            limits,
            contents,
            regular: Vec::new(),
            hardlinks: Vec::new(),
            packages,
            name_bytes: 0,
            problems_left_out: 0,
            links_left_out: 0,
        }
    }

    /// The path, normalized and within the limits; `None` for one that is left out, which is noted.
    pub(crate) fn checked_path(&mut self, written: &[u8]) -> Result<Option<String>, LayerError> {
        check("path_bytes", written.len() as u64, self.limits.path_bytes, self.layer)?;
        let Some(path) = normalize(written) else {
            self.problem(&String::from_utf8_lossy(written), "its path leads out of the image; it was left out");
            return Ok(None);
        };
        let depth = path.bytes().filter(|byte| *byte == b'/').count() as u64 + 1;
        check("path_depth", depth, self.limits.path_depth, self.layer)?;
        Ok(Some(path).filter(|path| !path.is_empty()))
    }

    pub(crate) fn removed(&mut self, path: String) -> Result<(), LayerError> {
        self.keep_name(path.len())?;
        self.contents.removed.push(path);
        Ok(())
    }

    pub(crate) fn opaque(&mut self, directory: String) -> Result<(), LayerError> {
        self.keep_name(directory.len())?;
        self.contents.opaque.push(directory);
        Ok(())
    }

    pub(crate) fn directory(&mut self, path: &str) {
        self.contents.directories.push(fingerprint(path));
    }

    /// Devices and pipes: they take up their path, no more.
    pub(crate) fn other(&mut self, path: &str) {
        self.contents.occupied.push(fingerprint(path));
    }

    pub(crate) fn sparse_file(&mut self, path: &str) {
        self.regular.push(fingerprint(path));
        if self.is_wanted(path, false) {
            self.problem(path, "it is stored as a sparse file, which is not read");
        }
    }

    pub(crate) fn symlink(&mut self, path: String, target: &[u8]) -> Result<(), LayerError> {
        check("path_bytes", target.len() as u64, self.limits.path_bytes, self.layer)?;
        self.contents.occupied.push(fingerprint(&path));
        if self.keep_name(path.len() + target.len()).is_ok() {
            self.contents.links.push((path, String::from_utf8_lossy(target).into_owned()));
        } else {
            self.links_left_out += 1;
        }
        Ok(())
    }

    pub(crate) fn hardlink(&mut self, path: String, target: &[u8]) -> Result<(), LayerError> {
        self.contents.occupied.push(fingerprint(&path));
        if !self.is_wanted(&path, false) {
            return Ok(());
        }
        if let Some(target) = self.checked_path(target)? {
            self.keep_name(path.len() + target.len())?;
            self.hardlinks.push((path, target));
        }
        Ok(())
    }

    /// Hands the file to whoever wants it. What they leave of `content` is the caller's to skip.
    pub(crate) fn file(
        &mut self,
        path: &str,
        size: u64,
        executable: bool,
        content: &mut dyn BufRead,
    ) -> Result<(), LayerError> {
        self.regular.push(fingerprint(path));
        let catalogers = self.catalogers;
        let asked = |cataloger: &&'a dyn Cataloger| Asked { path, cataloger: *cataloger };
        let mut wanted: Vec<_> = catalogers.iter().filter(|cataloger| cataloger.wants(path)).map(asked).collect();
        if executable && wanted.is_empty() {
            wanted.extend(catalogers.iter().filter(|cataloger| cataloger.wants_executable(path)).map(asked));
        }
        self.catalog(&wanted, size, content)
    }

    /// The same for a file that is wanted under other names only.
    pub(crate) fn file_of_links(
        &mut self,
        paths: &[&str],
        size: u64,
        content: &mut dyn BufRead,
    ) -> Result<(), LayerError> {
        let catalogers = self.catalogers;
        let wanted: Vec<Asked<'_>> = paths
            .iter()
            .flat_map(|path| catalogers.iter().filter(|c| c.wants(path)).map(|c| Asked { path, cataloger: *c }))
            .collect();
        self.catalog(&wanted, size, content)
    }

    pub(crate) fn problem(&mut self, path: &str, why: &str) {
        if self.contents.problems.len() < MAX_PROBLEMS {
            let path = path.chars().take(200).collect();
            self.contents.problems.push((path, why.to_owned()));
        } else {
            self.problems_left_out += 1;
        }
    }

    /// Sorts what was collected, and settles the hard links.
    pub(crate) fn finish(mut self) -> Result<(LayerContents, Vec<Unread>), LayerError> {
        self.regular.sort_unstable();
        self.drop_links_to_files();
        let unread = self.settle_hardlinks()?;
        self.contents.directories.sort_unstable();
        Ok((self.into_contents(), unread))
    }

    /// What was collected, without settling anything.
    pub(crate) fn into_contents(mut self) -> LayerContents {
        for (count, what) in [(self.problems_left_out, "odd entries"), (self.links_left_out, "symbolic links")] {
            if count > 0 {
                let why = format!("{count} more {what} are not listed");
                self.contents.problems.push((self.layer.to_owned(), why));
            }
        }
        self.contents.occupied.append(&mut self.regular);
        self.contents.occupied.sort_unstable();
        self.contents
    }

    pub(crate) fn is_wanted(&self, path: &str, executable: bool) -> bool {
        self.catalogers.iter().any(|cataloger| cataloger.wants(path) || executable && cataloger.wants_executable(path))
    }

    fn keep_name(&mut self, bytes: usize) -> Result<(), LayerError> {
        let total = self.name_bytes + bytes as u64;
        check("name_bytes", total, self.limits.name_bytes, self.layer)?;
        self.name_bytes = total;
        Ok(())
    }

    /// Asks every cataloger that wants the file under one of its names.
    fn catalog(&mut self, wanted: &[Asked<'_>], size: u64, content: &mut dyn BufRead) -> Result<(), LayerError> {
        let Some(first) = wanted.first() else { return Ok(()) };
        if size > self.limits.file_bytes {
            let why = format!(
                "its {size} bytes were not read; if it can be trusted, raise scanner.limits.file_bytes = {}",
                self.limits.file_bytes
            );
            self.problem(first.path, &why);
            return Ok(());
        }
        if let [only] = wanted {
            return self.ask(only, content);
        }
        let mut watched = Watched { inner: content, error: None };
        let spooled = spool(&mut watched);
        if let Some(error) = watched.error {
            return Err(layer_error(error, self.layer));
        }
        let mut spooled = match spooled {
            Ok(spooled) => spooled,
            Err(error) => {
                self.problem(first.path, &format!("it cannot be kept in a temporary file: {error}"));
                return Ok(());
            }
        };
        for asked in wanted {
            spooled.rewind().map_err(|error| layer_error(error, self.layer))?;
            self.ask(asked, &mut spooled)?;
        }
        Ok(())
    }

    fn ask(&mut self, asked: &Asked<'_>, content: &mut dyn BufRead) -> Result<(), LayerError> {
        let Asked { path, cataloger } = *asked;
        let mut found = Found::default();
        let mut content = Watched { inner: content, error: None };
        let outcome = cataloger.catalog(path, &mut content, &mut found);
        if let Some(error) = content.error {
            return Err(layer_error(error, self.layer));
        }
        if let Err(error) = outcome {
            found.problems.push(match error {
                CatalogError::Read(error) => format!("it cannot be read: {error}"),
                other => other.to_string(),
            });
        }
        if found.is_empty() && !cataloger.wants(path) {
            return Ok(());
        }
        self.keep_name(path.len())?;
        self.keep_file(LayerFile { path: path.to_owned(), cataloger: cataloger.name().to_owned(), found })
    }

    fn keep_file(&mut self, file: LayerFile) -> Result<(), LayerError> {
        self.packages += file.found.packages.len() as u64;
        check("packages", self.packages, self.limits.packages, self.layer)?;
        check("files", self.contents.files.len() as u64 + 1, self.limits.files, self.layer)?;
        self.contents.files.push(file);
        Ok(())
    }

    /// Links to regular files lead to no directory; most links of an image are such (`libz.so.1 -> libz.so.1.2`).
    fn drop_links_to_files(&mut self) {
        let (regular, catalogers) = (&self.regular, self.catalogers);
        self.contents.links.retain(|(path, target)| {
            let wanted = catalogers.iter().any(|cataloger| cataloger.wants(path));
            let beside = format!("{}/{target}", super::path::parent(path));
            let target = normalize(if target.starts_with('/') { target } else { &beside }.as_bytes());
            wanted || target.is_none_or(|target| regular.binary_search(&fingerprint(&target)).is_err())
        });
    }

    /// A hard link to a file that was read has the same contents; one to a file that went by is returned; one to
    /// something that is not in this layer is kept as a link, for the layers below to settle.
    fn settle_hardlinks(&mut self) -> Result<Vec<Unread>, LayerError> {
        let mut unread = Vec::new();
        if self.hardlinks.is_empty() {
            return Ok(unread);
        }
        let mut read: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, file) in self.contents.files.iter().enumerate() {
            read.entry(file.path.clone()).or_default().push(index);
        }
        for (path, target) in std::mem::take(&mut self.hardlinks) {
            let same: Vec<LayerFile> = read
                .get(&target)
                .into_iter()
                .flatten()
                .map(|index| &self.contents.files[*index])
                .filter(|file| self.catalogers.iter().any(|c| c.name() == file.cataloger && c.wants(&path)))
                .map(|file| LayerFile { path: path.clone(), ..file.clone() })
                .collect();
            if !same.is_empty() {
                same.into_iter().try_for_each(|file| self.keep_file(file))?;
            } else if self.regular.binary_search(&fingerprint(&target)).is_ok() {
                unread.push(Unread { path, target });
            } else {
                self.contents.links.push((path, format!("/{target}")));
            }
        }
        Ok(unread)
    }
}

/// Remembers an error of the layer itself, whatever the cataloger makes of it.
struct Watched<'a> {
    inner: &'a mut dyn BufRead,
    error: Option<io::Error>,
}

impl Watched<'_> {
    fn fail(&mut self, error: io::Error) -> io::Error {
        let copy = io::Error::new(error.kind(), error.to_string());
        self.error.get_or_insert(error);
        copy
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inner.read(into).map_err(|error| self.fail(error))
    }
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Err(error) = self.inner.fill_buf() {
            return Err(self.fail(error));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}
