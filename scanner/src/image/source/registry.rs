//! Images in a registry.

use std::io::{self, Read};

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use shared::image::{Digest, Platform, Reference, Repository};
use shared::registry::{BlobStream, RegistryClient, RegistryError};
use tokio::sync::mpsc;

use super::walk::{self, Documents, RawDocument};
use super::{MAX_DOCUMENT, permanent};
use crate::image::{ImageSource, LayerDescriptor, Resolved, SourceError};

/// Chunks, of at most some hundred kilobytes each, between the network and the reader of a layer.
const CHUNKS_AHEAD: usize = 8;

/// One repository of a registry.
#[derive(Debug, Clone)]
pub struct RegistrySource {
    client: RegistryClient,
    repository: Repository,
}

impl RegistrySource {
    /// Reads `repository` through `client`.
    pub fn new(client: RegistryClient, repository: Repository) -> Self {
        Self { client, repository }
    }

    async fn document(&self, reference: &Reference) -> Result<RawDocument, SourceError> {
        let raw = self.client.manifest(&self.repository, reference).await;
        let raw = raw.map_err(|error| source_error(error, matches!(reference, Reference::Tag(_))))?;
        Ok(RawDocument { digest: raw.digest, bytes: raw.bytes, media_type: raw.media_type })
    }
}

#[async_trait]
impl Documents for RegistrySource {
    async fn manifest(&self, digest: &Digest) -> Result<RawDocument, SourceError> {
        self.document(&Reference::Digest(digest.clone())).await
    }

    async fn config(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let config = self.client.small_blob(&self.repository, digest, MAX_DOCUMENT).await;
        config.map_err(|error| source_error(error, false))
    }
}

#[async_trait]
impl ImageSource for RegistrySource {
    async fn resolve(&self, reference: Option<&Reference>, platforms: &[Platform]) -> Result<Resolved, SourceError> {
        let reference = reference.ok_or_else(|| permanent("name a tag or a digest to scan"))?;
        walk::resolve(self, self.document(reference).await?, platforms).await
    }

    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let stream = self.client.blob(&self.repository, &layer.digest, 0).await;
        let stream = stream.map_err(|error| match error {
            RegistryError::NotFound { .. } if is_foreign(layer) => permanent(format!(
                "{error}; it is a foreign layer, which the registry need not have, and its URLs are not followed"
            )),
            error => source_error(error, false),
        })?;
        Ok(Box::new(ChunkReader::spawn(stream)))
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// A layer that is left out of registries because its license asks for it.
fn is_foreign(layer: &LayerDescriptor) -> bool {
    layer.media_type.contains(".foreign.") || layer.media_type.contains(".nondistributable.")
}

/// A tag that is missing may be one that the registry announced before it wrote it, so that is worth another try.
fn source_error(error: RegistryError, by_tag: bool) -> SourceError {
    let retry_after = error.retry_after();
    match &error {
        RegistryError::Temporary { .. } => SourceError::Temporary { reason: error.to_string(), retry_after },
        RegistryError::NotFound { .. } if by_tag => SourceError::Missing(error.to_string()),
        _ => permanent(error.to_string()),
    }
}

/// Lets a blocking thread read an asynchronous stream. The stream waits while [`CHUNKS_AHEAD`] chunks are unread,
/// and ends with the reader.
struct ChunkReader {
    chunks: mpsc::Receiver<Result<Bytes, RegistryError>>,
    current: Bytes,
}

impl ChunkReader {
    fn spawn(mut stream: BlobStream) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(async move {
            while let Some(chunk) = stream.next().await {
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        Self { chunks, current: Bytes::new() }
    }
}

impl Read for ChunkReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                None => return Ok(0),
                Some(chunk) => self.current = chunk.map_err(|error| io::Error::other(source_error(error, false)))?,
            }
        }
        let count = self.current.len().min(into.len());
        self.current.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
