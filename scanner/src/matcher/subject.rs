//! The names and versions under which advisories may speak of a package.
//!
//! | ecosystem | advisories name |
//! |---|---|
//! | Debian, Ubuntu | source packages; a binary of the same name may come from another source, so it is not looked up |
//! | Alpine, Wolfi, Chainguard and other apk distros | origins, now and then subpackages: both are looked up |
//! | all others | packages |

use std::borrow::Cow;

use shared::package::Package;

use crate::advisories::{base_ecosystem, normalize_name};

/// A name and the version that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject<'p> {
    pub(super) name: Cow<'p, str>,
    pub(super) version: &'p str,
}

/// Under which names to look a package up.
pub(super) fn subjects<'p>(package: &'p Package, ecosystem: &str) -> Vec<Subject<'p>> {
    let binary = Subject { name: normalize_name(ecosystem, &package.name), version: &package.version };
    let source = package.source_name.as_deref().map(|name| Subject {
        name: name.into(),
        version: package.source_version.as_deref().unwrap_or(&package.version),
    });
    match (base_ecosystem(ecosystem), source) {
        ("Debian" | "Ubuntu" | "Echo", source) => vec![source.unwrap_or(binary)],
        (
            "Alpine" | "Wolfi" | "Chainguard" | "MinimOS" | "Alpaquita" | "BellSoft Hardened Containers",
            Some(source),
        ) if source != binary => {
            vec![source, binary]
        }
        _ => vec![binary],
    }
}

/// Whether the ecosystem is a distribution, whose vendor rates vulnerabilities for its own builds.
pub(super) fn is_distro(ecosystem: &str) -> bool {
    const DISTROS: [&str; 20] = [
        "Alpaquita",
        "AlmaLinux",
        "Alpine",
        "Amazon Linux",
        "Azure Linux",
        "BellSoft Hardened Containers",
        "Chainguard",
        "Debian",
        "Echo",
        "Mageia",
        "MinimOS",
        "openEuler",
        "openSUSE",
        "Photon OS",
        "Red Hat",
        "Rocky Linux",
        "SUSE",
        "Ubuntu",
        "Wolfi",
        "Oracle Linux",
    ];
    DISTROS.contains(&base_ecosystem(ecosystem))
}
