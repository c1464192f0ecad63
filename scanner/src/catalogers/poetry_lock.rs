//! `poetry.lock` of Poetry (python-poetry's `packages/locker.py`) and `pdm.lock` of PDM (PDM's documentation, "Lock file"):
//! both are lists of `[[package]]`.
//!
//! Poetry up to 1.4 marks development dependencies by `category`, Poetry 2 and PDM by `groups`; Poetry 1.5 to 1.8 do not
//! mark them. Kept are those of the main group, which is what an installation without the other groups brings.

use std::io::BufRead;

use serde::Deserialize;

use super::lock_files::{is_lock_file, keep};
use super::toml_records::read_tables;
use super::{CatalogError, Cataloger, Found};

/// Reads the lock files of Poetry and PDM.
pub(super) struct PoetryLock;

impl Cataloger for PoetryLock {
    fn name(&self) -> &'static str {
        "poetry-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "poetry.lock") || is_lock_file(path, "pdm.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        read_tables("package", file, found, |found, package: Package| {
            if package.is_development() || package.is_folder() {
                return Ok(());
            }
            keep(found, "pypi", &package.name, &package.version)
        })
    }
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    category: Option<String>,
    groups: Option<Vec<String>>,
    source: Option<Source>,
    /// A folder, in PDM's words.
    path: Option<String>,
    #[serde(default)]
    editable: bool,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
}

impl Package {
    fn is_development(&self) -> bool {
        let is_main = |group: &String| group == "main" || group == "default";
        !self.category.as_ref().is_none_or(is_main)
            || !self.groups.as_ref().is_none_or(|groups| groups.iter().any(is_main))
    }

    fn is_folder(&self) -> bool {
        self.editable || self.path.is_some() || self.source.as_ref().is_some_and(|source| source.kind == "directory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};

    #[test]
    fn lists_what_poetry_lists() {
        assert_lists_expected(&PoetryLock, "poetry-v2", "poetry.lock");
    }

    #[test]
    fn development_and_folders_are_left_out_as_each_version_marks_them() {
        let found = catalog(
            &PoetryLock,
            br#"
[[package]]
name = "old-main"
version = "1.0"
category = "main"
optional = true
[package.dependencies]
x = ">=1"

[[package]]
name = "old-dev"
version = "1.0"
category = "dev"

[[package]]
name = "unmarked"
version = "1.0"

[[package]]
name = "both"
version = "1.0"
groups = ["default", "dev"]

[[package]]
name = "dev"
version = "1.0"
groups = ["dev"]

[[package]]
name = "git"
version = "1.0"
[package.source]
type = "git"
url = "https://example.com/git.git"
reference = "main"

[[package]]
name = "own"
version = "1.0"
[package.source]
type = "directory"
url = "own"

[metadata]
content-hash = "x"
"#,
        );
        let names: Vec<_> = found.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["old-main", "unmarked", "both", "git"]);
    }
}
