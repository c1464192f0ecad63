//! Lock files: what a project was resolved to, which need not be what is installed.
//!
//! A lock file counts only where an image carries nothing better. Its project is installed, and what is installed says
//! what is there,
//!
//! - if a package that it lists is installed below its folder, at just that version: in its `node_modules`, say;
//! - if most of what it lists is installed at these versions anywhere else. Fewer are chance: npm brings two hundred
//!   packages of its own, some of which are in every project's lock file.
//!
//! What the distribution installed counts for neither. The root of the image is nobody's folder: everything is below it.

use std::collections::{HashMap, HashSet};

use shared::package::{Evidence, Package};

use crate::advisories::normalize_name;

/// Where a package is installed.
type Installed<'p> = HashMap<(String, String, String), Vec<&'p str>>;

/// Removes the packages of lock files whose projects are installed.
pub(super) fn drop_installed_projects(packages: &mut Vec<Package>) {
    let mut installed = Installed::new();
    for package in packages.iter().filter(|package| !is_locked(package) && package.owner.is_none()) {
        installed.entry(key(package)).or_default().push(&package.path);
    }
    let mut locks: HashMap<&str, Tally> = HashMap::new();
    for package in packages.iter().filter(|package| is_locked(package)) {
        locks.entry(&package.path).or_default().add(package, &installed);
    }
    let silent: HashSet<String> =
        locks.into_iter().filter(|(_, tally)| tally.is_installed()).map(|(path, _)| path.to_owned()).collect();
    packages.retain(|package| !is_locked(package) || !silent.contains(&package.path));
}

fn is_locked(package: &Package) -> bool {
    package.evidence == Evidence::LockFile
}

fn key(package: &Package) -> (String, String, String) {
    let ecosystem = package.ecosystem.clone().unwrap_or_default();
    let name = normalize_name(&ecosystem, &package.name).into_owned();
    (ecosystem, name, package.version.clone())
}

/// How much of a lock file is installed.
#[derive(Default)]
struct Tally {
    listed: usize,
    installed: usize,
    is_near: bool,
}

impl Tally {
    fn add(&mut self, package: &Package, installed: &Installed<'_>) {
        self.listed += 1;
        let Some(places) = installed.get(&key(package)) else { return };
        self.installed += 1;
        let folder = package.path.rsplit_once('/').map(|(folder, _)| folder);
        let is_below = |place: &&str| {
            folder.and_then(|folder| place.strip_prefix(folder)).is_some_and(|rest| rest.starts_with('/'))
        };
        self.is_near |= places.iter().any(is_below);
    }

    fn is_installed(&self) -> bool {
        self.is_near || 2 * self.installed > self.listed
    }
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
    fn a_lock_file_is_silent_once_its_project_is_installed() {
        let mut packages = vec![
            package("Flask", "2.0", "site-packages/flask.dist-info/METADATA", Evidence::Installed),
            package("six", "1.16", "six.dist-info/METADATA", Evidence::Installed),
            package("jinja2", "3.0", "site-packages/jinja2.dist-info/METADATA", Evidence::Installed),
            package("flask", "2.0", "app/poetry.lock", Evidence::LockFile),
            package("Jinja2", "3.0", "app/poetry.lock", Evidence::LockFile),
            package("pytest", "7", "app/poetry.lock", Evidence::LockFile),
            package("six", "1.16", "tool/uv.lock", Evidence::LockFile),
            package("flask", "1.0", "tool/uv.lock", Evidence::LockFile),
        ];
        packages[1].owner = Some("python3-six".into());
        drop_installed_projects(&mut packages);
        let left: Vec<_> = packages.iter().map(|package| package.path.as_str()).collect();
        assert_eq!(
            left,
            [
                "site-packages/flask.dist-info/METADATA",
                "six.dist-info/METADATA",
                "site-packages/jinja2.dist-info/METADATA",
                "tool/uv.lock",
                "tool/uv.lock"
            ]
        );
    }

    /// Whether the lock file at `path`, which lists `a`, `b` and `c`, is silent once those in `installed` are.
    fn is_silent(path: &str, installed: &[(&str, &str)]) -> bool {
        let mut packages: Vec<_> = ["a", "b", "c"].map(|name| package(name, "1", path, Evidence::LockFile)).into();
        packages.extend(installed.iter().map(|(name, place)| package(name, "1", place, Evidence::Installed)));
        drop_installed_projects(&mut packages);
        packages.len() == installed.len()
    }

    #[test]
    fn a_package_that_npm_brings_for_itself_silences_no_lock_file() {
        let (npm, own) =
            ("usr/local/lib/node_modules/npm/node_modules/a/package.json", "app/node_modules/a/package.json");
        assert!(!is_silent("app/yarn.lock", &[("a", npm)]));
        assert!(is_silent("app/yarn.lock", &[("a", own)]));
        assert!(!is_silent("ap/yarn.lock", &[("a", own)]));
        assert!(is_silent("srv/yarn.lock", &[("a", npm), ("b", npm)]));
        assert!(!is_silent("yarn.lock", &[("a", npm)]));
    }
}
