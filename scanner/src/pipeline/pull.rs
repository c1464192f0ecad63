//! The layers of one image: from the cache, else from the source.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use shared::report::LayerUse;
use shared::shutdown::Shutdown;

use super::{ScanError, Scanner};
use crate::catalogers::CATALOGERS;
use crate::image::decompress::LayerError;
use crate::image::layer::{LayerContents, LayerReader};
use crate::image::limits::{Limits, check};
use crate::image::{ImageSource, LayerDescriptor, Manifest};

/// One layer, and whether it had to be pulled.
pub(super) struct Pulled {
    pub(super) usage: LayerUse,
    pub(super) contents: Arc<LayerContents>,
}

impl Scanner {
    /// All layers of an image, from the bottom up.
    pub(super) async fn pull(
        &self,
        source: &dyn ImageSource,
        manifest: &Manifest,
        stop: &Shutdown,
    ) -> Result<Vec<Pulled>, ScanError> {
        let config = &self.0.config;
        check_sizes(manifest, &config.limits)?;
        let layers: Vec<_> = manifest.layers.iter().map(|layer| self.layer(source, layer, stop)).collect();
        // Twice as many as are read, so that looking into the cache and waiting for the registry cost no place.
        let mut layers = futures_util::stream::iter(layers).buffered(config.layer_concurrency.max(1) * 2);
        let (mut pulled, mut total) = (Vec::new(), Total::new(manifest));
        while let Some(layer) = layers.try_next().await? {
            total.add(&layer, &config.limits)?;
            pulled.push(layer);
        }
        Ok(pulled)
    }

    async fn layer(
        &self,
        source: &dyn ImageSource,
        layer: &LayerDescriptor,
        stop: &Shutdown,
    ) -> Result<Pulled, ScanError> {
        let _claim = self.0.cache.claim(&layer.digest).await;
        let (parts, digest) = (Arc::clone(&self.0), layer.digest.clone());
        if let Some(contents) = blocking(move || parts.cache.get(&digest)).await? {
            return Ok(pulled(layer, contents, true));
        }
        let contents = self.read_layer(source, layer, stop).await?;
        Ok(pulled(layer, contents, false))
    }

    /// Streams the layer once; a second time only where a wanted file hides behind a hard link.
    async fn read_layer(
        &self,
        source: &dyn ImageSource,
        layer: &LayerDescriptor,
        stop: &Shutdown,
    ) -> Result<LayerContents, ScanError> {
        let _place = self.0.places.acquire().await;
        let pass = Pass { parts: Arc::clone(&self.0), layer: layer.clone(), stop: stop.clone() };
        let bytes = source.open_layer(layer).await?;
        let (pass, contents, unread) = blocking(move || {
            let (contents, unread) = pass.reader().read(bytes)?;
            Ok::<_, LayerError>((pass, contents, unread))
        })
        .await??;
        if unread.is_empty() {
            return blocking(move || pass.keep(contents)).await;
        }
        let bytes = source.open_layer(layer).await?;
        let second = move || {
            let mut contents = contents;
            pass.reader().read_linked(bytes, &mut contents, &unread)?;
            Ok::<_, LayerError>(pass.keep(contents))
        };
        Ok(blocking(second).await??)
    }
}

/// What a blocking thread needs to read a layer.
struct Pass {
    parts: Arc<super::Parts>,
    layer: LayerDescriptor,
    stop: Shutdown,
}

impl Pass {
    fn reader(&self) -> LayerReader<'_> {
        LayerReader { layer: &self.layer, catalogers: CATALOGERS, limits: &self.parts.config.limits, stop: &self.stop }
    }

    /// Without the cache a scan is slower, not wrong.
    fn keep(&self, contents: LayerContents) -> LayerContents {
        if let Err(error) = self.parts.cache.put(&self.layer.digest, &contents) {
            tracing::warn!(layer = %self.layer.digest, %error, "layer result not cached");
        }
        contents
    }
}

fn pulled(layer: &LayerDescriptor, contents: LayerContents, cached: bool) -> Pulled {
    let usage = LayerUse {
        digest: layer.digest.clone(),
        size: layer.size.unwrap_or_default(),
        cached,
        created_by: None,
        base: false,
    };
    Pulled { usage, contents: Arc::new(contents) }
}

fn check_sizes(manifest: &Manifest, limits: &Limits) -> Result<(), LayerError> {
    let image = format!("image {}", manifest.digest);
    let bytes = manifest.layers.iter().filter_map(|layer| layer.size).fold(0, u64::saturating_add);
    check("layers", manifest.layers.len() as u64, limits.layers, &image)?;
    check("image_bytes", bytes, limits.image_bytes, &image)?;
    Ok(())
}

/// What all layers of an image hold together, so that many small ones cannot get past the limits of a large one.
struct Total {
    image: String,
    entries: u64,
    files: u64,
    packages: u64,
}

impl Total {
    fn new(manifest: &Manifest) -> Self {
        Self { image: format!("image {}", manifest.digest), entries: 0, files: 0, packages: 0 }
    }

    fn add(&mut self, pulled: &Pulled, limits: &Limits) -> Result<(), ScanError> {
        let contents = &pulled.contents;
        self.entries += (contents.occupied.len() + contents.directories.len()) as u64;
        self.files += contents.files.len() as u64;
        self.packages += contents.files.iter().map(|file| file.found.packages.len() as u64).sum::<u64>();
        let image = &self.image;
        check("entries", self.entries, limits.entries, image)
            .and_then(|()| check("files", self.files, limits.files, image))
            .and_then(|()| check("packages", self.packages, limits.packages, image))
            .map_err(|exceeded| LayerError::from(exceeded).into())
    }
}

/// Runs `work` on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ScanError> {
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(value) => Ok(value),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ScanError::Temporary { reason: "the scanner is shutting down".to_owned(), retry_after: None }),
    }
}
