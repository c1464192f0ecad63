//! Crates that `cargo auditable` wrote into a Rust program: a section `.dep-v0` of JSON, deflated with a zlib header
//! (github.com/rust-secure-code/cargo-auditable, `PARSING.md`).
//!
//! Crates that only built the program (`"kind": "build"`) are not in it and are left out. The program's own crate is
//! listed: advisories about a program are filed under it.

use std::io::{Read, Seek};

use flate2::read::ZlibDecoder;
use serde::Deserialize;
use shared::package::Evidence;

use super::elf::{Elf, ElfError};
use crate::catalogers::{CatalogError, Found, FoundPackage};

/// Bytes read of the section; those of large programs have some ten thousand.
const SECTION_LIMIT: u64 = 4 << 20;

/// Bytes that it may inflate to; the format's own reader stops at 8 MiB too.
const JSON_LIMIT: u64 = 8 << 20;

pub(super) fn catalog(elf: &mut Elf<impl Read + Seek>, found: &mut Found) -> Result<(), CatalogError> {
    let Some(section) = elf.section(".dep-v0") else { return Ok(()) };
    let dependencies = match dependencies(elf, section.offset, section.size.min(SECTION_LIMIT)) {
        Ok(dependencies) => dependencies,
        Err(why) => {
            found.problem(format!("its list of crates cannot be read: {why}"));
            return Ok(());
        }
    };
    let in_program = |package: &Package| package.kind.as_deref() != Some("build") && !package.name.is_empty();
    for Package { name, version, .. } in dependencies.packages.into_iter().filter(in_program) {
        if version.is_empty() {
            found.problem(format!("its list of crates gives {name} no version"));
            continue;
        }
        let kind = "cargo".to_owned();
        found.package(FoundPackage {
            kind,
            name,
            version,
            evidence: Evidence::BuildInfo,
            ..FoundPackage::default()
        })?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Dependencies {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    kind: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Elf(#[from] ElfError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

fn dependencies(elf: &mut Elf<impl Read + Seek>, offset: u64, size: u64) -> Result<Dependencies, Unreadable> {
    let section = elf.read(offset, size)?;
    let json = std::io::BufReader::new(ZlibDecoder::new(section.as_slice()).take(JSON_LIMIT));
    Ok(serde_json::from_reader(json)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::testing::{Program, catalog};
    use super::*;

    fn program(json: &str) -> Vec<u8> {
        let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        deflated.write_all(json.as_bytes()).unwrap();
        Program::default().section(".dep-v0", &deflated.finish().unwrap()).build()
    }

    /// As `cargo auditable build` 0.7.7 wrote it for a program with a dependency, a dependency of its `build.rs`, and
    /// features.
    const REAL: &str = r#"{"packages":[
        {"name":"audtest","version":"0.1.0","source":"local","dependencies":[1,2,3],"root":true},
        {"name":"itoa","version":"1.0.18","source":"crates.io"},
        {"name":"semver","version":"1.0.28","source":"crates.io"},
        {"name":"version_check","version":"0.9.5","source":"crates.io","kind":"build"}],"format":1}"#;

    #[test]
    fn lists_what_is_in_the_program() {
        let found = catalog("usr/bin/audtest", &program(REAL));
        let listed: Vec<_> =
            found.packages.iter().map(|p| (p.kind.as_str(), p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(listed, [("cargo", "audtest", "0.1.0"), ("cargo", "itoa", "1.0.18"), ("cargo", "semver", "1.0.28")]);
        assert!(found.packages.iter().all(|package| package.evidence == Evidence::BuildInfo));
        assert_eq!(found.problems, Vec::<String>::new());
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_problem() {
        let bomb = format!("{{\"packages\":[{}", " ".repeat(JSON_LIMIT as usize + 1));
        for unreadable in ["", "{}", "{\"packages\":[7]}", bomb.as_str()] {
            let found = catalog("usr/bin/x", &program(unreadable));
            assert_eq!((found.packages.len(), found.problems.len()), (0, 1), "{:?}", found.problems);
        }
        let found = catalog("usr/bin/x", &program(r#"{"packages":[{"name":"a","version":""}]}"#));
        assert_eq!(found.problems, ["its list of crates gives a no version"]);
    }
}
