//! What a bill of materials says an image contains, without the image.

use std::collections::BTreeMap;
use std::io::BufRead;

use shared::package::{Distro, Package};
use shared::report::{Warning, WarningCode};

use super::purl::Purl;
use super::{Inventory, WARNING_LIMIT, distro, ecosystem_of_distro, is_of_distro, sort_key, unknown_distro};
use crate::catalogers::sbom::{Bill, package_of};
use crate::catalogers::{CatalogError, OsRelease};
use crate::vendors::is_distro_format;

/// Types of package URLs of what a document describes, rather than of what is in it.
const DESCRIBED: &[&str] = &["bitbucket", "docker", "github", "oci"];

/// Reads a CycloneDX, SPDX or Syft document. Packages are known by their package URLs; whatever cannot be matched by one
/// is a gap.
pub fn inventory_from_sbom(file: &mut dyn BufRead) -> Result<Inventory, CatalogError> {
    let bill = Bill::read(file)?;
    let distro = bill.distro.as_ref().map(distro::distro).or_else(|| distro_of(&bill.purls));
    let mut inventory = Inventory { distro, ..Inventory::default() };
    let mut unplaced: BTreeMap<String, usize> = BTreeMap::new();
    for purl in &bill.purls {
        match package_of(purl) {
            Ok(package) => {
                let package = placed(package, inventory.distro.as_ref());
                let kind = package.kind().unwrap_or_default();
                if package.ecosystem.is_none() && !is_distro_format(kind) {
                    *unplaced.entry(kind.to_owned()).or_default() += 1;
                }
                inventory.packages.push(package);
            }
            Err(error) => inventory.warnings.push(Warning::new(WarningCode::UnusablePurl, error.to_string())),
        }
    }
    inventory.packages.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    inventory.packages.dedup();
    inventory.warnings.truncate(WARNING_LIMIT);
    let of_distro: Vec<_> = inventory.packages.iter().filter(|package| is_of_distro(package)).cloned().collect();
    inventory.warnings.extend(unknown_distro(&of_distro, inventory.distro.as_ref()));
    inventory.warnings.extend(gaps(&bill, &unplaced));
    Ok(inventory)
}

/// Packages of a distribution that do not name their release are of the document's.
fn placed(mut package: Package, distro: Option<&Distro>) -> Package {
    if package.ecosystem.is_none()
        && let Some(kind) = package.kind()
    {
        package.ecosystem = ecosystem_of_distro(kind, distro);
    }
    package
}

/// The distribution that the package URLs name.
fn distro_of(purls: &[String]) -> Option<Distro> {
    let named = purls.iter().filter_map(|purl| purl.parse::<Purl>().ok()).filter(|purl| is_distro_format(&purl.kind));
    named.filter_map(|purl| Some((purl.namespace.first()?.clone(), purl.qualifiers.get("distro")?.clone()))).next().map(
        |(id, release)| {
            let version = release.strip_prefix(&id).and_then(|rest| rest.strip_prefix('-')).unwrap_or(&release);
            distro::distro(&OsRelease { version_id: Some(version.to_owned()), id, ..OsRelease::default() })
        },
    )
}

fn gaps(bill: &Bill, unplaced: &BTreeMap<String, usize>) -> Vec<Warning> {
    let mut gaps = Vec::new();
    if bill.nameless > 0 {
        let examples = bill.examples.join(", ");
        let message = format!("{} components have no package URL and were not matched: {examples}", bill.nameless);
        gaps.push(Warning::new(WarningCode::WithoutPurl, message));
    }
    let of_types: Vec<_> = unplaced.iter().filter(|(kind, _)| !DESCRIBED.contains(&kind.as_str())).collect();
    if !of_types.is_empty() {
        let count: usize = of_types.iter().map(|(_, count)| **count).sum();
        let kinds: Vec<_> = of_types.iter().map(|(kind, _)| kind.as_str()).take(20).collect();
        let message = format!("{count} packages are of types for which no advisories are known: {}", kinds.join(", "));
        gaps.push(Warning::new(WarningCode::UnknownType, message));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(text: &str) -> Inventory {
        inventory_from_sbom(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn packages_are_placed_by_their_urls_or_the_document() {
        let inventory = inventory(
            r#"{"artifacts": [{"purl": "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&upstream=openssl"},
                {"purl": "pkg:npm/express@4.16.0"}], "distro": {"id": "debian", "versionID": "12", "prettyName": "Debian 12"}}"#,
        );
        let listed: Vec<_> = inventory.packages.iter().map(|p| (p.ecosystem.as_deref(), p.name.as_str())).collect();
        assert_eq!(listed, [(Some("Debian:12"), "libssl3"), (Some("npm"), "express")]);
        assert_eq!(inventory.packages[0].source_name.as_deref(), Some("openssl"));
        assert_eq!(inventory.distro.unwrap().name.as_deref(), Some("Debian 12"));
        assert_eq!(inventory.warnings, []);
    }

    #[test]
    fn the_distribution_may_be_in_the_urls_alone() {
        let inventory = inventory(
            r#"{"bomFormat": "CycloneDX", "metadata": {"component": {"name": "shop", "purl": "pkg:npm/shop"}}, "components": [{"purl": "pkg:apk/alpine/musl@1?distro=alpine-3.18.9"}]}"#,
        );
        assert_eq!(inventory.warnings, []);
        assert_eq!(inventory.distro.unwrap().ecosystem.as_deref(), Some("Alpine:v3.18"));
    }

    #[test]
    fn what_cannot_be_matched_is_a_gap() {
        let inventory = inventory(
            r#"{"bomFormat": "CycloneDX", "components": [{"name": "a"}, {"purl": "pkg:generic/b@1"}, {"purl": "pkg:npm/c"},
                {"purl": "pkg:deb/debian/d@1"}, {"purl": "pkg:oci/image@1"}]}"#,
        );
        let codes: Vec<_> = inventory.warnings.iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes, ["unusable-purl", "unknown-distro", "without-purl", "unknown-type"]);
        assert!(inventory.warnings[3].message.starts_with("1 packages are of types"), "{:?}", inventory.warnings);
    }
}
