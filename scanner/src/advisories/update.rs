//! Fetching what OSV, CISA and FIRST publish, and building the database from it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Certificate, Client, Url};
use serde::Serialize;

use super::build;
use super::config::AdvisoriesConfig;
use super::database::Database;
use super::download::{DownloadError, Downloader, Wanted};
use super::folder::{AdvisoriesError, Folder, Lock, Progress};
use super::import::ImportReport;
use super::tables::TableKind;
use super::zips::RecordZip;

/// What an update did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpdateReport {
    /// One for each ecosystem and table asked for.
    pub updates: Vec<SourceUpdate>,
    /// The database afterwards.
    pub database: ImportReport,
}

/// What became of one ecosystem or table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceUpdate {
    /// Its name: `PyPI`, `kev`.
    pub source: String,
    /// Whether it is a table of CVEs, without which findings are as right, but less told apart.
    pub is_table: bool,
    /// What happened.
    #[serde(flatten)]
    pub outcome: Updated,
}

/// How the update of one source ended.
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
    /// It failed; what was there before stays in use.
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
    /// Fetches every configured ecosystem and table that changed, and builds the database if any did. If nothing changed
    /// and every ecosystem was asked, the database is marked as up to date by a new time of building.
    ///
    /// One source that fails does not stop the others: see [`Updated::Failed`].
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
        for (wanted, is_table) in wanted(config)? {
            let source = wanted.name.clone();
            let told = |bytes, total| progress(Progress::Downloading { source: source.clone(), bytes, total });
            let outcome = match downloader.fetch(&wanted, &told).await {
                Ok(Some(bytes)) => Updated::Fetched { bytes },
                Ok(None) => Updated::Unchanged,
                Err(error) => {
                    // The server is hardly there: the others get one attempt each.
                    if matches!(error, DownloadError::Transfer(_)) {
                        downloader.attempts = 1;
                    }
                    Updated::Failed { why: format!("{}: {error}", wanted.url) }
                }
            };
            updates.push(SourceUpdate { source, is_table, outcome });
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
        let is_new = |update: &SourceUpdate| matches!(update.outcome, Updated::Fetched { .. });
        let is_missed = |update: &SourceUpdate| matches!(update.outcome, Updated::Failed { .. }) && !update.is_table;
        if updates.iter().any(is_new) || Database::open(&path).is_err() {
            return self.rebuild(lock, progress);
        }
        if !updates.iter().any(is_missed) {
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
        wanted(self).map(drop)
    }
}

/// Everything that is configured, and whether it is a table.
fn wanted(config: &AdvisoriesConfig) -> Result<Vec<(Wanted, bool)>, AdvisoriesError> {
    let mut all = Vec::new();
    for ecosystem in &config.ecosystems {
        let check = |path: &Path| RecordZip::open(path).map(drop);
        let url = zip_url(config, ecosystem)?;
        all.push((Wanted { name: ecosystem.clone(), extension: "zip", url, check }, false));
    }
    for (kind, address) in config.tables() {
        let check: fn(&Path) -> io::Result<()> = match kind {
            TableKind::Kev => |path| must_be(TableKind::Kev, path),
            TableKind::Epss => |path| must_be(TableKind::Epss, path),
            TableKind::Cvss => |path| must_be(TableKind::Cvss, path),
        };
        let url = http_url(&address)?;
        all.push((Wanted { name: kind.as_str().to_owned(), extension: "table", url, check }, true));
    }
    Ok(all)
}

fn must_be(kind: TableKind, path: &Path) -> io::Result<()> {
    match TableKind::of_file(path)? {
        Some(found) if found == kind => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("what came is no table of {}", kind.as_str()))),
    }
}

/// Why the first ecosystem failed, if all did.
fn all_failed(updates: &[SourceUpdate]) -> Option<&str> {
    let failures = updates.iter().filter(|update| !update.is_table).map(|update| match &update.outcome {
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
    if ecosystem.is_empty() || ecosystem.starts_with('.') || ecosystem.contains(['/', '\\', '\0']) {
        return Err(AdvisoriesError::Config(format!("{ecosystem:?} is not the name of an ecosystem")));
    }
    let mut url = http_url(&config.url)?;
    let unusable = |()| AdvisoriesError::Config(format!("{:?} is not an http or https address", config.url));
    url.path_segments_mut().map_err(unusable)?.pop_if_empty().extend([ecosystem, "all.zip"]);
    Ok(url)
}

fn http_url(address: &str) -> Result<Url, AdvisoriesError> {
    let url = Url::parse(address).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.ok_or_else(|| AdvisoriesError::Config(format!("{address:?} is not an http or https address")))
}

#[cfg(test)]
mod tests;
