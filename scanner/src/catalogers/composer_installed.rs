//! What Composer installed: `vendor/composer/installed.json` (getcomposer.org, "The composer.lock file"; composer's
//! `FilesystemRepository`). Composer 1 writes a list of packages, Composer 2 an object with such a list in `packages`.

use std::fmt;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{self, Field, List};
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Reads what Composer installed.
pub(super) struct ComposerInstalled;

impl Cataloger for ComposerInstalled {
    fn name(&self) -> &'static str {
        "composer-installed"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        path == "composer/installed.json" || path.ends_with("/composer/installed.json")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let Installed(List(packages)) = json::read(file, json::LOCK_FILE_LIMIT)?;
        for package in packages {
            match (package.name.text(), package.version.text()) {
                (Some(name), Some(version)) => found.package(FoundPackage {
                    kind: "composer".to_owned(),
                    name: name.to_owned(),
                    version: version.to_owned(),
                    ..FoundPackage::default()
                })?,
                _ => found.problem("a package has no name or no version".to_owned()),
            }
        }
        Ok(())
    }
}

/// A package as Composer describes it, there and in its [lock file](super::composer_lock).
#[derive(Deserialize)]
pub(super) struct Package {
    /// `vendor/name`
    #[serde(default)]
    pub(super) name: Field,
    /// As the package's author tagged it, so perhaps with a `v`, or `dev-` and a branch.
    #[serde(default)]
    pub(super) version: Field,
    #[serde(default)]
    pub(super) dist: Dist,
}

/// Where a package is downloaded; of type `path` where it is a folder of the project.
#[derive(Deserialize, Default)]
pub(super) struct Dist {
    #[serde(default, rename = "type")]
    pub(super) kind: Field,
}

struct Installed(List<Package>);

impl<'de> Deserialize<'de> for Installed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrTwo;

        impl<'de> Visitor<'de> for OneOrTwo {
            type Value = Installed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of packages or an object with one")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Installed, A::Error> {
                List::deserialize(SeqAccessDeserializer::new(seq)).map(Installed)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Installed, A::Error> {
                let mut packages = List::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "packages" {
                        packages = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Installed(packages))
            }
        }

        deserializer.deserialize_any(OneOrTwo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_lists_expected, catalog};

    #[test]
    fn lists_what_composer_installed() {
        assert_lists_expected(&ComposerInstalled, "composer-2-installed", "vendor/composer/installed.json");
    }

    #[test]
    fn composer_1_writes_a_list() {
        let found =
            catalog(&ComposerInstalled, br#"[{"name": "a/b", "version": "v1.0"}, {"name": "c/d"}, {"version": 7}]"#);
        let listed: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!((listed, found.problems.len()), (vec![("a/b", "v1.0")], 2));
    }
}
