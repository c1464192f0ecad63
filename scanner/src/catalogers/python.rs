//! Python distributions as pip and its kin install them: `*.dist-info/METADATA`, `*.egg-info` (a folder with `PKG-INFO` or
//! a file of that form), and `EGG-INFO/PKG-INFO` of unpacked eggs. Their headers are those of core metadata
//! (packaging.python.org, "Core metadata specifications"), which end at the first empty line.

use std::io::BufRead;

use super::lines::Lines;
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Reads Python's installed distributions.
pub(super) struct Python;

impl Cataloger for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        [".dist-info/METADATA", ".egg-info", ".egg-info/PKG-INFO", "/EGG-INFO/PKG-INFO"]
            .iter()
            .any(|ending| path.ends_with(ending))
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let (mut name, mut version) = (None, None);
        while let Some(line) = lines.next()? {
            if line.text.trim().is_empty() {
                break;
            }
            let is_continuation = line.text.starts_with([' ', '\t']);
            let Some((key, value)) = line.text.split_once(':').filter(|_| !is_continuation) else { continue };
            let field = match key.trim_start_matches('\u{feff}').to_ascii_lowercase().as_str() {
                "name" => &mut name,
                "version" => &mut version,
                _ => continue,
            };
            if let Some(damage) = line.damage() {
                found.problem(format!("line {} {damage}", line.number));
                return Ok(());
            }
            field.get_or_insert_with(|| value.trim().to_owned());
        }
        match (name, version) {
            (Some(name), Some(version)) if !name.is_empty() && !version.is_empty() => {
                found.package(FoundPackage { kind: "pypi".to_owned(), name, version, ..FoundPackage::default() })
            }
            _ => {
                found.problem("there is no name or no version in its header".to_owned());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::catalog;

    #[test]
    fn wants_installed_distributions() {
        let site = "usr/lib/python3.11/site-packages";
        for file in [
            "Jinja2-3.1.2.dist-info/METADATA",
            "six.egg-info",
            "six.egg-info/PKG-INFO",
            "a-1-py3.11.egg/EGG-INFO/PKG-INFO",
        ] {
            assert!(Python.wants(&format!("{site}/{file}")), "{file}");
        }
        for file in ["x.dist-info/RECORD", "METADATA", "PKG-INFO", "six.egg-info/top_level.txt", "dist-info/METADATA"] {
            assert!(!Python.wants(&format!("{site}/{file}")), "{file}");
        }
    }

    #[test]
    fn the_header_ends_at_the_first_empty_line() {
        let found =
            catalog(&Python, b"Metadata-Version: 2.1\r\nName: Jinja2\r\nVersion: 3.1.2\r\n\r\nName: not this\r\n");
        assert_eq!((found.packages[0].name.as_str(), found.packages[0].version.as_str()), ("Jinja2", "3.1.2"));
        assert_eq!(found.packages.len(), 1);
        let found = catalog(&Python, b"Name: a\nSummary: x\n Version: 7\n\nVersion: 1\n");
        assert_eq!(found.packages, []);
        assert_eq!(found.problems, ["there is no name or no version in its header"]);
    }
}
