mod coordinates;
mod vendors;

use shared::finding::{Epss, KnownExploited, Severity};

use super::*;
use crate::advisories::testing::{database, database_with, import, testdata};

fn package(ecosystem: &str, name: &str, version: &str) -> Package {
    Package {
        purl: format!("pkg:generic/{name}@{version}"),
        ecosystem: Some(ecosystem.to_owned()),
        name: name.to_owned(),
        version: version.to_owned(),
        path: "somewhere".to_owned(),
        ..Package::default()
    }
}

fn from_source(mut package: Package, name: &str, version: &str) -> Package {
    package.source_name = Some(name.to_owned());
    package.source_version = Some(version.to_owned());
    package
}

fn testdata_database() -> (tempfile::TempDir, Database) {
    let (root, folder, _) = import(&[testdata()]);
    let database = Database::open(&folder.database_path()).unwrap();
    (root, database)
}

fn ids(matched: &Matched) -> Vec<&str> {
    matched.findings.iter().map(|finding| finding.id.as_str()).collect()
}

fn codes(matched: &Matched) -> Vec<&str> {
    matched.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

/// An advisory about `name`, affected below `fixed`.
fn below(id: &str, ecosystem: &str, name: &str, fixed: &str, rest: &str) -> String {
    format!(
        r#"{{"id":"{id}","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},
        "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]{rest}}}"#
    )
}

fn of(records: &[String]) -> (tempfile::TempDir, Database) {
    database(&records.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_debian_binary_is_matched_by_its_source() {
    let (_root, database) = testdata_database();
    let installed = from_source(package("Debian:11", "libssl1.1", "1.1.1k-1"), "openssl", "1.1.1k-1");
    let matched = match_packages(&[installed], None, &database);
    assert_eq!(ids(&matched), ["CVE-2022-0778", "CVE-2021-4160"]);
    let finding = &matched.findings[0];
    assert_eq!((finding.package.as_str(), finding.source_name.as_deref()), ("libssl1.1", Some("openssl")));
    assert_eq!(finding.fixed_version.as_deref(), Some("1.1.1k-1+deb11u2"));
    assert_eq!(finding.advisories, ["DEBIAN-CVE-2022-0778", "DSA-5103-1"]);

    let vulnerability = &matched.vulnerabilities[1];
    assert_eq!(vulnerability.id, "CVE-2022-0778");
    for alias in ["DSA-5103-1", "RUSTSEC-2022-0014"] {
        assert!(vulnerability.aliases.iter().any(|a| a == alias), "{alias} in {:?}", vulnerability.aliases);
    }
    assert!(!vulnerability.title.is_empty() && !vulnerability.references.is_empty());

    let fixed = from_source(package("Debian:11", "libssl1.1", "1.1.1k-1+deb11u2"), "openssl", "1.1.1k-1+deb11u2");
    assert_eq!(match_packages(&[fixed], None, &database), Matched::default());
}

#[test]
fn a_binary_named_like_another_source_is_not_it() {
    let (_root, database) = testdata_database();
    let other = from_source(package("Debian:11", "openssl", "1.0"), "openssl-defaults", "1.0");
    assert_eq!(match_packages(&[other], None, &database), Matched::default());
}

#[test]
fn apk_packages_are_matched_by_origin_and_by_name() {
    let (_root, database) =
        of(&[below("A", "Alpine:v3.18", "origin", "2-r0", ""), below("B", "Alpine:v3.18", "sub", "2-r0", "")]);
    let installed = from_source(package("Alpine:v3.18", "sub", "1-r0"), "origin", "1-r0");
    assert_eq!(ids(&match_packages(&[installed], None, &database)), ["A", "B"]);
}

#[test]
fn the_vendors_word_comes_first_for_distros_and_the_vector_elsewhere() {
    let rest = r#","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},{"type":"Ubuntu","score":"low"}]"#;
    let (_root, database) = of(&[below("U", "Ubuntu:22.04:LTS", "x", "2", rest), below("P", "PyPI", "x", "2", rest)]);
    let matched =
        match_packages(&[package("Ubuntu:22.04:LTS", "x", "1"), package("PyPI", "x", "1.0")], None, &database);
    let severity = |id: &str| matched.findings.iter().find(|finding| finding.id == id).map(|f| (f.severity, f.score));
    assert_eq!(severity("U"), Some((Severity::Low, Some(9.8))));
    assert_eq!(severity("P"), Some((Severity::Critical, Some(9.8))));
}

#[test]
fn what_the_vendor_leaves_open_others_rate() {
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";
    let rated = format!(r#","aliases":["CVE-2024-1"],"severity":[{{"type":"CVSS_V3","score":"{vector}"}}]"#);
    let (_root, database) = of(&[
        below("DSA-1", "Debian:12", "x", "2", r#","upstream":["CVE-2024-1","CVE-2024-2"]"#),
        below("GO-1", "Go", "elsewhere", "2", &rated),
    ]);
    let matched = match_packages(&[package("Debian:12", "x", "1")], None, &database);
    let rated: Vec<_> = matched.findings.iter().map(|f| (f.id.as_str(), f.severity, f.vector.as_deref())).collect();
    let expected = [("CVE-2024-1", Severity::High, Some(vector)), ("CVE-2024-2", Severity::Unknown, None)];
    assert_eq!(rated, expected);
}

#[test]
fn advisories_about_one_vulnerability_are_one_finding() {
    let (_root, database) = of(&[
        below("GHSA-1", "PyPI", "x", "1.2", r#","aliases":["CVE-2024-2"]"#),
        below("PYSEC-1", "PyPI", "x", "1.3", r#","aliases":["GHSA-1","CVE-2024-1"],"related":["CVE-2024-9"]"#),
        below("GHSA-9", "PyPI", "x", "1.3", r#","aliases":["CVE-2024-9"]"#),
    ]);
    let matched = match_packages(&[package("PyPI", "X", "1.0")], None, &database);
    assert_eq!(ids(&matched), ["CVE-2024-1", "CVE-2024-9"]);
    let finding = &matched.findings[0];
    assert_eq!(finding.advisories, ["GHSA-1", "PYSEC-1"]);
    assert_eq!(finding.fixed_version.as_deref(), Some("1.3"), "1.2 is affected by the other advisory");
    let between = match_packages(&[package("PyPI", "X", "1.2.5")], None, &database);
    assert_eq!(between.findings[0].advisories, ["PYSEC-1"], "found if any of them says so");
}

#[test]
fn a_name_without_a_cve_is_resolved_by_other_advisories() {
    let (_root, database) = of(&[
        below("CGA-1", "Wolfi", "x", "2-r0", r#","upstream":["GHSA-1"]"#),
        below("GO-1", "Go", "elsewhere", "2", r#","aliases":["GHSA-1","CVE-2024-1"]"#),
    ]);
    let matched = match_packages(&[package("Wolfi", "x", "1-r0")], None, &database);
    assert_eq!(ids(&matched), ["CVE-2024-1"]);
    assert_eq!(matched.vulnerabilities[0].aliases, ["CGA-1", "GHSA-1", "GO-1"]);
}

#[test]
fn withdrawn_advisories_do_not_match() {
    let (_root, database) = testdata_database();
    let plone = package("PyPI", "Plone", "2.5");
    assert_eq!(match_packages(std::slice::from_ref(&plone), None, &database), Matched::default());
    let explanation = explain(&plone, Some("CVE-2006-4249"), &database).unwrap();
    assert_eq!(explanation.considered[0].verdict, "withdrawn");
}

#[test]
fn listed_versions_match_in_any_spelling() {
    let (_root, database) = database(&[
        r#"{"id":"P","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"versions":["1.0","odd one"]}]}"#,
    ]);
    let found = |version: &str| match_packages(&[package("PyPI", "x", version)], None, &database).findings.len();
    assert_eq!(["1.0", "1.0.0", "v1", "odd one", "1.0.1"].map(found), [1, 1, 1, 1, 0]);
}

#[test]
fn what_cannot_be_judged_is_said() {
    let (_root, database) = of(&[below("P", "npm", "x", "2", ""), below("M", "Moon:7", "y", "2", "")]);
    let packages =
        [package("npm", "x", "not a version"), package("Moon:7", "y", "1"), package("Debian:12", "bash", "5.2")];
    let matched = match_packages(&packages, None, &database);
    assert_eq!(ids(&matched), [""; 0]);
    assert_eq!(codes(&matched), ["no-advisories", "unordered-ecosystem", "unreadable-version"]);
    assert!(matched.warnings[2].message.contains("not a version"), "{:?}", matched.warnings[2]);
    let distro = Distro { id: "alpine".into(), version: None, name: None, ecosystem: Some("Alpine:v3.22".into()) };
    assert_eq!(codes(&match_packages(&[], Some(&distro), &database)), ["no-advisories"]);
}

#[test]
fn several_places_of_one_package_are_one_finding() {
    let (_root, database) = testdata_database();
    let packages = [package("npm", "lodash", "4.17.20"), package("npm", "lodash", "4.17.20")];
    let matched = match_packages(&packages, None, &database);
    assert_eq!(ids(&matched), ["CVE-2021-23337"]);
    assert_eq!(matched.findings[0].severity, Severity::High);
}

#[test]
fn the_remedy_is_on_the_installed_branch() {
    let record = r#"{"id":"X","affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[
        {"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.5"},{"introduced":"2.0.0"},{"fixed":"2.0.3"}]}]}]}"#;
    let (_root, database) = database(&[record]);
    let remedy = |version: &str| {
        match_packages(&[package("npm", "x", version)], None, &database).findings[0].fixed_version.clone().unwrap()
    };
    assert_eq!(["1.0.0", "2.0.1"].map(remedy), ["1.2.5", "2.0.3"]);
}

#[test]
fn an_explanation_names_what_decided() {
    let (_root, database) = testdata_database();
    let explanation = explain(&package("PyPI", "Jinja2", "2.8"), None, &database).unwrap();
    assert_eq!(explanation.looked_up, ["jinja2 2.8"]);
    let decided: Vec<_> =
        explanation.considered.iter().map(|c| (c.id.as_str(), c.verdict, c.ranges[0].decided_by.as_str())).collect();
    assert_eq!(
        decided,
        [("PYSEC-2014-8", "not affected", "fixed 2.7.2"), ("PYSEC-2019-217", "affected", "introduced 0")]
    );
    let other = explain(&package("PyPI", "Jinja2", "2.8"), Some("CVE-2022-0778"), &database).unwrap();
    assert_eq!((other.considered.len(), other.known_elsewhere, other.findings.len()), (0, Some(true), 0));
}

#[test]
fn one_version_in_two_releases_is_found_in_both_and_once_in_each() {
    let upstream = r#","upstream":["CVE-1"]"#;
    let records = ["11", "12"]
        .map(|release| below(&format!("DSA-{release}"), &format!("Debian:{release}"), "tar", "2", upstream));
    let (_root, database) = of(&records);
    let installed = ["11", "12", "12"].map(|release| package(&format!("Debian:{release}"), "tar", "1"));
    let matched = match_packages(&installed, None, &database);
    let found: Vec<_> = matched.findings.iter().map(|f| (f.id.as_str(), f.ecosystem.as_str())).collect();
    assert_eq!(found, [("CVE-1", "Debian:11"), ("CVE-1", "Debian:12")]);
}

const KEV: &str = r#"{"catalogVersion":"1","vulnerabilities":[
    {"cveID":"CVE-2024-0002","dateAdded":"2024-02-03","dueDate":"2024-02-24","knownRansomwareCampaignUse":"Known"}]}"#;
const EPSS: &str = "cve,epss,percentile\nCVE-2024-0001,0.02,0.8\nCVE-2024-0002,0.5,0.9\nCVE-2024-0003,0.01,0.7\n";
const CVSS: &str = "cve,vector\nCVE-2024-0003,CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:N\n";

#[test]
fn findings_carry_what_tables_say_of_any_of_their_cves() {
    let alias = r#","aliases":["CVE-2024-0001","CVE-2024-0002"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N"}]"#;
    let records = [
        below("GHSA-1", "PyPI", "x", "2", alias),
        below("DEBIAN-CVE-2024-0003", "Debian:12", "y", "2", r#","upstream":["CVE-2024-0003"]"#),
        below("GHSA-9", "PyPI", "x", "2", ""),
    ];
    let tables = [("kev.json", KEV), ("epss.csv", EPSS), ("cvss.csv", CVSS)];
    let (_root, database) = database_with(&records.each_ref().map(String::as_str), &tables);
    let matched = match_packages(&[package("PyPI", "x", "1"), package("Debian:12", "y", "1")], None, &database);
    let [exploited, rated, plain] = matched.findings.as_slice() else { panic!("{matched:?}") };

    assert_eq!(
        (exploited.id.as_str(), exploited.severity, exploited.priority),
        ("CVE-2024-0001", Severity::Low, Priority::Now)
    );
    let entry = KnownExploited { added: "2024-02-03".into(), due: "2024-02-24".into(), ransomware: true };
    assert_eq!(exploited.exploited, Some(entry));
    assert_eq!(exploited.epss, Some(Epss { score: 0.5, percentile: 0.9 }), "that of its likelier name");

    assert_eq!((rated.id.as_str(), rated.severity, rated.score), ("CVE-2024-0003", Severity::Medium, Some(5.4)));
    assert_eq!((rated.exploited.as_ref(), rated.priority), (None, Priority::Planned));

    assert_eq!((plain.id.as_str(), plain.epss, plain.priority), ("GHSA-9", None, Priority::Watch));
}

#[test]
fn the_table_of_vectors_is_asked_last() {
    let v2 = r#","upstream":["CVE-2024-0003"],"severity":[{"type":"CVSS_V2","score":"AV:N/AC:L/Au:N/C:C/I:C/A:C"}]"#;
    let records = [below("A", "Debian:12", "y", "2", v2)];
    let (_root, database) = database_with(&[&records[0]], &[("cvss.csv", CVSS)]);
    let matched = match_packages(&[package("Debian:12", "y", "1")], None, &database);
    assert_eq!(matched.findings[0].vector.as_deref(), Some("AV:N/AC:L/Au:N/C:C/I:C/A:C"));
}
