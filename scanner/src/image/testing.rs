//! Layers made for tests, and a cataloger to look into them.

use std::io::{BufRead, Read, Write};

use shared::image::Digest;
use shared::shutdown::Shutdown;
use tar::{EntryType, Header};

use super::LayerDescriptor;
use super::decompress::LayerError;
use super::layer::{LayerContents, LayerReader};
use super::limits::Limits;
use crate::catalogers::{CatalogError, Cataloger, Found, FoundPackage};

/// Wants files called `status`, with a package in each line: `NAME VERSION`.
pub(crate) struct Lines;

/// Wants files called `status` too, and counts their bytes.
pub(crate) struct Sizes;

pub(crate) const LINES: &[&dyn Cataloger] = &[&Lines];

impl Cataloger for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        path.rsplit('/').next() == Some("status")
    }

    fn catalog(&self, _: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        for line in file.lines() {
            let line = line?;
            let Some((name, version)) = line.split_once(' ') else {
                return Err(CatalogError::Malformed { line: 1, why: "no version".into() });
            };
            found.packages.push(FoundPackage { name: name.into(), version: version.into(), ..FoundPackage::default() });
        }
        Ok(())
    }
}

impl Cataloger for Sizes {
    fn name(&self) -> &'static str {
        "sizes"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        Lines.wants(path)
    }

    fn catalog(&self, _: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        found.packages.push(FoundPackage { name: bytes.len().to_string(), ..FoundPackage::default() });
        Ok(())
    }
}

/// A tar archive in memory.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, path.as_bytes(), b"", content.as_bytes())
    }

    pub(crate) fn dir(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path.as_bytes(), b"", b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path.as_bytes(), target.as_bytes(), b"")
    }

    pub(crate) fn hardlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path.as_bytes(), target.as_bytes(), b"")
    }

    pub(crate) fn entry(self, kind: EntryType, path: &[u8], link: &[u8], content: &[u8]) -> Self {
        self.header(kind, path, link, content.len() as u64).content(content)
    }

    /// A header alone, whatever follows.
    pub(crate) fn header(mut self, kind: EntryType, path: &[u8], link: &[u8], size: u64) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A pax header for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut content = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
            content.push_str(&format!("{length} {key}={value}\n"));
        }
        self.entry(EntryType::XHeader, b"pax", b"", content.as_bytes())
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

/// How the manifest would describe `blob`.
pub(crate) fn describe(blob: &[u8]) -> LayerDescriptor {
    LayerDescriptor { digest: Digest::sha256_of(blob), size: Some(blob.len() as u64), media_type: String::new() }
}

/// Reads a layer as the pipeline does, both passes.
pub(crate) fn read_blob(
    blob: &[u8],
    layer: &LayerDescriptor,
    catalogers: &[&dyn Cataloger],
    limits: &Limits,
) -> Result<LayerContents, LayerError> {
    let reader = LayerReader { layer, catalogers, limits, stop: &Shutdown::new() };
    let (mut contents, unread) = reader.read(Dribble(blob))?;
    if !unread.is_empty() {
        reader.read_linked(Dribble(blob), &mut contents, &unread)?;
    }
    Ok(contents)
}

/// Reads an honest layer.
pub(crate) fn contents(tar: Tar) -> LayerContents {
    let blob = tar.end();
    read_blob(&blob, &describe(&blob), LINES, &Limits::default()).unwrap()
}

/// Gives its bytes in pieces of odd sizes, as a network does.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let piece = into.len().min(self.0.len() % 7919 + 1);
        self.0.read(&mut into[..piece])
    }
}
