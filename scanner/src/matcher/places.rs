//! Under which of the database's ecosystems a package's advisories may be.
//!
//! | packages of | are asked for under |
//! |---|---|
//! | `Debian:12`, and every ecosystem that is not told of below | `Debian:12`, and `Debian`, which holds for every release |
//! | `Red Hat:enterprise_linux:9` | every repository of the release, `…:9::appstream`, and its extended life, `Red Hat:rhel_els:9` |
//! | `SUSE:Linux Enterprise Server 15 SP5` | every product and module of the release, `SUSE:Linux Enterprise Module for Basesystem 15 SP5` |
//! | `Ubuntu:18.04:LTS` | Ubuntu, then Ubuntu Pro (ESM) where a record says nothing of Ubuntu; for packages from Pro, which have `esm` in their versions, the other way around; for those with `fips` the FIPS archives before both |
//! | `Maven`, `Packagist`, … | every repository, `Packagist:https://packages.drupal.org/8`: a package does not say where it is from |
//!
//! Ubuntu Pro counts for packages from the free archive too: once a release is out of standard support, or for packages
//! that it never covered, Pro's entries are all that the vendor says, and what they call affected is.

use crate::advisories::Database;
use crate::vendors::base_ecosystem;

/// The places to ask, in groups: of what one record says in several groups, the first counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    standard: Vec<String>,
    pro: Vec<String>,
    fips: Vec<String>,
}

impl Places {
    /// The places for packages of `ecosystem` that the database has anything in.
    pub(super) fn of(ecosystem: &str, database: &Database) -> Self {
        let published: Vec<&str> = database.about().ecosystems.keys().map(String::as_str).collect();
        Self::among(ecosystem, &published)
    }

    fn among(ecosystem: &str, published: &[&str]) -> Self {
        let those = |fits: &dyn Fn(&str) -> bool| {
            published.iter().filter(|place| fits(place)).map(|place| (*place).to_owned()).collect::<Vec<_>>()
        };
        let base = base_ecosystem(ecosystem);
        let release = ecosystem.strip_prefix(base).unwrap_or_default().trim_start_matches(':');
        let pro = format!("Ubuntu:Pro:{release}");
        let is_fips = |place: &str| place.starts_with("Ubuntu:Pro:FIPS") && place.ends_with(&format!(":{release}"));
        let is_ubuntu = base == "Ubuntu" && !release.is_empty();
        Self {
            standard: those(&|place| place == ecosystem || place == base || holds(ecosystem, base, release, place)),
            pro: those(&|place| is_ubuntu && place == pro),
            fips: those(&|place| is_ubuntu && is_fips(place)),
        }
    }

    /// Whether the database has nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.standard.is_empty() && self.pro.is_empty()
    }

    /// The groups for a package of this version, the first to count first.
    pub(super) fn groups(&self, version: &str) -> impl Iterator<Item = &[String]> {
        let fips = if version.contains("fips") { self.fips.as_slice() } else { &[] };
        let [first, second] = if is_pro(version) { [&self.pro, &self.standard] } else { [&self.standard, &self.pro] };
        [fips, first, second].into_iter().filter(|group| !group.is_empty())
    }
}

/// Whether a package of this version comes from Ubuntu Pro.
pub(super) fn is_pro(version: &str) -> bool {
    version.contains("+esm") || version.contains("~esm")
}

/// Whether `place` holds advisories for `ecosystem`, which goes by another name.
fn holds(ecosystem: &str, base: &str, release: &str, place: &str) -> bool {
    let Some(other) = place.strip_prefix(base).and_then(|rest| rest.strip_prefix(':')) else { return false };
    match base {
        "Red Hat" => is_of_red_hat_release(release, other),
        "SUSE" | "openSUSE" => is_of_suse_release(release, other),
        _ => ecosystem == base && (other.starts_with("https://") || other.starts_with("http://")),
    }
}

/// `enterprise_linux:9` is also `enterprise_linux:9::baseos` and `enterprise_linux:9.2`. Streams that are kept for single
/// minor releases (EUS, AUS, E4S) say nothing of what runs the main one.
fn is_of_red_hat_release(release: &str, other: &str) -> bool {
    let Some((_, major)) = release.split_once(':') else { return false };
    other.split_once(':').is_some_and(|(product, rest)| {
        let version = rest.split(':').next().unwrap_or_default();
        matches!(product, "enterprise_linux" | "rhel_els") && version.split('.').next() == Some(major)
    })
}

/// `Linux Enterprise Server 15 SP5` is also every other product of `15 SP5`, with long-term support or without.
fn is_of_suse_release(release: &str, other: &str) -> bool {
    let Some(at) = release.find(|c: char| c.is_ascii_digit()) else { return false };
    let (version, family) = (&release[at.saturating_sub(1)..], other.split(' ').next().unwrap_or_default());
    let is_of_family =
        ["Linux", "Package", "Leap"].contains(&family) && (family == "Leap") == release.starts_with("Leap");
    is_of_family
        && other.find(version).is_some_and(|at| {
            let rest = &other[at + version.len()..];
            rest.is_empty() || rest.starts_with('-') || rest.starts_with(" LTSS") || rest.starts_with(" NonFree")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: &[&str] = &[
        "Debian",
        "Debian:12",
        "Maven",
        "Maven:https://maven.google.com",
        "Packagist",
        "Packagist:https://packages.drupal.org/8",
        "Red Hat:enterprise_linux:10.0",
        "Red Hat:enterprise_linux:9",
        "Red Hat:enterprise_linux:9::appstream",
        "Red Hat:enterprise_linux:9::baseos",
        "Red Hat:openshift:4.14::el9",
        "Red Hat:rhel_els:7",
        "Red Hat:rhel_eus:9.2::appstream",
        "SUSE:Linux Enterprise Micro 5.5",
        "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
        "SUSE:Linux Enterprise Module for Basesystem 15 SP6",
        "SUSE:Linux Enterprise Server 15 SP5",
        "SUSE:Linux Enterprise Server 15 SP5-LTSS",
        "SUSE:Linux Enterprise Server 15-LTSS",
        "SUSE:Package Hub 15 SP5",
        "Ubuntu:18.04:LTS",
        "Ubuntu:Pro:18.04:LTS",
        "Ubuntu:Pro:FIPS-updates:18.04:LTS",
        "Ubuntu:Pro:FIPS:18.04:LTS",
        "openSUSE:Leap 15.5",
        "openSUSE:Leap 15.5 NonFree",
        "openSUSE:Leap Micro 5.5",
    ];

    fn standard(ecosystem: &str) -> Vec<String> {
        Places::among(ecosystem, PUBLISHED).standard
    }

    #[test]
    fn one_release_may_be_published_under_several_names() {
        assert_eq!(standard("Debian:12"), ["Debian", "Debian:12"]);
        assert_eq!(standard("Debian:13"), ["Debian"]);
        assert_eq!(
            standard("Red Hat:enterprise_linux:9"),
            [
                "Red Hat:enterprise_linux:9",
                "Red Hat:enterprise_linux:9::appstream",
                "Red Hat:enterprise_linux:9::baseos"
            ]
        );
        assert_eq!(standard("Red Hat:enterprise_linux:10"), ["Red Hat:enterprise_linux:10.0"]);
        assert_eq!(standard("Red Hat:enterprise_linux:7"), ["Red Hat:rhel_els:7"]);
        assert_eq!(
            standard("SUSE:Linux Enterprise Server 15 SP5"),
            [
                "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
                "SUSE:Linux Enterprise Server 15 SP5",
                "SUSE:Linux Enterprise Server 15 SP5-LTSS",
                "SUSE:Package Hub 15 SP5"
            ]
        );
        assert_eq!(standard("SUSE:Linux Enterprise Server 15"), ["SUSE:Linux Enterprise Server 15-LTSS"]);
        assert_eq!(standard("SUSE:Linux Enterprise Micro 5.5"), ["SUSE:Linux Enterprise Micro 5.5"]);
        assert_eq!(standard("openSUSE:Leap 15.5"), ["openSUSE:Leap 15.5", "openSUSE:Leap 15.5 NonFree"]);
        assert_eq!(standard("Packagist"), ["Packagist", "Packagist:https://packages.drupal.org/8"]);
        assert!(Places::among("Alpine:v3.18", PUBLISHED).is_empty());
    }

    #[test]
    fn ubuntu_is_asked_before_pro_unless_the_package_is_from_there() {
        let places = Places::among("Ubuntu:18.04:LTS", PUBLISHED);
        let order = |version| {
            places.groups(version).flatten().map(|place| place.trim_start_matches("Ubuntu:")).collect::<Vec<_>>()
        };
        assert_eq!(order("1.0-1ubuntu1"), ["18.04:LTS", "Pro:18.04:LTS"]);
        assert_eq!(order("1.0-1ubuntu1+esm1"), ["Pro:18.04:LTS", "18.04:LTS"]);
        assert_eq!(
            order("1.1.1-1ubuntu2.fips.2"),
            ["Pro:FIPS-updates:18.04:LTS", "Pro:FIPS:18.04:LTS", "18.04:LTS", "Pro:18.04:LTS"]
        );
        assert!(Places::among("Ubuntu:20.04:LTS", PUBLISHED).is_empty());
    }
}
