//! `pnpm-lock.yaml` with `lockfileVersion` 5.x, 6.x and 9.x (pnpm's specification, github.com/pnpm/spec, `lockfile/`).
//!
//! pnpm writes it in one shape: a mapping per line, two spaces per level. So it is read line by line, which keeps a
//! hostile file from building anything. Up to 6.x packages that only development needs are marked `dev`. In 9.x they are
//! those that `importers` reach only through their `devDependencies`.

use std::collections::BTreeSet;
use std::io::BufRead;

use super::lines::Lines;
use super::lock_files::{Graph, is_lock_file, keep};
use super::{CatalogError, Cataloger, Found, PACKAGE_LIMIT};

/// Reads pnpm's lock files.
pub(super) struct PnpmLock;

impl Cataloger for PnpmLock {
    fn name(&self) -> &'static str {
        "pnpm-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "pnpm-lock.yaml")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lock = Lock::default();
        let read = lock.read(file, found);
        for (name, version) in lock.needed() {
            keep(found, "npm", name, version)?;
        }
        read
    }
}

/// Levels of mappings that matter.
const DEPTH: usize = 5;

/// The node that leads to what the projects of the workspace need.
const PROJECTS: &str = "";

#[derive(Default)]
struct Lock {
    major: u32,
    packages: Vec<Package>,
    graph: Graph,
}

#[derive(Default)]
struct Package {
    key: String,
    name: Option<String>,
    version: Option<String>,
    is_dev: bool,
    is_folder: bool,
}

impl Lock {
    fn read(&mut self, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let mut keys: Vec<String> = Vec::with_capacity(DEPTH);
        while let Some(line) = lines.next()? {
            let Some((level, key, value)) = entry(&line.text) else { continue };
            if level > keys.len() || level >= DEPTH {
                continue;
            }
            if let Some(damage) = line.damage() {
                found.problem(format!("line {} {damage}", line.number));
                continue;
            }
            keys.truncate(level);
            keys.push(key);
            self.take(&keys.iter().map(String::as_str).collect::<Vec<_>>(), &value)?;
        }
        Ok(())
    }

    /// Takes one value in, of which `keys` are the way there.
    fn take(&mut self, keys: &[&str], value: &str) -> Result<(), CatalogError> {
        match *keys {
            ["lockfileVersion"] => {
                self.major = value.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
            }
            ["packages", key] => {
                if self.packages.len() == PACKAGE_LIMIT {
                    return Err(CatalogError::TooMany { what: "packages", limit: PACKAGE_LIMIT });
                }
                self.packages.push(Package { key: key.to_owned(), ..Package::default() });
            }
            ["packages", _, ref attribute @ ..] => {
                if let Some(package) = self.packages.last_mut() {
                    package.take(attribute, value);
                }
            }
            ["importers", _, "dependencies" | "optionalDependencies", name, "version"] => {
                self.graph.link(PROJECTS, &snapshot(name, value))?;
            }
            ["snapshots", from, "dependencies" | "optionalDependencies", name] => {
                self.graph.link(from, &snapshot(name, value))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Names and versions of what an installation without development dependencies brings.
    fn needed(&self) -> BTreeSet<(&str, &str)> {
        let reached: Option<BTreeSet<_>> =
            (self.major >= 9).then(|| self.graph.reach(PROJECTS).into_iter().map(without_peers).collect());
        let is_needed = |package: &&Package| match &reached {
            Some(reached) => reached.contains(package.key.as_str()),
            None => !package.is_dev,
        };
        self.packages.iter().filter(is_needed).filter_map(|package| package.identity(self.major)).collect()
    }
}

impl Package {
    fn take(&mut self, attribute: &[&str], value: &str) {
        match attribute {
            ["name"] => self.name = Some(value.to_owned()),
            ["version"] => self.version = Some(value.to_owned()),
            ["dev"] => self.is_dev = value == "true",
            ["resolution"] => self.is_folder = value.contains("type: directory"),
            ["resolution", "type"] => self.is_folder = value == "directory",
            _ => {}
        }
    }

    /// Name and version. What is not of the default registry has them as attributes, so far as its key does not tell.
    fn identity(&self, major: u32) -> Option<(&str, &str)> {
        let (name, version) = if major < 6 { of_path(&self.key) } else { of_name_at_version(&self.key) }.unzip();
        let name = self.name.as_deref().or(name)?;
        let version = self.version.as_deref().or(version)?;
        let is_version = version.starts_with(|first: char| first.is_ascii_digit());
        (is_version && !name.is_empty() && !self.is_folder).then_some((name, version))
    }
}

/// `/@scope/name/1.0.0_peers` of version 5.
fn of_path(key: &str) -> Option<(&str, &str)> {
    let key = key.strip_prefix('/')?;
    let scope = if key.starts_with('@') { key.find('/')? + 1 } else { 0 };
    let end = scope + key[scope..].find('/')?;
    let version = key[end + 1..].split(['_', '/']).next()?;
    Some((&key[..end], version))
}

/// `/@scope/name@1.0.0(peers)` of version 6, without the slash since version 9.
fn of_name_at_version(key: &str) -> Option<(&str, &str)> {
    let key = without_peers(key.strip_prefix('/').unwrap_or(key));
    let at = key.char_indices().skip(1).find(|(_, char)| *char == '@')?.0;
    Some((&key[..at], &key[at + 1..]))
}

fn without_peers(key: &str) -> &str {
    key.split('(').next().unwrap_or_default()
}

/// The key in `snapshots` of a dependency: an alias refers to `name@version`, anything else to a version.
fn snapshot(name: &str, reference: &str) -> String {
    let is_alias = reference.starts_with('@')
        || reference.find(['@', '(', ':']).is_some_and(|at| reference[at..].starts_with('@'));
    if is_alias { reference.to_owned() } else { format!("{name}@{reference}") }
}

/// Level, key and value of a line `key: value`. `None` for what is no such line: elements of lists, ends of documents.
fn entry(line: &str) -> Option<(usize, String, String)> {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    if text.is_empty() || text.starts_with(['#', '-']) {
        return None;
    }
    // Keys of more than 1,024 characters have a line of their own, and their values begin with a colon.
    if let Some(key) = text.strip_prefix("? ") {
        return Some((indent / 2, scalar(key), String::new()));
    }
    let (indent, text) = text.strip_prefix(": ").map_or((indent, text), |text| (indent + 2, text));
    let (key, value) = match text.chars().next()? {
        quote @ ('\'' | '"') => {
            let end = text.rfind(&format!("{quote}:")).filter(|end| *end > 0)?;
            (&text[..=end], &text[end + 2..])
        }
        _ => text.split_once(": ").or_else(|| Some((text.strip_suffix(':')?, "")))?,
    };
    Some((indent / 2, scalar(key), scalar(value)))
}

/// A scalar on one line, without its quotes.
fn scalar(text: &str) -> String {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return inner.replace("''", "'");
    }
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};
    use crate::catalogers::lock_files::locked;

    #[test]
    fn lists_what_pnpm_lists() {
        for lock in ["pnpm-v5", "pnpm-v6", "pnpm-v9"] {
            assert_lists_expected(&PnpmLock, lock, "pnpm-lock.yaml");
        }
    }

    #[test]
    fn keys_tell_names_and_versions() {
        for (key, identity) in [
            ("/ms/2.1.3", ("ms", "2.1.3")),
            ("/@s/a/1.0.0_react@17.0.2", ("@s/a", "1.0.0")),
            ("/@s/a/1.0.0/react@17.0.2", ("@s/a", "1.0.0")),
        ] {
            assert_eq!(of_path(key), Some(identity), "{key}");
        }
        for (key, identity) in [
            ("/ms@2.1.3", ("ms", "2.1.3")),
            ("/@s/a@1.0.0(react@17.0.2)(b@1)", ("@s/a", "1.0.0")),
            ("@s/a@1.0.0", ("@s/a", "1.0.0")),
            ("a@https://example.com/a@1/a.tgz", ("a", "https://example.com/a@1/a.tgz")),
        ] {
            assert_eq!(of_name_at_version(key), Some(identity), "{key}");
        }
        for key in ["/", "/@", "/@s", "/@s/a", "/@s/a/", "é", "@"] {
            assert!(of_path(key).is_none_or(|(_, version)| version.is_empty()), "{key}");
            assert_eq!(of_name_at_version(key), None, "{key}");
        }
    }

    #[test]
    fn references_lead_to_snapshots() {
        for (reference, key) in [
            ("1.0.0", "a@1.0.0"),
            ("1.0.0(b@2.0.0)", "a@1.0.0(b@2.0.0)"),
            ("real@1.0.0", "real@1.0.0"),
            ("@s/real@1.0.0(b@2.0.0)", "@s/real@1.0.0(b@2.0.0)"),
            ("https://example.com/x@1.tgz", "a@https://example.com/x@1.tgz"),
            ("link:../b", "a@link:../b"),
        ] {
            assert_eq!(snapshot("a", reference), key);
        }
    }

    #[test]
    fn lines_are_read_as_yaml_means_them() {
        for (line, level, key, value) in [
            ("lockfileVersion: '9.0'", 0, "lockfileVersion", "9.0"),
            ("  '@s/a@1.0.0':", 1, "@s/a@1.0.0", ""),
            ("  /a@1.0.0:", 1, "/a@1.0.0", ""),
            ("  ? /a@1.0.0", 1, "/a@1.0.0", ""),
            ("  : resolution: {integrity: x}", 2, "resolution", "{integrity: x}"),
            ("  a@https://example.com/a.tgz:", 1, "a@https://example.com/a.tgz", ""),
            ("    'it''s': \"x\"", 2, "it's", "x"),
        ] {
            assert_eq!(entry(line), Some((level, key.to_owned(), value.to_owned())), "{line}");
        }
        for line in ["", "---", "  - a: b", "# c: d", "text", "'open: x", "'", "\"\":"] {
            assert!(entry(line).is_none_or(|(_, key, _)| key.is_empty()), "{line}");
        }
    }

    #[test]
    fn what_is_not_of_the_registry_has_its_version_as_an_attribute() {
        let found = catalog(
            &PnpmLock,
            b"lockfileVersion: 5.4\npackages:\n  github.com/o/a/0a1b:\n    resolution: {tarball: x}\n    name: a\n    version: 1.0.0\n    dev: false\n  \
              file:own:\n    resolution: {directory: own, type: directory}\n    name: own\n    version: 2.0.0\n    dev: false\n  \
              /b/3.0.0:\n    resolution: {integrity: x}\n    dev: true\n",
        );
        assert_eq!(found.packages, [locked("npm", "a", "1.0.0")]);
    }
}
