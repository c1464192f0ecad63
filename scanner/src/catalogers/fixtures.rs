//! Real package databases for the tests of the catalogers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{CATALOGERS, Cataloger, Found, FoundPackage};

/// Reads `contents`, which must be readable to its end.
pub(super) fn catalog(cataloger: &dyn Cataloger, contents: &[u8]) -> Found {
    let mut found = Found::default();
    cataloger.catalog("a/path", &mut &*contents, &mut found).unwrap();
    found
}

/// What was found, a line each.
pub(super) fn names_and_versions(found: &Found) -> Vec<String> {
    found.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect()
}

/// Reads the database at `path` of the image folder and compares all columns of all packages with its `expected.tsv`.
#[track_caller]
pub(super) fn assert_matches_expected(
    cataloger: &dyn Cataloger,
    image: &str,
    path: &str,
    columns: impl Fn(&FoundPackage) -> Vec<String>,
) {
    assert!(cataloger.wants(path));
    let folder = folder().join(image);
    let found = catalog(cataloger, &read(&folder.join(path)));
    let mut actual: Vec<_> = found.packages.iter().map(columns).collect();
    let expected = std::fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let rows = expected.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut expected: Vec<Vec<String>> = rows.map(|row| row.split('\t').map(str::to_owned).collect()).collect();
    actual.sort();
    expected.sort();
    assert!(!expected.is_empty(), "{image}");
    assert_eq!(actual, expected, "{image}");
    assert_eq!(found.problems, Vec::<String>::new(), "{image}");
}

/// A file of the testdata folder, of which large ones are compressed.
pub(super) fn read(path: &Path) -> Vec<u8> {
    let compressed = path.with_added_extension("zst");
    match std::fs::File::open(compressed) {
        Ok(file) => zstd::decode_all(file).unwrap(),
        Err(_) => std::fs::read(path).unwrap(),
    }
}

/// Paths and contents of the real files that catalogers want and that are texts: rpm's databases, which are not, are
/// damaged by its own tests.
pub(super) fn texts() -> Vec<(String, Vec<u8>)> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut open: Vec<_> = ["locks", "packagedb"].map(|room| testdata.join(room)).into();
    let mut texts = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let in_image: PathBuf = path.strip_prefix(&testdata).unwrap().iter().skip(2).collect();
        let in_image = in_image.to_str().unwrap();
        if CATALOGERS.iter().any(|cataloger| cataloger.wants(in_image)) {
            texts.push((in_image.to_owned(), std::fs::read(path).unwrap()));
        }
    }
    texts
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/packagedb")
}

/// Reads the file at `path` of the folder and compares names and versions of all packages, each once, with its
/// `expected.tsv`.
#[track_caller]
pub(super) fn assert_lists_expected(cataloger: &dyn Cataloger, lock: &str, path: &str) {
    assert!(cataloger.wants(path), "{path}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/locks").join(lock);
    let found = catalog(cataloger, &std::fs::read(folder.join(path)).unwrap());
    let actual: BTreeSet<_> =
        found.packages.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect();
    let expected = std::fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let rows = expected.lines().filter(|line| !line.starts_with('#'));
    let expected: BTreeSet<_> = rows.map(|row| row.split_once('\t').unwrap()).collect();
    let difference: Vec<_> = actual.symmetric_difference(&expected).collect();
    assert!(difference.is_empty() && !expected.is_empty(), "{lock}: {difference:?}");
    assert_eq!(found.problems, Vec::<String>::new(), "{lock}");
}
