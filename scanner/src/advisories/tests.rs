//! From records to look-ups, and what happens when files are not what they should be.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use shared::package::Package;

use super::testing::{database, folder_of, import, testdata};
use super::*;
use crate::matcher::{explain, match_packages};

#[test]
fn names_have_one_spelling_per_ecosystem() {
    assert_eq!(normalize_name("PyPI", "Foo_.-Bar.baz"), "foo-bar-baz");
    assert_eq!(normalize_name("NuGet", "Newtonsoft.Json"), "newtonsoft.json");
    assert_eq!(normalize_name("npm", "@Scope/Name"), "@Scope/Name");
}

#[test]
fn real_records_are_imported_and_looked_up() {
    let (_root, folder, report) = import(&[testdata()]);
    let [source] = report.sources.as_slice() else { panic!("{report:?}") };
    assert_eq!((source.name.as_str(), source.read, source.kept), ("advisories", 12, 11));
    assert_eq!(source.skipped[&Reason::Withdrawn].first, ["PYSEC-2006-10"]);

    let database = Database::open(&folder.database_path()).unwrap();
    database.verify(&folder.database_path()).unwrap();
    let entries = database.lookup("Debian:11", "openssl").unwrap();
    let ids: Vec<_> = entries.iter().map(|entry| database.record(entry.record).unwrap().id).collect();
    assert_eq!(ids, ["DEBIAN-CVE-2022-0778", "DSA-5103-1"]);
    assert!(database.lookup("Debian:14", "openssl").unwrap().is_empty());
    assert!(database.covers("Debian:12") && !database.covers("Debian:14") && database.covers("PyPI"));
    let name = database.number_of("CVE-2022-0778").unwrap().unwrap();
    assert_eq!((database.name(name).unwrap(), database.records_named(name).unwrap().len()), ("CVE-2022-0778", 5));

    let jinja = &database.lookup("PyPI", "jinja2").unwrap()[0];
    assert!(jinja.versions.is_empty(), "the range covers every listed version: {:?}", jinja.versions);
    let id = database.record(jinja.record).unwrap().claims().unwrap()[0].names.iter().copied().min().unwrap();
    let dossier = database.dossier(id).unwrap().unwrap();
    let text = database.text(&dossier, &mut TextReader::new().unwrap()).unwrap();
    assert!(text.description.starts_with("The default configuration for bccache"), "{text:?}");
}

#[test]
fn what_names_no_release_holds_for_every_release() {
    let (_root, database) = database(&[
        r#"{"id":"A","affected":[{"package":{"ecosystem":"Debian","name":"x"},"versions":["1"]}]}"#,
        r#"{"id":"B","affected":[{"package":{"ecosystem":"Debian:12","name":"x"},"versions":["1"]}]}"#,
    ]);
    assert_eq!(database.lookup("Debian:12", "x").unwrap().len(), 2);
    assert_eq!(database.lookup("Debian:13", "x").unwrap().len(), 1);
    assert!(database.covers("Debian:13"));
}

#[test]
fn the_same_input_has_the_same_version() {
    let (_one, _, first) = import(&[testdata()]);
    let (_two, _, second) = import(&[testdata()]);
    assert_eq!(first, second);
}

#[test]
fn the_newest_of_one_id_speaks_for_an_ecosystem() {
    let old = r#"{"id":"G","modified":"2024-01-01T00:00:00Z","affected":[
        {"package":{"ecosystem":"npm","name":"a"},"versions":["1"]},{"package":{"ecosystem":"PyPI","name":"a"},"versions":["1"]}]}"#;
    let new = r#"{"id":"G","modified":"2024-02-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"b"},"versions":["1"]}]}"#;
    let newest = r#"{"id":"G","modified":"2024-03-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"c"},"versions":["1"]}]}"#;
    let records = folder_of("records", &[old, newest, new]);
    let (_root, folder, report) = import(&[records.path().join("records")]);
    assert_eq!((report.totals(), report.sources[0].skipped[&Reason::Superseded].count), ((3, 2), 1));
    let database = Database::open(&folder.database_path()).unwrap();
    let is_named = |ecosystem, name| !database.lookup(ecosystem, name).unwrap().is_empty();
    assert!(is_named("npm", "c") && is_named("PyPI", "a"));
    assert!(!is_named("npm", "a") && !is_named("npm", "b"));
}

#[test]
fn no_record_is_dropped_without_a_reason() {
    let large = format!(r#"{{"id":"L","details":"{}"}}"#, "x".repeat(17 << 20));
    let records = [
        "{}",
        "not json",
        &large,
        r#"{"id":"A"}"#,
        r#"{"id":"B","withdrawn":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1"]}]}"#,
        r#"{"id":"C","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1"]},{"versions":["1"]}]}"#,
    ];
    let folder = folder_of("records", &records);
    let (_root, _, report) = import(&[folder.path().join("records")]);
    let source = &report.sources[0];
    let reasons: Vec<_> = source.skipped.iter().map(|(reason, examples)| (*reason, examples.count)).collect();
    let expected = [Reason::Withdrawn, Reason::NoPackage, Reason::NoId, Reason::Malformed, Reason::TooLarge]
        .map(|reason| (reason, 1));
    assert_eq!(reasons, expected);
    assert_eq!((source.read, source.kept), (6, 1));
    assert_eq!(source.shortened[&Reason::NoPackage].first, ["C"]);
    assert_eq!(source.skipped[&Reason::Malformed].first, ["001.json"]);
}

#[test]
fn importing_a_source_replaces_that_source_alone() {
    let one =
        folder_of("one", &[r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1"]}]}"#]);
    let two =
        folder_of("two", &[r#"{"id":"B","affected":[{"package":{"ecosystem":"npm","name":"b"},"versions":["1"]}]}"#]);
    let (_root, folder, _) = import(&[one.path().join("one"), two.path().join("two")]);
    fs::write(
        one.path().join("one/000.json"),
        r#"{"id":"C","affected":[{"package":{"ecosystem":"npm","name":"c"},"versions":["1"]}]}"#,
    )
    .unwrap();
    folder.import(&[one.path().join("one")], &|_| ()).unwrap();
    let database = Database::open(&folder.database_path()).unwrap();
    let found: Vec<_> = ["a", "b", "c"].map(|name| database.lookup("npm", name).unwrap().len()).into();
    assert_eq!(found, [0, 1, 1]);
}

#[test]
fn importing_a_table_leaves_all_else() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(root.path().join(name), text).unwrap();
        root.path().join(name)
    };
    let (_root, folder, before) =
        import(&[testdata(), write("scores", "cve,epss,percentile\nCVE-2022-0778,0.1,0.2\n")]);
    let kev = r#"{"vulnerabilities":[{"cveID":"CVE-2022-0778","dateAdded":"2022-04-01","dueDate":"2022-04-22"}]}"#;
    folder.import(&[write("known.json", kev)], &|_| ()).unwrap();
    let after = folder.import(&[write("scores", "cve,epss,percentile\nCVE-2022-0778,0.3,0.4\n")], &|_| ()).unwrap();
    assert_eq!(after.sources, before.sources);
    assert_eq!(
        after.tables.iter().map(|table| (table.kind, table.kept)).collect::<Vec<_>>(),
        [(TableKind::Kev, 1), (TableKind::Epss, 1)]
    );
    let database = Database::open(&folder.database_path()).unwrap();
    let number = database.number_of("CVE-2022-0778").unwrap().unwrap();
    let dossier = database.dossier(number).unwrap().unwrap();
    assert!(dossier.exploited.is_some());
    assert_eq!(dossier.epss.map(|epss| epss.score), Some(0.3));
    assert_eq!(folder.status(Duration::MAX, Timestamp::now()).unwrap().tables, after.tables);
}

#[test]
fn tables_alone_are_a_database_that_covers_nothing() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("scores.csv"), "cve,epss,percentile\nCVE-2022-0778,0.1,0.2\n").unwrap();
    let (_root, folder, report) = import(&[root.path().to_owned()]);
    assert_eq!((report.totals(), report.tables[0].kept), ((0, 0), 1));
    assert!(!Database::open(&folder.database_path()).unwrap().covers("PyPI"));
}

#[test]
fn what_holds_no_advisories_is_refused_and_changes_nothing() {
    let (root, folder, before) = import(&[testdata()]);
    let path = |name: &str| root.path().join(name);
    fs::write(path("broken.zip"), b"PK\x03\x04 and nothing behind it").unwrap();
    fs::write(path("notes.txt"), b"notes").unwrap();
    fs::create_dir(path("empty")).unwrap();
    for name in ["broken.zip", "notes.txt", "empty", "nowhere"] {
        assert!(folder.import(&[path(name)], &|_| ()).is_err(), "{name}");
    }
    let after = folder.status(Duration::MAX, Timestamp::now()).unwrap();
    assert_eq!(after.version, before.version);
}

#[test]
fn a_directory_that_would_not_fit_into_memory_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut end = b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff".to_vec();
    end.extend_from_slice(&u32::MAX.to_le_bytes());
    end.extend_from_slice(&[0; 6]);
    fs::write(root.path().join("huge.zip"), end).unwrap();
    let error = Folder::new(root.path().join("data")).import(&[root.path().join("huge.zip")], &|_| ()).unwrap_err();
    assert!(error.to_string().contains("directory"), "{error}");
}

#[test]
fn a_zip_that_lies_about_a_record_costs_that_record_alone() {
    let (root, folder, _) = import(&[testdata()]);
    let zip = root.path().join("sources/advisories.zip");
    let mut bytes = fs::read(&zip).unwrap();
    for byte in &mut bytes[60..90] {
        *byte = !*byte;
    }
    fs::write(&zip, bytes).unwrap();
    let report = folder.import(&[zip], &|_| ()).unwrap();
    assert_eq!(report.sources[0].skipped[&Reason::Unreadable].count, 1);
    assert_eq!(report.totals().0, 12);
}

#[test]
fn only_one_import_runs_at_a_time() {
    let (_root, folder, _) = import(&[testdata()]);
    let _lock = folder.lock().unwrap();
    assert!(matches!(folder.import(&[testdata()], &|_| ()), Err(AdvisoriesError::Busy(_))));
}

#[test]
fn files_that_are_no_database_say_what_to_do() {
    let (root, folder, _) = import(&[testdata()]);
    let whole = fs::read(folder.database_path()).unwrap();
    let mut other_format = whole.clone();
    other_format[8] = 99;
    let cases: [(&[u8], &str); 5] = [
        (b"", "is not an advisory database"),
        (b"PLIMSOLL", "is truncated"),
        (&whole[..whole.len() - 1], "is truncated"),
        (&other_format, "has format 99"),
        (b"SQLite format 3", "is not an advisory database"),
    ];
    let path = root.path().join("case.db");
    for (bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        let error = Database::open(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("plimsoll advisories update"), "{error}");
    }
    let missing = Database::open(&root.path().join("none.db")).unwrap_err();
    assert!(missing.to_string().contains("plimsoll advisories import"), "{missing}");

    let mut changed = whole;
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&path, changed).unwrap();
    if let Ok(database) = Database::open(&path) {
        assert!(matches!(database.verify(&path), Err(DatabaseError::Checksum(_))));
    }
}

#[test]
fn a_handle_gives_out_the_current_database() {
    let (_root, folder, _) = import(&[testdata()]);
    let handle = DatabaseHandle::new(folder.database_path()).stale_after(Duration::ZERO);
    let first = handle.current().unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &handle.current().unwrap()));
    let record = r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1"]}]}"#;
    let more = folder_of("more", &[record]);
    folder.import(&[more.path().join("more")], &|_| ()).unwrap();
    let second = handle.current().unwrap();
    assert_ne!(first.stamp().version, second.stamp().version);
    assert!(first.lookup("npm", "a").unwrap().is_empty(), "what was given out stays as it was");
    let later = second.stamp().built_at + jiff::SignedDuration::from_hours(1);
    assert_eq!(second.staleness(later).unwrap().code, "stale-advisories");
    fs::remove_file(folder.database_path()).unwrap();
    assert!(matches!(handle.current(), Err(DatabaseError::Missing(_))));
}

/// Files of the records in the test data, by name.
fn records() -> Vec<PathBuf> {
    let files = fs::read_dir(testdata()).unwrap().map(|file| file.unwrap().path());
    let mut records: Vec<_> = files.filter(|file| file.extension().is_some_and(|kind| kind == "json")).collect();
    records.sort();
    records
}

/// 564 records of public projects' test data; absent outside the workshop.
#[test]
fn every_whole_record_as_published_is_read() {
    for record in records() {
        osv::Record::from_json(&fs::read(record).unwrap()).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/osv-records/records.json.gz");
    let Ok(file) = File::open(path) else { return };
    let mut json = Vec::new();
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut json).unwrap();
    let records: Vec<Box<serde_json::value::RawValue>> = serde_json::from_slice(&json).unwrap();
    for record in &records {
        let read = osv::Record::from_json(record.get().as_bytes());
        assert!(read.is_ok_and(|read| !read.id.is_empty()), "{:.100}", record.get());
    }
    assert_eq!(records.len(), 564);
}

static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let tables = tempfile::tempdir().unwrap();
    let kev = r#"{"vulnerabilities":[{"cveID":"CVE-2022-0778","dateAdded":"2022-04-01","dueDate":"2022-04-22"}]}"#;
    fs::write(tables.path().join("kev.json"), kev).unwrap();
    fs::write(tables.path().join("epss.csv"), "cve,epss,percentile\nCVE-2022-0778,0.1,0.2\n").unwrap();
    let (_root, folder, _) = import(&[testdata(), tables.path().to_owned()]);
    fs::read(folder.database_path()).unwrap()
});

fn some_packages() -> Vec<Package> {
    let package = |ecosystem: &str, name: &str, version: &str| Package {
        ecosystem: Some(ecosystem.to_owned()),
        name: name.to_owned(),
        version: version.to_owned(),
        ..Package::default()
    };
    vec![
        package("Debian:11", "openssl", "1.0"),
        package("PyPI", "Jinja2", "2.0"),
        package("npm", "lodash", "4.0.0"),
        package("Wolfi", "ctop", "0.7"),
    ]
}

/// The zip that an import makes of loose records.
static ZIP: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (_root, folder, _) = import(&[testdata()]);
    fs::read(folder.sources_path().join("advisories.zip")).unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_damaged_zip_is_read_or_refused(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = ZIP.clone();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let root = tempfile::tempdir().unwrap();
        let zip = root.path().join("some.zip");
        fs::write(&zip, bytes).unwrap();
        if let Ok(report) = Folder::new(root.path().join("database")).import(&[zip], &|_| ()) {
            let left_out: u64 = report.sources.iter().flat_map(|source| source.skipped.values()).map(|some| some.count).sum();
            let (read, kept) = report.totals();
            prop_assert_eq!(read, kept + left_out);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_database_is_an_error_and_never_a_panic(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut bytes = SMALL.clone();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        if let Ok(database) = Database::open(file.path()) {
            let packages = some_packages();
            let matched = match_packages(&packages, None, &database);
            prop_assert!(matched.findings.len() < 1_000);
            let _ = explain(&packages[0], Some("CVE-2022-0778"), &database);
            prop_assert!(database.verify(file.path()).is_err() || bytes == *SMALL || bytes[..200] != SMALL[..200]);
        }
    }

    #[test]
    fn a_damaged_record_is_read_or_refused(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        which in 0_usize..12,
    ) {
        let mut json = fs::read(&records()[which]).unwrap();
        for (at, value) in flips {
            let at = at.index(json.len());
            json[at] = value;
        }
        if let Ok(record) = osv::Record::from_json(&json) {
            let _ = prepare::Prepared::new(&record);
        }
    }
}
