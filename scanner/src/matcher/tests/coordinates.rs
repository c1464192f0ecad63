//! Java packages without a sure group.

use shared::package::Evidence;

use super::*;

const RECORDS: &[(&str, &str)] = &[
    ("TOMCAT", "org.apache.tomcat.embed:tomcat-embed-core"),
    ("NETTY", "io.netty:netty"),
    ("JBOSS", "org.jboss.netty:netty"),
    ("CORE", "com.example:core"),
    ("GENERIC", "com.example.web:web-client"),
    ("OLD", "velocity:velocity"),
];

/// What is found of a Maven package, and the gaps.
fn found(name: &str, evidence: Evidence) -> (Vec<String>, Vec<String>) {
    let records: Vec<_> = RECORDS.iter().map(|(id, name)| below(id, "Maven", name, "9", "")).collect();
    let (_root, database) = of(&records);
    let installed = Package { evidence, ..package("Maven", name, "1.0") };
    let matched = match_packages(&[installed], None, &database);
    (
        ids(&matched).iter().map(|id| (*id).to_owned()).collect(),
        codes(&matched).iter().map(|c| (*c).to_owned()).collect(),
    )
}

#[test]
fn a_group_is_found_where_only_one_is_possible() {
    for (name, evidence, expected) in [
        ("org.apache.tomcat.embed:tomcat-embed-core", Evidence::Installed, &["TOMCAT"][..]),
        ("org.apache:tomcat-embed-core", Evidence::Manifest, &["TOMCAT"]),
        ("tomcat-embed-core", Evidence::FileName, &["TOMCAT"]),
        ("tomcat-embed-core:tomcat-embed-core", Evidence::Sbom, &["TOMCAT"]),
        ("velocity:velocity", Evidence::Sbom, &["OLD"]),
        ("org.jboss:netty", Evidence::Manifest, &["JBOSS"]),
        ("com.example.app:core", Evidence::Manifest, &["CORE"]),
        // Maven's own files are never doubted, and foreign guesses never believed.
        ("org.apache:tomcat-embed-core", Evidence::Installed, &[]),
        ("org.example:tomcat-embed-core", Evidence::Manifest, &[]),
        ("com.other:core", Evidence::Manifest, &[]),
    ] {
        assert_eq!(found(name, evidence), (expected.iter().map(|id| (*id).to_owned()).collect(), vec![]), "{name}");
    }
}

#[test]
fn what_may_be_anybodys_is_a_gap() {
    for name in ["core", "web-client", "netty", "nobody-knows"] {
        assert_eq!(found(name, Evidence::FileName), (vec![], vec!["unidentified-packages".to_owned()]), "{name}");
    }
}

#[test]
fn real_records_tell_the_groups_of_their_artifacts() {
    let (_root, folder, _) = import(&[testdata().with_file_name("advisories-maven")]);
    let database = Database::open(&folder.database_path()).unwrap();
    assert_eq!(database.groups_of_artifact("tomcat-embed-core").unwrap(), ["org.apache.tomcat.embed"]);
    assert_eq!(database.groups_of_artifact("netty").unwrap(), ["io.netty", "org.jboss.netty"]);
    assert_eq!(database.about().ecosystems.keys().collect::<Vec<_>>(), ["Maven"]);
    for (guess, version, name) in [
        ("log4j-core", "2.14.1", "org.apache.logging.log4j:log4j-core"),
        ("org.apache:tomcat-embed-core", "9.0.15", "org.apache.tomcat.embed:tomcat-embed-core"),
        ("org.jboss:netty", "3.2.5.Final", "org.jboss.netty:netty"),
    ] {
        let known = match_packages(&[package("Maven", name, version)], None, &database);
        let guessed = Package { evidence: Evidence::Manifest, ..package("Maven", guess, version) };
        let guessed = match_packages(&[guessed], None, &database);
        assert_eq!(ids(&guessed), ids(&known), "{guess}");
        assert!(!known.findings.is_empty(), "{name}");
    }
}
