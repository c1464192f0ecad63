//! What the fuzz targets call here.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use shared::image::Digest;

use super::walk::{self, Documents, RawDocument};
use super::{docker_archive, permanent};
use crate::image::SourceError;

/// Walks from the first of several documents, which zero bytes separate, through the others. Whatever digest is asked
/// for, the next document answers: no fuzzer finds digests that fit.
pub(crate) fn read_documents(bytes: &[u8]) {
    let documents: VecDeque<_> = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    let documents = InTurn(Mutex::new(documents));
    let walk = pin!(async {
        let root = documents.manifest(&Digest::sha256_of(b"")).await?;
        walk::resolve(&documents, root, &[]).await
    });
    let Poll::Ready(_) = walk.poll(&mut Context::from_waker(Waker::noop())) else {
        unreachable!("nothing here waits");
    };
}

/// Reads what `docker save` wrote to `file`.
pub(crate) fn read_docker_archive(file: &Path) {
    docker_archive::read_all(file);
}

struct InTurn(Mutex<VecDeque<Vec<u8>>>);

#[async_trait]
impl Documents for InTurn {
    async fn manifest(&self, digest: &Digest) -> Result<RawDocument, SourceError> {
        Ok(RawDocument { digest: digest.clone(), bytes: self.config(digest).await?, media_type: String::new() })
    }

    async fn config(&self, _: &Digest) -> Result<Vec<u8>, SourceError> {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        documents.pop_front().ok_or_else(|| permanent("there is no further document"))
    }
}
