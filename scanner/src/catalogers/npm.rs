//! Packages that npm, yarn or pnpm installed: the `package.json` right inside a package's folder in `node_modules`.

use std::io::BufRead;

use serde::Deserialize;

use super::json::{self, Field};
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Bytes read of one `package.json`; those of large packages have some ten thousand.
const SIZE_LIMIT: u64 = 1 << 20;

/// Reads installed Node packages.
pub(super) struct Npm;

impl Cataloger for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn version(&self) -> u32 {
        1
    }

    /// `…/node_modules/<name>/package.json` or `…/node_modules/@<scope>/<name>/package.json`, so not the files of a
    /// package's own tests.
    fn wants(&self, path: &str) -> bool {
        let Some(folder) = path.strip_suffix("/package.json") else { return false };
        let Some((parent, name)) = folder.rsplit_once('/') else { return false };
        let parent = match parent.rsplit_once('/') {
            Some((grandparent, scope)) if scope.starts_with('@') => grandparent,
            _ => parent,
        };
        !name.is_empty()
            && !name.starts_with(['.', '@'])
            && (parent == "node_modules" || parent.ends_with("/node_modules"))
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let manifest: Manifest = json::read(file, SIZE_LIMIT)?;
        match (manifest.name.text(), manifest.version.text()) {
            (Some(name), Some(version)) => found.package(FoundPackage {
                kind: "npm".to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                ..FoundPackage::default()
            }),
            (None, None) => Ok(()),
            _ if manifest.private.is_true() => Ok(()),
            _ => {
                found.problem("it has a name or a version, but not both".to_owned());
                Ok(())
            }
        }
    }
}

/// A manifest without name and version says how to load a folder and installs nothing.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    name: Field,
    #[serde(default)]
    version: Field,
    #[serde(default)]
    private: Field,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::catalog;

    #[test]
    fn wants_installed_packages_alone() {
        for path in [
            "node_modules/express/package.json",
            "usr/lib/node_modules/npm/node_modules/@npmcli/arborist/package.json",
            "app/node_modules/.pnpm/ms@2.1.3/node_modules/ms/package.json",
        ] {
            assert!(Npm.wants(path), "{path}");
        }
        for path in [
            "app/package.json",
            "package.json",
            "app/node_modules/package.json",
            "app/node_modules/.bin/package.json",
            "app/node_modules/@scope/package.json",
            "app/node_modules/express/test/package.json",
            "app/node_modules/express/package.json.orig",
            "app/not_node_modules/express/package.json",
        ] {
            assert!(!Npm.wants(path), "{path}");
        }
    }

    #[test]
    fn reads_names_with_their_scopes() {
        let found = catalog(&Npm, b"\xef\xbb\xbf{\"name\": \"@npmcli/fs\", \"version\": \"3.1.0\", \"bin\": {}}");
        assert_eq!((found.packages[0].name.as_str(), found.packages[0].version.as_str()), ("@npmcli/fs", "3.1.0"));
    }

    #[test]
    fn manifests_that_install_nothing_are_passed_over() {
        for silent in [r#"{"type": "module"}"#, r#"{"private": true, "name": "x"}"#, r#"{"name": 7, "version": null}"#]
        {
            assert_eq!(catalog(&Npm, silent.as_bytes()), Found::default(), "{silent}");
        }
        assert_eq!(catalog(&Npm, br#"{"name": "x"}"#).problems.len(), 1);
    }

    #[test]
    fn malformed_manifests_are_errors_that_name_the_line() {
        let mut found = Found::default();
        let deep = format!("{{\"name\": {}", "[".repeat(100_000));
        for malformed in ["", "{\n\"name\"", "7", deep.as_str()] {
            let error = Npm.catalog("", &mut malformed.as_bytes(), &mut found).unwrap_err();
            assert!(matches!(error, CatalogError::Malformed { .. }), "{malformed}: {error}");
        }
    }
}
