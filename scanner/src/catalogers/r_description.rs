//! Installed R packages: `…library/PACKAGE/DESCRIPTION`, Debian control fields ("Writing R Extensions", "The DESCRIPTION
//! file"). A library is a folder named `library`, `site-library` or `PLATFORM-library`, the latter and renv's with folders
//! for the release of R in between.
//!
//! Packages with a field `biocViews` are Bioconductor's, all others count as CRAN's.

use std::io::BufRead;

use super::lines::Lines;
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Folders that may lie between a library and its packages.
const FOLDERS_BETWEEN: usize = 2;

/// Reads installed R packages.
pub(super) struct RDescription;

impl Cataloger for RDescription {
    fn name(&self) -> &'static str {
        "r-description"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        folder_of_package(path).is_some()
    }

    fn catalog(&self, path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let (mut name, mut version, mut is_bioconductor) = (None, None, false);
        while let Some(line) = lines.next()? {
            let is_continuation = line.text.starts_with([' ', '\t']);
            let Some((key, value)) = line.text.split_once(':').filter(|_| !is_continuation) else { continue };
            let field = match key {
                "Package" => &mut name,
                "Version" => &mut version,
                "biocViews" => {
                    is_bioconductor = true;
                    continue;
                }
                _ => continue,
            };
            if let Some(damage) = line.damage() {
                found.problem(format!("line {} {damage}", line.number));
                return Ok(());
            }
            field.get_or_insert_with(|| value.trim().to_owned());
        }
        // Packages may hold examples of other packages.
        let Some(name) = name.filter(|name| folder_of_package(path) == Some(name)) else { return Ok(()) };
        let Some(version) = version.filter(|version| !version.is_empty()) else {
            found.problem("it has no version".to_owned());
            return Ok(());
        };
        let kind = if is_bioconductor { "bioconductor" } else { "cran" };
        found.package(FoundPackage { kind: kind.to_owned(), name, version, ..FoundPackage::default() })
    }
}

/// `PACKAGE`, of `…library/…/PACKAGE/DESCRIPTION`.
fn folder_of_package(path: &str) -> Option<&str> {
    let mut folders = path.strip_suffix("/DESCRIPTION")?.rsplit('/');
    let package = folders.next().filter(|package| !package.is_empty())?;
    let is_library = |folder: &str| folder == "library" || folder.ends_with("-library");
    folders.take(1 + FOLDERS_BETWEEN).any(is_library).then_some(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, contents: &[u8]) -> Vec<(String, String, String)> {
        assert!(RDescription.wants(path), "{path}");
        let mut found = Found::default();
        RDescription.catalog(path, &mut &*contents, &mut found).unwrap();
        found.packages.into_iter().map(|package| (package.kind, package.name, package.version)).collect()
    }

    fn row(kind: &str, name: &str, version: &str) -> Vec<(String, String, String)> {
        vec![(kind.to_owned(), name.to_owned(), version.to_owned())]
    }

    #[test]
    fn installed_packages_are_of_cran_or_bioconductor() {
        let mime = include_bytes!("../../testdata/packagedb/r-debian12/mime/DESCRIPTION");
        let biobase = include_bytes!("../../testdata/packagedb/r-debian12/Biobase/DESCRIPTION");
        for library in [
            "usr/lib/R/site-library",
            "usr/local/lib/R/library",
            "root/R/x86_64-pc-linux-gnu-library/4.2",
            "app/renv/library/R-4.2/x86_64-pc-linux-gnu",
        ] {
            assert_eq!(read(&format!("{library}/mime/DESCRIPTION"), mime), row("cran", "mime", "0.12"));
        }
        let path = "usr/lib/R/site-library/Biobase/DESCRIPTION";
        assert_eq!(read(path, biobase), row("bioconductor", "Biobase", "2.58.0"));
    }

    #[test]
    fn examples_in_packages_are_no_packages() {
        let inner = b"Package: ExpressionSet\nVersion: 0.0.1\n";
        assert_eq!(read("usr/lib/R/site-library/Biobase/inst/DESCRIPTION", inner), []);
        assert!(!RDescription.wants("usr/share/perl/DESCRIPTION"));
        assert!(!RDescription.wants("usr/lib/R/library/DESCRIPTION/x"));
        let mut found = Found::default();
        RDescription.catalog("library/a/DESCRIPTION", &mut &b"Package: a\n"[..], &mut found).unwrap();
        assert_eq!(found.problems, ["it has no version"]);
    }
}
