//! What lock files of all languages have in common.
//!
//! They list what a project was resolved to. A cataloger of them leaves out what is only needed to develop the project,
//! as far as the format marks it, and the project's own folders (paths, links, workspaces): nobody writes advisories for
//! these. What comes from a Git repository or a URL is kept where its version is known, because it is found with that name
//! and version once it is installed. Whether a lock file counts at all is decided in [`inventory`](crate::inventory).

use std::collections::{HashMap, HashSet};

use shared::package::Evidence;

use super::{CatalogError, Found, FoundPackage};

/// Folders of installed packages. A lock file in there is what the package was developed with.
const INSTALLED: [&str; 3] = ["node_modules", "site-packages", "dist-packages"];

/// Whether the file at `path` is called `name` and is not part of an installed package.
pub(super) fn is_lock_file(path: &str, name: &str) -> bool {
    let Some(folder) = path.strip_suffix(name) else { return false };
    (folder.is_empty() || folder.ends_with('/')) && is_of_project(folder)
}

/// Whether a folder is not part of an installed package. Gems are in folders like `gems/rake-13.0.6`.
pub(super) fn is_of_project(folder: &str) -> bool {
    let mut parent = "";
    !folder.split('/').any(|name| {
        let is_gem = parent == "gems" && name.rsplit_once('-').is_some_and(|(_, end)| end.starts_with(is_hexdigit));
        parent = name;
        is_gem || INSTALLED.contains(&name)
    })
}

/// Those from Git have a commit in place of a version.
fn is_hexdigit(char: char) -> bool {
    char.is_ascii_hexdigit()
}

/// Adds a package as a lock file lists it.
pub(super) fn keep(found: &mut Found, kind: &str, name: &str, version: &str) -> Result<(), CatalogError> {
    if name.is_empty() || version.is_empty() {
        found.problem("a package has no name or no version".to_owned());
        return Ok(());
    }
    found.package(locked(kind, name, version))
}

/// A package of a lock file.
pub(super) fn locked(kind: &str, name: &str, version: &str) -> FoundPackage {
    FoundPackage {
        kind: kind.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        evidence: Evidence::LockFile,
        ..FoundPackage::default()
    }
}

/// Needs that are kept of one file; a project of ten thousand packages has some fifty thousand.
pub(super) const NEED_LIMIT: usize = 1_000_000;

/// What needs what, by name.
#[derive(Default)]
pub(super) struct Graph {
    nodes: HashMap<String, usize>,
    needs: Vec<Vec<usize>>,
    count: usize,
}

impl Graph {
    pub(super) fn link(&mut self, from: &str, to: &str) -> Result<(), CatalogError> {
        if self.count == NEED_LIMIT {
            return Err(CatalogError::TooMany { what: "dependencies", limit: NEED_LIMIT });
        }
        self.count += 1;
        let (from, to) = (self.node(from), self.node(to));
        self.needs[from].push(to);
        Ok(())
    }

    fn node(&mut self, name: &str) -> usize {
        if let Some(node) = self.nodes.get(name) {
            return *node;
        }
        self.needs.push(Vec::new());
        self.nodes.insert(name.to_owned(), self.needs.len() - 1);
        self.needs.len() - 1
    }

    /// Everything that `root` needs, directly or not, and itself.
    pub(super) fn reach(&self, root: &str) -> HashSet<&str> {
        let mut is_reached = vec![false; self.needs.len()];
        let mut open: Vec<usize> = self.nodes.get(root).copied().into_iter().collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut is_reached[node], true) {
                open.extend(self.needs[node].iter().filter(|next| !is_reached[**next]));
            }
        }
        self.nodes.iter().filter(|(_, node)| is_reached[**node]).map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_of_installed_packages_are_not_wanted() {
        for path in [
            "package-lock.json",
            "app/package-lock.json",
            "node_modules_old/package-lock.json",
            "gems/shop-tools/package-lock.json",
        ] {
            assert!(is_lock_file(path, "package-lock.json"), "{path}");
        }
        for path in [
            "app/my-package-lock.json",
            "node_modules/a/package-lock.json",
            "a/package-lock.json/b",
            "usr/lib/ruby/gems/3.1.0/gems/typeprof-0.21.2/vscode/package-lock.json",
            "bundle/ruby/3.1.0/bundler/gems/shop-0a1b2c3d4e5f/package-lock.json",
        ] {
            assert!(!is_lock_file(path, "package-lock.json"), "{path}");
        }
    }

    #[test]
    fn cycles_are_walked_once() {
        let mut graph = Graph::default();
        for (from, to) in [("app", "a"), ("a", "b"), ("b", "a"), ("b", "app"), ("other", "c")] {
            graph.link(from, to).unwrap();
        }
        assert_eq!(graph.reach("app"), ["a", "app", "b"].into());
        assert_eq!(graph.reach("unknown"), [].into());
    }
}
