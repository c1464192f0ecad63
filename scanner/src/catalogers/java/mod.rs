//! Packages of Java: archives (`*.jar`, `*.war`, `*.ear`, `*.hpi` and their kin; JAR File Specification) with the archives
//! in them, as Spring Boot (`BOOT-INF/lib`), web applications (`WEB-INF/lib`) and enterprise archives nest them.
//!
//! [`identity`] says what an archive is. Bills of materials in an archive (`META-INF/sbom/*.json`) add what no archive in it
//! says. An archive may claim anything, so all that is done for one file is [bounded](walk::Budget); beyond a bound the rest is a
//! problem of the file, which keeps what was found.

mod file_name;
mod groups;
mod identity;
mod manifest;
mod pom;
#[cfg(test)]
mod tests;
mod walk;
mod zip;

use std::collections::HashSet;
use std::io::BufRead;

use shared::package::Evidence;

use self::walk::{BUDGET, Walk};
use super::{CatalogError, Cataloger, Found, FoundPackage, spool};

/// Reads archives of Java.
pub(super) struct Java;

impl Cataloger for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &str) -> bool {
        file_name::is_archive(path)
    }

    fn catalog(&self, path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        if file.fill_buf()?.is_empty() {
            return Ok(());
        }
        let outcome = Walk::new(found, BUDGET).archive(path, &mut spool(file)?);
        drop_what_is_listed_twice(found);
        outcome
    }
}

/// A bill of materials of an application lists the libraries that lie in it.
fn drop_what_is_listed_twice(found: &mut Found) {
    let key = |package: &FoundPackage| (package.kind.clone(), package.name.clone(), package.version.clone());
    let read = found.packages.iter().filter(|package| package.evidence != Evidence::Sbom);
    let read: HashSet<_> = read.map(key).collect();
    found.packages.retain(|package| package.evidence != Evidence::Sbom || !read.contains(&key(package)));
}
