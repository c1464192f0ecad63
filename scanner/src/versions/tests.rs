//! The published tables of every order, and that each is an order at all. What is particular to one stands beside it.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

fn names(scheme: Option<&'static dyn Scheme>) -> Option<&'static str> {
    scheme.map(Scheme::name)
}

#[test]
fn ecosystems_have_their_order_with_and_without_a_release() {
    for (ecosystem, name) in [
        ("Debian", "deb"),
        ("Debian:12", "deb"),
        ("Ubuntu:22.04:LTS", "deb"),
        ("Ubuntu:Pro:18.04:LTS", "deb"),
        ("Docker Hardened Images:Debian:13", "deb"),
        ("Docker Hardened Images:Alpine:3.23", "apk"),
        ("Echo:PyPI", "pep440"),
        ("Echo:npm", "echo-npm"),
        ("Root:npm", "semver"),
        ("Alpine:v3.18", "apk"),
        ("Wolfi", "apk"),
        ("Chainguard", "apk"),
        ("CleanStart", "apk"),
        ("Alpaquita:23", "apk"),
        ("BellSoft Hardened Containers:stream", "apk"),
        ("MinimOS", "apk"),
        ("Root:Alpine:3.18", "apk"),
        ("TuxCare:Red Hat", "rpm"),
        ("Red Hat:rhel_aus:8.4::appstream", "rpm"),
        ("AlmaLinux:9", "rpm"),
        ("Rocky Linux:8", "rpm"),
        ("SUSE:Linux Enterprise Server 15 SP5", "rpm"),
        ("openSUSE:Leap 15.6", "rpm"),
        ("openEuler:24.03-LTS", "rpm"),
        ("Azure Linux:3", "rpm"),
        ("Mageia:9", "rpm"),
        ("Photon OS:5.0", "rpm"),
        ("PyPI", "pep440"),
        ("npm", "semver"),
        ("Go", "semver"),
        ("crates.io", "semver"),
        ("Hex", "semver"),
        ("SwiftURL", "semver"),
        ("Bitnami", "bitnami"),
        ("GHC", "semver"),
        ("Maven", "maven"),
        ("Maven:https://maven.google.com", "maven"),
        ("NuGet", "nuget"),
        ("Packagist:https://packages.drupal.org/8", "packagist"),
        ("RubyGems", "rubygems"),
        ("Pub", "pub"),
        ("Julia", "pub"),
        ("CRAN", "cran"),
        ("Bioconductor", "cran"),
        ("Hackage", "hackage"),
        ("opam", "deb"),
    ] {
        assert_eq!(names(scheme_for(ecosystem)), Some(name), "{ecosystem}");
    }
    for unknown in ["Android", "OSS-Fuzz", "", "debian", "maven", "TuxCare", "Docker Hardened Images"] {
        assert_eq!(names(scheme_for(unknown)), None, "{unknown}");
    }
}

#[test]
fn ranges_of_semver_follow_their_ecosystem_in_its_builds() {
    for (ecosystem, name) in [("Go", "semver"), ("Maven", "semver"), ("Bitnami", "bitnami"), ("Julia", "pub")] {
        assert_eq!(semver_scheme(ecosystem).name(), name, "{ecosystem}");
    }
}

#[track_caller]
pub(super) fn assert_rising(scheme: &dyn Scheme, versions: &[&str]) {
    for (i, a) in versions.iter().enumerate() {
        for (j, b) in versions.iter().enumerate() {
            assert_eq!(scheme.compare(a, b), Ok(i.cmp(&j)), "{a} and {b}");
        }
    }
}

#[track_caller]
pub(super) fn assert_holds(ecosystem: &str, table: &str, at_least: usize) {
    let report = check(ecosystem, table).unwrap();
    assert_eq!(report.failed, [], "{ecosystem}");
    assert!(report.held >= at_least, "{ecosystem}: {} lines", report.held);
}

#[test]
fn published_tables_hold() {
    assert_holds("Alpine", include_str!("../../testdata/versions/alpine.txt"), 778);
    assert_holds("Alpine", include_str!("../../testdata/versions/alpine-real.txt"), 1165);
    assert_holds("CRAN", include_str!("../../testdata/versions/cran.txt"), 21);
    assert_holds("CRAN", include_str!("../../testdata/versions/cran-real.txt"), 1200);
    assert_holds("Debian", include_str!("../../testdata/versions/debian.txt"), 30);
    assert_holds("Debian", include_str!("../../testdata/versions/debian-real.txt"), 1204);
    assert_holds("Go", include_str!("../../testdata/versions/semver.txt"), 86);
    assert_holds("Go", include_str!("../../testdata/versions/go-real.txt"), 1200);
    assert_holds("Hackage", include_str!("../../testdata/versions/hackage.txt"), 11);
    assert_holds("Hex", include_str!("../../testdata/versions/semver.txt"), 86);
    assert_holds("Maven", include_str!("../../testdata/versions/maven.txt"), 102);
    assert_holds("Maven", include_str!("../../testdata/versions/maven-real.txt"), 1200);
    assert_holds("NuGet", include_str!("../../testdata/versions/nuget.txt"), 35);
    assert_holds("Packagist", include_str!("../../testdata/versions/packagist.txt"), 95);
    assert_holds("Packagist", include_str!("../../testdata/versions/packagist-real.txt"), 1200);
    assert_holds("Pub", include_str!("../../testdata/versions/pub.txt"), 100);
    assert_holds("PyPI", include_str!("../../testdata/versions/pypi.txt"), 37);
    assert_holds("PyPI", include_str!("../../testdata/versions/pypi-real.txt"), 1032);
    assert_holds("Red Hat", include_str!("../../testdata/versions/redhat.txt"), 165);
    assert_holds("Red Hat", include_str!("../../testdata/versions/redhat-real.txt"), 1200);
    assert_holds("RubyGems", include_str!("../../testdata/versions/rubygems.txt"), 25);
    assert_holds("RubyGems", include_str!("../../testdata/versions/rubygems-real.txt"), 1200);
    assert_holds("crates.io", include_str!("../../testdata/versions/semver.txt"), 86);
    assert_holds("crates.io", include_str!("../../testdata/versions/crates-real.txt"), 1200);
    assert_holds("npm", include_str!("../../testdata/versions/semver.txt"), 86);
    assert_holds("npm", include_str!("../../testdata/versions/npm-real.txt"), 1134);
}

/// Versions that are equal, from the tests of dpkg and packaging, and what apk-tools 3 added to its table.
#[test]
fn normalizations_hold() {
    assert_holds(
        "Debian",
        "0 = 0:0\n0:0- = 0\n0:0-0 = 0:00-00\n0:0-0:0 = 0:0-0:0\n1~~ < 1~~a\n1~~a < 1~\n1~ < 1\n1 < 1a\n1a < 1+\n
         1 < 1:0\n1.18446744073709551616 > 1.18446744073709551615\n1.0-1 < 1.0-1+b1\n1.0.A < 1.0.a",
        11,
    );
    assert_holds("Alpine", "6.0_pre1 < 6.0\n6.1_pre1 < 6.1\n6.0_p1 > 6.0\n6.1_p1 > 6.1\n1.010 < 1.09", 5);
    assert_holds(
        "PyPI",
        "1.0-DEV1 = 1.0.dev1\n1.0.alpha1 = 1.0a1\n1.0-c = 1.0rc0\n1.0preview2 = 1.0rc2\n1.0-5 = 1.0.post5\n
         1.0-r5 = 1.0.post5\n1.0_rev = 1.0.post0\n1.0+AbC = 1.0+abc\n1.0+a-1_b = 1.0+a.1.b\n00!1.01 = v1.1\n1!2 > 18446744073709551616",
        11,
    );
}

#[test]
fn what_dpkg_refuses_has_no_place() {
    for refused in ["", "  ", "0:", "0:0 0-1", "-1:0-1", "999999999999999999999999:0-1", "a:0-0", "-0", "0:-0"] {
        assert!(deb::Deb.compare(refused, "1").is_err(), "{refused:?}");
    }
    for warned_of in ["0:abc3-0", "0:0_a-0", " \t0:0-1 "] {
        assert!(deb::Deb.compare(warned_of, "1").is_ok(), "{warned_of:?}");
    }
}

/// The list of packaging's `tests/test_version.py`, which is also that of PEP 440's summary of orderings.
#[test]
fn pep440_in_the_order_of_packaging() {
    let of_one_epoch = [
        "1.0.dev0",
        "1.0.dev456",
        "1.0.dev456+local",
        "1.0a0",
        "1.0a0.post0.dev0",
        "1.0a0.post0",
        "1.0a1.dev1",
        "1.0a1.dev1+local",
        "1.0a1",
        "1.0a1+local",
        "1.0b0",
        "1.0b1.dev456",
        "1.0b2",
        "1.0b2.post345.dev456",
        "1.0b2.post345",
        "1.0b2-346",
        "1.0rc0",
        "1.0rc1.dev1",
        "1.0c1",
        "1.0rc2",
        "1.0",
        "1.0.post0.dev0",
        "1.0.post0",
        "1.0.post456.dev34",
        "1.0.post456",
        "1.0.post456+local",
        "1.0.1.dev1",
        "1.0.1a1",
        "1.0.1",
        "1.0.1+local",
        "1.0.1.post1",
        "1.1.dev1",
        "1.2+a",
        "1.2+abc",
        "1.2+abcdef",
        "1.2+def",
        "1.2+0",
        "1.2+1",
        "1.2+1.abc",
        "1.2+1.1",
        "1.2+1.1.0",
        "1.2+2",
        "1.2+123",
        "1.2+123456",
        "1.2.r32+123456",
        "1.2.rev33+123456",
    ];
    let of_the_next = of_one_epoch.map(|version| format!("1!{version}"));
    let all: Vec<&str> = of_one_epoch.into_iter().chain(of_the_next.iter().map(String::as_str)).collect();
    assert_rising(&pep440::Pep440, &all);
    for invalid in ["french toast", "1.0+a+", "1.0++", "1.0+_foobar", "1. 0", "1.0a 1", "1..0", "1.0.", ".1.0"] {
        assert_eq!(pep440::Pep440.compare(invalid, "0.dev0"), Ok(Ordering::Less), "{invalid}");
    }
}

/// Grammar-near text: what versions are made of, in any order.
fn near_version() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "0",
        "00",
        "1",
        "01",
        "2",
        "9",
        "10",
        "18446744073709551616",
        ".",
        "-",
        "_",
        "~",
        "+",
        ":",
        "!",
        "a",
        "b",
        "rc",
        "p",
        "alpha",
        "_alpha",
        "_beta2",
        "_p",
        "_git",
        "-r",
        "-r1",
        ".dev",
        ".post1",
        "dev",
        "post",
        "+local",
        "^",
        "-SNAPSHOT",
        "final",
        "v",
        "z",
        "A",
        " ",
        "é",
    ]);
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn every_order_is_total(a in near_version(), b in near_version(), c in near_version()) {
        for scheme in SCHEMES {
            let (Ok(ab), Ok(bc), Ok(ac)) = (scheme.compare(&a, &b), scheme.compare(&b, &c), scheme.compare(&a, &c)) else {
                continue;
            };
            prop_assert_eq!(scheme.compare(&a, &a), Ok(Ordering::Equal));
            prop_assert_eq!(scheme.compare(&b, &a), Ok(ab.reverse()));
            if ["bitnami", "maven"].contains(&scheme.name()) {
                continue; // are not transitive, see there
            }
            if ab == bc || bc.is_eq() {
                prop_assert_eq!(ac, ab, "{} {:?} {:?} {:?}", scheme.name(), a, b, c);
            } else if ab.is_eq() {
                prop_assert_eq!(ac, bc, "{} {:?} {:?} {:?}", scheme.name(), a, b, c);
            }
        }
    }

    #[test]
    fn no_text_makes_a_comparison_panic(a in ".{0,40}", b in ".{0,40}") {
        for scheme in SCHEMES {
            let _ = scheme.compare(&a, &b);
        }
    }
}

/// Versions of the debian table and random ones, against the real dpkg where there is one.
#[test]
fn deb_agrees_with_dpkg() {
    let Ok(version) = std::process::Command::new("dpkg").arg("--version").output() else {
        eprintln!("dpkg is not installed: compared with its published table only");
        return;
    };
    assert!(version.status.success());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(150));
    let near_deb = || "([0-2]:)?[0-9][0-9a-bA.+~]{0,6}(-[0-9a~+.]{1,4})?";
    runner
        .run(&(near_deb(), near_deb()), |(a, b)| {
            let holds = |operator| {
                let status = std::process::Command::new("dpkg").args(["--compare-versions", &a, operator, &b]).status();
                status.is_ok_and(|status| status.success())
            };
            let theirs = if holds("lt") {
                Ordering::Less
            } else if holds("eq") {
                Ordering::Equal
            } else {
                Ordering::Greater
            };
            prop_assert_eq!(deb::Deb.compare(&a, &b), Ok(theirs), "{} {}", a, b);
            Ok(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn pep440_agrees_with_another_implementation(a in near_python(), b in near_python()) {
        let theirs = (a.parse::<pep440_rs::Version>(), b.parse::<pep440_rs::Version>());
        let (Ok(their_a), Ok(their_b)) = theirs else { return Ok(()) };
        prop_assert_eq!(pep440::Pep440.compare(&a, &b), Ok(their_a.cmp(&their_b)), "{} {}", a, b);
    }
}

fn near_python() -> &'static str {
    "(1!)?[0-2]([.][0-2]){0,2}([.-]?(a|beta|rc|pre)[0-2]?)?([.]post[0-2]|-[0-2])?([.]dev[0-2])?([+][a0-2]{1,2}([.][a0-2])?)?"
}
