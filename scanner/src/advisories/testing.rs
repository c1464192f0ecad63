//! Small databases for tests.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Database, Folder, ImportReport};

/// Real records, copied from the sources that publish them.
pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/advisories")
}

/// A database of the records in `paths`.
pub(crate) fn import(paths: &[PathBuf]) -> (TempDir, Folder, ImportReport) {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path());
    let report = folder.import(paths, &|_| ()).unwrap();
    (root, folder, report)
}

/// A database of `records`, JSON each, as a source named `records`.
pub(crate) fn database(records: &[&str]) -> (TempDir, Database) {
    database_with(records, &[])
}

/// A temporary folder that holds a folder `name` with `records`.
pub(crate) fn folder_of(name: &str, records: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join(name)).unwrap();
    for (number, record) in records.iter().enumerate() {
        fs::write(root.path().join(name).join(format!("{number:03}.json")), record).unwrap();
    }
    root
}

/// A database of `records` and of tables, each with its file name.
pub(crate) fn database_with(records: &[&str], tables: &[(&str, &str)]) -> (TempDir, Database) {
    let root = folder_of("records", records);
    for (name, text) in tables {
        fs::write(root.path().join("records").join(name), text).unwrap();
    }
    let (database_root, folder, _) = import(&[root.path().join("records")]);
    let database = Database::open(&folder.database_path()).unwrap();
    (database_root, database)
}
