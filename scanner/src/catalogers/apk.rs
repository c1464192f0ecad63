//! Alpine's package database: `lib/apk/db/installed`, under `usr/` where those are merged (apk-v2-installed-db(5)).
//!
//! A record's `F:` lines are the folders of the package, each followed by `R:` lines, the files in it.

use std::io::BufRead;

use super::lines::{Line, Paragraph, read_paragraphs};
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Reads apk's database.
pub(super) struct Apk;

impl Cataloger for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &str) -> bool {
        path == "lib/apk/db/installed" || path == "usr/lib/apk/db/installed"
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        read_paragraphs::<Record>(file, found)
    }
}

/// One paragraph of the file: the fields that matter.
#[derive(Default)]
struct Record {
    /// Where it begins; 0 before its first line.
    line: u64,
    package: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    origin: Option<String>,
    /// The last folder.
    folder: String,
    damage: Option<String>,
}

impl Paragraph for Record {
    fn read(&mut self, line: &Line<'_>, found: &mut Found) {
        if self.line == 0 {
            self.line = line.number;
        }
        let Some((name, value)) = line.text.split_once(':') else { return };
        let field = match name {
            "P" => &mut self.package,
            "V" => &mut self.version,
            "A" => &mut self.architecture,
            "o" => &mut self.origin,
            "F" => return self.folder = value.trim_matches('/').to_owned(),
            "R" => return self.own(value, found),
            _ => return,
        };
        *field = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        if let Some(damage) = line.damage() {
            self.damage.get_or_insert_with(|| format!("line {} {damage}", line.number));
        }
    }

    fn finish(self, found: &mut Found) -> Result<(), CatalogError> {
        if self.line == 0 {
            return Ok(());
        }
        if let Some(damage) = self.damage {
            found.problem(damage);
            return Ok(());
        }
        let (Some(name), Some(version)) = (self.package, self.version) else {
            found.problem(format!("line {}: a record without P: or V:", self.line));
            return Ok(());
        };
        found.package(FoundPackage {
            kind: "apk".to_owned(),
            source_name: Some(self.origin.unwrap_or_else(|| name.clone())),
            source_version: Some(version.clone()),
            name,
            version,
            architecture: self.architecture,
            ..FoundPackage::default()
        })
    }
}

impl Record {
    fn own(&self, file: &str, found: &mut Found) {
        let Some(package) = &self.package else { return };
        match self.folder.as_str() {
            "" => found.own(package, file),
            folder => found.own(package, &format!("{folder}/{file}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_matches_expected, catalog};
    use crate::catalogers::owner_key;

    #[test]
    fn alpine_images_hold_to_the_last_package() {
        for image in [
            "apk-alpine-v3.8",
            "apk-alpine-v3.12",
            "apk-alpine-v3.16",
            "apk-alpine-v3.18",
            "apk-alpine-v3.20",
            "apk-scalibr",
        ] {
            assert_matches_expected(&Apk, image, "lib/apk/db/installed", |package| {
                let architecture = package.architecture.clone().unwrap();
                vec![package.name.clone(), package.version.clone(), architecture, package.source_name.clone().unwrap()]
            });
        }
    }

    #[test]
    fn records_end_at_empty_lines_and_at_the_end() {
        let found =
            catalog(&Apk, b"P:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:P:odd\n\nP:half\n\nC:Q1\nP:last\nV:2\no:origin");
        assert_eq!(found.packages.len(), 2);
        assert_eq!(found.packages[0].source_name.as_deref(), Some("musl"));
        assert_eq!(found.packages[1].source_name.as_deref(), Some("origin"));
        assert_eq!(found.problems, ["line 7: a record without P: or V:"]);
    }

    #[test]
    fn files_have_the_package_that_brought_them() {
        let found = catalog(
            &Apk,
            b"P:py3-six\nV:1.16.0-r8\nF:\nR:six.egg-info\na:0:0:755\nF:usr/lib/python3.11/site-packages\nR:six.py\n\
              F:usr/lib/python3.11/site-packages/six-1.16.0.dist-info\nR:METADATA\nZ:Q1x=\nR:top_level.txt\n\nR:six.egg-info\n",
        );
        let [owned] = &found.owned[..] else { panic!("{:?}", found.owned) };
        let site = "usr/lib/python3.11/site-packages/six-1.16.0.dist-info/METADATA";
        assert_eq!((owned.package.as_str(), &owned.files[..]), ("py3-six", &["six.egg-info", site].map(owner_key)[..]));
    }
}
