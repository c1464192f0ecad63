//! Packages of distroless images of CBL-Mariner and Azure Linux, which have no database but a list that was made of one:
//! `rpm --query --all` in the columns that microsoft/marinara prints, with a tab between them.

use std::io::BufRead;

use super::{Description, described};
use crate::catalogers::lines::Lines;
use crate::catalogers::{CatalogError, Cataloger, Found};

/// Reads lists of packages in place of a database.
pub(in crate::catalogers) struct RpmManifest;

impl Cataloger for RpmManifest {
    fn name(&self) -> &'static str {
        "rpm-manifest"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        path == "var/lib/rpmmanifest/container-manifest-2"
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        while let Some(line) = lines.next()? {
            if line.text.trim().is_empty() {
                continue;
            }
            let damage = line.damage();
            match describe(&line.text).filter(|_| damage.is_none()) {
                Some(description) => found.package(described(description))?,
                None => found.problem(format!("line {} {}", line.number, damage.unwrap_or("is not a package"))),
            }
        }
        Ok(())
    }
}

/// Name, version with release, two times, vendor, epoch in words, size, architecture, epoch, source package.
fn describe(line: &str) -> Option<Description<'_>> {
    let columns: Vec<_> = line.split('\t').map(str::trim).collect();
    let [name, version, _, _, _, _, _, architecture, epoch, source] = columns[..] else { return None };
    if name.is_empty() || version.is_empty() {
        return None;
    }
    Some(Description {
        name: name.to_owned(),
        version: version.to_owned(),
        epoch: epoch.parse().ok(),
        architecture: Some(architecture).filter(|text| !matches!(*text, "" | "(none)")).map(str::to_owned),
        source: Some(source),
        module: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::catalog;

    #[test]
    fn a_line_is_a_package() {
        let found = catalog(
            &RpmManifest,
            b"mariner-release\t2.0-12.cm2\t1653816591\t1653753130\tMicrosoft Corporation\t(none)\t580\tnoarch\t0\tmariner-release-2.0-12.cm2.src.rpm\n\
              bind-libs\t9.16.29-1.cm2\t1\t1\tx\t(none)\t5\tx86_64\t32\tbind-9.16.29-1.cm2.src.rpm\n\
              half\t1-1\n\n",
        );
        let [release, bind] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((release.name.as_str(), release.version.as_str()), ("mariner-release", "2.0-12.cm2"));
        assert_eq!(release.architecture.as_deref(), Some("noarch"));
        assert_eq!(bind.version, "32:9.16.29-1.cm2");
        assert_eq!(bind.source_name.as_deref(), Some("bind"));
        assert_eq!(bind.source_version.as_deref(), Some("32:9.16.29-1.cm2"));
        assert_eq!(found.problems, ["line 3 is not a package"]);
    }
}
