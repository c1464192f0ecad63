//! The client for one registry: resolve a tag, read a manifest, stream a blob.

use std::sync::Arc;

use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Request, Response, StatusCode, Url};

use super::auth::Auth;
use super::blob::BlobStream;
use super::http::Http;
use super::select::canonical_host;
use super::{RegistryConfig, RegistryError};
use crate::image::{Digest, Reference, Repository};

/// Longest manifest that is read, in bytes: what registries themselves accept at most.
const MAX_MANIFEST: usize = 4 * 1024 * 1024;
/// Redirects that one request may take, to a registry's blob storage say.
const MAX_REDIRECTS: usize = 5;
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A client for one configured registry. Cheap to clone; clones share connections and logins.
///
/// Credentials go to the registry itself and to its token service, and never along with a redirect to another host.
#[derive(Debug, Clone)]
pub struct RegistryClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    base: Url,
    http: Http,
    auth: Auth,
}

/// A manifest or an index as the registry sent it: its digest is over these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawManifest {
    /// The document.
    pub bytes: Vec<u8>,
    /// `Content-Type` without parameters; empty if there was none.
    pub media_type: String,
    /// Digest of `bytes`: the one asked for, or SHA-256 where a tag was asked for.
    pub digest: Digest,
}

impl RegistryClient {
    /// A client for the section `[registries.NAME]`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`RegistryError::Config`] for a host, a CA file or credentials that cannot be used.
    pub fn new(name: &str, config: &RegistryConfig) -> Result<Self, RegistryError> {
        let config_error = |reason| RegistryError::Config { registry: name.to_owned(), reason };
        let base = base_url(config).map_err(config_error)?;
        let auth = Auth::new(name, config, base.clone()).map_err(config_error)?;
        Ok(Self(Arc::new(Inner { name: name.to_owned(), base, http: Http::new(name, config)?, auth })))
    }

    /// Configured name of the registry.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The digest that `reference` points at now.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if there is no such tag, or not yet.
    pub async fn resolve(&self, repository: &Repository, reference: &Reference) -> Result<Digest, RegistryError> {
        if let Reference::Digest(digest) = reference {
            return Ok(digest.clone());
        }
        let path = format!("manifests/{reference}");
        let response = self.request(Method::HEAD, repository, &path, manifest_types()).await?;
        let stated = stated_digest(response.headers());
        match (response.status(), stated) {
            (StatusCode::OK, Some(digest)) => Ok(digest),
            (StatusCode::OK | StatusCode::METHOD_NOT_ALLOWED, _) => {
                Ok(self.manifest(repository, reference).await?.digest)
            }
            _ => Err(self.failure(repository, &format!("manifest {repository} {reference}"), response).await),
        }
    }

    /// The manifest or index behind `reference`, verified against the digest.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if there is none, or not yet; [`RegistryError::Mismatch`] for other content than
    /// asked for; [`RegistryError::Invalid`] beyond 4 MiB.
    pub async fn manifest(&self, repository: &Repository, reference: &Reference) -> Result<RawManifest, RegistryError> {
        let what = format!("manifest {repository} {reference}");
        let response = self.get(repository, &format!("manifests/{reference}"), manifest_types(), &what).await?;
        let media_type = media_type(response.headers());
        let stated = stated_digest(response.headers());
        let bytes = self.0.http.read(response, &what, MAX_MANIFEST).await?;
        let expected = match reference {
            Reference::Digest(digest) => Some(digest.clone()),
            Reference::Tag(_) => stated,
        };
        let digest = match &expected {
            Some(expected) => self.verified(&bytes, expected)?,
            None => Digest::sha256_of(&bytes),
        };
        Ok(RawManifest { bytes, media_type, digest })
    }

    /// The bytes of a blob from `offset` on, not verified. A connection that breaks on the way is taken up again
    /// where it broke.
    ///
    /// # Errors
    /// Those of the first answer; later ones come through the stream.
    pub async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        offset: u64,
    ) -> Result<BlobStream, RegistryError> {
        BlobStream::open(self.clone(), repository.clone(), digest.clone(), offset).await
    }

    /// A blob of at most `cap` bytes, whole and verified: a configuration say.
    ///
    /// # Errors
    /// [`RegistryError::Mismatch`] for other content than asked for; [`RegistryError::Invalid`] beyond `cap`.
    pub async fn small_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        cap: usize,
    ) -> Result<Vec<u8>, RegistryError> {
        let what = format!("blob {repository} {digest}");
        let response = self.get(repository, &format!("blobs/{digest}"), HeaderMap::new(), &what).await?;
        let bytes = self.0.http.read(response, &what, cap).await?;
        self.verified(&bytes, digest)?;
        Ok(bytes)
    }

    /// A GET whose answer is a success.
    pub(super) async fn get(
        &self,
        repository: &Repository,
        path: &str,
        headers: HeaderMap,
        what: &str,
    ) -> Result<Response, RegistryError> {
        let response = self.request(Method::GET, repository, path, headers).await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            _ => Err(self.failure(repository, what, response).await),
        }
    }

    /// The connection that failed, as an error.
    pub(super) fn transport(&self, error: &reqwest::Error) -> RegistryError {
        self.0.http.transport(error)
    }

    /// A broken rule.
    pub(super) fn invalid(&self, reason: String) -> RegistryError {
        self.0.http.invalid(reason)
    }

    /// Sends a request with the login that there is, and once more after a new login if that one is refused.
    async fn request(
        &self,
        method: Method,
        repository: &Repository,
        path: &str,
        headers: HeaderMap,
    ) -> Result<Response, RegistryError> {
        let Inner { base, http, auth, .. } = &*self.0;
        let url = base.join(&format!("v2/{repository}/{path}")).map_err(|error| http.invalid(error.to_string()))?;
        let mut request = Request::new(method, url);
        *request.headers_mut() = headers;
        let grant = auth.current(http, repository).await?;
        let response = self.follow(with_grant(&request, grant.as_ref().map(|grant| &grant.header))).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_registry(response.url()) {
            return Ok(response);
        }
        let grant = auth.log_in(http, repository, response.headers(), grant.as_ref()).await?;
        self.follow(with_grant(&request, Some(&grant.header))).await
    }

    /// Sends a request along its redirects; the login stays behind at the first one to another host.
    async fn follow(&self, mut request: Request) -> Result<Response, RegistryError> {
        let http = &self.0.http;
        for _ in 0..=MAX_REDIRECTS {
            let mut next = copy(&request);
            let response = http.send(request).await?;
            let Some(target) = redirect_target(&response).map_err(|reason| http.invalid(reason))? else {
                return Ok(response);
            };
            if !self.is_registry(&target) {
                next.headers_mut().remove(AUTHORIZATION);
            }
            *next.url_mut() = target;
            request = next;
        }
        Err(http.invalid(format!("more than {MAX_REDIRECTS} redirects")))
    }

    async fn failure(&self, repository: &Repository, what: &str, response: Response) -> RegistryError {
        let refused = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if refused && self.is_registry(response.url()) {
            return self.0.auth.refused(repository);
        }
        self.0.http.failure(what, response).await
    }

    fn is_registry(&self, url: &Url) -> bool {
        url.origin() == self.0.base.origin()
    }

    fn verified(&self, bytes: &[u8], expected: &Digest) -> Result<Digest, RegistryError> {
        let actual = expected.recompute(bytes);
        if actual == *expected {
            return Ok(actual);
        }
        Err(RegistryError::Mismatch { registry: self.0.name.clone(), expected: expected.clone(), actual })
    }
}

/// `https://HOST/`, or `http://HOST/` where the configuration says so.
fn base_url(config: &RegistryConfig) -> Result<Url, String> {
    let scheme = if config.plain_http { "http" } else { "https" };
    let host = match canonical_host(&config.host).as_str() {
        "docker.io" => "registry-1.docker.io".to_owned(),
        _ => config.host.clone(),
    };
    let is_bare = !host.is_empty() && !host.contains(['/', '@', '?', '#', '\\', ' ']);
    let url = Url::parse(&format!("{scheme}://{host}/")).ok().filter(|_| is_bare);
    url.ok_or_else(|| format!("host {:?} must be a host name, with :PORT if need be, and nothing else", config.host))
}

fn with_grant(request: &Request, authorization: Option<&HeaderValue>) -> Request {
    let mut request = copy(request);
    if let Some(authorization) = authorization {
        request.headers_mut().insert(AUTHORIZATION, authorization.clone());
    }
    request
}

/// Our requests have no body, so method, address and headers are all there is.
fn copy(request: &Request) -> Request {
    let mut copy = Request::new(request.method().clone(), request.url().clone());
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Where a redirect leads; never from HTTPS to HTTP.
fn redirect_target(response: &Response) -> Result<Option<Url>, String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| response.url().join(location).ok());
    let mut target = target.ok_or("a redirect leads to no address")?;
    let downgraded = response.url().scheme() == "https" && target.scheme() != "https";
    if downgraded || !matches!(target.scheme(), "https" | "http") {
        return Err(format!("a redirect leads away from HTTPS, to {}", target.host_str().unwrap_or_default()));
    }
    // Cannot fail: an http(s) address has a host.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    Ok(Some(target))
}

/// All that can be read, in one header: some registries read only the first. Without the indexes, some would answer
/// with the manifest of a platform that they choose.
fn manifest_types() -> HeaderMap {
    let types =
        [OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE];
    HeaderValue::from_str(&types.join(", ")).map(|types| (ACCEPT, types)).into_iter().collect()
}

fn stated_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
