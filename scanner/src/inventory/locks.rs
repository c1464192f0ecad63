//! Lock files: what a project was resolved to, which need not be what is installed.
//!
//! A lock file counts only where an image carries nothing better: if a single package that it lists is installed at just
//! that version (and not by the distribution), the project was installed, and what is installed says what is there.

use std::collections::{HashMap, HashSet};

use shared::package::{Evidence, Package};

use crate::advisories::normalize_name;

/// Removes the packages of lock files whose projects are installed.
pub(super) fn drop_installed_projects(packages: &mut Vec<Package>) {
    let is_locked = |package: &Package| package.evidence == Evidence::LockFile;
    let key = |package: &Package| {
        let ecosystem = package.ecosystem.clone().unwrap_or_default();
        let name = normalize_name(&ecosystem, &package.name).into_owned();
        (ecosystem, name, package.version.clone())
    };
    let installed: HashSet<_> =
        packages.iter().filter(|package| !is_locked(package) && package.owner.is_none()).map(key).collect();
    let mut silent: HashMap<String, bool> = HashMap::new();
    for package in packages.iter().filter(|package| is_locked(package)) {
        *silent.entry(package.path.clone()).or_default() |= installed.contains(&key(package));
    }
    packages.retain(|package| !is_locked(package) || !silent.get(&package.path).copied().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, path: &str, evidence: Evidence) -> Package {
        Package {
            ecosystem: Some("PyPI".into()),
            name: name.into(),
            version: version.into(),
            path: path.into(),
            evidence,
            ..Package::default()
        }
    }

    #[test]
    fn a_lock_file_is_silent_once_anything_in_it_is_installed() {
        let mut packages = vec![
            package("Flask", "2.0", "site-packages/flask.dist-info/METADATA", Evidence::Installed),
            package("six", "1.16", "six.dist-info/METADATA", Evidence::Installed),
            package("flask", "2.0", "app/poetry.lock", Evidence::LockFile),
            package("pytest", "7", "app/poetry.lock", Evidence::LockFile),
            package("six", "1.16", "tool/uv.lock", Evidence::LockFile),
            package("flask", "1.0", "tool/uv.lock", Evidence::LockFile),
        ];
        packages[1].owner = Some("python3-six".into());
        drop_installed_projects(&mut packages);
        let left: Vec<_> = packages.iter().map(|package| package.path.as_str()).collect();
        assert_eq!(
            left,
            ["site-packages/flask.dist-info/METADATA", "six.dist-info/METADATA", "tool/uv.lock", "tool/uv.lock"]
        );
    }
}
