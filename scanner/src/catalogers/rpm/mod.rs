//! Packages that rpm installed, from its database of any kind: SQLite (`rpmdb.sqlite`), ndb (`Packages.db`, of SUSE) and
//! Berkeley DB's hash table (`Packages`, before rpm 4.16). What they keep of a package is its header.
//!
//! Keys with which packages were signed are listed in the database as packages named `gpg-pubkey`; they are none.
//!
//! A database in SQLite's WAL mode may have a log beside it (`rpmdb.sqlite-wal`) that is not yet written into it. A
//! cataloger sees one file at a time, so such a log is not applied: that it holds something is told as a problem.

mod bdb;
mod database;
mod files;
mod header;
mod manifest;
mod ndb;
mod sqlite;
mod wal;

use std::io::BufRead;

use self::database::Database;
use self::files::Files;
use self::header::{Header, Tag};
use super::{CatalogError, Cataloger, Found, FoundPackage};

pub(super) use manifest::RpmManifest;

/// Reads rpm's databases.
pub(super) struct Rpm;

/// Where distributions keep the database; the last is the place of images made of commits (ostree).
const FOLDERS: [&str; 3] = ["var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"];

/// The log of the database in SQLite.
const LOG: &str = "rpmdb.sqlite-wal";

impl Cataloger for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        let name = FOLDERS.iter().find_map(|folder| path.strip_prefix(folder));
        matches!(name, Some("rpmdb.sqlite" | LOG | "Packages.db" | "Packages"))
    }

    fn catalog(&self, path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        if path.ends_with(LOG) {
            return wal::read(file, found);
        }
        let mut database = Database::of(file)?;
        let read = match &database.read(0, 16)?[..] {
            [b'S', b'Q', b'L', ..] => sqlite::read,
            [b'R', b'p', b'm', b'P', ..] => ndb::read,
            _ => bdb::read,
        };
        let mut files = Files::default();
        read(&mut database, &mut |record| match record {
            Ok(blob) => package(&blob, &mut files, found),
            Err(CatalogError::Damaged(why)) => {
                found.problem(why);
                Ok(())
            }
            Err(error) => Err(error),
        })
    }
}

/// Adds the package of a header, and its files.
fn package(blob: &[u8], files: &mut Files, found: &mut Found) -> Result<(), CatalogError> {
    let Some(header) = Header::of(blob) else {
        found.problem("a header is not as long as it says".to_owned());
        return Ok(());
    };
    let text = |tag| header.text(tag).map(String::from);
    let (Some(name), Some(version), Some(release)) = (text(Tag::Name), text(Tag::Version), text(Tag::Release)) else {
        let name = text(Tag::Name).unwrap_or_else(|| "without a name".to_owned());
        found.problem(format!("the header of package {name} has no name, version or release"));
        return Ok(());
    };
    if name == "gpg-pubkey" {
        return Ok(());
    }
    files.own(&name, &header, found);
    let epoch = header.numbers(Tag::Epoch).next();
    found.package(described(Description {
        name,
        version: format!("{version}-{release}"),
        epoch,
        architecture: text(Tag::Arch),
        source: text(Tag::SourceRpm).as_deref(),
        module: text(Tag::ModularityLabel).as_deref(),
    }))
}

/// What is known of a package, in rpm's words.
struct Description<'d> {
    name: String,
    /// With its release.
    version: String,
    epoch: Option<u32>,
    architecture: Option<String>,
    /// File name of the source package.
    source: Option<&'d str>,
    /// Modularity label.
    module: Option<&'d str>,
}

/// Source packages have the epoch of those built from them.
fn described(description: Description<'_>) -> FoundPackage {
    let Description { name, version, epoch, architecture, source, module } = description;
    let with_epoch = |version: &str| match epoch {
        Some(epoch) if epoch > 0 => format!("{epoch}:{version}"),
        _ => version.to_owned(),
    };
    let source = source.and_then(split_source);
    FoundPackage {
        kind: "rpm".to_owned(),
        name,
        version: with_epoch(&version),
        architecture,
        source_name: source.map(|(name, _)| name.to_owned()),
        source_version: source.map(|(_, version)| with_epoch(version)),
        module: module.and_then(stream),
        ..FoundPackage::default()
    }
}

/// Name and version with release, of `name-version-release.src.rpm`.
fn split_source(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (before_release, _) = stem.rsplit_once('-')?;
    let (name, _) = before_release.rsplit_once('-').filter(|(name, _)| !name.is_empty())?;
    Some((name, &stem[name.len() + 1..]))
}

/// `name:stream` of the label `name:stream:version:context`.
fn stream(label: &str) -> Option<String> {
    let mut parts = label.split(':');
    match (parts.next(), parts.next()) {
        (Some(name), Some(stream)) if !name.is_empty() && !stream.is_empty() => Some(format!("{name}:{stream}")),
        _ => None,
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
