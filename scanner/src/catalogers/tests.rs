//! What holds for every cataloger.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixtures::{catalog, texts};
use super::*;

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = CATALOGERS.iter().map(|cataloger| cataloger.name()).collect();
    assert_eq!(names.len(), CATALOGERS.len());
}

#[test]
fn a_real_file_is_of_one_format() {
    for (path, _) in texts() {
        let wanted_by = CATALOGERS.iter().filter(|cataloger| cataloger.wants(&path)).map(|cataloger| cataloger.name());
        assert_eq!(wanted_by.count(), 1, "{path}");
    }
}

#[test]
fn a_file_with_too_many_packages_is_an_error_that_keeps_the_first() {
    let file = "P:a\nV:1\n\n".repeat(PACKAGE_LIMIT + 1);
    let mut found = Found::default();
    let error = apk::Apk.catalog("", &mut file.as_bytes(), &mut found).unwrap_err();
    assert!(matches!(error, CatalogError::TooMany { limit: PACKAGE_LIMIT, .. }));
    assert_eq!(found.packages.len(), PACKAGE_LIMIT);
}

#[test]
fn problems_are_counted_up_to_a_limit() {
    let found = catalog(&apk::Apk, "P:a\n\n".repeat(1000).as_bytes());
    assert_eq!(found.problems.len(), PROBLEM_LIMIT + 1);
}

/// Lines as the formats have them, in any order, some damaged.
fn near_file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"Package: a"[..],
        b"Version: 1",
        b"Status: install ok installed",
        b"Source: b (",
        b"Source: b (2)",
        b"P:a",
        b"V:",
        b"V:1-r0",
        b"o:x",
        b"Name: n",
        b"ID=\"",
        b"ID=a\\",
        b"VERSION_ID='",
        b"\n",
        b"\r\n",
        b"\n\n",
        b":",
        b"{\"name\":",
        b"\"x\"",
        b",\"version\":",
        b"[[",
        b"[[deps.a]]\nversion = \"1\"",
        b"{:hex, :a, \"1\"",
        b"{pkg,<<\"a\">>,<<\"1\">>",
        b"{vsn, \"1\"}",
        b"packages:\n  a:\n    version: 1",
        b"/usr/lib/python3/a.egg-info",
        b"}",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b" ",
        b"\0",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_contents_make_a_cataloger_panic(near in near_file(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        for cataloger in CATALOGERS {
            let paths = ["a/path", "lib/a-1/ebin/a.app", "library/a/DESCRIPTION", "var/lib/dpkg/info/a.list"];
            for (path, contents) in paths.iter().flat_map(|path| [(path, &near), (path, &noise)]) {
                let mut found = Found::default();
                let _ = cataloger.catalog(path, &mut contents.as_slice(), &mut found);
                prop_assert!(found.packages.iter().all(|package| !package.name.is_empty() && !package.version.is_empty()));
            }
        }
    }

    #[test]
    fn no_path_makes_a_cataloger_panic(path in "[a@./é]{0,12}(node_modules|var/lib/dpkg/status|.egg-info)?[a@./é]{0,12}(/package.json)?") {
        for cataloger in CATALOGERS {
            cataloger.wants(&path);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_files_are_read_as_far_as_they_go(
        (path, mut contents) in prop::sample::select(texts()),
        (from, to) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        noise in prop::collection::vec(prop::sample::select(&b"\0\n\xff '\"[]{}@/:=(-7"[..]), 0..4),
    ) {
        let (from, to) = (from.index(contents.len()), to.index(contents.len()));
        contents.splice(from.min(to)..from.max(to).min(from.min(to) + 40), noise);
        for cataloger in CATALOGERS.iter().filter(|cataloger| cataloger.wants(&path)) {
            let mut found = Found::default();
            let _ = cataloger.catalog(&path, &mut contents.as_slice(), &mut found);
            prop_assert!(found.packages.iter().all(|package| !package.name.is_empty() && !package.version.is_empty()));
        }
    }
}
