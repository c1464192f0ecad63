//! Elixir's `mix.lock`: a map of dependencies, one a line, as Mix writes it (hexdocs.pm/mix, "mix deps";
//! hex_solver's `Hex.Mix.to_lock/1`).
//!
//! ```text
//!   "certifi": {:hex, :certifi, "2.12.0", "2d1cca2e…", [:rebar3], [], "hexpm", "ee68d85d…"},
//! ```
//!
//! The third element is the version, the second the package, which the application (the key) need not be named after.
//! Dependencies from git have no version and are left out. Nothing in the file tells those of tests and development.

use std::io::BufRead;

use super::lines::Lines;
use super::lock_files::{is_lock_file, locked};
use super::{CatalogError, Cataloger, Found};

/// Reads `mix.lock`.
pub(super) struct MixLock;

impl Cataloger for MixLock {
    fn name(&self) -> &'static str {
        "mix-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "mix.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        while let Some(line) = lines.next()? {
            let Some((_, entry)) = line.text.split_once("{:hex,") else { continue };
            match name_and_version(entry) {
                Some((name, version)) => found.package(locked("hex", name, version))?,
                None => found.problem(format!("line {}: a package without name or version", line.number)),
            }
        }
        Ok(())
    }
}

/// Of ` :certifi, "2.12.0", …`. An atom of other characters than letters, digits and `_` is quoted: `:"my-package"`.
fn name_and_version(entry: &str) -> Option<(&str, &str)> {
    let (name, rest) = entry.split_once(',')?;
    let name = name.trim().strip_prefix(':')?.trim_matches('"');
    let version = rest.split_once(',').map_or(rest, |(version, _)| version);
    let version = version.trim().trim_end_matches('}').strip_prefix('"')?.strip_suffix('"')?;
    let is_plain = |text: &str| !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER);
    (is_plain(name) && is_plain(version)).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use shared::package::Evidence;

    use super::*;
    use crate::catalogers::fixtures::{catalog, names_and_versions};

    #[test]
    fn packages_of_hex_are_found_and_those_of_git_are_not() {
        assert!(MixLock.wants("app/mix.lock") && MixLock.wants("mix.lock") && !MixLock.wants("remix.lock"));
        let found = catalog(
            &MixLock,
            br#"%{
  "certifi": {:hex, :certifi, "2.12.0", "2d1cca2ec95f59643862af91f001478c9863c2ac9cb6e2f89780bfd8de987329", [:rebar3], [], "hexpm", "ee68d85df22e554040cdb4be100f33873ac6051387baf6a8f6ce82272340ff1c"},
  "ex_doc": {:hex, :ex_doc, "0.1.0"},
  "poison": {:git, "https://github.com/devinus/poison.git", "3b2a9a1", []},
  "postgrex": {:hex, :"my-fork", "0.2.1-rc.1", "d3b0", [:mix], [{:decimal, "~> 1.0", [hex: :decimal, repo: "hexpm", optional: false]}], "hexpm"},
  "broken": {:hex, :broken},
}
"#,
        );
        assert_eq!(names_and_versions(&found), ["certifi 2.12.0", "ex_doc 0.1.0", "my-fork 0.2.1-rc.1"]);
        assert!(found.packages.iter().all(|package| package.kind == "hex" && package.evidence == Evidence::LockFile));
        assert_eq!(found.problems, ["line 6: a package without name or version"]);
    }
}
