//! Releases for which nobody writes advisories any more.
//!
//! `end_of_life.tsv` has the day on which the vendor's support ends, free of charge and without a contract: Debian's with
//! its LTS, Ubuntu's without Pro, SUSE's without LTSS. The sources are named there.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use shared::package::Distro;
use shared::report::{Warning, WarningCode};

const TABLE: &str = include_str!("end_of_life.tsv");

/// A warning, `end-of-life`, if the release was at its end before `now`. `has_pro` says that Ubuntu Pro is in use.
pub(super) fn warning(distro: &Distro, has_pro: bool, now: Timestamp) -> Option<Warning> {
    let id = if has_pro && distro.id == "ubuntu" { "ubuntu-pro" } else { distro.id.as_str() };
    let version = distro.version.as_deref()?;
    let end = end_of(&id.to_ascii_lowercase(), version)?;
    let message = format!(
        "{} reached its end of life on {end}: vulnerabilities found since then have no advisories for it; upgrade to a \
         release with support",
        distro.label()
    );
    (now.to_zoned(TimeZone::UTC).date() > end).then(|| Warning::new(WarningCode::EndOfLife, message))
}

/// The day of the longest release that `version` is of: `15.5` before `15` for `15.5`, `3.18` for `3.18.9`.
fn end_of(id: &str, version: &str) -> Option<Date> {
    let releases = rows().filter(|(of, release, _)| *of == id && is_of_release(version, release));
    releases.max_by_key(|(_, release, _)| release.len()).map(|(_, _, end)| end)
}

fn is_of_release(version: &str, release: &str) -> bool {
    version.strip_prefix(release).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn rows() -> impl Iterator<Item = (&'static str, &'static str, Date)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split('\t');
        Some((fields.next()?, fields.next()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(id: &str, version: &str, has_pro: bool) -> bool {
        let distro = Distro { id: id.to_owned(), version: Some(version.to_owned()), name: None, ecosystem: None };
        let now = "2026-01-15T12:00:00Z".parse().unwrap();
        let warning = warning(&distro, has_pro, now);
        assert!(warning.iter().all(|warning| warning.code == "end-of-life" && warning.message.contains(id)));
        warning.is_some()
    }

    #[test]
    fn releases_end() {
        for (id, version) in [
            ("debian", "10"),
            ("alpine", "3.18.9"),
            ("ubuntu", "18.04"),
            ("ubuntu", "19.10"),
            ("centos", "8"),
            ("centos", "7"),
            ("rhel", "7.9"),
            ("amzn", "2018.03"),
            ("fedora", "39"),
            ("sles", "15.5"),
            ("sles", "15"),
            ("opensuse-leap", "15.5"),
            ("photon", "3.0"),
            ("mariner", "2.0"),
        ] {
            assert!(ended(id, version, false), "{id} {version}");
        }
        for (id, version) in [
            ("debian", "11"),
            ("debian", "1"),
            ("alpine", "3.20.3"),
            ("alpine", "3.99"),
            ("ubuntu", "22.04"),
            ("rhel", "9.4"),
            ("almalinux", "8.10"),
            ("sles", "15.7"),
            ("azurelinux", "3.0"),
            ("wolfi", "20230201"),
        ] {
            assert!(!ended(id, version, false), "{id} {version}");
        }
        assert!(!ended("ubuntu", "18.04", true) && !ended("ubuntu", "20.04", true) && ended("ubuntu", "14.04", true));
    }

    #[test]
    fn every_row_is_read() {
        let written = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        assert_eq!(rows().count(), written);
    }
}
