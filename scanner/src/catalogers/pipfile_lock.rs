//! `Pipfile.lock`, as pipenv writes it (pipenv's documentation, "Pipfile & Pipfile.lock"; pypa/pipfile's specification).
//!
//! Read is `default`; `develop` and categories of the project's own are what is not installed without asking. Entries
//! from Git, a URL or a folder have no version.

use std::io::BufRead;

use serde::Deserialize;

use super::json::{self, Entries, Field};
use super::lock_files::{is_lock_file, keep};
use super::{CatalogError, Cataloger, Found};

/// Reads pipenv's lock files.
pub(super) struct PipfileLock;

impl Cataloger for PipfileLock {
    fn name(&self) -> &'static str {
        "pipfile-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "Pipfile.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let lock: Lock = json::read(file, json::LOCK_FILE_LIMIT)?;
        for (name, Pin { version }) in lock.default.0 {
            let version = version.text().and_then(|version| version.strip_prefix("=="));
            if let Some(version) = version.filter(|_| !name.is_empty()) {
                keep(found, "pypi", &name, version.trim_start_matches('=').trim())?;
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    default: Entries<Pin>,
}

#[derive(Deserialize)]
struct Pin {
    #[serde(default)]
    version: Field,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};
    use crate::catalogers::lock_files::locked;

    #[test]
    fn lists_what_pipenv_lists() {
        assert_lists_expected(&PipfileLock, "pipenv", "Pipfile.lock");
    }

    #[test]
    fn what_has_no_version_is_left_out() {
        let found = catalog(
            &PipfileLock,
            br#"{"_meta": {}, "default": {"a": {"version": "==1.0"}, "g": {"git": "x", "ref": "y"}, "r": {"version": "*"}},
                "develop": {"d": {"version": "==2.0"}}}"#,
        );
        assert_eq!(found.packages, [locked("pypi", "a", "1.0")]);
    }
}
