//! What an image contains.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::image::Digest;

/// One installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Package {
    /// Package URL, such as `pkg:deb/debian/openssl@3.0.1-1?arch=amd64&distro=debian-12`.
    pub purl: String,
    /// Ecosystem in OSV's words, with the release for distros: `Debian:12`, `Alpine:v3.18`, `PyPI`, `npm`.
    /// `None` where the distro is unknown or has no advisories in OSV.
    pub ecosystem: Option<String>,
    /// Name as installed; for distros the binary package's.
    pub name: String,
    /// Version as installed, with its epoch when that is not 0.
    pub version: String,
    /// Processor the package was built for, in the ecosystem's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Source package it was built from (distros only).
    pub source_name: Option<String>,
    /// Version of that source package.
    pub source_version: Option<String>,
    /// Module stream it belongs to (rpm's `Modularitylabel`): `nodejs:18`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Digest of the layer, as in the manifest, that the package's record comes from.
    pub layer: Option<Digest>,
    /// File that says the package is there, without a leading slash. What is in an archive follows after `!/`:
    /// `app/shop.jar!/BOOT-INF/lib/log4j-core-2.14.1.jar`.
    pub path: String,
    /// What that file is.
    #[serde(default)]
    pub evidence: Evidence,
    /// Package of the distribution that brought that file. Its vendor answers for what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Package {
    /// The type of its URL: `deb`, `pypi`.
    pub fn kind(&self) -> Option<&str> {
        self.purl.strip_prefix("pkg:")?.split('/').next()
    }
}

/// How it is known that a package is there. Ordered from the surest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A package manager's record, or the installed package's own description.
    #[default]
    Installed,
    /// A compiler wrote it into the program: Go's build information, `cargo auditable`.
    BuildInfo,
    /// A bill of materials says so.
    Sbom,
    /// A lock file lists it, and nothing that it lists was found installed.
    LockFile,
    /// A program's version string.
    VersionString,
    /// The manifest of an archive, which does not tell the whole of the name: the group of a Java package is missing or
    /// guessed.
    Manifest,
    /// The name of a file, and nothing better.
    FileName,
}

/// The distribution an image is built on, from its os-release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Distro {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12`; rolling releases have none.
    pub version: Option<String>,
    /// `PRETTY_NAME`, for people.
    pub name: Option<String>,
    /// Ecosystem in OSV's words, such as `Debian:12`; `None` where OSV has none.
    pub ecosystem: Option<String>,
}

impl Distro {
    /// `debian 12`, or `arch`, which has no versions.
    pub fn label(&self) -> String {
        self.version.as_ref().map_or_else(|| self.id.clone(), |version| format!("{} {version}", self.id))
    }
}
