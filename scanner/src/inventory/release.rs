//! What OSV calls the releases of distributions.
//!
//! OSV's words are those of the OSV schema, "Defined ecosystems": a distribution has its advisories under a name and a
//! release, `Debian:12`. Where a vendor publishes one release under several names (Red Hat's repositories, SUSE's
//! modules), the one here stands for them all: see [`crate::matcher`].

/// OSV's ecosystem for a release of the distribution with the os-release `ID` `id`. `release` is a version (`12`,
/// `3.18.9`) or, for Debian and Ubuntu, a code name; rolling distributions need none. `None` where OSV has no advisories.
pub(super) fn ecosystem(id: &str, release: Option<&str>) -> Option<String> {
    let id = id.to_ascii_lowercase();
    if let Some(rolling) = rolling(&id) {
        return Some(rolling.to_owned());
    }
    let release = release?;
    let (name, release) = match id.as_str() {
        "alpaquita" => ("Alpaquita", stream(release)),
        "alpine" => ("Alpine", two_components(release).map(|release| format!("v{release}"))),
        "almalinux" => ("AlmaLinux", major(release)),
        "azurelinux" | "mariner" => ("Azure Linux", major(release)),
        "bellsoft-hardened-containers" => ("BellSoft Hardened Containers", stream(release)),
        "centos" => ("Red Hat", centos(release)),
        "debian" => ("Debian", debian(release)),
        "mageia" => ("Mageia", major(release)),
        "openeuler" => ("openEuler", release.contains("-LTS").then(|| release.to_owned())),
        "opensuse" | "opensuse-leap" => ("openSUSE", two_components(release).map(|release| format!("Leap {release}"))),
        "opensuse-leap-micro" => ("openSUSE", two_components(release).map(|release| format!("Leap Micro {release}"))),
        "photon" => ("Photon OS", two_components(release)),
        "redhat" | "rhel" => ("Red Hat", major(release).map(|major| format!("enterprise_linux:{major}"))),
        "rocky" => ("Rocky Linux", major(release)),
        "sl-micro" => ("SUSE", two_components(release).map(|release| format!("Linux Micro {release}"))),
        "sle-micro" | "sle-micro-rancher" | "suse-microos" => {
            ("SUSE", two_components(release).map(|release| format!("Linux Enterprise Micro {release}")))
        }
        "sle_hpc" | "sled" | "sles" | "sles_sap" => ("SUSE", sle(release)),
        "ubuntu" => ("Ubuntu", ubuntu(release)),
        _ => return None,
    };
    release.map(|release| format!("{name}:{release}"))
}

/// Distributions of which the present is the only release.
fn rolling(id: &str) -> Option<&'static str> {
    Some(match id {
        "chainguard" => "Chainguard",
        "cleanstart" => "CleanStart",
        "echo" => "Echo",
        "minimos" => "MinimOS",
        "opensuse-microos" | "opensuse-tumbleweed" => "openSUSE:Tumbleweed",
        "wolfi" => "Wolfi",
        _ => return None,
    })
}

/// CentOS Linux was Red Hat's source built again, release by release, until 8. What came after it, CentOS Stream, runs
/// ahead of Red Hat's advisories.
fn centos(release: &str) -> Option<String> {
    let major: u32 = major(release)?.parse().ok()?;
    (major <= 8).then(|| format!("enterprise_linux:{major}"))
}

/// `15.5` is sold as `Linux Enterprise Server 15 SP5`, `16.0` as `Linux Enterprise Server 16.0`.
fn sle(release: &str) -> Option<String> {
    let number: u32 = major(release)?.parse().ok()?;
    let release = match release.split_once('.') {
        Some((major, pack)) if number < 16 && is_number(pack) && pack != "0" => format!("{major} SP{pack}"),
        Some((_, minor)) if number >= 16 && is_number(minor) => release.to_owned(),
        None | Some((_, "0")) => number.to_string(),
        Some(_) => return None,
    };
    Some(format!("Linux Enterprise Server {release}"))
}

/// A number or `stream`.
fn stream(release: &str) -> Option<String> {
    (release == "stream" || is_number(release)).then(|| release.to_owned())
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
    ("resolute", "26.04"),
];

/// April releases of even years are supported for long, and OSV says so in their names.
fn ubuntu(release: &str) -> Option<String> {
    let series = UBUNTU_SERIES.iter().find(|(series, _)| *series == release);
    let release = two_components(series.map_or(release, |(_, number)| number))?;
    let (year, month) = release.split_once('.')?;
    let is_lts = month == "04" && year.parse::<u32>().is_ok_and(|year| year.is_multiple_of(2));
    Some(if is_lts { format!("{release}:LTS") } else { release })
}

fn major(release: &str) -> Option<String> {
    let major = release.split('.').next()?;
    is_number(major).then(|| major.to_owned())
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
            ("ubuntu", "26.04", "Ubuntu:26.04:LTS"),
            ("ubuntu", "23.04", "Ubuntu:23.04"),
            ("ubuntu", "22.10", "Ubuntu:22.10"),
            ("ubuntu", "jammy", "Ubuntu:22.04:LTS"),
            ("alpine", "3.18.9", "Alpine:v3.18"),
            ("alpine", "3.8.5", "Alpine:v3.8"),
            ("alpine", "3.18", "Alpine:v3.18"),
            ("alpaquita", "stream", "Alpaquita:stream"),
            ("wolfi", "20230201", "Wolfi"),
            ("chainguard", "20230214", "Chainguard"),
            ("almalinux", "9.4", "AlmaLinux:9"),
            ("rocky", "9.3", "Rocky Linux:9"),
            ("rhel", "9.4", "Red Hat:enterprise_linux:9"),
            ("redhat", "10.1", "Red Hat:enterprise_linux:10"),
            ("centos", "7", "Red Hat:enterprise_linux:7"),
            ("azurelinux", "3.0", "Azure Linux:3"),
            ("mariner", "2.0", "Azure Linux:2"),
            ("photon", "4.0", "Photon OS:4.0"),
            ("openEuler", "22.03-LTS-SP3", "openEuler:22.03-LTS-SP3"),
            ("sles", "15.5", "SUSE:Linux Enterprise Server 15 SP5"),
            ("sles", "15", "SUSE:Linux Enterprise Server 15"),
            ("sles", "12.5", "SUSE:Linux Enterprise Server 12 SP5"),
            ("sles", "16.0", "SUSE:Linux Enterprise Server 16.0"),
            ("sle-micro", "5.5", "SUSE:Linux Enterprise Micro 5.5"),
            ("sl-micro", "6.0", "SUSE:Linux Micro 6.0"),
            ("opensuse-leap", "15.6", "openSUSE:Leap 15.6"),
            ("opensuse-tumbleweed", "20261101", "openSUSE:Tumbleweed"),
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
            ("centos", Some("9")),
            ("openEuler", Some("23.09")),
            ("sles", Some("15.x")),
            ("fedora", Some("43")),
        ] {
            assert_eq!(ecosystem(id, release), None, "{id} {release:?}");
        }
    }
}
