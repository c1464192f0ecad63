//! `pylock.toml` and `pylock.NAME.toml` (packaging.python.org, "pylock.toml Specification", PEP 751), which any of Python's
//! tools may write.
//!
//! Groups and extras are told by `marker`, an expression that is not judged.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::lock_files::{is_of_project, keep};
use super::toml_records::read_tables;
use super::{CatalogError, Cataloger, Found};

/// Reads Python's common lock files.
pub(super) struct Pylock;

impl Cataloger for Pylock {
    fn name(&self) -> &'static str {
        "pylock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(middle) = name.strip_prefix("pylock").and_then(|rest| rest.strip_suffix("toml")) else { return false };
        middle.starts_with('.') && middle.ends_with('.') && is_of_project(folder)
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        read_tables("packages", file, found, |found, package: Package| match package {
            Package { name, version: Some(version), directory: None } => keep(found, "pypi", &name, &version),
            _ => Ok(()),
        })
    }
}

/// The version may be missing where a source is not of an index.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    directory: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::assert_lists_expected;

    #[test]
    fn lists_what_uv_exports() {
        assert_lists_expected(&Pylock, "pylock", "pylock.toml");
    }

    #[test]
    fn names_may_have_a_middle() {
        assert!(Pylock.wants("app/pylock.toml") && Pylock.wants("pylock.prod.toml"));
        assert!(!Pylock.wants("app/pylocktoml") && !Pylock.wants("mypylock.toml") && !Pylock.wants("pylock-a.toml"));
    }
}
