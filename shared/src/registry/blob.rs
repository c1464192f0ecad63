//! A blob as a stream that survives broken connections.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::Stream;
use futures_util::stream;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Response, StatusCode};

use super::{RegistryClient, RegistryError};
use crate::image::{Digest, Repository};

/// How often one blob's transfer is taken up again.
const MAX_RESUMES: u32 = 5;

/// The bytes of a blob, in order, not verified.
pub struct BlobStream(Pin<Box<dyn Stream<Item = Result<Bytes, RegistryError>> + Send>>);

impl BlobStream {
    pub(super) async fn open(
        client: RegistryClient,
        repository: Repository,
        digest: Digest,
        offset: u64,
    ) -> Result<Self, RegistryError> {
        let what = format!("blob {repository} {digest}");
        let mut transfer =
            Transfer { client, repository, digest, what, position: offset, resumes: 0, response: None, surplus: 0 };
        transfer.connect().await?;
        Ok(Self(Box::pin(stream::try_unfold(transfer, |mut transfer| async move {
            Ok(transfer.next().await?.map(|chunk| (chunk, transfer)))
        }))))
    }
}

impl Stream for BlobStream {
    type Item = Result<Bytes, RegistryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl std::fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlobStream")
    }
}

/// How far a blob has been read, and the connection it is read from.
struct Transfer {
    client: RegistryClient,
    repository: Repository,
    digest: Digest,
    what: String,
    /// Offset in the blob of the next byte to hand out.
    position: u64,
    resumes: u32,
    response: Option<Response>,
    /// Bytes still to be dropped, because the server began at 0 although asked to begin at `position`.
    surplus: u64,
}

impl Transfer {
    /// Asks for the blob from `position` on.
    async fn connect(&mut self) -> Result<(), RegistryError> {
        let mut headers = HeaderMap::new();
        if self.position > 0 {
            let range = HeaderValue::from_str(&format!("bytes={}-", self.position));
            headers.insert(RANGE, range.map_err(|error| self.client.invalid(error.to_string()))?);
        }
        let path = format!("blobs/{}", self.digest);
        let response = self.client.get(&self.repository, &path, headers, &self.what).await?;
        self.surplus = match response.status() {
            StatusCode::PARTIAL_CONTENT => self.check_range(&response)?,
            _ => self.position,
        };
        self.response = Some(response);
        Ok(())
    }

    fn check_range(&self, response: &Response) -> Result<u64, RegistryError> {
        let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if range.starts_with(&format!("bytes {}-", self.position)) {
            return Ok(0);
        }
        Err(self.client.invalid(format!("{} was resumed at another place than asked for", self.what)))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let Some(response) = &mut self.response else {
                self.connect().await?;
                continue;
            };
            match response.chunk().await {
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) => {
                    if let Some(chunk) = self.fresh_part(chunk) {
                        return Ok(Some(chunk));
                    }
                }
                Err(error) if self.resumes == MAX_RESUMES => return Err(self.client.transport(&error)),
                Err(_) => {
                    self.resumes += 1;
                    self.response = None;
                }
            }
        }
    }

    /// What of `chunk` was not handed out before.
    fn fresh_part(&mut self, mut chunk: Bytes) -> Option<Bytes> {
        let known = self.surplus.min(chunk.len() as u64);
        self.surplus -= known;
        // At most the length of the chunk, which is a `usize`.
        chunk.advance(known as usize);
        self.position += chunk.len() as u64;
        (!chunk.is_empty()).then_some(chunk)
    }
}
