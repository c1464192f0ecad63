//! How far a scan is: a spinner on standard error, where that is a terminal.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::scanner::image::{ImageSource, LayerDescriptor, Resolved, SourceError};
use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressStyle};
use shared::image::{Platform, Reference};

const TICK: Duration = Duration::from_millis(100);

/// A source that shows what is read from it.
pub(crate) struct Watched<S> {
    source: S,
    spinner: ProgressBar,
    layers: AtomicUsize,
    opened: AtomicUsize,
}

impl<S> Watched<S> {
    /// Watches `source`.
    pub(crate) fn new(source: S) -> Self {
        let spinner = ProgressBar::new_spinner().with_message("looking the image up");
        spinner.enable_steady_tick(TICK);
        Self { source, spinner, layers: AtomicUsize::new(0), opened: AtomicUsize::new(0) }
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}

#[async_trait]
impl<S: ImageSource> ImageSource for Watched<S> {
    async fn resolve(&self, reference: Option<&Reference>, platforms: &[Platform]) -> Result<Resolved, SourceError> {
        let resolved = self.source.resolve(reference, platforms).await?;
        let layers = resolved.manifests.iter().map(|manifest| manifest.layers.len()).sum();
        self.layers.store(layers, Ordering::Relaxed);
        Ok(resolved)
    }

    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let bytes = self.source.open_layer(layer).await?;
        let (opened, layers) = (self.opened.fetch_add(1, Ordering::Relaxed) + 1, self.layers.load(Ordering::Relaxed));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {bytes}") {
            self.spinner.set_style(style);
        }
        self.spinner.set_message(format!("reading layer {opened} of {layers}"));
        Ok(Box::new(self.spinner.wrap_read(bytes)))
    }

    fn is_remote(&self) -> bool {
        self.source.is_remote()
    }
}
