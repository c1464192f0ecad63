//! Fetching what OSV publishes, and building the database from it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Certificate, Client, Url};
use serde::Serialize;

use super::build;
use super::config::AdvisoriesConfig;
use super::database::Database;
use super::download::{DownloadError, Downloader};
use super::folder::{AdvisoriesError, Folder, Lock, Progress};
use super::import::ImportReport;

/// What an update did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpdateReport {
    /// One for each ecosystem asked for.
    pub updates: Vec<SourceUpdate>,
    /// The database afterwards.
    pub database: ImportReport,
}

/// What became of one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceUpdate {
    /// Its name.
    pub ecosystem: String,
    /// What happened.
    #[serde(flatten)]
    pub outcome: Updated,
}

/// How the update of one ecosystem ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Updated {
    /// There was a new zip.
    Fetched {
        /// Its size.
        bytes: u64,
    },
    /// The server has nothing newer.
    Unchanged,
    /// It failed; the records that were there before stay in use.
    Failed {
        /// Why.
        why: String,
    },
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte for so long, a transfer has failed.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

impl Folder {
    /// Fetches every configured ecosystem that changed, and builds the database if any did. If nothing changed and
    /// everything was asked, the database is marked as up to date by a new time of building.
    ///
    /// One ecosystem that fails does not stop the others: see [`Updated::Failed`].
    pub async fn update(
        &self,
        config: &AdvisoriesConfig,
        progress: Arc<dyn Fn(Progress) + Send + Sync>,
    ) -> Result<UpdateReport, AdvisoriesError> {
        self.update_with(config, ATTEMPTS, PAUSE, progress).await
    }

    async fn update_with(
        &self,
        config: &AdvisoriesConfig,
        attempts: u32,
        pause: Duration,
        progress: Arc<dyn Fn(Progress) + Send + Sync>,
    ) -> Result<UpdateReport, AdvisoriesError> {
        let client = client(config)?;
        let lock = self.lock()?;
        let sources = self.sources_path();
        let mut downloader = Downloader { client: &client, folder: &sources, attempts, pause };
        let mut updates = Vec::new();
        for ecosystem in &config.ecosystems {
            let url = zip_url(config, ecosystem)?;
            let told = |bytes, total| progress(Progress::Downloading { source: ecosystem.clone(), bytes, total });
            let outcome = match downloader.fetch(ecosystem, url.as_str(), &told).await {
                Ok(Some(bytes)) => Updated::Fetched { bytes },
                Ok(None) => Updated::Unchanged,
                Err(error) => {
                    // The server is hardly there: the others get one attempt each.
                    if matches!(error, DownloadError::Transfer(_)) {
                        downloader.attempts = 1;
                    }
                    Updated::Failed { why: format!("{url}: {error}") }
                }
            };
            updates.push(SourceUpdate { ecosystem: ecosystem.clone(), outcome });
        }
        if let Some(why) = all_failed(&updates)
            && !self.database_path().exists()
        {
            return Err(AdvisoriesError::NothingFetched(why.to_owned()));
        }
        let folder = self.clone();
        let built = tokio::task::spawn_blocking(move || {
            let database = folder.after(&updates, &lock, &*progress)?;
            Ok(UpdateReport { updates, database })
        });
        built.await.unwrap_or_else(|error| Err(AdvisoriesError::Config(format!("building was broken off: {error}"))))
    }

    /// Brings the database in line with what an update did.
    fn after(
        &self,
        updates: &[SourceUpdate],
        lock: &Lock,
        progress: &dyn Fn(Progress),
    ) -> Result<ImportReport, AdvisoriesError> {
        let path = self.database_path();
        let any = |wanted: fn(&Updated) -> bool| updates.iter().any(|update| wanted(&update.outcome));
        if any(|outcome| matches!(outcome, Updated::Fetched { .. })) || Database::open(&path).is_err() {
            return self.rebuild(lock, progress);
        }
        if !any(|outcome| matches!(outcome, Updated::Failed { .. })) {
            let new = self.new_database_path();
            build::restamp(&path, &new, Timestamp::now()).map_err(AdvisoriesError::io(&new))?;
            return self.install_database(&new);
        }
        Ok(ImportReport::of(&Database::open(&path)?))
    }
}

impl AdvisoriesConfig {
    /// Says what cannot be used.
    pub fn check(&self) -> Result<(), AdvisoriesError> {
        client(self)?;
        self.ecosystems.iter().try_for_each(|ecosystem| zip_url(self, ecosystem).map(drop))
    }
}

/// Why the first failed, if all did.
fn all_failed(updates: &[SourceUpdate]) -> Option<&str> {
    let failures = updates.iter().map(|update| match &update.outcome {
        Updated::Failed { why } => Some(why.as_str()),
        _ => None,
    });
    failures.collect::<Option<Vec<_>>>()?.first().copied()
}

fn client(config: &AdvisoriesConfig) -> Result<Client, AdvisoriesError> {
    let unusable = |error: &dyn std::fmt::Display| AdvisoriesError::Config(error.to_string());
    let mut builder = Client::builder()
        .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT);
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(AdvisoriesError::io(path))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| unusable(&format!("ca_file: {e}")))?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|e| unusable(&e))
}

/// `<base>/<ecosystem>/all.zip`, whatever characters the ecosystem has.
fn zip_url(config: &AdvisoriesConfig, ecosystem: &str) -> Result<Url, AdvisoriesError> {
    let unusable = || AdvisoriesError::Config(format!("url {:?} is not an http or https address", config.url));
    if ecosystem.is_empty() || ecosystem.starts_with('.') || ecosystem.contains(['/', '\\', '\0']) {
        return Err(AdvisoriesError::Config(format!("{ecosystem:?} is not the name of an ecosystem")));
    }
    let mut url = Url::parse(&config.url).map_err(|_| unusable())?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(unusable());
    }
    url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().extend([ecosystem, "all.zip"]);
    Ok(url)
}

#[cfg(test)]
mod tests;
