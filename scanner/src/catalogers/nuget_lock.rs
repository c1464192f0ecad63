//! Lock files of NuGet: `packages.lock.json` (learn.microsoft.com, "PackageReference in project files", part "Locking
//! dependencies"). Packages of all target frameworks count, direct and transitive ones; projects do not. The format does
//! not tell what is needed only for development.

use std::collections::BTreeSet;
use std::io::BufRead;

use serde::Deserialize;

use super::json::{self, Entries, Field, LOCK_FILE_LIMIT};
use super::lock_files::{is_lock_file, locked};
use super::{CatalogError, Cataloger, Found};

/// Reads lock files of NuGet.
pub(super) struct NugetLock;

impl Cataloger for NugetLock {
    fn name(&self) -> &'static str {
        "nuget-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "packages.lock.json")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let lock: Lock = json::read(file, LOCK_FILE_LIMIT)?;
        let mut packages = BTreeSet::new();
        for (name, package) in lock.dependencies.0.iter().flat_map(|(_, packages)| &packages.0) {
            match package.resolved.text() {
                _ if package.kind.text().is_some_and(|kind| kind.eq_ignore_ascii_case("project")) => {}
                Some(version) if !name.is_empty() => drop(packages.insert((name, version))),
                _ => found.problem(format!("the package {name:.100} has no version")),
            }
        }
        for (name, version) in packages {
            found.package(locked("nuget", name, version))?;
        }
        Ok(())
    }
}

/// Dependencies by target framework and name.
#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    dependencies: Entries<Entries<Locked>>,
}

#[derive(Deserialize)]
struct Locked {
    #[serde(default, rename = "type")]
    kind: Field,
    #[serde(default)]
    resolved: Field,
}

#[cfg(test)]
mod tests {
    use shared::package::Evidence;

    use super::*;
    use crate::catalogers::fixtures::catalog;

    #[test]
    fn packages_of_all_frameworks_count_once() {
        let file = br#"{"version": 2, "dependencies": {
            "net6.0": {
                "Newtonsoft.Json": {"type": "Direct", "requested": "[12.0.1, )", "resolved": "12.0.1", "contentHash": "x"},
                "System.IO": {"type": "Transitive", "resolved": "4.3.0", "dependencies": {"System.Runtime": "4.3.0"}},
                "shop.data": {"type": "Project", "dependencies": {}}
            },
            "net8.0": {
                "newtonsoft.json": {"type": "CentralTransitive", "resolved": "13.0.3"},
                "System.IO": {"type": "Transitive", "resolved": "4.3.0"},
                "Broken": {"type": "Direct"}
            },
            "net8.0/linux-x64": {}
        }}"#;
        assert!(NugetLock.wants("src/shop/packages.lock.json") && !NugetLock.wants("src/xpackages.lock.json"));
        let found = catalog(&NugetLock, file);
        let listed: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str(), p.evidence)).collect();
        assert_eq!(
            listed,
            [
                ("Newtonsoft.Json", "12.0.1", Evidence::LockFile),
                ("System.IO", "4.3.0", Evidence::LockFile),
                ("newtonsoft.json", "13.0.3", Evidence::LockFile),
            ]
        );
        assert_eq!(found.problems, ["the package Broken has no version"]);
    }
}
