//! Which distribution an os-release file means, and what is to be said where its advisories cannot be had.

use shared::package::Distro;
use shared::report::WarningCode;

pub(super) use super::release::ecosystem;
use crate::catalogers::OsRelease;

/// The distribution behind an os-release file.
pub(super) fn distro(release: &OsRelease) -> Distro {
    Distro {
        id: release.id.clone(),
        version: release.version_id.clone(),
        name: release.pretty_name.clone(),
        ecosystem: ecosystem_of(release),
    }
}

/// Windows by its build, `10.0.20348.2031`, which a Windows image has instead of an os-release file.
pub(super) fn windows(version: Option<String>) -> Distro {
    let release = version.as_deref().and_then(|version| version.split('.').nth(2)).and_then(windows_release);
    let name = release.map_or_else(|| "Windows".to_owned(), |release| format!("Windows Server {release}"));
    Distro { id: "windows".to_owned(), version, name: Some(name), ecosystem: None }
}

/// Releases that base images are published of, by their builds
/// (<https://learn.microsoft.com/virtualization/windowscontainers/deploy-containers/base-image-lifecycle>).
fn windows_release(build: &str) -> Option<&'static str> {
    Some(match build {
        "14393" => "2016",
        "17763" => "2019",
        "20348" => "2022",
        "26100" => "2025",
        _ => return None,
    })
}

fn ecosystem_of(release: &OsRelease) -> Option<String> {
    let (id, version) = match release.id.as_str() {
        id if BUILT_ON.contains(&id) => built_on(release)?,
        "centos" if names(release, "Stream") => return None,
        "openEuler" => return ecosystem("openEuler", openeuler(release).as_deref()),
        id => {
            let codename = || release.version_codename.as_deref().or_else(|| codename_of_pretty_name(release));
            (id, release.version_id.as_deref().or_else(codename))
        }
    };
    ecosystem(id, version)
}

/// Distributions that install from the archives of the one that they are built on and add some of their own.
const BUILT_ON: [&str; 5] = ["elementary", "linuxmint", "neon", "pop", "zorin"];

/// The distribution whose archives are used, and its series.
fn built_on(release: &OsRelease) -> Option<(&'static str, Option<&str>)> {
    let ubuntu = release.ubuntu_codename.as_deref().map(|codename| ("ubuntu", Some(codename)));
    ubuntu.or_else(|| release.debian_codename.as_deref().map(|codename| ("debian", Some(codename))))
}

fn names(release: &OsRelease, word: &str) -> bool {
    release.pretty_name.as_deref().is_some_and(|name| name.split_whitespace().any(|other| other == word))
}

/// `22.03-LTS-SP3` of `openEuler 22.03 (LTS-SP3)`: the service pack stands in the name alone.
fn openeuler(release: &OsRelease) -> Option<String> {
    let version = release.version_id.as_deref()?;
    let pack = release.pretty_name.as_deref()?.split_once('(')?.1.split(')').next()?;
    Some(format!("{version}-{pack}"))
}

/// Testing and unstable Debian of old have their series in `Debian GNU/Linux bookworm/sid` alone.
fn codename_of_pretty_name(release: &OsRelease) -> Option<&str> {
    let words = release.pretty_name.as_deref()?.split_whitespace();
    words.filter_map(|word| word.strip_suffix("/sid")).next()
}

/// Why a distribution's packages cannot be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nobody here has heard of it.
    Unknown,
    /// OSV does not publish its advisories.
    Unpublished,
    /// It is built from another one with changes that the other's advisories do not know.
    Changed(&'static str),
    /// It is Windows, which is not made of packages that could be read.
    Windows,
    /// It is the moving branch of a distribution whose advisories are for releases.
    Rolling,
}

impl Gap {
    /// The gap of a distribution that has no ecosystem.
    pub(super) fn of(distro: &Distro) -> Self {
        match distro.id.to_ascii_lowercase().as_str() {
            "alpine" => Self::Rolling,
            "arch" | "archarm" | "artix" | "endeavouros" | "gentoo" | "manjaro" | "nixos" | "void" => Self::Rolling,
            "windows" => Self::Windows,
            "devuan" | "kali" | "parrot" | "pureos" | "raspbian" => Self::Changed("Debian"),
            "centos" => Self::Changed("Red Hat Enterprise Linux"),
            "alinux" | "altlinux" | "amzn" | "anolis" | "clear-linux-os" | "deepin" | "eurolinux" | "fedora"
            | "kylin" | "ol" | "opencloudos" | "openmandriva" | "openeuler" | "rosa" | "scientific" | "slackware"
            | "tencentos" | "uos" | "virtuozzo" => Self::Unpublished,
            _ => Self::Unknown,
        }
    }

    /// For programs.
    pub(super) fn code(self) -> WarningCode {
        match self {
            Self::Rolling => WarningCode::RollingRelease,
            _ => WarningCode::UnknownDistro,
        }
    }

    /// For people.
    pub(super) fn why(self) -> String {
        match self {
            Self::Unknown => "no advisories are known for it".to_owned(),
            Self::Unpublished => "OSV publishes no advisories for it".to_owned(),
            Self::Changed(origin) => {
                format!("OSV publishes no advisories for it, and those of {origin} do not know its changes")
            }
            Self::Windows => {
                "Windows itself is not made of packages, and OSV publishes no advisories for it".to_owned()
            }
            Self::Rolling => "it moves on every day, and OSV publishes no advisories for it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
