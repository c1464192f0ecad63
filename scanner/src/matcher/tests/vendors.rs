//! What is particular to one vendor or one ecosystem.

use super::*;

/// An advisory about packages, each with its ecosystem, its name and where it is fixed; empty where it is not.
fn about(id: &str, packages: &[(&str, &str, &str)], rest: &str) -> String {
    let affected: Vec<_> = packages
        .iter()
        .map(|(ecosystem, name, fixed)| {
            let fixed = if fixed.is_empty() { String::new() } else { format!(r#",{{"fixed":"{fixed}"}}"#) };
            format!(
                r#"{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},
                "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}}{fixed}]}}]}}"#
            )
        })
        .collect();
    format!(r#"{{"id":"{id}","affected":[{}]{rest}}}"#, affected.join(","))
}

fn found(database: &Database, package: Package) -> Vec<(String, Option<String>)> {
    let matched = match_packages(&[package], None, database);
    matched.findings.into_iter().map(|finding| (finding.id, finding.fixed_version)).collect()
}

fn is_found(database: &Database, package: Package) -> bool {
    !found(database, package).is_empty()
}

#[test]
fn ubuntu_pro_speaks_where_ubuntu_does_not() {
    let (_root, database) = of(&[
        about("CVE-2022-24823", &[("Ubuntu:Pro:18.04:LTS", "netty", "1:4.1.7-4ubuntu0.1+esm3")], ""),
        about(
            "CVE-2021-3782",
            &[("Ubuntu:18.04:LTS", "wayland", ""), ("Ubuntu:Pro:18.04:LTS", "wayland", "1.16.0-1+esm1")],
            "",
        ),
    ]);
    let of = |name, version| found(&database, package("Ubuntu:18.04:LTS", name, version));
    let fixed = |id: &str, version: &str| vec![(id.to_owned(), Some(version.to_owned()))];
    assert_eq!(of("netty", "1:4.1.7-4ubuntu0.1"), fixed("CVE-2022-24823", "1:4.1.7-4ubuntu0.1+esm3"));
    assert_eq!(of("netty", "1:4.1.7-4ubuntu0.1+esm3"), []);
    assert_eq!(of("wayland", "1.16.0-1"), [("CVE-2021-3782".to_owned(), None)], "no fix in the free archive");
    assert_eq!(of("wayland", "1.16.0-1+esm1"), []);
}

#[test]
fn a_module_is_judged_by_what_is_said_of_it() {
    let module = |stream: &str, fixes: &[&str]| {
        let packages: Vec<_> = fixes.iter().map(|fixed| ("AlmaLinux:8", "nodejs", *fixed)).collect();
        about(
            &format!("ALSA-{stream}"),
            &packages,
            &format!(r#","summary":"Important: nodejs:{stream} security update","related":["CVE-{stream}"]"#),
        )
    };
    let (_root, database) = of(&[
        module("16", &["1:16.20.2-2.module_el8.8.0+3613+1", "1:16.20.2-2.module_el8.7.0+9+2"]),
        module("18", &["1:18.17.1-1.module_el8.8.0+3614+1"]),
        about("ALSA-none", &[("AlmaLinux:8", "nodejs", "1:20.1-1.el8")], r#","related":["CVE-none"]"#),
    ]);
    let of = |version, module: Option<&str>| {
        let mut package = package("AlmaLinux:8", "nodejs", version);
        package.module = module.map(str::to_owned);
        found(&database, package).into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(of("1:16.20.1-1.module_el8.8.0+1+1", Some("nodejs:16")), ["CVE-16"]);
    assert_eq!(of("1:16.20.2-2.module_el8.7.0+9+2", Some("nodejs:16")), [""; 0], "the build for 8.7 has the fix");
    assert_eq!(of("1:18.17.0-1.module_el8.8.0+1+1", Some("nodejs:18")), ["CVE-18"]);
    assert_eq!(of("1:14.0-1.el8", None), ["CVE-none"]);
}

#[test]
fn one_release_of_red_hat_has_several_repositories() {
    let (_root, database) = of(&[
        about("RHSA-1", &[("Red Hat:enterprise_linux:9::appstream", "curl", "0:7.76.1-26.el9")], ""),
        about("RHSA-2", &[("Red Hat:rhel_eus:9.2::baseos", "curl", "0:7.76.1-23.el9_2.9")], ""),
        about("RHSA-3", &[("Red Hat:enterprise_linux:8::baseos", "curl", "0:7.99-1.el8")], ""),
    ]);
    let of = |version| found(&database, package("Red Hat:enterprise_linux:9", "curl", version));
    assert_eq!(of("7.76.1-23.el9"), [("RHSA-1".to_owned(), Some("0:7.76.1-26.el9".to_owned()))]);
    assert_eq!(of("7.76.1-26.el9"), []);
    let explanation = explain(&package("Red Hat:enterprise_linux:9", "curl", "7"), None, &database).unwrap();
    assert!(explanation.covered && explanation.considered.len() == 1, "{explanation:?}");
}

#[test]
fn a_source_package_without_epoch_is_compared_without() {
    let (_root, database) = of(&[about("RLSA-1", &[("Rocky Linux:8", "perl", "4:5.26.3-419.el8")], "")]);
    let of = |binary, source| {
        is_found(&database, from_source(package("Rocky Linux:8", "perl-Carp", binary), "perl", source))
    };
    assert!(of("1.50-396.el8", "5.26.3-416.el8"));
    assert!(!of("1.50-396.el8", "5.26.3-419.el8"));
    assert!(!of("4:5.26.3-419.el8", "5.26.3-419.el8"));
    assert!(of("5.26.3-419.el8", "5.26.3-419.el8"), "the binary's own version says that there is no epoch");
}

#[test]
fn what_the_vendor_will_not_fix_is_marked() {
    let (_root, database) = of(&[
        about("A", &[("Wolfi", "x", "")], r#","database_specific":{"status":"fix-not-planned"}"#),
        about("B", &[("Wolfi", "x", "")], r#","database_specific":{"status":"pending-upstream-fix"}"#),
        about("C", &[("Wolfi", "x", "2-r0")], r#","database_specific":{"status":"ignored"}"#),
    ]);
    let matched = match_packages(&[package("Wolfi", "x", "1-r0")], None, &database);
    let marks: Vec<_> = matched.findings.iter().map(|finding| (finding.id.as_str(), finding.wont_fix)).collect();
    assert_eq!(marks, [("A", true), ("B", false), ("C", false)], "there is a fix for C");
}

#[test]
fn what_alpine_fixed_in_version_0_never_was() {
    let (_root, database) = of(&[about("CVE-1", &[("Alpine:v3.18", "x", "0")], "")]);
    assert!(!is_found(&database, package("Alpine:v3.18", "x", "1.0-r0")));
    assert!(!is_found(&database, package("Alpine:v3.18", "x", "0_alpha1-r0")));
}

#[test]
fn every_repository_of_a_language_is_asked() {
    let (_root, database) = of(&[
        about("SA-CORE", &[("Packagist:https://packages.drupal.org/8", "drupal/core", "9.0.0")], ""),
        about("GO", &[("Go", "stdlib", "1.21.4")], "").replace("ECOSYSTEM", "SEMVER"),
        about("RUSTSEC", &[("crates.io", "once-cell", "1.0.1")], "").replace("ECOSYSTEM", "SEMVER"),
    ]);
    assert!(is_found(&database, package("Packagist", "Drupal/core", "8.9.0")));
    assert!(
        is_found(&database, package("Go", "stdlib", "go1.21.3"))
            && is_found(&database, package("Go", "stdlib", "1.20"))
    );
    assert!(!is_found(&database, package("Go", "stdlib", "go1.21.4 X:boringcrypto")));
    assert!(is_found(&database, package("crates.io", "once_cell", "1.0.0")));
}

#[test]
fn a_git_range_leaves_the_listed_versions_to_say() {
    let record = r#"{"id":"P","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"versions":["1.0","1.1"],
        "ranges":[{"type":"GIT","repo":"https://example.org/x","events":[{"introduced":"0"},{"fixed":"abc"}]}]}]}"#;
    let (_root, database) = database(&[record]);
    assert!(is_found(&database, package("PyPI", "x", "1.1")) && !is_found(&database, package("PyPI", "x", "1.2")));
}

#[test]
fn what_the_distribution_brought_is_matched_by_its_advisories_alone() {
    let (_root, database) = of(&[below("P", "PyPI", "six", "2", ""), below("D", "Debian:12", "six", "2", "")]);
    let mut module = package("PyPI", "six", "1.16.0");
    module.owner = Some("python3-six".to_owned());
    let packages = [module, package("Debian:12", "six", "1.16.0-4")];
    let debian = |release: &str| Distro {
        id: "debian".into(),
        version: None,
        name: None,
        ecosystem: Some(format!("Debian:{release}")),
    };
    let found = |matcher: Matcher<'_>, distro: Option<&Distro>| {
        let matched = matcher.run(&packages, distro);
        matched.findings.into_iter().map(|finding| finding.id).collect::<Vec<_>>()
    };
    assert_eq!(found(Matcher::new(&database), Some(&debian("12"))), ["D"]);
    assert_eq!(found(Matcher::new(&database).match_owned(true), Some(&debian("12"))), ["D", "P"]);
    assert_eq!(found(Matcher::new(&database), Some(&debian("99"))), ["D", "P"], "the vendor says nothing");
    assert_eq!(found(Matcher::new(&database), None), ["D", "P"]);
}

#[test]
fn gaps_are_told_once() {
    let (_root, database) = of(&[below("P", "npm", "x", "2", "")]);
    let jar = Package { path: "app/a.jar".into(), ..package("Maven", "a", "1") };
    let packages = [package("npm", "x", "?"), package("npm", "x", "!"), jar, package("Maven", "g:b", "1")];
    let distro = Distro { id: "ubuntu".into(), version: Some("19.10".into()), name: None, ecosystem: None };
    let now = database.stamp().built_at;
    let matched = Matcher::new(&database).at(now).run(&packages, Some(&distro));
    assert_eq!(codes(&matched), ["no-advisories", "unreadable-version", "unidentified-packages", "end-of-life"]);
    let messages: Vec<_> = matched.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert!(messages[0].contains("Maven") && messages[0].contains("2 here"), "{messages:?}");
    assert!(messages[1].starts_with("2 packages of npm could not be judged by 2 advisories"), "{messages:?}");
    assert!(messages[2].contains("app/a.jar"), "{messages:?}");
}

#[test]
fn an_update_for_several_vulnerabilities_rates_those_that_nobody_else_rates() {
    let rated = r#","database_specific":{"severity":"Low"}"#;
    let (_root, database) = of(&[
        about(
            "ALSA-1",
            &[("AlmaLinux:9", "x", "2")],
            r#","summary":"Important: x security update","related":["CVE-1","CVE-2"]"#,
        ),
        about("CVE-2", &[("PyPI", "elsewhere", "2")], rated),
    ]);
    let matched = match_packages(&[package("AlmaLinux:9", "x", "1")], None, &database);
    let severities: Vec<_> = matched.findings.iter().map(|finding| (finding.id.as_str(), finding.severity)).collect();
    assert_eq!(severities, [("CVE-1", Severity::High), ("CVE-2", Severity::Low)]);
}
