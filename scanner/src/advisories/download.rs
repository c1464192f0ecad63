//! Fetching one published file: only when it changed, from where a broken transfer ended, and never half.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;

use super::folder;
use super::zips::LIMITS;

/// A download that failed. What was there before is still there.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    /// The server answered that it has no such thing, or will not give it.
    #[error("the server answered {0}")]
    Refused(StatusCode),
    /// The transfer failed; it may go better another time.
    #[error("{0}")]
    Transfer(String),
    /// More than a file of advisories may have.
    #[error("it is larger than {} bytes", LIMITS.zip)]
    TooLarge,
    /// A file cannot be written, or what came is something else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl DownloadError {
    /// Whether another attempt may succeed.
    fn may_pass(&self) -> bool {
        match self {
            Self::Refused(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Transfer(_) => true,
            Self::TooLarge | Self::Io(_) => false,
        }
    }
}

impl From<reqwest::Error> for DownloadError {
    fn from(error: reqwest::Error) -> Self {
        let mut why = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        Self::Transfer(why)
    }
}

/// What the server calls the version of a file (RFC 9110, section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validators {
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
    }

    fn load(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec(self)?)
    }

    /// What `If-Range` may hold: a strong tag, or the time.
    fn for_range(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }
}

/// What to fetch, and what it becomes.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The file, without its extension.
    pub(super) name: String,
    pub(super) extension: &'static str,
    pub(super) url: Url,
    /// Refuses a file that is not what it should be.
    pub(super) check: fn(&Path) -> io::Result<()>,
}

/// Fetches files into one folder.
pub(super) struct Downloader<'a> {
    pub(super) client: &'a Client,
    /// Where they are.
    pub(super) folder: &'a Path,
    /// How often to try, with [`Downloader::pause`] in between, doubled each time.
    pub(super) attempts: u32,
    pub(super) pause: Duration,
}

impl Downloader<'_> {
    /// Fetches a file unless the server says that it did not change. Answers the bytes of the new file, or `None` if the
    /// old one is current. `progress` is told the bytes so far and, if known, in all.
    pub(super) async fn fetch(
        &self,
        wanted: &Wanted,
        progress: &(dyn Fn(u64, Option<u64>) + Sync),
    ) -> Result<Option<u64>, DownloadError> {
        let mut pause = self.pause;
        for _ in 1..self.attempts {
            match self.attempt(wanted, progress).await {
                Err(error) if error.may_pass() => {
                    tokio::time::sleep(pause.mul_f64(0.5 + fraction())).await;
                    pause *= 2;
                }
                ended => return ended,
            }
        }
        self.attempt(wanted, progress).await
    }

    async fn attempt(
        &self,
        wanted: &Wanted,
        progress: &(dyn Fn(u64, Option<u64>) + Sync),
    ) -> Result<Option<u64>, DownloadError> {
        let path = |extension| file(self.folder, &wanted.name, extension);
        let (part, part_http) = (path("part"), path("part.http"));
        let mut request = self.client.get(wanted.url.clone()).header(ACCEPT_ENCODING, "identity");
        let have = fs::metadata(&part).map_or(0, |metadata| metadata.len());
        let partial = Validators::load(&part_http).filter(|_| have > 0);
        if let Some(validator) = partial.as_ref().and_then(Validators::for_range) {
            request = request.header(RANGE, format!("bytes={have}-")).header(IF_RANGE, validator);
        } else if let Some(current) = Validators::load(&path("http")).filter(|_| path(wanted.extension).exists()) {
            request = with(request, IF_NONE_MATCH, current.etag);
            request = with(request, IF_MODIFIED_SINCE, current.last_modified);
        }
        let response = request.send().await?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {
                fs::write(&part, [])?;
                Validators::of(response.headers()).save(&part_http)?;
                append(response, &part, 0, progress).await?;
            }
            StatusCode::PARTIAL_CONTENT if begins_at(response.headers(), have) => {
                append(response, &part, have, progress).await?;
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                remove(&part)?;
                return Err(DownloadError::Transfer("the server sent another part than asked for".to_owned()));
            }
            status => return Err(DownloadError::Refused(status)),
        }
        let (folder, wanted) = (self.folder.to_owned(), wanted.clone());
        let installed = tokio::task::spawn_blocking(move || install(&folder, &wanted)).await;
        installed.unwrap_or_else(|error| Err(DownloadError::Transfer(error.to_string()))).map(Some)
    }
}

/// Puts a whole transfer in place of the old file; one that is something else is thrown away.
fn install(folder: &Path, wanted: &Wanted) -> Result<u64, DownloadError> {
    let path = |extension| file(folder, &wanted.name, extension);
    if let Err(error) = (wanted.check)(&path("part")) {
        remove(&path("part"))?;
        return Err(error.into());
    }
    let size = fs::metadata(path("part"))?.len();
    remove(&path("http"))?;
    folder::install(&path("part"), &path(wanted.extension))?;
    fs::rename(path("part.http"), path("http"))?;
    Ok(size)
}

fn file(folder: &Path, name: &str, extension: &str) -> PathBuf {
    folder.join(format!("{name}.{extension}"))
}

fn with(request: reqwest::RequestBuilder, name: HeaderName, value: Option<String>) -> reqwest::RequestBuilder {
    match value {
        Some(value) => request.header(name, value),
        None => request,
    }
}

fn begins_at(headers: &HeaderMap, offset: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    range
        .strip_prefix("bytes ")
        .and_then(|range| range.split_once('-'))
        .is_some_and(|(from, _)| from.parse() == Ok(offset))
}

/// Appends the body to `path`, which has `have` bytes already.
async fn append(
    response: Response,
    path: &Path,
    have: u64,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<(), DownloadError> {
    let total = response.content_length().map(|len| have + len);
    if total.is_some_and(|total| total > LIMITS.zip) {
        return Err(DownloadError::TooLarge);
    }
    let mut file = OpenOptions::new().append(true).open(path).await?;
    let mut at = have;
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        // What came before a break is kept: the next attempt goes on from there.
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                file.flush().await?;
                return Err(error.into());
            }
        };
        at += chunk.len() as u64;
        if at > LIMITS.zip {
            return Err(DownloadError::TooLarge);
        }
        file.write_all(&chunk).await?;
        progress(at, total);
    }
    file.flush().await?;
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Something from 0 to 1 that differs between processes: keeps many scanners from asking again at the same moment.
fn fraction() -> f64 {
    f64::from(uuid::Uuid::now_v7().as_bytes()[15]) / 255.0
}
