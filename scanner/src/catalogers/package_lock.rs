//! npm's lock files: `package-lock.json` and `npm-shrinkwrap.json` of `lockfileVersion` 1, 2 and 3 (npm's documentation,
//! "package-lock.json").
//!
//! Packages with `dev` are left out; those with `devOptional` are installed without development dependencies too.
//! An alias is known by the name behind it. In version 1 what comes from Git or a URL has that in place of a version.
//! `node_modules/.package-lock.json` is no lock file but npm's own note of what it installed.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::{Error, IgnoredAny, MapAccess};

use super::json::{self, Field, Object};
use super::lock_files::{is_lock_file, keep};
use super::{CatalogError, Cataloger, Found};

/// Reads npm's lock files.
pub(super) struct PackageLock;

impl Cataloger for PackageLock {
    fn name(&self) -> &'static str {
        "package-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "package-lock.json") || is_lock_file(path, "npm-shrinkwrap.json")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let lock = Lock { found, has_places: false };
        json::read_into(lock.seed(), file, json::LOCK_FILE_LIMIT).map(|_| ())
    }
}

/// The whole file. Version 2 lists everything twice, the second time for readers of version 1.
struct Lock<'f> {
    found: &'f mut Found,
    has_places: bool,
}

impl Object for Lock<'_> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "packages" => {
                self.has_places = true;
                self.found.packages.clear();
                map.next_value_seed(Places(self.found).seed()).map(|_| ())
            }
            "dependencies" if !self.has_places => map.next_value_seed(Tree(self.found).seed()).map(|_| ()),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

/// `packages`: where each package is installed, and what it is.
struct Places<'f>(&'f mut Found);

#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    name: Field,
    #[serde(default)]
    version: Field,
    #[serde(default)]
    dev: Field,
    #[serde(default)]
    link: Field,
}

impl Object for Places<'_> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, path: &str, map: &mut A) -> Result<(), A::Error> {
        let place: Place = map.next_value()?;
        // The project itself and its workspaces are elsewhere.
        let Some((_, folder)) = path.rsplit_once("node_modules/") else { return Ok(()) };
        match place.version.text() {
            Some(version) if !place.dev.is_true() && !place.link.is_true() => {
                let name = place.name.text().unwrap_or(folder);
                keep(self.0, "npm", name, version).map_err(A::Error::custom)
            }
            _ => Ok(()),
        }
    }
}

/// `dependencies` of version 1: by name, with those that are installed below each.
struct Tree<'f>(&'f mut Found);

struct Branch<'f> {
    found: &'f mut Found,
    version: Field,
    dev: Field,
}

impl Object for Tree<'_> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let branch = Branch { found: self.0, version: Field::Other, dev: Field::Other };
        let branch = map.next_value_seed(branch.seed())?;
        let version = branch.version.text().filter(|_| !branch.dev.is_true()).unwrap_or_default();
        let alias = version.strip_prefix("npm:").and_then(|alias| alias.rsplit_once('@'));
        let (name, version) = alias.unwrap_or((name, version));
        if !version.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() {
            return Ok(());
        }
        keep(branch.found, "npm", name, version).map_err(A::Error::custom)
    }
}

impl Object for Branch<'_> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "version" => self.version = map.next_value()?,
            "dev" => self.dev = map.next_value()?,
            "dependencies" => {
                map.next_value_seed(Tree(self.found).seed())?;
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};
    use crate::catalogers::lock_files::locked;

    #[test]
    fn lists_what_npm_lists() {
        for lock in ["npm-v1", "npm-v2", "npm-v3"] {
            assert_lists_expected(&PackageLock, lock, "package-lock.json");
        }
    }

    #[test]
    fn wants_locks_but_not_npms_own_note() {
        assert!(PackageLock.wants("srv/npm-shrinkwrap.json"));
        assert!(!PackageLock.wants("srv/node_modules/.package-lock.json"));
        assert!(!PackageLock.wants("srv/.package-lock.json"));
    }

    #[test]
    fn version_1_names_what_is_behind_aliases_and_knows_no_version_of_git() {
        let found = catalog(
            &PackageLock,
            br#"{"lockfileVersion": 1, "dependencies": {
                "alias": {"version": "npm:@s/real@1.2.3", "dependencies": {"below": {"version": "2.0.0"}}},
                "git": {"version": "git+ssh://git@example.com/a.git#0a1b"},
                "url": {"version": "https://example.com/a.tgz", "dependencies": {"dev": {"version": "3.0.0", "dev": true}}},
                "odd": {"version": 7}}}"#,
        );
        let listed: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(listed, [("below", "2.0.0"), ("@s/real", "1.2.3")]);
    }

    #[test]
    fn places_come_before_the_tree_in_whatever_order() {
        let found = catalog(
            &PackageLock,
            br#"{"dependencies": {"a": {"version": "1.0.0"}}, "packages": {"node_modules/b": {"version": "2.0.0"}}}"#,
        );
        assert_eq!(found.packages, [locked("npm", "b", "2.0.0")]);
    }
}
