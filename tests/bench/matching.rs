//! What it costs to match 500 packages of an ecosystem, and 1,000 of a mixed image, beside what it costs to parse the JSON
//! of the advisories that were found: what a scanner would pay at the least without a database built for look-ups.
//!
//!     cargo bench --bench matching
//!
//! Reads advisories from PLIMSOLL_ADVISORIES, else ../shared/advisories, else deploy/demo/advisories; with
//! PLIMSOLL_DATABASE, a database that was built of them, instead of building one. Packages are those that the first
//! records of each ecosystem name, in the versions that the records say are affected first.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use scanner::advisories::osv::{Affected, Record};
use scanner::advisories::{Database, Folder};
use scanner::matcher::match_packages;
use scanner::vendors::base_ecosystem;
use shared::package::Package;

/// The one that Plimsoll runs with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PACKAGES: usize = 500;
const RUNS: usize = 30;
/// An image with a distribution and an application of several languages: 1,000 packages.
const MIXED: [(&str, usize); 5] = [("Debian", 300), ("npm", 400), ("PyPI", 120), ("Go", 100), ("Maven", 80)];

fn main() {
    let advisories = advisories();
    let root = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PLIMSOLL_DATABASE").map_or_else(|| built(root.path(), &advisories), PathBuf::from);
    let opening = median(|| Database::open(&path).unwrap());
    let database = Database::open(&path).unwrap();

    println!("opening the database of {} MB: {:.2} ms", database.size() / 1_000_000, opening.as_secs_f64() * 1e3);
    println!("matching packages against {}, median of {RUNS} runs", advisories.display());
    println!("| ecosystem | packages | findings | match | parse the JSON of what was found | ratio |");
    println!("|---|---:|---:|---:|---:|---:|");
    for ecosystem in ["npm", "PyPI", "Alpine", "Debian"] {
        let records = records(&advisories, ecosystem);
        measure(ecosystem, &database, &records, &packages(&records, ecosystem, PACKAGES));
    }
    let mut records_of_all = Vec::new();
    let mut mixed = Vec::new();
    for (ecosystem, count) in MIXED {
        let records = records(&advisories, ecosystem);
        mixed.extend(packages(&records, ecosystem, count));
        records_of_all.extend(records);
    }
    measure("mixed", &database, &records_of_all, &mixed);
}

fn built(root: &Path, advisories: &PathBuf) -> PathBuf {
    let folder = Folder::new(root);
    folder.import(std::slice::from_ref(advisories), &|_| {}).unwrap();
    folder.database_path()
}

fn measure(what: &str, database: &Database, records: &[Published], packages: &[Package]) {
    let matched = match_packages(packages, None, database);
    let found: BTreeSet<_> = matched.findings.iter().flat_map(|finding| &finding.advisories).collect();
    let json: Vec<_> = records.iter().filter(|record| found.contains(&record.id)).map(|r| &r.json).collect();
    let matching = median(|| match_packages(packages, None, database));
    let parsing = median(|| json.iter().map(|json| Record::from_json(json).unwrap()).collect::<Vec<_>>());
    println!(
        "| {what} | {} | {} | {:.2} ms | {:.2} ms | {:.2} |",
        packages.len(),
        matched.findings.len(),
        matching.as_secs_f64() * 1e3,
        parsing.as_secs_f64() * 1e3,
        matching.as_secs_f64() / parsing.as_secs_f64()
    );
}

fn advisories() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = std::env::var_os("PLIMSOLL_ADVISORIES").map_or_else(|| root.join("../shared/advisories"), PathBuf::from);
    if all.is_dir() { all } else { root.join("deploy/demo/advisories") }
}

struct Published {
    id: String,
    affected: Vec<Affected>,
    json: Vec<u8>,
}

/// The records of the ecosystem's zips, `Debian.zip` and `Debian-….zip`.
fn records(advisories: &Path, ecosystem: &str) -> Vec<Published> {
    let mut zips: Vec<_> = std::fs::read_dir(advisories).unwrap().map(|entry| entry.unwrap().path()).collect();
    zips.sort();
    let name = |zip: &Path| zip.file_stem().unwrap().to_string_lossy().into_owned();
    let is_wanted = |zip: &PathBuf| name(zip) == ecosystem || name(zip).starts_with(&format!("{ecosystem}-"));
    let mut records = Vec::new();
    for path in zips.into_iter().filter(is_wanted) {
        let mut zip = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
        for index in 0..zip.len() {
            let mut json = Vec::new();
            zip.by_index(index).unwrap().read_to_end(&mut json).unwrap();
            if let Ok(Record { id, affected, .. }) = Record::from_json(&json) {
                records.push(Published { id, affected, json });
            }
        }
    }
    records
}

/// Packages of one release, the last that has as many, each in the first version that a record calls affected.
fn packages(records: &[Published], ecosystem: &str, count: usize) -> Vec<Package> {
    let mut releases: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for affected in records.iter().flat_map(|record| &record.affected) {
        let Some(package) = affected.package.as_ref().filter(|p| base_ecosystem(&p.ecosystem) == ecosystem) else {
            continue;
        };
        let release = releases.entry(&package.ecosystem).or_default();
        release.entry(&package.name).or_insert_with(|| an_affected_version(affected));
    }
    let full = releases.iter().rev().find(|(_, packages)| packages.len() >= count);
    let largest = || releases.iter().max_by_key(|(_, packages)| packages.len());
    let Some((release, packages)) = full.or_else(largest) else { return Vec::new() };
    packages.iter().take(count).map(|(name, version)| package(release, name, version)).collect()
}

fn an_affected_version(affected: &Affected) -> String {
    let introduced = affected.ranges.iter().flat_map(|range| &range.events).find_map(|event| event.introduced.clone());
    affected.versions.first().cloned().or(introduced).unwrap_or_default()
}

fn package(ecosystem: &str, name: &str, version: &str) -> Package {
    Package {
        purl: format!("pkg:generic/{name}@{version}"),
        ecosystem: Some(ecosystem.to_owned()),
        name: name.to_owned(),
        version: version.to_owned(),
        ..Package::default()
    }
}

fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let clock = Instant::now();
            std::hint::black_box(work());
            clock.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}
