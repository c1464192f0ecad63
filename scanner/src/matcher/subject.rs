//! The names and versions under which advisories may speak of a package.
//!
//! | ecosystem | advisories name |
//! |---|---|
//! | Debian, Ubuntu, Rocky, SUSE and others | source packages; a binary of the same name may come from another source, so it is not looked up |
//! | Alpine, Wolfi, Chainguard and other apk distros, Photon | source packages, now and then binary ones: both are looked up |
//! | AlmaLinux, Red Hat | binary packages |
//! | languages | packages |
//!
//! [`crate::vendors`] has the list. Kernels of Debian and Ubuntu that are signed for Secure Boot come from sources of
//! their own (`linux-signed-amd64`), for which nobody writes advisories: they are the kernel `linux`, in its version.

use std::borrow::Cow;
use std::cmp::Ordering;

use shared::package::Package;

use crate::advisories::normalize_name;
use crate::vendors::{Names, vendor_of};
use crate::versions::{InvalidVersion, Scheme};

/// A name and the version that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject<'p> {
    pub(super) name: Cow<'p, str>,
    pub(super) version: Cow<'p, str>,
    /// Whether the version lacks its epoch: rpm's records of source packages do not have it.
    pub(super) any_epoch: bool,
}

impl<'p> Subject<'p> {
    fn new(name: impl Into<Cow<'p, str>>, version: impl Into<Cow<'p, str>>) -> Self {
        Self { name: name.into(), version: version.into(), any_epoch: false }
    }

    /// Compares two versions, one of which is the subject's.
    pub(super) fn compare(&self, scheme: &dyn Scheme, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        if self.any_epoch { scheme.compare(without_epoch(a), without_epoch(b)) } else { scheme.compare(a, b) }
    }
}

/// Under which names to look a package up.
pub(super) fn subjects<'p>(package: &'p Package, ecosystem: &str) -> Vec<Subject<'p>> {
    let Some(vendor) = vendor_of(ecosystem) else {
        return vec![Subject::new(normalize_name(ecosystem, &package.name), language_version(package, ecosystem))];
    };
    let binary = Subject::new(package.name.as_str(), package.version.as_str());
    match (vendor.names, source(package, vendor.format)) {
        (Names::Source, source) => vec![source.unwrap_or(binary)],
        (Names::Both, Some(source)) if source != binary => vec![source, binary],
        (Names::Both | Names::Binary, _) => vec![binary],
    }
}

/// Whether the ecosystem is a distribution, whose vendor rates vulnerabilities for its own builds.
pub(super) fn is_distro(ecosystem: &str) -> bool {
    vendor_of(ecosystem).is_some()
}

fn source<'p>(package: &'p Package, format: &str) -> Option<Subject<'p>> {
    let name = package.source_name.as_deref()?;
    let version = package.source_version.as_deref().unwrap_or(&package.version);
    if let Some(kernel) = name.strip_prefix("linux-signed").filter(|_| format == "deb") {
        return Some(Subject::new(format!("linux{}", without_architecture(kernel)), package.version.as_str()));
    }
    if format != "rpm" || version.contains(':') {
        return Some(Subject::new(name, version));
    }
    if without_epoch(&package.version) == version {
        return Some(Subject::new(name, package.version.as_str()));
    }
    Some(Subject { any_epoch: true, ..Subject::new(name, version) })
}

/// `-5.10` of `-5.10-amd64`, nothing of `-amd64`: Debian has a signed source for each architecture, Ubuntu one for each
/// flavour.
fn without_architecture(flavour: &str) -> &str {
    let architectures = ["-amd64", "-arm64", "-i386"];
    architectures.into_iter().find_map(|architecture| flavour.strip_suffix(architecture)).unwrap_or(flavour)
}

fn without_epoch(version: &str) -> &str {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => version,
    }
}

/// Go's own versions are written as Go's advisories write them: `1.21.0-rc.2` for `go1.21rc2`.
fn language_version<'p>(package: &'p Package, ecosystem: &str) -> Cow<'p, str> {
    if ecosystem != "Go" || !matches!(package.name.as_str(), "stdlib" | "toolchain") {
        return package.version.as_str().into();
    }
    let version = package.version.trim().trim_start_matches(['g', 'o', 'v']);
    let version = version.split([' ', '+']).next().unwrap_or_default();
    if ["-beta.", "-devel", "-rc."].iter().any(|before| version.contains(before)) {
        return version.into();
    }
    let version = version.split('-').next().unwrap_or_default();
    let digits = version.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(version.len());
    let (release, before) = version.split_at(digits);
    let mut parts = release.split('.').filter(|part| !part.is_empty());
    let [major, minor, patch] = [(); 3].map(|()| parts.next().unwrap_or("0"));
    let release = format!("{major}.{minor}.{patch}");
    match before.find(|c: char| c.is_ascii_digit()) {
        Some(at) => format!("{release}-{}.{}", &before[..at], &before[at..]).into(),
        None => release.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, source: Option<(&str, &str)>) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            source_name: source.map(|(name, _)| name.into()),
            source_version: source.map(|(_, version)| version.into()),
            ..Package::default()
        }
    }

    fn looked_up(ecosystem: &str, package: &Package) -> Vec<String> {
        let shown = |subject: Subject<'_>| {
            format!("{} {}{}", subject.name, if subject.any_epoch { "?:" } else { "" }, subject.version)
        };
        subjects(package, ecosystem).into_iter().map(shown).collect()
    }

    #[test]
    fn each_vendor_has_its_names() {
        let epoch = package("openssl-libs", "1:3.0.7-24.el9", Some(("openssl", "3.0.7-24.el9")));
        for (ecosystem, expected) in [
            ("AlmaLinux:9", &["openssl-libs 1:3.0.7-24.el9"][..]),
            ("Red Hat:enterprise_linux:9", &["openssl-libs 1:3.0.7-24.el9"]),
            ("Rocky Linux:9", &["openssl 1:3.0.7-24.el9"]),
            ("SUSE:Linux Enterprise Server 15 SP5", &["openssl 1:3.0.7-24.el9"]),
            ("Photon OS:5.0", &["openssl 1:3.0.7-24.el9", "openssl-libs 1:3.0.7-24.el9"]),
            ("Debian:12", &["openssl 3.0.7-24.el9"]),
        ] {
            assert_eq!(looked_up(ecosystem, &epoch), expected, "{ecosystem}");
        }
        let other = package("perl-Carp", "1.50-396.el8", Some(("perl", "5.26.3-416.el8")));
        assert_eq!(looked_up("Rocky Linux:8", &other), ["perl ?:5.26.3-416.el8"]);
    }

    #[test]
    fn signed_kernels_are_kernels() {
        for (ecosystem, source, version, expected) in [
            ("Debian:11", "linux-signed-amd64", "5.10.46-4", "linux 5.10.46-4"),
            ("Debian:10", "linux-signed-5.10-arm64", "5.10.46-4~bpo10+1", "linux-5.10 5.10.46-4~bpo10+1"),
            ("Ubuntu:18.04:LTS", "linux-signed", "4.15.0-20.21", "linux 4.15.0-20.21"),
            ("Ubuntu:18.04:LTS", "linux-signed-azure", "4.15.0-1009.9", "linux-azure 4.15.0-1009.9"),
            ("Ubuntu:18.04:LTS", "linux-meta", "4.15.0.20.23", "linux-meta 1"),
        ] {
            assert_eq!(looked_up(ecosystem, &package("linux-image-x", version, Some((source, "1")))), [expected]);
        }
    }

    #[test]
    fn versions_of_go_itself_are_semantic_versions() {
        for (written, meant) in [
            ("go1.21.3", "1.21.3"),
            ("1.20", "1.20.0"),
            ("go1.21rc2", "1.21.0-rc.2"),
            ("go1.22.5 X:boringcrypto", "1.22.5"),
            ("go1.19.4-fips", "1.19.4"),
            ("1.21.0-rc.2", "1.21.0-rc.2"),
            ("1.23.0-devel", "1.23.0-devel"),
            ("devel", "0.0.0"),
        ] {
            assert_eq!(looked_up("Go", &package("stdlib", written, None)), [format!("stdlib {meant}")]);
        }
        assert_eq!(looked_up("Go", &package("github.com/A/b", "v1.0.0", None)), ["github.com/a/b v1.0.0"]);
    }

    #[test]
    fn an_unknown_epoch_is_any_epoch() {
        let scheme = crate::versions::scheme_for("Debian:12").unwrap();
        let unknown = Subject { any_epoch: true, ..Subject::new("perl", "5.26.3-416") };
        assert_eq!(unknown.compare(scheme, "5.26.3-416", "4:5.26.3-416"), Ok(Ordering::Equal));
        assert_eq!(Subject::new("perl", "5.26").compare(scheme, "5.26", "4:5.26"), Ok(Ordering::Less));
    }
}
