//! `bun.lock`, Bun's lock file in text form (bun's documentation, "Lockfile"; `bun.lockb` before it is binary and not read).
//!
//! Bun writes JSON with trailing commas in one shape: what is wanted of it is a line each, indented by its level. `packages`
//! are keyed by their places: `express/debug` is what `express` has for itself. Left out is what `workspaces` reach only
//! through their `devDependencies`, and what has no version: folders, and what comes from Git or a URL.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::lines::Lines;
use super::lock_files::{Graph, NEED_LIMIT, is_lock_file, keep};
use super::{CatalogError, Cataloger, Found, PACKAGE_LIMIT};

/// Reads Bun's lock files.
pub(super) struct BunLock;

impl Cataloger for BunLock {
    fn name(&self) -> &'static str {
        "bun-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "bun.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lock = Lock::default();
        let read = lock.read(file, found);
        for (name, version) in lock.needed()? {
            keep(found, "npm", name, version)?;
        }
        read
    }
}

/// Slashes in a place. Real ones are ten levels deep, with a slash more for every scope.
const DEPTH_LIMIT: usize = 32;

/// The node that leads to what the projects of the workspace need.
const PROJECTS: &str = "";

#[derive(Default)]
struct Lock {
    /// What each project needs: its place, and a name.
    wanted: Vec<(String, String)>,
    /// By their places.
    packages: BTreeMap<String, Package>,
    count: usize,
}

/// `["name@version", registry, {dependencies}, checksum]`; those that are not of a registry have fewer elements.
struct Package {
    id: String,
    needs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Text(String),
    Needs(Needs),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Needs {
    dependencies: BTreeMap<String, IgnoredAny>,
    optional_dependencies: BTreeMap<String, IgnoredAny>,
}

impl Lock {
    fn read(&mut self, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let (mut section, mut project, mut field) = (String::new(), String::new(), String::new());
        while let Some(line) = lines.next()? {
            let text = line.text.trim_start_matches(' ');
            let Some((key, value)) = text.strip_prefix('"').and_then(|text| text.split_once("\": ")) else { continue };
            match ((line.text.len() - text.len()) / 2, section.as_str()) {
                (1, _) => key.clone_into(&mut section),
                (2, "packages") if key.matches('/').count() > DEPTH_LIMIT => {
                    found.problem(format!("line {}: its place is more than {DEPTH_LIMIT} levels deep", line.number));
                }
                (2, "packages") => match package(text, line.damage()) {
                    Ok(package) => self.add(key, package)?,
                    Err(why) => found.problem(format!("line {}: {why}", line.number)),
                },
                (2, "workspaces") => key.clone_into(&mut project),
                (3, "workspaces") => {
                    key.clone_into(&mut field);
                    // The root's packages are at the top, a member's below the member's name.
                    if key == "name" && !project.is_empty() {
                        value.trim_matches(['"', ',']).clone_into(&mut project);
                    }
                }
                (4, "workspaces") if matches!(field.as_str(), "dependencies" | "optionalDependencies") => {
                    self.count(1)?;
                    self.wanted.push((project.clone(), key.to_owned()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, place: &str, package: Package) -> Result<(), CatalogError> {
        if self.packages.len() == PACKAGE_LIMIT {
            return Err(CatalogError::TooMany { what: "packages", limit: PACKAGE_LIMIT });
        }
        self.count(package.needs.len())?;
        self.packages.insert(place.to_owned(), package);
        Ok(())
    }

    fn count(&mut self, needs: usize) -> Result<(), CatalogError> {
        self.count += needs;
        if self.count > NEED_LIMIT {
            return Err(CatalogError::TooMany { what: "dependencies", limit: NEED_LIMIT });
        }
        Ok(())
    }

    /// Names and versions of what the projects need.
    fn needed(&self) -> Result<BTreeSet<(&str, &str)>, CatalogError> {
        let mut graph = Graph::default();
        for (project, name) in &self.wanted {
            if let Some(place) = self.find(project, name) {
                graph.link(PROJECTS, &place)?;
            }
        }
        for (place, package) in &self.packages {
            for needed in package.needs.iter().filter_map(|name| self.find(place, name)) {
                graph.link(place, &needed)?;
            }
        }
        let reached = graph.reach(PROJECTS).into_iter();
        Ok(reached.filter_map(|place| self.packages.get(place)?.identity()).collect())
    }

    /// Where the package at `place` finds `name`: below itself, or below what it is below of.
    fn find(&self, place: &str, name: &str) -> Option<String> {
        let mut place = place;
        while !place.is_empty() {
            let candidate = format!("{place}/{name}");
            if self.packages.contains_key(&candidate) {
                return Some(candidate);
            }
            place = parent(place);
        }
        self.packages.contains_key(name).then(|| name.to_owned())
    }
}

/// The place that a place is below of: `a` of `a/@s/b`, nothing of `@s/b`.
fn parent(place: &str) -> &str {
    let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
    match parent.rsplit_once('/') {
        Some((grandparent, scope)) if scope.starts_with('@') => grandparent,
        None if parent.starts_with('@') => "",
        _ => parent,
    }
}

/// Reads the line of a package, which is one entry of an object.
fn package(line: &str, damage: Option<&str>) -> Result<Package, String> {
    if let Some(damage) = damage {
        return Err(damage.to_owned());
    }
    let object = format!("{{{}}}", line.trim_end().trim_end_matches(','));
    let entries: BTreeMap<String, Vec<Element>> = serde_json::from_str(&object).map_err(|error| error.to_string())?;
    let mut package = Package { id: String::new(), needs: Vec::new() };
    for element in entries.into_values().flatten() {
        match element {
            Element::Text(text) if package.id.is_empty() => package.id = text,
            Element::Text(_) => {}
            Element::Needs(Needs { dependencies, optional_dependencies }) => {
                package.needs.extend(dependencies.into_keys().chain(optional_dependencies.into_keys()));
            }
        }
    }
    Ok(package)
}

impl Package {
    /// Name and version, if it has one: what comes from elsewhere has its place there.
    fn identity(&self) -> Option<(&str, &str)> {
        let at = self.id.char_indices().skip(1).find(|(_, char)| *char == '@')?.0;
        let version = &self.id[at + 1..];
        version.starts_with(|first: char| first.is_ascii_digit()).then_some((&self.id[..at], version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};

    #[test]
    fn lists_what_bun_installs() {
        assert_lists_expected(&BunLock, "bun", "bun.lock");
    }

    #[test]
    fn a_package_finds_what_is_nearest() {
        let found = catalog(
            &BunLock,
            br#"{
  "workspaces": {
    "": {
      "dependencies": {
        "@s/a": "1",
        "gone": "1",
      },
      "devDependencies": {
        "b": "2",
      },
    },
  },
  "packages": {
    "@s/a": ["@s/a@1.0.0", "", { "dependencies": { "b": "1", "c": "1" } }, "sha512-x"],
    "@s/c": ["@s/c@3.0.0", "", {}, ""],
    "@s/a/b": ["b@1.0.0", "", {}, ""],
    "b": ["b@2.0.0", "", {}, ""],
    "c": ["c@github:o/c#0a1b", { "dependencies": { "d": "1" } }, ""],
    "d": ["d@4.0.0", "", {}, ""],
    "e": ["e@1.0.0", ""
  }
}"#,
        );
        let listed: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(listed, [("@s/a", "1.0.0"), ("b", "1.0.0"), ("d", "4.0.0")]);
        assert_eq!(found.problems.len(), 1);
    }

    #[test]
    fn places_have_a_depth() {
        let at = |levels| format!("{{\n  \"packages\": {{\n    \"{}a\": [\"a@1.0.0\"],\n", "a/".repeat(levels));
        assert_eq!(catalog(&BunLock, at(DEPTH_LIMIT).as_bytes()).problems.len(), 0);
        assert_eq!(catalog(&BunLock, at(DEPTH_LIMIT + 1).as_bytes()).problems.len(), 1);
    }

    #[test]
    fn scopes_are_no_places() {
        for (place, expected) in [("a/@s/b", "a"), ("@s/b", ""), ("@s/b/c", "@s/b"), ("a/b", "a"), ("a", ""), ("", "")]
        {
            assert_eq!(parent(place), expected, "{place}");
        }
    }
}
