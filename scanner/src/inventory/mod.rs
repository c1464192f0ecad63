//! What an image contains, once its layers are squashed: packages with their ecosystems and package URLs.

mod bills;
mod distro;
mod from_purl;
mod from_sbom;
mod languages;
mod locks;
mod owners;
mod purl;
mod release;

use shared::package::{Distro, Package};
use shared::report::{Warning, WarningCode};

use self::distro::Gap;
use self::languages::language_of;
use crate::catalogers::{FoundPackage, OsRelease};
use crate::image::squash::{LayeredPackage, Problem, Squashed};
use crate::vendors::{is_distro_format, vendor_of};

pub use from_purl::package_from_purl;
pub use from_sbom::inventory_from_sbom;
pub use purl::{Purl, PurlError};

/// Warnings of unreadable files that are kept; an image may have any number of broken files.
const WARNING_LIMIT: usize = 1000;

/// Packages of one image.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// From os-release, if there is one.
    pub distro: Option<Distro>,
    /// Sorted by ecosystem, name, version, path.
    pub packages: Vec<Package>,
    /// What could not be read or placed.
    pub warnings: Vec<Warning>,
}

impl Inventory {
    /// Says that the image is of Windows: the build `version` of it, by its configuration.
    pub fn set_windows(&mut self, version: Option<String>) {
        if self.distro.is_none() {
            let windows = distro::windows(version);
            let replaced = [WarningCode::NoPackages, WarningCode::UnknownDistro].map(WarningCode::as_str);
            self.warnings.retain(|warning| !replaced.contains(&warning.code.as_str()));
            self.warnings.extend(unknown_distro(&self.packages, Some(&windows)));
            self.distro = Some(windows);
        }
    }
}

/// Gives every package its ecosystem and its package URL.
pub fn assemble(squashed: Squashed) -> Inventory {
    let distro = os_release(&squashed.os_releases).map(distro::distro);
    let mut packages: Vec<_> = squashed.packages.into_iter().map(|found| place(found, distro.as_ref())).collect();
    packages.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    packages.dedup();
    bills::drop_what_is_installed(&mut packages);
    let mut problems = squashed.problems;
    let layers = &squashed.layers;
    owners::assign(&mut packages, &mut problems, &squashed.owned, layers, is_of_distro);
    locks::drop_installed_projects(&mut packages);
    let mut warnings: Vec<_> = problems.into_iter().take(WARNING_LIMIT).map(unreadable_file).collect();
    warnings.extend(unknown_distro(&packages, distro.as_ref()));
    warnings.extend(unknown_kinds(&packages));
    warnings.extend(nothing_found(&packages));
    Inventory { distro, packages, warnings }
}

/// `etc/os-release` is the administrator's word and comes before the vendor's in `usr/lib`.
fn os_release(releases: &[(String, OsRelease)]) -> Option<&OsRelease> {
    let of_administrator = releases.iter().find(|(path, _)| path == "etc/os-release");
    of_administrator.or_else(|| releases.first()).map(|(_, release)| release)
}

fn place(found: LayeredPackage, distro: Option<&Distro>) -> Package {
    let LayeredPackage { package, path, layer } = found;
    let path = package.inner.as_ref().map_or_else(|| path.clone(), |inner| format!("{path}!/{inner}"));
    Package {
        purl: purl_of(&package, distro).to_string(),
        ecosystem: ecosystem_of(&package.kind, distro),
        name: package.name,
        version: package.version,
        architecture: package.architecture,
        source_name: package.source_name,
        source_version: package.source_version,
        module: package.module,
        layer,
        path,
        evidence: package.evidence,
        owner: None,
    }
}

fn ecosystem_of(kind: &str, distro: Option<&Distro>) -> Option<String> {
    let of_language = language_of(kind).map(|language| language.ecosystem.to_owned());
    of_language.or_else(|| ecosystem_of_distro(kind, distro))
}

/// A distribution's packages are its own only if they are of its format: an image may hold those of another one.
fn ecosystem_of_distro(kind: &str, distro: Option<&Distro>) -> Option<String> {
    distro
        .and_then(|distro| distro.ecosystem.clone())
        .filter(|ecosystem| vendor_of(ecosystem).is_some_and(|vendor| vendor.format == kind))
}

fn purl_of(package: &FoundPackage, distro: Option<&Distro>) -> Purl {
    if !is_distro_format(&package.kind) {
        let split = language_of(&package.kind).map(|language| language.split(&package.name));
        let (namespace, name) = split.unwrap_or((None, &package.name));
        return Purl::new(&package.kind, namespace, name, &package.version);
    }
    let (epoch, version) = match package.version.split_once(':') {
        Some((epoch, version)) if package.kind == "rpm" => (Some(epoch), version),
        _ => (None, package.version.as_str()),
    };
    let mut purl = Purl::new(&package.kind, distro.map(|distro| distro.id.as_str()), &package.name, version);
    purl.qualify("epoch", epoch);
    purl.qualify("arch", package.architecture.as_deref());
    purl.qualify("distro", distro.and_then(release_of).as_deref());
    purl.qualify("rpmmod", package.module.as_deref());
    purl.qualify("upstream", upstream(package).as_deref());
    purl
}

/// Whether it is a package of a distribution's own format.
fn is_of_distro(package: &Package) -> bool {
    package.kind().is_some_and(is_distro_format)
}

fn release_of(distro: &Distro) -> Option<String> {
    distro.version.as_ref().map(|version| format!("{}-{version}", distro.id))
}

/// The source package where it is not the package itself, its version where it has another.
fn upstream(package: &FoundPackage) -> Option<String> {
    let source = package.source_name.as_deref()?;
    match package.source_version.as_deref() {
        Some(version) if version != package.version => Some(format!("{source}@{version}")),
        _ => (source != package.name).then(|| source.to_owned()),
    }
}

fn sort_key(package: &Package) -> impl Ord + '_ {
    (&package.ecosystem, &package.name, &package.version, &package.path, &package.purl, &package.layer)
}

fn unreadable_file(Problem { path, why, .. }: Problem) -> Warning {
    Warning::new(WarningCode::UnreadableFile, format!("{path}: {why}"))
}

/// A distribution whose advisories cannot be had, whether or not a package of it was found; or packages of none.
fn unknown_distro(packages: &[Package], distro: Option<&Distro>) -> Option<Warning> {
    let unplaced = packages.iter().filter(|package| package.ecosystem.is_none() && is_of_distro(package)).count();
    let Some(distro) = distro else {
        let message = format!(
            "{unplaced} packages could not be matched: there is no os-release file, so nothing names their distribution"
        );
        return (unplaced > 0).then(|| Warning::new(WarningCode::UnknownDistro, message));
    };
    let what = distro.label();
    if distro.ecosystem.is_some() {
        let message = format!("{unplaced} packages could not be matched: their format is not that of {what}");
        return (unplaced > 0).then(|| Warning::new(WarningCode::UnknownDistro, message));
    }
    let gap = Gap::of(distro);
    let subject = match unplaced {
        0 => what,
        _ => format!("{unplaced} packages of {what}"),
    };
    let message = format!("{subject} could not be matched: {}", gap.why());
    Some(Warning::new(gap.code(), message))
}

/// An image without a single package runs something all the same, or holds data: nothing can be said of either.
fn nothing_found(packages: &[Package]) -> Option<Warning> {
    let message = "no package was found in it; programs without build information, and files that no package manager \
                   recorded, cannot be matched";
    packages.is_empty().then(|| Warning::new(WarningCode::NoPackages, message.to_owned()))
}

/// Packages of no distribution and of no ecosystem: programs that are known by their version strings, say. One that a
/// package of the distribution brought is no gap of its own: that package is matched, or is a gap.
fn unknown_kinds(packages: &[Package]) -> Option<Warning> {
    let is_unplaced =
        |package: &&Package| package.ecosystem.is_none() && package.owner.is_none() && !is_of_distro(package);
    let mut unplaced = packages.iter().filter(is_unplaced);
    let first = unplaced.next()?;
    let message = format!(
        "{} packages could not be matched: OSV publishes no advisories for what they are; the first: {}",
        unplaced.count() + 1,
        first.purl
    );
    Some(Warning::new(WarningCode::UnknownEcosystem, message))
}

#[cfg(test)]
mod tests;
