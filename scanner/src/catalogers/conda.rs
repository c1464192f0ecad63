//! What conda and its kin installed: `conda-meta/*.json` of an environment (conda's documentation, "Package metadata":
//! `PrefixRecord`).
//!
//! OSV has no ecosystem of conda packages, so they are of type `conda` in package URLs and a gap of every image that has
//! them: nobody can say that conda's `openssl` is clean. Those that are Python distributions have their `*.dist-info` in the
//! environment too, and are found there with their names on PyPI, which need not be conda's.

use std::io::BufRead;

use serde::Deserialize;

use super::json::{self, Field};
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Bytes read of one record. Lists of files make those of large packages some million long.
const SIZE_LIMIT: u64 = 32 << 20;

/// Reads conda's records.
pub(super) struct Conda;

impl Cataloger for Conda {
    fn name(&self) -> &'static str {
        "conda"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        let Some((folder, name)) = path.rsplit_once('/') else { return false };
        name.ends_with(".json") && (folder == "conda-meta" || folder.ends_with("/conda-meta"))
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let record: Record = json::read(file, SIZE_LIMIT)?;
        match (record.name.text(), record.version.text()) {
            (Some(name), Some(version)) => found.package(FoundPackage {
                kind: "conda".to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                ..FoundPackage::default()
            }),
            _ => {
                found.problem("it has no name or no version".to_owned());
                Ok(())
            }
        }
    }
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    name: Field,
    #[serde(default)]
    version: Field,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::catalog;

    #[test]
    fn reads_the_records_of_an_environment() {
        assert!(Conda.wants("opt/conda/envs/app/conda-meta/openssl-3.0.13-h7f8727e_0.json"));
        assert!(!Conda.wants("opt/conda/conda-meta/history") && !Conda.wants("opt/conda/pkgs/a/info/index.json"));
        let found = catalog(
            &Conda,
            br#"{"arch": "x86_64", "build_number": 0, "depends": ["libgcc-ng >=11.2.0"], "files": ["bin/openssl"],
                "name": "openssl", "paths_data": {"paths": [{"_path": "bin/openssl"}]}, "version": "3.0.13"}"#,
        );
        let [package] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!(
            (package.kind.as_str(), package.name.as_str(), package.version.as_str()),
            ("conda", "openssl", "3.0.13")
        );
    }

    #[test]
    fn a_record_without_a_version_is_a_problem() {
        assert_eq!(catalog(&Conda, br#"{"name": "a", "version": ""}"#).problems.len(), 1);
    }
}
