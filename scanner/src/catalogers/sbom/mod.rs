//! Bills of materials in an image: CycloneDX, SPDX and Syft JSON, where vendors put them.
//!
//! | Where | Whose |
//! |---|---|
//! | `usr/share/sbom/**.json` | vendors of base images |
//! | `var/lib/db/sbom/*.spdx.json` | Wolfi and Chainguard, one for each apk package |
//! | `opt/bitnami/**/.spdx-*.spdx` | Bitnami, one for each component |
//! | `*.cdx.json`, `*.cyclonedx.json`, `*.spdx.json`, `*.syft.json` | anybody: in wheels (PEP 770), beside programs |
//!
//! Packages of a distribution are not taken from them: its package database is the authority. Nor are components without
//! a package URL, or with one of a type for which there are no advisories.

mod bill;
#[cfg(test)]
mod tests;
mod trivy;

use std::io::BufRead;

use shared::package::{Evidence, Package};

use super::{CatalogError, Cataloger, Found, FoundPackage};
use crate::inventory::{PurlError, package_from_purl};
use crate::vendors::is_distro_format;

pub(crate) use bill::Bill;

/// Endings by which tools know bills of materials.
const ENDINGS: &[&str] = &[".cdx.json", ".cyclonedx.json", ".spdx.json", ".syft.json"];

/// Reads bills of materials.
pub(super) struct Sbom;

impl Cataloger for Sbom {
    fn name(&self) -> &'static str {
        "sbom"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &str) -> bool {
        let file = path.rsplit('/').next().unwrap_or(path);
        ENDINGS.iter().any(|ending| file.ends_with(ending))
            || path.starts_with("usr/share/sbom/") && file.ends_with(".json")
            || path.starts_with("opt/bitnami/") && file.starts_with(".spdx-") && file.ends_with(".spdx")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        read_packages(file, None, found)
    }
}

/// Reads the packages of languages out of a document, which lies at `inner` if it lies in an archive.
pub(super) fn read_packages(
    file: &mut dyn BufRead,
    inner: Option<&str>,
    found: &mut Found,
) -> Result<(), CatalogError> {
    let bill = Bill::read(file)?;
    for package in bill.purls.iter().filter_map(|purl| package_of(purl).ok()) {
        let Some(kind) = package.kind().filter(|kind| !is_distro_format(kind)) else { continue };
        if package.ecosystem.is_some() {
            found.package(FoundPackage {
                kind: kind.to_owned(),
                name: package.name.clone(),
                version: package.version.clone(),
                evidence: Evidence::Sbom,
                inner: inner.map(str::to_owned),
                ..FoundPackage::default()
            })?;
        }
    }
    Ok(())
}

/// The package of a package URL in a bill of materials. Bitnami's have the revision of their build behind the version,
/// `7.4.1-0`, and its advisories have not.
pub(crate) fn package_of(purl: &str) -> Result<Package, PurlError> {
    let mut package = package_from_purl(purl)?;
    package.evidence = Evidence::Sbom;
    if package.kind() == Some("bitnami")
        && let Some((version, revision)) = package.version.rsplit_once('-')
        && !version.is_empty()
        && revision.bytes().all(|byte| byte.is_ascii_digit())
    {
        package.version = version.to_owned();
    }
    Ok(package)
}
