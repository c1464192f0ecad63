//! The advisory database: everything that goes in is accounted for.

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

/// Records in a zip, counted by a tool that knows nothing of Plimsoll.
fn records(zip: &Path) -> u64 {
    let listing = crate::support::process::run(std::process::Command::new("unzip").args(["-Z1"]).arg(zip));
    listing.lines().filter(|name| name.ends_with(".json")).count() as u64
}

#[test]
fn no_record_is_silently_dropped() {
    let folder = advisories();
    let installation = Installation::new("");
    let imported = installation.run(&["advisories", "import", folder.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let status: Value = serde_json::from_slice(&installation.run(&["advisories", "status", "--json"]).stdout).unwrap();
    let sources = status["sources"].as_array().unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "zip") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let source =
            sources.iter().find(|source| source["name"] == name).unwrap_or_else(|| panic!("{name} is missing"));
        let left_out: u64 =
            source["skipped"].as_object().unwrap().values().map(|skipped| skipped["count"].as_u64().unwrap()).sum();
        assert_eq!(source["read"], records(&path), "{name}");
        assert_eq!(source["read"].as_u64(), Some(source["kept"].as_u64().unwrap() + left_out), "{name}");
    }
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
