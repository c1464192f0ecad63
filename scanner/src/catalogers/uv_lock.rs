//! `uv.lock` (uv's documentation, "Locking and syncing"): a list of `[[package]]`, the project and its workspace among
//! them.
//!
//! Development dependencies are named by the members of the workspace. Kept is what the members need otherwise, optional
//! dependencies included.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Deserialize;

use super::lock_files::{Graph, is_lock_file, keep};
use super::toml_records::read_tables;
use super::{CatalogError, Cataloger, Found};

/// Reads uv's lock files.
pub(super) struct UvLock;

impl Cataloger for UvLock {
    fn name(&self) -> &'static str {
        "uv-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "uv.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lock = Lock::default();
        let read = read_tables("package", file, found, |_, package: Package| lock.take(&package));
        for (name, version) in lock.needed() {
            keep(found, "pypi", name, version)?;
        }
        read
    }
}

/// The node that leads to the members of the workspace.
const MEMBERS: &str = " ";

#[derive(Default)]
struct Lock {
    /// Names and versions of what is not a folder of the project.
    packages: Vec<(String, String)>,
    /// What needs what. A name alone is a node that leads to all versions of it.
    graph: Graph,
    has_members: bool,
}

impl Lock {
    fn take(&mut self, package: &Package) -> Result<(), CatalogError> {
        let id = id(&package.name, package.version.as_deref());
        if package.version.is_some() {
            self.graph.link(&package.name, &id)?;
        }
        if package.source.is_member() {
            self.has_members = true;
            self.graph.link(MEMBERS, &id)?;
        }
        for needed in package.dependencies.iter().chain(package.optional_dependencies.values().flatten()) {
            self.graph.link(&id, &self::id(&needed.name, needed.version.as_deref()))?;
        }
        if let Some(version) = package.version.as_ref().filter(|_| !package.source.is_folder()) {
            self.packages.push((package.name.clone(), version.clone()));
        }
        Ok(())
    }

    /// What the members of the workspace need; everything where there are no members.
    fn needed(&self) -> impl Iterator<Item = (&str, &str)> {
        let reached = self.has_members.then(|| self.graph.reach(MEMBERS));
        let packages = self.packages.iter().map(|(name, version)| (name.as_str(), version.as_str()));
        packages.filter(move |(name, version)| {
            reached.as_ref().is_none_or(|reached| reached.contains(id(name, Some(version)).as_str()))
        })
    }
}

fn id(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    /// Missing where the project computes it.
    version: Option<String>,
    #[serde(default)]
    source: Source,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
}

/// The field's name says what the source is; registries, Git, URLs and single files are of no concern here.
#[derive(Deserialize, Default)]
struct Source {
    r#virtual: Option<String>,
    editable: Option<String>,
    directory: Option<String>,
}

/// The version is there where the file has several of the name.
#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
}

impl Source {
    fn is_member(&self) -> bool {
        self.r#virtual.is_some() || self.editable.is_some()
    }

    fn is_folder(&self) -> bool {
        self.is_member() || self.directory.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};
    use crate::catalogers::lock_files::locked;

    #[test]
    fn lists_what_uv_lists() {
        assert_lists_expected(&UvLock, "uv", "uv.lock");
    }

    #[test]
    fn of_several_versions_those_that_are_needed_are_kept() {
        let found = catalog(
            &UvLock,
            br#"
[[package]]
name = "app"
source = { virtual = "." }
dependencies = [{ name = "a", version = "1", marker = "x" }, { name = "b" }]
[package.dev-dependencies]
dev = [{ name = "a", version = "3" }]

[[package]]
name = "a"
version = "1"
[[package]]
name = "a"
version = "3"
[[package]]
name = "b"
version = "1"
[[package]]
name = "b"
version = "2"
"#,
        );
        let listed: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(listed, [("a", "1"), ("b", "1"), ("b", "2")]);
    }

    #[test]
    fn without_members_everything_is_kept() {
        let found = catalog(&UvLock, b"[[package]]\nname = \"a\"\nversion = \"1\"\n");
        assert_eq!(found.packages, [locked("pypi", "a", "1")]);
    }
}
