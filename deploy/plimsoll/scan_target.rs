//! Reading a target of `plimsoll scan`, whatever kind it is.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ::scanner::image::source::{DockerArchive, OciLayout, RegistrySource, Target};
use ::scanner::inventory::{Inventory, inventory_from_sbom, package_from_purl};
use ::scanner::matcher;
use anyhow::Context;
use shared::image::{Digest, ImageRef};
use shared::registry::{Registries, RegistryClient, RegistryConfig};
use shared::report::{ImageReport, Outcome, Timings};

use crate::Failure;
use crate::config::Settings;
use crate::scan_progress::Watched;
use crate::service;

/// Package URLs in one file.
const MAX_PURLS: usize = 1_000_000;

/// What a target turned out to be.
pub(crate) struct Result {
    /// Digest of the index or manifest, where the target has one.
    pub(crate) digest: Option<Digest>,
    /// One for each platform.
    pub(crate) images: Vec<ImageReport>,
}

/// Scans `target`.
pub(crate) async fn scan(settings: &Settings, target: &Target) -> std::result::Result<Result, Failure> {
    let scanner = service::scanner(settings)?;
    let scanned = match target {
        Target::Image(image) => {
            let source = RegistrySource::new(client(settings, image)?, image.repository.clone());
            scanner.scan_source(&Watched::new(source), Some(&image.reference())).await?
        }
        Target::OciLayout { dir, name } => {
            scanner.scan_source(&Watched::new(OciLayout::new(dir, name.clone())), None).await?
        }
        Target::DockerArchive { file, name } => {
            scanner.scan_source(&Watched::new(DockerArchive::new(file, name.clone())), None).await?
        }
        Target::Rootfs(folder) => {
            return Ok(Result { digest: None, images: vec![scanner.scan_rootfs(folder).await?] });
        }
        Target::Purls(file) => return Ok(Result { digest: None, images: vec![match_purls(settings, file)?] }),
        Target::Sbom(file) => return Ok(Result { digest: None, images: vec![match_sbom(settings, file)?] }),
    };
    Ok(Result { digest: Some(scanned.digest), images: scanned.images })
}

/// The configured registry of that host; else that host, anonymously.
fn client(settings: &Settings, image: &ImageRef) -> std::result::Result<RegistryClient, Failure> {
    let configured = Registries::new(&settings.config.registries).map_err(|error| settings.wrong(error))?;
    if let Some(client) = configured.select(&image.host) {
        return Ok(client.clone());
    }
    Ok(RegistryClient::new(&image.host, &RegistryConfig::anonymous(&image.host))?)
}

/// Matches the packages that a file names, one package URL a line.
fn match_purls(settings: &Settings, file: &Path) -> std::result::Result<ImageReport, Failure> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let urls = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).take(MAX_PURLS);
    let mut packages = Vec::new();
    for (number, url) in urls {
        let package = package_from_purl(url).with_context(|| format!("{}, line {number}", file.display()));
        packages.push(package.map_err(Failure::Usage)?);
    }
    report(settings, Inventory { packages, ..Inventory::default() })
}

/// Matches the packages that a bill of materials lists.
fn match_sbom(settings: &Settings, file: &Path) -> std::result::Result<ImageReport, Failure> {
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let unreadable = || format!("cannot read {} as CycloneDX, SPDX or Syft JSON", file.display());
    let inventory = inventory_from_sbom(&mut BufReader::new(opened)).with_context(unreadable)?;
    report(settings, inventory)
}

/// Matches packages that were told rather than found. Nobody gave them a digest, so the report has that of their list.
fn report(settings: &Settings, inventory: Inventory) -> std::result::Result<ImageReport, Failure> {
    let database = settings.advisory_database().current()?;
    let matched = matcher::match_packages(&inventory.packages, inventory.distro.as_ref(), &database);
    let warnings = [inventory.warnings, matched.warnings].concat();
    let purls: Vec<_> = inventory.packages.iter().map(|package| package.purl.as_str()).collect();
    Ok(ImageReport {
        digest: Digest::sha256_of(purls.join("\n").as_bytes()),
        platform: None,
        outcome: if warnings.is_empty() { Outcome::Complete } else { Outcome::Partial },
        reason: warnings.first().map(|warning| warning.message.clone()),
        warnings,
        distro: inventory.distro,
        advisories: Some(database.stamp()),
        base: None,
        layers: Vec::new(),
        packages: inventory.packages,
        findings: matched.findings,
        vulnerabilities: matched.vulnerabilities,
        timings: Timings::default(),
    })
}
