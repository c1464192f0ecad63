//! Images in an OCI image layout: a folder with `index.json` and `blobs/ALGORITHM/HEX`
//! (OCI image specification 1.1, "Image Layout").

use std::io::Read;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use shared::image::{Digest, Platform, Reference};
use tokio::io::AsyncReadExt;

use super::manifest::{self, Document, Entry};
use super::walk::{self, Documents, RawDocument};
use super::{MAX_DOCUMENT, permanent};
use crate::image::{ImageSource, LayerDescriptor, Resolved, SourceError};

/// One image of a layout.
#[derive(Debug, Clone)]
pub struct OciLayout {
    dir: PathBuf,
    name: Option<String>,
}

impl OciLayout {
    /// Reads the layout in `dir`. `name` chooses an image by its `org.opencontainers.image.ref.name` or its digest;
    /// it is needed where there are several.
    pub fn new(dir: impl Into<PathBuf>, name: Option<String>) -> Self {
        Self { dir: dir.into(), name }
    }

    /// The digest in `index.json` that `name` chooses.
    async fn choose(&self, name: Option<&str>) -> Result<Digest, SourceError> {
        let index = read(&self.dir.join("index.json"), MAX_DOCUMENT).await;
        let index =
            index.map_err(|error| permanent(format!("{} is no OCI image layout: {error}", self.dir.display())))?;
        let Document::Index(mut entries) = manifest::parse(&index, "")? else {
            return Err(permanent(format!("{} holds a manifest where an index belongs", self.dir.display())));
        };
        let all = names(&entries);
        if let Some(name) = name {
            entries.retain(|entry| entry.name.as_deref() == Some(name) || entry.digest.as_str() == name);
        }
        let problem = match (entries.pop(), entries.is_empty(), name) {
            (Some(entry), true, _) => return Ok(entry.digest),
            (None, _, None) => "holds no image".to_owned(),
            (None, _, Some(name)) => format!("holds no image {name:?}; it holds {all}"),
            (Some(_), false, _) => format!("holds several images; choose one with oci:DIR:NAME: {all}"),
        };
        Err(permanent(format!("{} {problem}", self.dir.display())))
    }

    /// Where the content with `digest` is. A digest is hex digits alone, so the path stays in the layout.
    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs").join(digest.algorithm()).join(digest.hex())
    }
}

fn names(entries: &[Entry]) -> String {
    let name = |entry: &Entry| entry.name.clone().unwrap_or_else(|| entry.digest.to_string());
    let shown: Vec<String> = entries.iter().take(20).map(name).collect();
    let more = if entries.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[async_trait]
impl Documents for OciLayout {
    async fn manifest(&self, digest: &Digest) -> Result<RawDocument, SourceError> {
        Ok(RawDocument { digest: digest.clone(), bytes: self.config(digest).await?, media_type: String::new() })
    }

    async fn config(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let path = self.path(digest);
        let bytes = read(&path, MAX_DOCUMENT).await?;
        let actual = digest.recompute(&bytes);
        if actual != *digest {
            return Err(permanent(format!("{} has digest {actual}", path.display())));
        }
        Ok(bytes)
    }
}

#[async_trait]
impl ImageSource for OciLayout {
    async fn resolve(&self, reference: Option<&Reference>, platforms: &[Platform]) -> Result<Resolved, SourceError> {
        let digest = match reference {
            Some(Reference::Digest(digest)) => digest.clone(),
            Some(Reference::Tag(tag)) => self.choose(Some(tag.as_str())).await?,
            None => self.choose(self.name.as_deref()).await?,
        };
        walk::resolve(self, self.manifest(&digest).await?, platforms).await
    }

    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let file = open(&self.path(&layer.digest)).await?;
        Ok(Box::new(file.into_std().await))
    }
}

/// Opens a regular file; a pipe or a device in its place could block or never end.
async fn open(path: &Path) -> Result<tokio::fs::File, SourceError> {
    let failed = |error: std::io::Error| permanent(format!("cannot read {}: {error}", path.display()));
    if !tokio::fs::metadata(path).await.map_err(failed)?.is_file() {
        return Err(permanent(format!("{} is not a file", path.display())));
    }
    tokio::fs::File::open(path).await.map_err(failed)
}

/// A whole file of at most `cap` bytes.
async fn read(path: &Path, cap: usize) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let mut file = open(path).await?.take(cap as u64 + 1);
    let read = file.read_to_end(&mut bytes).await;
    read.map_err(|error| permanent(format!("cannot read {}: {error}", path.display())))?;
    if bytes.len() > cap {
        return Err(permanent(format!("{} is longer than the limit of {cap} bytes", path.display())));
    }
    Ok(bytes)
}
