//! The advisory database: from the records that sources publish to one file that is looked up without parsing.
//!
//! ```text
//! update (OSV's zips, KEV and EPSS over HTTP) ─┐
//! import (folders, zips, tables, files) ───────┴▶ sources/ ─ rebuild ─▶ advisories.db ─ DatabaseHandle ─▶ matcher
//! ```
//!
//! The folder keeps the raw zip of every source and every table of CVEs, and the database is always built from all of them. So importing or
//! updating one source replaces that source and leaves the others. A new database is written beside the old one,
//! checked, and renamed into place; scanners that run pick it up between jobs.
//!
//! Start with [`Folder`]; `format.rs` has the file's layout, `range.rs` the rules for versions.

mod about;
mod artifacts;
mod build;
mod claims;
mod config;
mod database;
mod dossier;
mod download;
mod folder;
mod format;
mod gather;
mod handle;
mod import;
mod interned;
mod name;
pub mod osv;
mod prepare;
mod range;
mod rating;
mod record;
mod state;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod update;
mod zips;

pub use about::{About, Examples, Reason, SourceReport, TableReport};
pub use claims::Claim;
pub use config::AdvisoriesConfig;
pub use database::{Database, DatabaseError};
pub use dossier::{Dossier, Exploited};
pub use folder::{AdvisoriesError, Folder, Progress, Status};
pub use format::Damaged;
pub use handle::DatabaseHandle;
pub use import::ImportReport;
pub use name::normalize_name;
pub use range::{Decision, Event, EventKind, Range, RangeKind};
pub use rating::{Rating, Vector};
pub use record::{Entry, Record};
pub use tables::TableKind;
pub use text::{Text, TextReader};
pub use update::{SourceUpdate, UpdateReport, Updated};

/// Reads a record and makes of it what the database keeps, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_record(json: &[u8]) {
    if let Ok(record) = osv::Record::from_json(json) {
        let _ = prepare::Prepared::new(&record);
    }
}

/// Reads a table of CVEs, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_table(kind: TableKind, bytes: &[u8]) {
    tables::Tables::default().read_bytes(kind, bytes, &mut TableReport::new(kind, String::new()));
}

#[cfg(test)]
mod tests;
