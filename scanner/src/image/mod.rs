//! From a reference to layers, and from layers to one view of what is installed.

use std::io::Read;

use async_trait::async_trait;
use shared::image::{Digest, Platform, Reference};
use shared::report::BaseImage;

mod archive;
mod collect;
pub mod decompress;
pub mod layer;
pub mod limits;
mod path;
pub mod rootfs;
pub mod source;
pub mod squash;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod whiteout;

pub(crate) use path::fingerprint;

/// Where images come from: a registry, or a folder or file on this machine.
#[async_trait]
pub trait ImageSource: Send + Sync {
    /// Finds the manifests behind `reference`: one, or those of an index whose platform is in `platforms`
    /// (empty: all of them). Attestation entries of an index are left out.
    async fn resolve(&self, reference: Option<&Reference>, platforms: &[Platform]) -> Result<Resolved, SourceError>;

    /// The layer's bytes, as stored. They are not yet verified: the reader of the layer does that.
    /// May be called from any runtime thread; the reader blocks, so it belongs on a blocking thread.
    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError>;

    /// Whether it is reached over the network, so that a registry may also be asked for the image's base.
    fn is_remote(&self) -> bool {
        false
    }
}

/// What a reference points at.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Digest of what the reference names: an index or a manifest.
    pub digest: Digest,
    /// The manifests to scan.
    pub manifests: Vec<Manifest>,
}

/// One platform's manifest, verified against its digest, and what its configuration says.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Digest of the manifest.
    pub digest: Digest,
    /// From the configuration, else from the index.
    pub platform: Option<Platform>,
    /// `os.version` of the configuration; Windows images have nothing else that tells their release.
    pub os_version: Option<String>,
    /// From the bottom up.
    pub layers: Vec<LayerDescriptor>,
    /// What made each of the layers, by the configuration's history; empty where that does not fit the layers.
    pub history: Vec<String>,
    /// What it says it is built on.
    pub base: Option<BaseImage>,
}

/// A layer as its manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerDescriptor {
    /// Digest of the bytes as stored.
    pub digest: Digest,
    /// Their number; `None` where the source does not say (docker-archive).
    pub size: Option<u64>,
    /// Media type as the manifest states it; the compression is found from the bytes.
    pub media_type: String,
}

/// Why an image could not be read from its source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a container image: a chart, a signature, an attestation.
    #[error("not a container image: {0}")]
    Unsupported(String),
    /// Trying again cannot help: gone, refused, mismatched, malformed.
    #[error("{0}")]
    Permanent(String),
    /// It is not there, or not yet: a registry may announce a tag before it writes it.
    #[error("{0}")]
    Missing(String),
    /// Trying again later may help.
    #[error("{reason}")]
    Temporary {
        /// What went wrong.
        reason: String,
        /// How long the registry asks to wait.
        retry_after: Option<std::time::Duration>,
    },
}
