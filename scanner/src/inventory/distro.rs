//! Which distribution an os-release file means, and what OSV calls it.
//!
//! OSV's words are those of the OSV schema, "Defined ecosystems": a distribution has its advisories under a name and a
//! release, `Debian:12`.

use shared::package::Distro;

use crate::catalogers::OsRelease;

/// The distribution behind an os-release file.
pub(super) fn distro(release: &OsRelease) -> Distro {
    let codename = release.version_codename.as_deref().or_else(|| codename_of_pretty_name(release));
    Distro {
        id: release.id.clone(),
        version: release.version_id.clone(),
        name: release.pretty_name.clone(),
        ecosystem: ecosystem(&release.id, release.version_id.as_deref().or(codename)),
    }
}

/// OSV's ecosystem for a release of the distribution with the os-release `ID` `id`. `release` is a version (`12`,
/// `3.18.9`) or, for Debian and Ubuntu, a code name; rolling distributions need none. `None` where OSV has no advisories.
pub(super) fn ecosystem(id: &str, release: Option<&str>) -> Option<String> {
    match id {
        "chainguard" => return Some("Chainguard".to_owned()),
        "echo" => return Some("Echo".to_owned()),
        "minimos" => return Some("MinimOS".to_owned()),
        "wolfi" => return Some("Wolfi".to_owned()),
        _ => {}
    }
    let release = release?;
    match id {
        "debian" => debian(release).map(|release| format!("Debian:{release}")),
        "ubuntu" => ubuntu(release).map(|release| format!("Ubuntu:{release}")),
        "alpine" => two_components(release).map(|release| format!("Alpine:v{release}")),
        "almalinux" => major(release).map(|major| format!("AlmaLinux:{major}")),
        "azurelinux" => major(release).map(|major| format!("Azure Linux:{major}")),
        "mageia" => major(release).map(|major| format!("Mageia:{major}")),
        "photon" => two_components(release).map(|release| format!("Photon OS:{release}")),
        "rocky" => major(release).map(|major| format!("Rocky Linux:{major}")),
        _ => None,
    }
}

/// Debian's series that may stand where a number is missing, from distro-info-data's `debian.csv`.
const DEBIAN_SERIES: &[(&str, &str)] = &[
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
    ("sid", "sid"),
    ("unstable", "sid"),
];

fn debian(release: &str) -> Option<String> {
    if let Some((_, number)) = DEBIAN_SERIES.iter().find(|(series, _)| *series == release) {
        return Some((*number).to_owned());
    }
    // Until 6.0 the second component was part of the release's name.
    match major(release)?.parse::<u32>().ok()? {
        0..7 => two_components(release),
        major => Some(major.to_string()),
    }
}

/// Ubuntu's series, from distro-info-data's `ubuntu.csv`.
const UBUNTU_SERIES: &[(&str, &str)] = &[
    ("trusty", "14.04"),
    ("xenial", "16.04"),
    ("bionic", "18.04"),
    ("eoan", "19.10"),
    ("focal", "20.04"),
    ("groovy", "20.10"),
    ("hirsute", "21.04"),
    ("impish", "21.10"),
    ("jammy", "22.04"),
    ("kinetic", "22.10"),
    ("lunar", "23.04"),
    ("mantic", "23.10"),
    ("noble", "24.04"),
    ("oracular", "24.10"),
    ("plucky", "25.04"),
    ("questing", "25.10"),
];

/// April releases of even years are supported for long, and OSV says so in their names.
fn ubuntu(release: &str) -> Option<String> {
    let series = UBUNTU_SERIES.iter().find(|(series, _)| *series == release);
    let release = two_components(series.map_or(release, |(_, number)| number))?;
    let (year, month) = release.split_once('.')?;
    let is_lts = month == "04" && year.parse::<u32>().is_ok_and(|year| year.is_multiple_of(2));
    Some(if is_lts { format!("{release}:LTS") } else { release })
}

fn major(release: &str) -> Option<&str> {
    let major = release.split('.').next()?;
    is_number(major).then_some(major)
}

/// `3.18` of `3.18.9`. Not of `3.21_alpha20240807`, Alpine's edge, which has no advisories of its own.
fn two_components(release: &str) -> Option<String> {
    let mut components = release.split('.');
    let (major, minor) = (components.next()?, components.next()?);
    let is_release = [major, minor].into_iter().chain(components).all(is_number);
    is_release.then(|| format!("{major}.{minor}"))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Testing and unstable Debian of old have their series in `Debian GNU/Linux bookworm/sid` alone.
fn codename_of_pretty_name(release: &OsRelease) -> Option<&str> {
    let words = release.pretty_name.as_deref()?.split_whitespace();
    words.filter_map(|word| word.strip_suffix("/sid")).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_osv_names() {
        for (id, release, expected) in [
            ("debian", "12", "Debian:12"),
            ("debian", "12.5", "Debian:12"),
            ("debian", "6.0.10", "Debian:6.0"),
            ("debian", "bookworm", "Debian:12"),
            ("debian", "sid", "Debian:sid"),
            ("ubuntu", "22.04", "Ubuntu:22.04:LTS"),
            ("ubuntu", "23.04", "Ubuntu:23.04"),
            ("ubuntu", "22.10", "Ubuntu:22.10"),
            ("ubuntu", "jammy", "Ubuntu:22.04:LTS"),
            ("alpine", "3.18.9", "Alpine:v3.18"),
            ("alpine", "3.8.5", "Alpine:v3.8"),
            ("alpine", "3.18", "Alpine:v3.18"),
            ("wolfi", "20230201", "Wolfi"),
            ("chainguard", "20230214", "Chainguard"),
            ("almalinux", "9.4", "AlmaLinux:9"),
            ("rocky", "9.3", "Rocky Linux:9"),
            ("azurelinux", "3.0", "Azure Linux:3"),
            ("photon", "4.0", "Photon OS:4.0"),
        ] {
            assert_eq!(ecosystem(id, Some(release)).as_deref(), Some(expected), "{id} {release}");
        }
        for (id, release) in [
            ("alpine", Some("3.21_alpha20240807")),
            ("alpine", Some("edge")),
            ("alpine", None),
            ("debian", None),
            ("debian", Some("")),
            ("debian", Some("nothing")),
            ("ubuntu", Some("22")),
            ("arch", Some("1")),
            ("rhel", Some("9.4")),
        ] {
            assert_eq!(ecosystem(id, release), None, "{id} {release:?}");
        }
    }

    #[test]
    fn debian_without_a_version_is_known_by_its_series() {
        let testing = |codename: Option<&str>, name: &str| {
            let release = OsRelease {
                id: "debian".into(),
                version_codename: codename.map(str::to_owned),
                pretty_name: Some(name.into()),
                ..OsRelease::default()
            };
            distro(&release).ecosystem
        };
        assert_eq!(testing(Some("trixie"), "Debian GNU/Linux trixie/sid").as_deref(), Some("Debian:13"));
        assert_eq!(testing(None, "Debian GNU/Linux bookworm/sid").as_deref(), Some("Debian:12"));
        assert_eq!(testing(None, "Debian GNU/Linux"), None);
    }
}
