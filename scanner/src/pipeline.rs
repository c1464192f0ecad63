//! The story of one scan: a reference, its manifests, their layers, what is in them, what is wrong with that.
//!
//! ```text
//! resolve ─▶ pull (cached layers: a file read; others: one streaming pass each) ─▶ squash ─▶ assemble ─▶ match ─▶ report
//! ```
//!
//! Whatever trying again cannot change ends as a report; only what may pass is given back to be retried.

mod base;
mod pull;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use shared::image::{Digest, Reference};
use shared::job::ScanJob;
use shared::registry::{Registries, RegistryConfig, RegistryError};
use shared::report::{AdvisoryStamp, ImageReport, ScanReport, Warning, WarningCode};
use shared::shutdown::Shutdown;
use tokio::sync::Semaphore;

use self::pull::Pulled;
use crate::advisories::DatabaseHandle;
use crate::cache::LayerCache;
use crate::catalogers::CATALOGERS;
use crate::config::ScannerConfig;
use crate::image::decompress::LayerError;
use crate::image::source::RegistrySource;
use crate::image::squash::{Layer, squash};
use crate::image::{ImageSource, Manifest, SourceError, rootfs};
use crate::inventory::{self, Inventory};
use crate::matcher::{Matched, Matcher};
use crate::worker::{JobRunner, Retry};

/// Everything that a scan needs. One for each process.
pub struct Scanner(Arc<Parts>);

struct Parts {
    config: ScannerConfig,
    registries: Registries,
    advisories: DatabaseHandle,
    cache: LayerCache,
    /// Layers that may be read at the same time.
    places: Semaphore,
}

/// A scanner that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ScannerError {
    /// A section `[registries.NAME]` cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The folder for the cache cannot be used.
    #[error("cannot use the layer cache {folder}: {source}")]
    Cache {
        /// The folder.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
}

/// What a reference turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanned {
    /// Digest of the index or manifest.
    pub digest: Digest,
    /// One for each platform.
    pub images: Vec<ImageReport>,
}

/// Why there is no result at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not a container image.
    #[error("{0}")]
    Unsupported(String),
    /// Trying again cannot help.
    #[error("{0}")]
    Failed(String),
    /// It is not there, or not yet.
    #[error("{0}")]
    Missing(String),
    /// Trying again later may help.
    #[error("{reason}")]
    Temporary {
        /// What went wrong.
        reason: String,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
}

impl From<SourceError> for ScanError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Unsupported(_) => Self::Unsupported(error.to_string()),
            SourceError::Permanent(reason) => Self::Failed(reason),
            SourceError::Missing(reason) => Self::Missing(reason),
            SourceError::Temporary { reason, retry_after } => Self::Temporary { reason, retry_after },
        }
    }
}

impl From<LayerError> for ScanError {
    fn from(error: LayerError) -> Self {
        let reason = error.to_string();
        match error {
            LayerError::Interrupted { retry_after, .. } => Self::Temporary { reason, retry_after },
            LayerError::Stopped => Self::Temporary { reason, retry_after: None },
            LayerError::Limit(_) | LayerError::Mismatch { .. } | LayerError::Damaged { .. } => Self::Failed(reason),
        }
    }
}

impl Scanner {
    /// A scanner that pulls from `registries`, keeps its cache in `data_dir` and matches against `advisories`.
    pub fn new(
        config: ScannerConfig,
        registries: &BTreeMap<String, RegistryConfig>,
        data_dir: &Path,
        advisories: DatabaseHandle,
    ) -> Result<Self, ScannerError> {
        let folder = data_dir.join("cache").join("layers");
        let cache = LayerCache::open(folder.clone(), config.cache_bytes, CATALOGERS)
            .map_err(|source| ScannerError::Cache { folder: folder.display().to_string(), source })?;
        Ok(Self(Arc::new(Parts {
            registries: Registries::new(registries)?,
            places: Semaphore::new(config.layer_concurrency.max(1)),
            config,
            advisories,
            cache,
        })))
    }

    /// Scans what `reference` names in `source`, within the time that a scan may take. What is wrong with one platform's
    /// image is told in its report.
    pub async fn scan_source(
        &self,
        source: &dyn ImageSource,
        reference: Option<&Reference>,
    ) -> Result<Scanned, ScanError> {
        let limit = self.0.config.limits.scan_seconds;
        let stop = Shutdown::new();
        let _stops_readers = stop.clone().drop_guard();
        match tokio::time::timeout(Duration::from_secs(limit), self.scan_all(source, reference, &stop)).await {
            Ok(result) => result,
            Err(_) => Err(ScanError::Failed(format!(
                "the scan goes beyond the limit scan_seconds = {limit}; if the image can be trusted, raise \
                 scanner.limits.scan_seconds"
            ))),
        }
    }

    async fn scan_all(
        &self,
        source: &dyn ImageSource,
        reference: Option<&Reference>,
        stop: &Shutdown,
    ) -> Result<Scanned, ScanError> {
        let clock = Instant::now();
        let resolved = source.resolve(reference, &self.0.config.platforms).await?;
        let resolve_ms = milliseconds(clock);
        let mut images = Vec::with_capacity(resolved.manifests.len());
        for manifest in &resolved.manifests {
            images.push(self.scan_manifest(source, manifest, resolve_ms, stop).await?);
        }
        Ok(Scanned { digest: resolved.digest, images })
    }

    async fn scan_manifest(
        &self,
        source: &dyn ImageSource,
        manifest: &Manifest,
        resolve_ms: f64,
        stop: &Shutdown,
    ) -> Result<ImageReport, ScanError> {
        let clock = Instant::now();
        let (pulled, base) = tokio::join!(self.pull(source, manifest, stop), self.base_of(source, manifest));
        let mut report = match pulled {
            Ok(pulled) => self.report_layers(manifest, pulled).await?,
            Err(ScanError::Failed(reason)) => reports::failed(manifest, reason),
            Err(ScanError::Unsupported(reason)) => reports::unsupported(manifest, reason),
            Err(may_pass) => return Err(may_pass),
        };
        base.mark(&mut report);
        report.timings.resolve_ms = resolve_ms;
        report.timings.pull_ms = (milliseconds(clock) - report.timings.match_ms).max(0.0);
        Ok(report)
    }

    async fn report_layers(&self, manifest: &Manifest, pulled: Vec<Pulled>) -> Result<ImageReport, ScanError> {
        let mut uses: Vec<_> = pulled.iter().map(|layer| layer.usage.clone()).collect();
        for (layer, line) in uses.iter_mut().zip(&manifest.history) {
            layer.created_by = Some(line.clone()).filter(|line| !line.is_empty());
        }
        let layers =
            pulled.into_iter().map(|Pulled { usage, contents }| Layer { digest: Some(usage.digest), contents });
        let (layers, parts): (Vec<Layer>, _) = (layers.collect(), Arc::clone(&self.0));
        let windows = manifest.platform.as_ref().is_some_and(|platform| platform.os == "windows");
        let windows = windows.then(|| manifest.os_version.clone());
        let judged = pull::blocking(move || parts.judge(&layers, windows)).await?;
        Ok(reports::judged(manifest.digest.clone(), manifest.platform.clone(), uses, judged))
    }

    /// Scans a folder on this machine as if it were the root of an image. Nobody gave it a digest, so its report has that of
    /// what was found in it.
    pub async fn scan_rootfs(&self, folder: &Path) -> Result<ImageReport, ScanError> {
        let (folder, parts) = (folder.to_owned(), Arc::clone(&self.0));
        let stop = Shutdown::new();
        let _stops_reader = stop.clone().drop_guard();
        pull::blocking(move || {
            let clock = Instant::now();
            let contents = rootfs::read(&folder, CATALOGERS, &parts.config.limits, &stop)?;
            let digest = rootfs::digest(&contents);
            let pull_ms = milliseconds(clock);
            let judged = parts.judge(&[Layer { digest: None, contents: Arc::new(contents) }], None);
            let mut report = reports::judged(digest, None, Vec::new(), judged);
            report.timings.pull_ms = pull_ms;
            Ok(report)
        })
        .await?
    }
}

/// What is in an image, and what is wrong with it.
struct Judged {
    inventory: Inventory,
    matched: Matched,
    advisories: Option<AdvisoryStamp>,
    match_ms: f64,
}

impl Parts {
    /// `windows` is the release of Windows that the image is for, as far as it is said.
    fn judge(&self, layers: &[Layer], windows: Option<Option<String>>) -> Judged {
        let mut inventory = inventory::assemble(squash(layers, CATALOGERS));
        if let Some(version) = windows {
            inventory.set_windows(version);
        }
        let clock = Instant::now();
        let (matched, advisories) = match self.advisories.current() {
            Ok(database) => {
                let matcher = Matcher::new(&database).match_owned(self.config.match_owned);
                let matched = matcher.run(&inventory.packages, inventory.distro.as_ref());
                (matched, Some(database.stamp()))
            }
            Err(missing) => {
                let warning = Warning::new(WarningCode::NoAdvisories, missing.to_string());
                (Matched { warnings: vec![warning], ..Matched::default() }, None)
            }
        };
        Judged { inventory, matched, advisories, match_ms: milliseconds(clock) }
    }
}

#[async_trait]
impl JobRunner for Scanner {
    async fn scan_job(&self, job: &ScanJob, attempt: u32, started_at: Timestamp) -> Result<ScanReport, Retry> {
        let result = match (self.0.registries.by_name(&job.registry), job.reference()) {
            (Some(client), Some(reference)) => {
                let source = RegistrySource::new(client.clone(), job.repository.clone());
                self.scan_source(&source, Some(&reference)).await
            }
            (None, _) => Err(ScanError::Failed(format!(
                "registry {} is not configured here; add [registries.{}] to this scanner's configuration",
                job.registry, job.registry
            ))),
            (_, None) => Err(ScanError::Failed("the job names neither a tag nor a digest".to_owned())),
        };
        let scanner = self.0.config.name.clone().unwrap_or_default();
        match result {
            Err(ScanError::Temporary { reason, retry_after }) => {
                Err(Retry { reason, after: retry_after, ending: None })
            }
            Err(ScanError::Missing(reason)) => {
                let gone = Err(ScanError::Failed(format!("gone: {reason}")));
                let ending = reports::finished(job, scanner, attempt, started_at, gone);
                Err(Retry { reason, after: None, ending: Some(Box::new(ending)) })
            }
            ended => Ok(reports::finished(job, scanner, attempt, started_at, ended)),
        }
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
