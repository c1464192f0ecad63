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
use super::{CatalogError, Cataloger, Found, PACKAGE_LIMIT};

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
        let mut packages: Vec<Package> = Vec::new();
        let read = read_tables("package", file, found, |_, package| {
            if packages.len() == PACKAGE_LIMIT {
                return Err(CatalogError::TooMany { what: "packages", limit: PACKAGE_LIMIT });
            }
            packages.push(package);
            Ok(())
        });
        let graph = graph(&packages);
        let needed = graph.as_ref().map(|graph| graph.reach(MEMBERS));
        for package in packages.iter().filter(|package| !package.source.is_folder()) {
            let is_needed = needed.as_ref().is_none_or(|needed| needed.contains(package.id().as_str()));
            if let Some(version) = package.version.as_ref().filter(|_| is_needed) {
                keep(found, "pypi", &package.name, version)?;
            }
        }
        read
    }
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

impl Package {
    /// Its node in the graph. A name alone is the node that leads to all versions of it.
    fn id(&self) -> String {
        id(&self.name, self.version.as_deref())
    }
}

fn id(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}

/// The node that leads to the members of the workspace.
const MEMBERS: &str = " ";

/// What needs what, beginning at the members of the workspace. `None` where there are no members.
fn graph(packages: &[Package]) -> Option<Graph> {
    let mut graph = Graph::default();
    for package in packages {
        let id = package.id();
        if package.version.is_some() {
            graph.link(&package.name, &id);
        }
        if package.source.is_member() {
            graph.link(MEMBERS, &id);
        }
        for needed in package.dependencies.iter().chain(package.optional_dependencies.values().flatten()) {
            graph.link(&id, &self::id(&needed.name, needed.version.as_deref()));
        }
    }
    packages.iter().any(|package| package.source.is_member()).then_some(graph)
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
