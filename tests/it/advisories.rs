//! The advisory database: everything that goes in is accounted for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use actix_web::error::ErrorNotFound;
use actix_web::{App, HttpServer, web};
use serde_json::Value;

use crate::support::eventually;
use crate::support::plimsoll::Installation;

/// All the advisories there are, where they are; else those of the demo.
fn advisories() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = root.join("../shared/advisories");
    if all.exists() { all } else { root.join("deploy/demo/advisories") }
}

/// Whole records as many sources publish them, a file each: those of public projects' test data, where they are; else
/// those of the scanner's.
fn loose_records(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(packed) = std::fs::File::open(root.join("../shared/fixtures/osv-records/records.json.gz")) else {
        return root.join("scanner/testdata/advisories");
    };
    let records: Vec<Value> = serde_json::from_reader(flate2::read::MultiGzDecoder::new(packed)).unwrap();
    let loose = folder.join("osv-records");
    std::fs::create_dir(&loose).unwrap();
    for (number, record) in records.iter().enumerate() {
        std::fs::write(loose.join(format!("{number}.json")), record.to_string()).unwrap();
    }
    loose
}

/// Records in a zip, counted by a tool that knows nothing of Plimsoll.
fn records(zip: &Path) -> u64 {
    let listing = crate::support::process::run(std::process::Command::new("unzip").args(["-Z1"]).arg(zip));
    listing.lines().filter(|name| is_record(name.as_ref())).count() as u64
}

fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}

/// Asserts that every record of every source is kept or counted under a reason, and that people are told of each reason.
#[test]
fn no_record_is_silently_dropped() {
    let unpacked = tempfile::tempdir().unwrap();
    let (zips, loose) = (advisories(), loose_records(unpacked.path()));
    let installation = Installation::new("");
    std::fs::remove_dir_all(installation.data_dir().join("advisories")).unwrap();
    let imported = installation.run(&["advisories", "import", zips.to_str().unwrap(), loose.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));

    let mut expected: BTreeMap<String, u64> = files(&zips)
        .filter(|file| file.extension().is_some_and(|extension| extension == "zip"))
        .map(|zip| (zip.file_stem().unwrap().to_string_lossy().into_owned(), records(&zip)))
        .collect();
    let count = files(&loose).filter(|file| is_record(file)).count() as u64;
    expected.insert(loose.file_name().unwrap().to_string_lossy().into_owned(), count);

    let status: Value = serde_json::from_slice(&installation.run(&["advisories", "status", "--json"]).stdout).unwrap();
    let mut left_out: BTreeMap<&str, u64> = BTreeMap::new();
    let mut read: BTreeMap<String, u64> = BTreeMap::new();
    for source in status["sources"].as_array().unwrap() {
        let mut accounted = source["kept"].as_u64().unwrap();
        for (reason, skipped) in source["skipped"].as_object().unwrap() {
            accounted += skipped["count"].as_u64().unwrap();
            *left_out.entry(reason).or_default() += skipped["count"].as_u64().unwrap();
        }
        assert_eq!(source["read"].as_u64(), Some(accounted), "{source}");
        read.insert(source["name"].as_str().unwrap().to_owned(), accounted);
    }
    assert_eq!(read, expected);

    let told = installation.run(&["advisories", "status"]).stdout;
    let told = String::from_utf8(told).unwrap();
    let mut counts: Vec<u64> = told
        .lines()
        .filter_map(|line| line.trim().strip_prefix("left out:")?.split_whitespace().next()?.parse().ok())
        .collect();
    counts.sort_unstable();
    let mut reasons: Vec<u64> = left_out.into_values().collect();
    reasons.sort_unstable();
    assert!(!reasons.is_empty() && counts == reasons, "{reasons:?} in {told}");
}

/// A mirror of the demo's advisories, in the layout of OSV's.
fn mirror() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let zip = async |ecosystem: web::Path<String>| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/advisories");
        std::fs::read(folder.join(format!("{ecosystem}.zip"))).map_err(ErrorNotFound)
    };
    let server = HttpServer::new(move || App::new().route("/{ecosystem}/all.zip", web::get().to(zip)));
    tokio::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
    url
}

/// An installation that has no advisories yet.
fn without_advisories(url: &str) -> Installation {
    let installation = Installation::new(&format!("[advisories]\nurl = \"{url}\"\necosystems = [\"npm\", \"PyPI\"]\n"));
    std::fs::remove_dir_all(installation.data_dir().join("advisories")).unwrap();
    installation
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_fetches_advisories_by_itself() {
    let installation = without_advisories(&mirror());
    let _up = installation.serve("up").await;
    let status = eventually("there is a database", async || {
        let output = installation.run(&["advisories", "status", "--json"]);
        output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
    })
    .await;
    let names: Vec<_> = status["sources"].as_array().unwrap().iter().map(|source| source["name"].clone()).collect();
    assert_eq!(names, ["PyPI", "npm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_the_first_start_serves_and_names_the_command() {
    let installation = without_advisories("http://127.0.0.1:1");
    let _up = installation.serve("up").await;
    eventually("the log says what to do", async || {
        installation.log_text().contains("plimsoll advisories import").then_some(())
    })
    .await;
    assert!(!installation.data_dir().join("advisories/advisories.db").exists());
}

#[test]
fn a_missing_or_damaged_database_names_the_command() {
    let installation = Installation::new("");
    let database = installation.data_dir().join("advisories/advisories.db");
    let explain = || installation.run(&["explain", "pkg:pypi/jinja2@2.11.2"]);
    let whole = std::fs::read(&database).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"not a database", b""] {
        // As the importer does it: a mapped file is never changed in place.
        let other = database.with_extension("other");
        std::fs::write(&other, damaged).unwrap();
        std::fs::rename(&other, &database).unwrap();
        let output = explain();
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains("plimsoll advisories"), "{output:?}");
    }
    std::fs::remove_file(&database).unwrap();
    assert!(String::from_utf8_lossy(&explain().stderr).contains("plimsoll advisories"));
}
