//! `requirements*.txt` (pip's documentation, "Requirements File Format"): what is pinned with `==` or `===`, the way
//! `pip freeze` and `pip-compile` write it.
//!
//! Files whose names say that they are for development (`requirements-dev.txt`) are left out. So is what has no version:
//! ranges, URLs, folders. Files named by `-r` are read when their own names say what they are. Environment markers are
//! not judged: the interpreter that they ask about is not known here.

use std::io::BufRead;

use super::lines::Lines;
use super::lock_files::{is_of_project, keep};
use super::{CatalogError, Cataloger, Found};

/// Reads pip's requirements files.
pub(super) struct Requirements;

/// Words in a file's name that say it is not what the project runs with.
const DEVELOPMENT: [&str; 9] = ["ci", "dev", "develop", "development", "doc", "docs", "lint", "test", "tests"];

impl Cataloger for Requirements {
    fn name(&self) -> &'static str {
        "requirements"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(rest) = name.strip_prefix("requirements").and_then(|rest| rest.strip_suffix(".txt")) else {
            return false;
        };
        is_of_project(folder) && !rest.split(['-', '_', '.']).any(|word| DEVELOPMENT.contains(&word))
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let mut is_continuation = false;
        while let Some(line) = lines.next()? {
            let is_first = !is_continuation;
            is_continuation = line.text.ends_with('\\') && !line.text.trim_start().starts_with('#');
            if !is_first {
                continue;
            }
            let pin = pin(&line.text);
            match line.damage().filter(|_| line.is_cut || pin.is_some()) {
                Some(damage) => found.problem(format!("line {} {damage}", line.number)),
                None => pin.map_or(Ok(()), |(name, version)| keep(found, "pypi", name, version))?,
            }
        }
        Ok(())
    }
}

/// Name and version of `name[extra]==1.0 ; marker --hash=…  # comment`. Options follow a pin, on its line or the next ones.
fn pin(line: &str) -> Option<(&str, &str)> {
    let is_in_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let line = line.trim_start_matches('\u{feff}').trim();
    let (name, rest) = line.split_at(line.find(|char| !is_in_name(char))?);
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = rest.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let specifiers = rest.split([';', '#', '\\']).next()?;
    let specifiers = specifiers.split(" --").next()?.trim().trim_start_matches('(').trim_end_matches(')');
    let version = specifiers.split(',').find_map(|specifier| specifier.trim().strip_prefix("=="))?;
    let version = version.strip_prefix('=').unwrap_or(version).trim();
    let is_whole = !version.is_empty() && !version.contains(['*', ' ', '\t']);
    is_whole.then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};

    #[test]
    fn lists_what_pip_would_install() {
        assert_lists_expected(&Requirements, "pip-compile", "requirements.txt");
    }

    #[test]
    fn names_tell_what_a_file_is_for() {
        for path in ["requirements.txt", "app/requirements-prod.txt", "requirements_py3.txt", "requirements.lock.txt"] {
            assert!(Requirements.wants(path), "{path}");
        }
        for path in [
            "requirements-dev.txt",
            "a/requirements_test.txt",
            "my-requirements.txt",
            "requirements.in",
            "usr/lib/python3/dist-packages/a/requirements.txt",
        ] {
            assert!(!Requirements.wants(path), "{path}");
        }
    }

    #[test]
    fn a_line_without_end_is_a_problem() {
        let found = catalog(&Requirements, "a==1 ".repeat(20_000).as_bytes());
        assert_eq!((found.packages.len(), found.problems), (0, vec!["line 1 is longer than 64 KiB".to_owned()]));
    }

    #[test]
    fn pins_are_told_from_everything_else() {
        for (line, expected) in [
            ("Flask==2.0.1", Some(("Flask", "2.0.1"))),
            ("requests [socks, security] == 2.25.1 ; python_version < '3'", Some(("requests", "2.25.1"))),
            ("a==1.0 --hash=sha256:00 --hash=sha256:11", Some(("a", "1.0"))),
            ("a==1.0 \\", Some(("a", "1.0"))),
            ("a===1.0+local # why", Some(("a", "1.0+local"))),
            ("a>=1,==1.5,!=1.6", Some(("a", "1.5"))),
            ("a (==1.0)", Some(("a", "1.0"))),
            ("a==1.*", None),
            ("a>=1", None),
            ("a", None),
            ("a @ https://example.com/a.whl#sha256=00==1", None),
            ("-r other.txt", None),
            ("-e git+https://example.com/a#egg=a==1", None),
            ("--hash=sha256:00==1", None),
            ("# a==1", None),
            ("a==", None),
            ("a>=1 ; python_version == '3.8'", None),
            ("", None),
        ] {
            assert_eq!(pin(line), expected, "{line}");
        }
    }
}
