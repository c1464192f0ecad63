//! Packages that npm, yarn or pnpm installed: the `package.json` right inside a package's folder in `node_modules`.

use std::io::{BufRead, Read};

use serde::Deserialize;
use serde_json::Value;

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
        skip_byte_order_mark(file)?;
        let manifest: Manifest = match serde_json::from_reader(file.take(SIZE_LIMIT)) {
            Ok(manifest) => manifest,
            Err(error) if error.is_io() => return Err(CatalogError::Read(error.into())),
            Err(error) => return Err(CatalogError::Malformed { line: error.line() as u64, why: error.to_string() }),
        };
        match (filled(&manifest.name), filled(&manifest.version)) {
            (Some(name), Some(version)) => found.package(FoundPackage {
                kind: "npm".to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                ..FoundPackage::default()
            }),
            (None, None) => Ok(()),
            _ if manifest.private == Value::Bool(true) => Ok(()),
            _ => {
                found.problem("it has a name or a version, but not both".to_owned());
                Ok(())
            }
        }
    }
}

/// Fields may hold anything in the wild, so their types are checked when they are used. A manifest without name and
/// version says how to load a folder and installs nothing.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    version: Value,
    #[serde(default)]
    private: Value,
}

fn filled(field: &Value) -> Option<&str> {
    field.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn skip_byte_order_mark(file: &mut dyn BufRead) -> Result<(), CatalogError> {
    if file.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        file.consume(3);
    }
    Ok(())
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
