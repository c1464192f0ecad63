//! `yarn.lock`, of Yarn 1 (yarnpkg/yarn's `src/lockfile/`) and of Yarn 2 and later (yarnpkg/berry's `Project.ts`), which
//! writes YAML in one shape: what is read of it looks the same as in Yarn 1.
//!
//! Neither marks what only development needs. An alias is known by the name behind it. Folders of the project
//! (`workspace:`, `link:`, `portal:`, `file:`) are left out.

use std::io::BufRead;

use super::lines::{Line, Lines};
use super::lock_files::{is_lock_file, keep};
use super::{CatalogError, Cataloger, Found};

/// Reads Yarn's lock files.
pub(super) struct YarnLock;

impl Cataloger for YarnLock {
    fn name(&self) -> &'static str {
        "yarn-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "yarn.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let mut entry = Entry::default();
        while let Some(line) = lines.next()? {
            if is_descriptors(&line.text) {
                std::mem::take(&mut entry).finish(found)?;
            }
            entry.read(&line, found);
        }
        entry.finish(found)
    }
}

/// What is resolved together: descriptors on a line of their own, attributes below it.
#[derive(Default)]
struct Entry {
    /// `name@range` that lead here, the first of them.
    descriptor: String,
    version: String,
    /// `name@reference` (since Yarn 2).
    resolution: String,
}

impl Entry {
    fn read(&mut self, line: &Line<'_>, found: &mut Found) {
        let attribute = line.text.strip_prefix("  ").and_then(|text| text.split_once(' '));
        let field = match attribute {
            Some(("version" | "version:", version)) => (&mut self.version, version),
            Some(("resolution:", resolution)) => (&mut self.resolution, resolution),
            None if is_descriptors(&line.text) => {
                let text = line.text.strip_prefix("? ").unwrap_or(&line.text);
                (&mut self.descriptor, text.split(',').next().unwrap_or_default())
            }
            _ => return,
        };
        // Lists of descriptors may be of any length: the first is enough.
        if let Some(damage) = line.damage().filter(|_| !line.is_cut || attribute.is_some()) {
            found.problem(format!("line {} {damage}", line.number));
            return;
        }
        *field.0 = field.1.trim().trim_end_matches(':').trim_matches('"').to_owned();
    }

    fn finish(self, found: &mut Found) -> Result<(), CatalogError> {
        const FOLDERS: [&str; 4] = ["workspace:", "link:", "portal:", "file:"];
        let is_berry = !self.resolution.is_empty();
        let Some((name, reference)) = split(if is_berry { &self.resolution } else { &self.descriptor }) else {
            return Ok(());
        };
        let is_folder = FOLDERS.iter().any(|protocol| reference.starts_with(protocol));
        if is_folder || self.version.is_empty() {
            return Ok(());
        }
        let alias = reference.strip_prefix("npm:").filter(|_| !is_berry).and_then(split);
        keep(found, "npm", alias.map_or(name, |(name, _)| name), &self.version)
    }
}

/// Whether a line begins an entry. A colon alone follows descriptors that are too long to stand before one.
fn is_descriptors(line: &str) -> bool {
    !line.is_empty() && !line.starts_with([' ', '#', ':'])
}

/// Name and the rest of `name@rest` or `@scope/name@rest`.
fn split(descriptor: &str) -> Option<(&str, &str)> {
    let at = descriptor.char_indices().skip(1).find(|(_, char)| *char == '@')?.0;
    Some((&descriptor[..at], &descriptor[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};

    #[test]
    fn lists_what_yarn_lists() {
        assert_lists_expected(&YarnLock, "yarn-v1", "yarn.lock");
        assert_lists_expected(&YarnLock, "yarn-berry", "yarn.lock");
    }

    #[test]
    fn berry_knows_patches_git_and_long_keys() {
        let found = catalog(
            &YarnLock,
            b"__metadata:\n  version: 8\n\n\"ts@patch:ts@npm%3A5.1.6#x\":\n  version: 5.1.6\n  resolution: \"ts@patch:ts@npm%3A5.1.6#x::hash=1\"\n\n\
              \"g@https://example.com/g.git\":\n  version: 2.0.0\n  resolution: \"g@https://example.com/g.git#commit=1\"\n\n\
              ? \"@s/long@npm:1, @s/long@npm:2\"\n:\n  version: 1.0.0\n  resolution: \"@s/long@npm:1.0.0\"\n  dependencies:\n    version: ^3\n",
        );
        let listed: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(listed, [("ts", "5.1.6"), ("g", "2.0.0"), ("@s/long", "1.0.0")]);
    }
}
