//! Reading packages out of the files of an image: one file here per package format.
//!
//! The room walks layers, opens files, limits and counts; a cataloger only parses. It opens nothing, keeps nothing, and
//! knows nothing of layers or distros. A file that cannot be read becomes a warning on the scan, never a failed scan.
//!
//! To add a format: write `catalogers/<name>.rs`, add it to [`CATALOGERS`], and give it a row in the README's table. A
//! type of packages that is new needs its ecosystem too, in `inventory/languages.rs`.
//!
//! What formats share: bounded lines and paragraphs of them are in [`lines`], bounded JSON in [`json`], TOML table by table
//! in [`toml_records`], what lock files mean in [`lock_files`], files to jump about in in [`spool()`].

mod apk;
mod bun_lock;
mod cargo_lock;
mod composer_installed;
mod composer_lock;
mod conan_lock;
mod conda;
mod dotnet_deps;
mod dpkg;
mod erlang_app;
mod executables;
mod gemfile_lock;
mod gemspec;
mod java;
mod json;
mod julia_manifest;
mod lines;
mod lock_files;
mod mix_lock;
mod npm;
mod nuget_lock;
mod os_release;
mod package_lock;
mod package_resolved;
mod pipfile_lock;
mod pnpm_lock;
mod poetry_lock;
mod pubspec_lock;
mod pylock;
mod python;
mod r_description;
mod rebar_lock;
mod requirements;
mod rpm;
pub(crate) mod sbom;
mod spool;
mod toml_records;
mod uv_lock;
mod yarn_lock;

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};
use shared::package::Evidence;

use crate::image::fingerprint;

pub(crate) use spool::spool;

/// Every cataloger, in the order in which they are asked.
pub const CATALOGERS: &[&dyn Cataloger] = &[
    &apk::Apk,
    &bun_lock::BunLock,
    &cargo_lock::CargoLock,
    &composer_installed::ComposerInstalled,
    &composer_lock::ComposerLock,
    &conan_lock::ConanLock,
    &conda::Conda,
    &dotnet_deps::DotnetDeps,
    &dpkg::Dpkg,
    &erlang_app::ErlangApp,
    &executables::Executables,
    &gemfile_lock::GemfileLock,
    &gemspec::Gemspec,
    &java::Java,
    &julia_manifest::JuliaManifest,
    &mix_lock::MixLock,
    &npm::Npm,
    &nuget_lock::NugetLock,
    &os_release::OsReleaseFile,
    &package_lock::PackageLock,
    &package_resolved::PackageResolved,
    &pipfile_lock::PipfileLock,
    &pnpm_lock::PnpmLock,
    &poetry_lock::PoetryLock,
    &pubspec_lock::PubspecLock,
    &pylock::Pylock,
    &python::Python,
    &r_description::RDescription,
    &rebar_lock::RebarLock,
    &requirements::Requirements,
    &rpm::Rpm,
    &rpm::RpmManifest,
    &sbom::Sbom,
    &uv_lock::UvLock,
    &yarn_lock::YarnLock,
];

/// Packages kept of one file. A full desktop has some thousand.
const PACKAGE_LIMIT: usize = 100_000;

/// Problems told of one file; the rest of them are only counted.
const PROBLEM_LIMIT: usize = 20;

/// Reads packages out of one format.
pub trait Cataloger: Send + Sync {
    /// Name in logs, warnings and cache keys.
    fn name(&self) -> &'static str;

    /// Raised when the same file gives another result; part of the key of cached layers.
    fn version(&self) -> u32;

    /// Whether this file is of the format. Asked for every file of every layer: compare strings only.
    /// `path` is relative to the root, normalized, without a leading slash.
    fn wants(&self, path: &str) -> bool;

    /// Whether this executable file is worth a look although its path does not tell the format. Asked for regular files
    /// that anybody may execute and that no cataloger [wants](Self::wants).
    fn wants_executable(&self, _path: &str) -> bool {
        false
    }

    /// Reads one file into `found`. What was found before an error counts.
    fn catalog(&self, path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError>;
}

/// What one file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Packages that the file says are installed.
    pub packages: Vec<FoundPackage>,
    /// Keys and values of an os-release file.
    pub os_release: Option<OsRelease>,
    /// Files that packages of a distribution brought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned: Vec<OwnedFiles>,
    /// Records that could not be read, for people; the file name is added by the room.
    pub problems: Vec<String>,
}

/// The files of one package of a distribution, as far as a cataloger could want them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedFiles {
    /// Name of the package.
    pub package: String,
    /// Their [`owner_key`]s.
    pub files: Vec<u64>,
}

/// What stands for a file when its owner is looked for. `bin`, `sbin` and `lib*` in the root are the folders of these
/// names in `usr`: package databases keep writing the old names where the new ones hold.
pub fn owner_key(path: &str) -> u64 {
    const MERGED: [&str; 6] = ["bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/"];
    let path =
        path.strip_prefix("usr/").filter(|rest| MERGED.iter().any(|merged| rest.starts_with(merged))).unwrap_or(path);
    fingerprint(path)
}

impl Found {
    /// Whether nothing at all was found.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes that the distribution's package `package` brought the file at `path`, relative to the root.
    fn own(&mut self, package: &str, path: &str) {
        if !CATALOGERS.iter().any(|cataloger| cataloger.wants(path) || cataloger.wants_executable(path)) {
            return;
        }
        match self.owned.last_mut() {
            Some(last) if last.package == package => last.files.push(owner_key(path)),
            _ => self.owned.push(OwnedFiles { package: package.to_owned(), files: vec![owner_key(path)] }),
        }
    }

    fn package(&mut self, package: FoundPackage) -> Result<(), CatalogError> {
        if self.packages.len() >= PACKAGE_LIMIT {
            return Err(CatalogError::TooMany { what: "packages", limit: PACKAGE_LIMIT });
        }
        self.packages.push(package);
        Ok(())
    }

    fn problem(&mut self, problem: String) {
        match self.problems.len() {
            PROBLEM_LIMIT => self.problems.push("further problems are not listed".to_owned()),
            told if told > PROBLEM_LIMIT => {}
            _ => self.problems.push(problem),
        }
    }
}

/// A package as its file describes it: the distro is not known here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPackage {
    /// Type in package URLs: `deb`, `apk`, `pypi`, `npm`, `maven`.
    pub kind: String,
    /// Name as installed, not normalized, in the form that OSV uses for its ecosystem: `@scope/name`, `group:artifact`,
    /// `github.com/owner/module`, `vendor/name`.
    pub name: String,
    /// Version as installed, epoch included.
    pub version: String,
    /// Processor in the format's words.
    pub architecture: Option<String>,
    /// Source package (distros only).
    pub source_name: Option<String>,
    /// Its version.
    pub source_version: Option<String>,
    /// Module stream (rpm only): `nodejs:18`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// How the file knows.
    #[serde(default)]
    pub evidence: Evidence,
    /// Where in the file, if that is an archive: `BOOT-INF/lib/log4j-core-2.14.1.jar`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<String>,
}

/// What matters of an os-release file (freedesktop.org os-release(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// `ID`
    pub id: String,
    /// `ID_LIKE`, split at spaces.
    pub id_like: Vec<String>,
    /// `VERSION_ID`
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`
    pub version_codename: Option<String>,
    /// `PRETTY_NAME`
    pub pretty_name: Option<String>,
    /// `UBUNTU_CODENAME`: series of the Ubuntu that it is built on.
    #[serde(default)]
    pub ubuntu_codename: Option<String>,
    /// `DEBIAN_CODENAME`: series of the Debian that it is built on.
    #[serde(default)]
    pub debian_codename: Option<String>,
}

/// A file that could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The layer's bytes ended or are damaged. Not the file's fault: the scan decides.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The file is not what its name promises.
    #[error("line {line}: {why}")]
    Malformed {
        /// Line, from 1.
        line: u64,
        /// Why.
        why: String,
    },
    /// The same, of a file without lines.
    #[error("{0}")]
    Damaged(String),
    /// The file holds more than is kept of one file.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are kept.
        limit: usize,
    },
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
