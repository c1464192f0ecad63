//! `composer.lock` (getcomposer.org, "Basic usage: Commit your composer.lock file to version control"; its fields are
//! those of [installed packages](super::composer_installed)). `packages-dev` is left out.

use std::io::BufRead;

use serde::Deserialize;

use super::composer_installed::Package;
use super::json::{self, List};
use super::lock_files::{is_lock_file, keep};
use super::{CatalogError, Cataloger, Found};

/// Reads Composer's lock files.
pub(super) struct ComposerLock;

impl Cataloger for ComposerLock {
    fn name(&self) -> &'static str {
        "composer-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    /// Not those of installed packages.
    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "composer.lock") && !path.split('/').any(|folder| folder == "vendor")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let Lock { packages: List(packages) } = json::read(file, json::LOCK_FILE_LIMIT)?;
        for package in packages {
            if package.dist.kind.text() == Some("path") {
                continue;
            }
            match (package.name.text(), package.version.text()) {
                (Some(name), Some(version)) => keep(found, "composer", name, version)?,
                _ => found.problem("a package has no name or no version".to_owned()),
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: List<Package>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::assert_lists_expected;

    #[test]
    fn lists_what_composer_lists() {
        assert_lists_expected(&ComposerLock, "composer-2", "composer.lock");
    }

    #[test]
    fn lock_files_of_installed_packages_are_not_wanted() {
        assert!(ComposerLock.wants("var/www/composer.lock"));
        assert!(!ComposerLock.wants("var/www/vendor/a/b/composer.lock"));
    }
}
