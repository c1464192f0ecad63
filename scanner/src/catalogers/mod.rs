//! Reading packages out of the files of an image: one file here per package format.
//!
//! The room walks layers, opens files, limits and counts; a cataloger only parses. It opens nothing, keeps nothing, and
//! knows nothing of layers or distros. A file that cannot be read becomes a warning on the scan, never a failed scan.
//!
//! To add a format: write `catalogers/<name>.rs`, add it to [`CATALOGERS`], and give it a row in the README's table.

mod apk;
mod dpkg;
mod lines;
mod npm;
mod os_release;
mod python;

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

/// Every cataloger, in the order in which they are asked.
pub const CATALOGERS: &[&dyn Cataloger] =
    &[&apk::Apk, &dpkg::Dpkg, &npm::Npm, &os_release::OsReleaseFile, &python::Python];

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
    /// Records that could not be read, for people; the file name is added by the room.
    pub problems: Vec<String>,
}

impl Found {
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
    /// Type in package URLs: `deb`, `apk`, `pypi`, `npm`.
    pub kind: String,
    /// Name as installed, not normalized; npm scopes are part of it (`@scope/name`).
    pub name: String,
    /// Version as installed, epoch included.
    pub version: String,
    /// Processor in the format's words.
    pub architecture: Option<String>,
    /// Source package (distros only).
    pub source_name: Option<String>,
    /// Its version.
    pub source_version: Option<String>,
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
