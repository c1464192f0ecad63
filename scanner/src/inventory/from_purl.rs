//! Packages that are given by their package URLs alone, without an image.

use shared::package::Package;

use super::distro;
use super::languages::language_of;
use super::purl::{Purl, PurlError};
use crate::vendors::is_distro_format;

/// The package that a package URL names.
///
/// For distributions the namespace is the os-release `ID` and the qualifier `distro` the release: `debian-12`, `12`,
/// `bookworm`. Without one the package has an ecosystem only where the distribution has no releases. The qualifier
/// `upstream` is the source package, `openssl@3.0.1-1`, `openssl` or
/// `openssl-3.0.1-1.src.rpm`; without it the package is its own source. For rpm, and deb where the version lacks it, `epoch`
/// is part of the version.
pub fn package_from_purl(text: &str) -> Result<Package, PurlError> {
    let purl: Purl = text.parse()?;
    let Some(version) = purl.version.clone() else {
        return Err(PurlError::new(text, "it has no version"));
    };
    let mut package = Package { purl: purl.to_string(), name: purl.name.clone(), version, ..Package::default() };
    if is_distro_format(&purl.kind) {
        place_in_distro(&mut package, &purl);
    } else if let Some(language) = language_of(&purl.kind) {
        package.ecosystem = Some(language.ecosystem.to_owned());
        package.name = language.join(&purl.namespace, &purl.name);
    }
    Ok(package)
}

fn place_in_distro(package: &mut Package, purl: &Purl) {
    let qualifier = |key| purl.qualifiers.get(key).map(String::as_str);
    let namespace = purl.namespace.first().map(String::as_str).unwrap_or_default();
    let (id, release) = match qualifier("distro") {
        Some(distro) => release_of(namespace, distro),
        None => (namespace, None),
    };
    let epoch = qualifier("epoch").filter(|epoch| purl.kind != "apk" && *epoch != "0");
    if let Some(epoch) = epoch.filter(|_| !package.version.contains(':')) {
        package.version = format!("{epoch}:{}", package.version);
    }
    let (source_name, source_version) = match qualifier("upstream") {
        Some(upstream) => {
            source_rpm(upstream).or_else(|| upstream.split_once('@')).unwrap_or((upstream, &package.version))
        }
        None => (package.name.as_str(), package.version.as_str()),
    };
    let source = (source_name.to_owned(), source_version.to_owned());
    (package.source_name, package.source_version) = (Some(source.0), Some(source.1));
    package.module = qualifier("rpmmod").map(str::to_owned);
    package.architecture = qualifier("arch").map(str::to_owned);
    package.ecosystem = distro::ecosystem(id, release);
}

/// Name and version of `openssl-3.0.7-24.el9.src.rpm`.
fn source_rpm(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (release, _) = stem.rmatch_indices('-').nth(1)?;
    Some((&stem[..release], &stem[release + 1..]))
}

/// `debian-12`, `12` and `bookworm` are releases of the namespace `debian`; `rhel-9.4` says more than `redhat` does.
fn release_of<'p>(namespace: &'p str, distro: &'p str) -> (&'p str, Option<&'p str>) {
    match distro.rsplit_once('-') {
        Some((id, release)) if release.starts_with(|c: char| c.is_ascii_digit()) => (id, Some(release)),
        Some((id, release)) if id == namespace => (id, Some(release)),
        _ => (namespace, Some(distro)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_ecosystems() {
        for (purl, ecosystem, name) in [
            ("pkg:pypi/Jinja2@3.1.2", "PyPI", "jinja2"),
            ("pkg:npm/%40angular/core@12.3.1", "npm", "@angular/core"),
            ("pkg:golang/golang.org/x/net@v0.1.0", "Go", "golang.org/x/net"),
            ("pkg:maven/org.yaml/snakeyaml@1.33", "Maven", "org.yaml:snakeyaml"),
            ("pkg:cargo/time@0.1.42", "crates.io", "time"),
            ("pkg:composer/symfony/http-kernel@5.4.0", "Packagist", "symfony/http-kernel"),
            ("pkg:deb/debian/openssl@3.0.1-1?distro=debian-12", "Debian:12", "openssl"),
            ("pkg:deb/debian/openssl@3.0.1-1?distro=bookworm", "Debian:12", "openssl"),
            ("pkg:deb/debian/openssl@3.0.1-1?distro=12", "Debian:12", "openssl"),
            ("pkg:deb/ubuntu/curl@7.81.0?distro=ubuntu-22.04", "Ubuntu:22.04:LTS", "curl"),
            ("pkg:apk/alpine/musl@1.2.3?distro=alpine-3.18.4", "Alpine:v3.18", "musl"),
            ("pkg:apk/wolfi/glibc@2.38-r1", "Wolfi", "glibc"),
            ("pkg:rpm/redhat/openssl@3.0.7-1.el9?distro=rhel-9.4", "Red Hat:enterprise_linux:9", "openssl"),
            ("pkg:rpm/opensuse/curl@8.0.1-1?distro=opensuse-leap-15.6", "openSUSE:Leap 15.6", "curl"),
            ("pkg:rpm/sles/curl@8.0.1-1?distro=sles-15.5", "SUSE:Linux Enterprise Server 15 SP5", "curl"),
            ("pkg:dhi/python@3.12.1", "DHI", "python"),
            ("pkg:rpm/rocky/curl@7.76-1?distro=9", "Rocky Linux:9", "curl"),
        ] {
            let package = package_from_purl(purl).unwrap();
            assert_eq!((package.ecosystem.as_deref(), package.name.as_str()), (Some(ecosystem), name), "{purl}");
        }
        for unplaced in ["pkg:deb/debian/openssl@3.0.1-1", "pkg:generic/openssl@1", "pkg:deb/openssl@1?distro=12"] {
            assert_eq!(package_from_purl(unplaced).unwrap().ecosystem, None, "{unplaced}");
        }
        assert!(package_from_purl("pkg:npm/x").unwrap_err().to_string().contains("version"));
    }

    #[test]
    fn an_epoch_is_part_of_the_version_of_an_rpm() {
        let package = package_from_purl("pkg:rpm/rocky/bind@9.16-1.el8?distro=rocky-8&epoch=32").unwrap();
        assert_eq!(
            (package.version.as_str(), package.source_version.as_deref()),
            ("32:9.16-1.el8", Some("32:9.16-1.el8"))
        );
        let deb = |purl: &str| package_from_purl(purl).unwrap().version;
        assert_eq!(deb("pkg:deb/debian/bsdutils@2.38.1-5?epoch=1"), "1:2.38.1-5");
        assert_eq!(deb("pkg:deb/debian/bsdutils@1%3A2.38.1-5?epoch=1"), "1:2.38.1-5");
        assert_eq!(package_from_purl("pkg:rpm/rocky/tar@1.30-9.el8?epoch=0").unwrap().version, "1.30-9.el8");
    }

    #[test]
    fn upstream_is_the_source() {
        let source = |purl: &str| {
            let package = package_from_purl(purl).unwrap();
            (package.source_name.unwrap(), package.source_version.unwrap())
        };
        assert_eq!(source("pkg:deb/debian/libssl3@3.0.1-1?upstream=openssl"), ("openssl".into(), "3.0.1-1".into()));
        assert_eq!(source("pkg:deb/debian/libapr1@1.7-1%2Bb1?upstream=apr%401.7-1"), ("apr".into(), "1.7-1".into()));
        assert_eq!(
            source("pkg:rpm/rocky/openssl-libs@3.0.7-24.el9?epoch=1&upstream=openssl-3.0.7-24.el9.src.rpm"),
            ("openssl".into(), "3.0.7-24.el9".into())
        );
        assert_eq!(source("pkg:rpm/rocky/a@2-1?upstream=.src.rpm"), (".src.rpm".into(), "2-1".into()));
        assert_eq!(source("pkg:apk/alpine/musl@1.2.3"), ("musl".into(), "1.2.3".into()));
    }
}
