//! `Gemfile.lock` and `gems.locked`, as Bundler writes them (bundler's `lockfile_parser.rb`).
//!
//! Read are the `specs` of `GEM` and `GIT`; `PATH` is the project's own. Groups are not marked. A gem that is built for
//! several platforms is listed once for each and counts once, without them: `nokogiri (1.13.3-x86_64-linux)`.

use std::collections::HashSet;
use std::io::BufRead;

use super::lines::Lines;
use super::lock_files::{is_lock_file, keep};
use super::{CatalogError, Cataloger, Found};

/// Reads Bundler's lock files.
pub(super) struct GemfileLock;

impl Cataloger for GemfileLock {
    fn name(&self) -> &'static str {
        "gemfile-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "Gemfile.lock") || is_lock_file(path, "gems.locked")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let mut is_wanted = false;
        let mut seen = HashSet::new();
        while let Some(line) = lines.next()? {
            if !line.text.starts_with(' ') {
                is_wanted = matches!(line.text.trim_end(), "GEM" | "GIT");
            }
            let Some((name, version)) = spec(&line.text).filter(|_| is_wanted) else { continue };
            match line.damage() {
                Some(damage) => found.problem(format!("line {} {damage}", line.number)),
                None if seen.insert((name.to_owned(), version.to_owned())) => {
                    keep(found, "gem", name, version)?;
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// Name and version of a line `    name (version-platform)`. What a gem needs stands below it, two spaces further in.
fn spec(line: &str) -> Option<(&str, &str)> {
    let spec = line.strip_prefix("    ").filter(|spec| !spec.starts_with(' '))?;
    let (name, version) = spec.trim_end().trim_end_matches('!').strip_suffix(')')?.split_once(" (")?;
    let version = version.split('-').next()?;
    (!name.is_empty() && version.starts_with(|first: char| first.is_ascii_digit())).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};

    #[test]
    fn lists_what_bundler_lists() {
        assert_lists_expected(&GemfileLock, "bundler-2.3", "Gemfile.lock");
    }

    #[test]
    fn platforms_are_no_part_of_versions_and_folders_no_gems() {
        let found = catalog(
            &GemfileLock,
            b"GIT\n  remote: https://example.com/g.git\n  revision: 0a1b\n  specs:\n    g (1.0.0.beta)\n      rake (>= 12)\n\n\
              PATH\n  remote: .\n  specs:\n    own (0.1)\n\nGEM\n  specs:\n    nokogiri (1.13.3-aarch64-linux)\n      racc (~> 1.4)\n    \
              nokogiri (1.13.3-x86_64-linux)\n    racc (1.6.0)\n\nDEPENDENCIES\n  g!\n\nCHECKSUMS\n    fake (1.0) sha256=00\n\nBUNDLED WITH\n   2.3.15\n",
        );
        let listed: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(listed, [("g", "1.0.0.beta"), ("nokogiri", "1.13.3"), ("racc", "1.6.0")]);
    }
}
