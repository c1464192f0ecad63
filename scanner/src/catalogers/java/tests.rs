//! Archives made here: whole, nested, damaged, hostile.

use std::io::{Cursor, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};
use proptest::prelude::*;
use shared::package::Evidence;

use super::walk::{BUDGET, Budget, Walk};
use super::*;
use crate::catalogers::fixtures::catalog;

const LOG4J_PROPERTIES: &str = "version=2.14.1\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\n";
const SPRING_MANIFEST: &str =
    "Manifest-Version: 1.0\r\nImplementation-Title: spring-core\r\nImplementation-Version: 5.3.13\r\n\r\n";

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    archive_with(CompressionMethod::Deflated, files)
}

fn archive_with(method: CompressionMethod, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn log4j() -> Vec<u8> {
    let path = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties";
    archive(&[("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n"), (path, LOG4J_PROPERTIES.as_bytes())])
}

fn spring_core() -> Vec<u8> {
    archive(&[("META-INF/MANIFEST.MF", SPRING_MANIFEST.as_bytes()), ("org/springframework/core/A.class", b"\xca\xfe")])
}

/// An application as Spring Boot packs it: libraries are stored, not compressed.
fn application() -> Vec<u8> {
    archive_with(
        CompressionMethod::Stored,
        &[
            ("META-INF/MANIFEST.MF", b"Main-Class: org.springframework.boot.loader.JarLauncher\r\n\r\n"),
            ("BOOT-INF/classes/com/example/App.class", b"\xca\xfe"),
            ("BOOT-INF/lib/log4j-core-2.14.1.jar", &log4j()),
            ("BOOT-INF/lib/spring-core-5.3.13.jar", &spring_core()),
            ("BOOT-INF/lib/nobody-knows-3.1.jar", &archive(&[("a/B.class", b"")])),
        ],
    )
}

fn listed(found: &Found) -> Vec<(&str, &str, Option<&str>)> {
    let packages = found.packages.iter();
    packages.map(|package| (package.name.as_str(), package.version.as_str(), package.inner.as_deref())).collect()
}

#[test]
fn an_application_is_read_with_the_libraries_in_it() {
    let found = catalog(&Java, &application());
    assert_eq!(
        listed(&found),
        [
            ("org.apache.logging.log4j:log4j-core", "2.14.1", Some("BOOT-INF/lib/log4j-core-2.14.1.jar")),
            ("org.springframework:spring-core", "5.3.13", Some("BOOT-INF/lib/spring-core-5.3.13.jar")),
            ("nobody-knows", "3.1", Some("BOOT-INF/lib/nobody-knows-3.1.jar")),
        ]
    );
    let evidence: Vec<_> = found.packages.iter().map(|package| package.evidence).collect();
    assert_eq!(evidence, [Evidence::Installed, Evidence::Installed, Evidence::FileName]);
    assert_eq!(found.problems, Vec::<String>::new());
}

#[test]
fn a_bill_of_materials_adds_what_no_archive_says() {
    let bill = br#"{"bomFormat": "CycloneDX", "components": [
        {"purl": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"}, {"purl": "pkg:npm/left-pad@1.0.0"}]}"#;
    let found = catalog(&Java, &archive(&[("META-INF/sbom/application.cdx.json", bill), ("lib/l.jar", &log4j())]));
    assert_eq!(
        listed(&found),
        [
            ("left-pad", "1.0.0", Some("META-INF/sbom/application.cdx.json")),
            ("org.apache.logging.log4j:log4j-core", "2.14.1", Some("lib/l.jar")),
        ]
    );
}

#[test]
fn enterprise_archives_nest_deeper() {
    let web = archive(&[("WEB-INF/lib/log4j-core-2.14.1.jar", &log4j())]);
    let found = catalog(&Java, &archive(&[("shop.war", &web)]));
    assert_eq!(found.packages[0].inner.as_deref(), Some("shop.war!/WEB-INF/lib/log4j-core-2.14.1.jar"));
}

#[test]
fn executable_archives_have_a_script_in_front() {
    let script = [b"#!/bin/sh\nexec java -jar \"$0\"\n", application().as_slice()].concat();
    assert_eq!(catalog(&Java, &script).packages, catalog(&Java, &application()).packages);
}

#[test]
fn a_pom_counts_where_it_has_no_properties() {
    let pom = b"<project><parent><version>1.2</version></parent></project>";
    let (here, other) = ("META-INF/maven/g/a/pom.xml", "META-INF/maven/g/b/pom.xml");
    let properties = ("META-INF/maven/g/a/pom.properties", b"groupId=g\nartifactId=a\nversion=1\n".as_slice());
    let found = catalog(&Java, &archive(&[(here, pom), properties, (other, pom)]));
    assert_eq!(listed(&found), [("g:a", "1", None), ("g:b", "1.2", None)]);
}

#[test]
fn files_that_hold_nothing_are_no_gaps_and_others_are() {
    assert_eq!(catalog(&Java, b""), Found::default());
    assert_eq!(catalog(&Java, b"<html>404</html>").problems, ["it is no zip archive, or its end is missing"]);
    let found = catalog(&Java, &archive(&[("lib/a-1.jar", b"oops"), ("lib/log4j.jar", &log4j())]));
    assert_eq!(found.problems, ["lib/a-1.jar: it is no zip archive, or its end is missing"]);
    assert_eq!(found.packages.len(), 1);
}

#[test]
fn archives_that_inflate_without_measure_are_left() {
    let bomb = archive(&[("lib/bomb.jar", &vec![0; 40 << 20]), ("lib/log4j.jar", &log4j())]);
    let found = catalog(&Java, &bomb);
    assert_eq!(found.problems, ["lib/bomb.jar: it unpacks to more than 200 times its size"]);
    assert_eq!(found.packages.len(), 1);
}

#[test]
fn archives_in_archives_end_somewhere() {
    let deep = (0..10).fold(log4j(), |inner, _| archive(&[("a.jar", &inner)]));
    let found = catalog(&Java, &deep);
    assert_eq!(found.problems, ["a.jar!/a.jar!/a.jar!/a.jar!/a.jar!/a.jar!/a.jar: it lies in more than 6 archives"]);
}

#[test]
fn a_budget_that_is_spent_ends_the_file_and_keeps_what_was_found() {
    for budget in [Budget { entries: 7, ..BUDGET }, Budget { opened: 6, ..BUDGET }, Budget { unpacked: 700, ..BUDGET }]
    {
        let mut found = Found::default();
        let outcome = Walk::new(&mut found, budget.clone()).archive("app.jar", &mut Cursor::new(application()));
        assert!(matches!(outcome, Err(CatalogError::TooMany { .. })), "{budget:?}: {outcome:?}");
        assert_eq!(found.packages[0].version, "2.14.1", "{budget:?}");
    }
}

#[test]
fn encrypted_entries_are_gaps() {
    let mut encrypted = log4j();
    let record = encrypted.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    encrypted[record + 8] |= 1;
    let problem = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties: it is encrypted";
    assert_eq!(catalog(&Java, &encrypted).problems, [problem]);
}

#[test]
fn entries_may_share_their_bytes_within_the_budget() {
    let mut overlapping = archive(&[("lib/a.jar", &log4j()), ("lib/b.jar", &log4j())]);
    let records: Vec<_> =
        (0..overlapping.len() - 4).filter(|at| overlapping[*at..].starts_with(b"PK\x01\x02")).collect();
    let last_two = &records[records.len() - 2..];
    let place: Vec<u8> = overlapping[last_two[0] + 42..last_two[0] + 46].to_vec();
    overlapping[last_two[1] + 42..last_two[1] + 46].copy_from_slice(&place);
    assert_eq!(catalog(&Java, &overlapping).packages.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_archives_are_read_without_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = application();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut found = Found::default();
        let _ = Java.catalog("app.jar", &mut bytes.as_slice(), &mut found);
        prop_assert!(found.packages.len() <= 20);
        prop_assert!(found.packages.iter().all(|package| !package.name.is_empty() && !package.version.is_empty()));
    }

    #[test]
    fn damaged_end_records_are_read_without_panic(tail in prop::collection::vec(any::<u8>(), 18), wide in any::<[u8; 56]>()) {
        let end64 = [b"PK\x06\x06", &wide[4..], b"PK\x06\x07", &[0; 4], &0_u64.to_le_bytes(), &[0; 4]].concat();
        for front in [&[][..], &end64] {
            let bytes = [front, b"PK\x05\x06", &tail[..16], &[0; 2]].concat();
            let mut found = Found::default();
            let _ = Java.catalog("app.jar", &mut bytes.as_slice(), &mut found);
        }
    }
}
