//! Images in an archive written by `docker save`, of any age: they all have `manifest.json`, which names the
//! configuration and the layers by their paths in the archive. The archive itself may be gzip-compressed.
//!
//! Such an archive has no manifest with a digest, and its layers may be stored compressed or not. So here
//! the digest of an image is its image ID, which is the digest of its configuration; and a layer is always delivered
//! uncompressed, its digest being the diff ID that the configuration states for exactly these bytes.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use shared::image::{Digest, ImageRef, Platform, Reference};
use tokio::sync::OnceCell;

use super::tarball::Tarball;
use super::{MAX_DOCUMENT, manifest, permanent};
use crate::image::{ImageSource, LayerDescriptor, Manifest, Resolved, SourceError};

const LAYER_MEDIA_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// One image of an archive.
#[derive(Debug)]
pub struct DockerArchive {
    file: PathBuf,
    name: Option<String>,
    opened: OnceCell<Arc<Opened>>,
}

/// What was found in the archive.
#[derive(Debug)]
struct Opened {
    tarball: Tarball,
    image: Manifest,
    /// Path in the archive of each layer.
    layers: HashMap<Digest, String>,
}

/// An entry of `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl DockerArchive {
    /// Reads the archive `file`. `name` chooses an image by its `NAME:TAG`; it is needed where there are several.
    pub fn new(file: impl Into<PathBuf>, name: Option<String>) -> Self {
        Self { file: file.into(), name, opened: OnceCell::new() }
    }

    async fn opened(&self) -> Result<Arc<Opened>, SourceError> {
        let open = || async {
            let (file, name) = (self.file.clone(), self.name.clone());
            blocking(move || Opened::read(&file, name.as_deref())).await.map(Arc::new)
        };
        self.opened.get_or_try_init(open).await.cloned()
    }
}

#[async_trait]
impl ImageSource for DockerArchive {
    async fn resolve(&self, reference: Option<&Reference>, _: &[Platform]) -> Result<Resolved, SourceError> {
        if let Some(reference) = reference {
            let file = self.file.display();
            return Err(permanent(format!("{reference}: choose an image with docker-archive:{file}:NAME:TAG")));
        }
        let image = self.opened().await?.image.clone();
        Ok(Resolved { digest: image.digest.clone(), manifests: vec![image] })
    }

    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let (opened, file, digest) = (self.opened().await?, self.file.clone(), layer.digest.clone());
        blocking(move || {
            let path = opened.layers.get(&digest).ok_or_else(|| permanent(format!("it holds no layer {digest}")))?;
            opened.tarball.decompressed(path).map_err(|error| unreadable(&file, &error))
        })
        .await
    }
}

impl Opened {
    fn read(file: &Path, name: Option<&str>) -> Result<Self, SourceError> {
        let unreadable = |error: io::Error| self::unreadable(file, &error);
        let tarball = Tarball::open(file).map_err(unreadable)?;
        let items = tarball.read("manifest.json", MAX_DOCUMENT).map_err(unreadable)?;
        let item = choose(manifest::from_json(&items, "manifest.json")?, name)
            .map_err(|problem| permanent(format!("{} {problem}", file.display())))?;
        let config = tarball.read(&item.config, MAX_DOCUMENT).map_err(unreadable)?;
        let digest = Digest::sha256_of(&config);
        let config = manifest::config(&config)?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != item.layers.len() {
            let (stated, stored) = (diff_ids.len(), item.layers.len());
            return Err(permanent(format!("{} states {stated} layers and holds {stored}", file.display())));
        }
        let layer = |digest: &Digest| LayerDescriptor {
            digest: digest.clone(),
            size: None,
            media_type: LAYER_MEDIA_TYPE.to_owned(),
        };
        let image = Manifest {
            digest,
            platform: config.platform(),
            os_version: config.os_version.clone(),
            layers: diff_ids.iter().map(layer).collect(),
            history: config.lines(diff_ids.len()),
            base: config.base(),
        };
        Ok(Self { tarball, image, layers: diff_ids.iter().cloned().zip(item.layers).collect() })
    }
}

/// The image called `name`, or the only one.
fn choose(mut items: Vec<Item>, name: Option<&str>) -> Result<Item, String> {
    let tags = |item: &Item| item.repo_tags.clone().unwrap_or_default();
    let all: Vec<String> = items.iter().flat_map(tags).take(20).collect();
    let all = all.join(", ");
    if let Some(name) = name {
        items.retain(|item| tags(item).iter().any(|tag| is_same_image(tag, name)));
    }
    match (items.pop(), items.is_empty(), name) {
        (Some(item), true, _) => Ok(item),
        (None, _, None) => Err("holds no image".to_owned()),
        (None, _, Some(name)) => Err(format!("holds no image {name:?}; it holds {all}")),
        (Some(_), false, _) => {
            Err(format!("holds several images; choose one with docker-archive:FILE:NAME:TAG: {all}"))
        }
    }
}

/// Whether two names mean one image, with Docker's defaults filled in.
fn is_same_image(one: &str, other: &str) -> bool {
    let parts = |name: &str| name.parse().ok().map(|image: ImageRef| (image.reference(), image.host, image.repository));
    one == other || parts(one).is_some_and(|one| Some(one) == parts(other))
}

/// Reads the images and layers of an archive, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(super) fn read_all(file: &Path) {
    const LAYER_LIMIT: u64 = 1 << 20;
    let Ok(opened) = Opened::read(file, None) else { return };
    for path in opened.layers.values() {
        if let Ok(layer) = opened.tarball.decompressed(path) {
            let _ = io::copy(&mut layer.take(LAYER_LIMIT), &mut io::sink());
        }
    }
}

fn unreadable(file: &Path, error: &io::Error) -> SourceError {
    // Of what is no archive, the reader quotes the content on further lines.
    let error = error.to_string();
    let why = error.lines().next().unwrap_or_default();
    permanent(format!("cannot read {} as an archive of docker save: {why}", file.display()))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(permanent(format!("reading the archive failed: {error}"))))
}
