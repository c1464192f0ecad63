//! What a database says about itself, and what became of every record that it was built from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tables::TableKind;

/// Where the records of a database come from and what they cover.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// One for each source, by name.
    pub sources: Vec<SourceReport>,
    /// One for each table of CVEs.
    pub tables: Vec<TableReport>,
    /// Entries for each ecosystem, with its release.
    pub ecosystems: BTreeMap<String, u64>,
}

/// What became of the records of one source. `read` is `kept` and everything in `skipped` together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Name of the source: its zip without `.zip`.
    pub name: String,
    /// SHA-256 of the zip, in hex.
    pub sha256: String,
    /// Records that the zip holds.
    pub read: u64,
    /// Records that packages are matched against.
    pub kept: u64,
    /// The others, by reason.
    pub skipped: BTreeMap<Reason, Examples>,
    /// Records that are kept, but of which an entry had to be left out, by reason.
    pub shortened: BTreeMap<Reason, Examples>,
}

impl SourceReport {
    /// Counts a record that is not matched against.
    pub(super) fn skip(&mut self, reason: Reason, id: &str) {
        self.skipped.entry(reason).or_default().add(id);
    }

    /// Counts a record that is kept in part.
    pub(super) fn shorten(&mut self, reason: Reason, id: &str) {
        self.shortened.entry(reason).or_default().add(id);
    }
}

/// What became of the rows of a table of CVEs. `read` is `kept` and everything in `skipped` together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// Which table.
    pub kind: TableKind,
    /// The day that it says it is of; empty if it does not.
    pub date: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Rows that the table has.
    pub read: u64,
    /// Rows that say something about a CVE.
    pub kept: u64,
    /// The others, by reason.
    pub skipped: BTreeMap<Reason, Examples>,
}

impl TableReport {
    /// The report of a table that is not read yet.
    pub(super) fn new(kind: TableKind, sha256: String) -> Self {
        Self { kind, date: String::new(), sha256, read: 0, kept: 0, skipped: BTreeMap::new() }
    }

    /// Counts a row that says nothing.
    pub(super) fn skip(&mut self, reason: Reason, row: &str) {
        self.skipped.entry(reason).or_default().add(row);
    }
}

/// How many, and the first few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examples {
    /// How many.
    pub count: u64,
    /// Ids of the first few, or their file names where they have none.
    pub first: Vec<String>,
}

impl Examples {
    const KEPT: usize = 5;

    fn add(&mut self, id: &str) {
        self.count += 1;
        if self.first.len() < Self::KEPT {
            self.first.push(id.chars().take(200).collect());
        }
    }
}

/// Why a record, or an entry of one, is not matched against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its source withdrew it. Kept for `explain`.
    Withdrawn,
    /// A newer record of the same id speaks for the same ecosystems.
    Superseded,
    /// It names no package.
    NoPackage,
    /// It names neither ranges nor versions.
    NoVersions,
    /// Its ranges are those of a Git repository alone.
    GitOnly,
    /// Its vendor says that the package is not affected.
    NotAffected,
    /// It has a range of a kind that the schema does not define, or without a beginning.
    UnknownRange,
    /// It has no id.
    NoId,
    /// It is not an OSV record in JSON.
    Malformed,
    /// It is larger than any advisory.
    TooLarge,
    /// The zip is damaged at its place.
    Unreadable,
    /// A row of a table that names no CVE.
    NoCve,
    /// A row of a table that lacks a value, or has one that cannot be.
    BadRow,
    /// A row of a table with a score or vector that cannot be.
    BadScore,
    /// A row of a table of vectors without one.
    NoVector,
}

impl Reason {
    /// The reason for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn by its source",
            Self::Superseded => "a newer record has the same id",
            Self::NoPackage => "names no package",
            Self::NoVersions => "names neither ranges nor versions",
            Self::GitOnly => "has Git ranges alone",
            Self::NotAffected => "says that the package is not affected",
            Self::UnknownRange => "has a range of an unknown kind or without a beginning",
            Self::NoId => "has no id",
            Self::Malformed => "is not an OSV record",
            Self::TooLarge => "is larger than any advisory",
            Self::Unreadable => "cannot be read from its zip",
            Self::NoCve => "names no CVE",
            Self::BadRow => "is not a row of its table",
            Self::BadScore => "has a score or vector that cannot be",
            Self::NoVector => "has no vector",
        }
    }
}
