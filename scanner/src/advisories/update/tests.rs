//! Against a server on the loopback that behaves as a store of files does, and sometimes does not.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;
use crate::advisories::testing::{folder_of, testdata};
use crate::advisories::zips;

/// How the server treats the next request.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    /// Breaks off in the middle of the body.
    Broken,
    Busy,
}

#[derive(Default)]
struct Shelf {
    /// Path to contents and tag.
    files: BTreeMap<String, (Vec<u8>, String)>,
    moods: Vec<Mood>,
    requests: Vec<String>,
}

#[derive(Clone)]
struct Server {
    url: String,
    shelf: Arc<Mutex<Shelf>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { url: format!("http://{}/base", listener.local_addr().unwrap()), shelf: Arc::default() };
        let answering = server.clone();
        std::thread::spawn(move || listener.incoming().try_for_each(|stream| answering.answer(stream?)));
        server
    }

    fn put(&self, path: &str, contents: Vec<u8>, tag: &str) {
        self.shelf.lock().unwrap().files.insert(path.to_owned(), (contents, format!("\"{tag}\"")));
    }

    fn moods(&self, moods: &[Mood]) {
        self.shelf.lock().unwrap().moods = moods.to_vec();
    }

    /// The requests since the last call: status and path, with the range if one was asked for.
    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.shelf.lock().unwrap().requests)
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
            request.push(byte[0]);
        }
        let request = String::from_utf8_lossy(&request).into_owned();
        let header = |name: &str| {
            request.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix(name).map(|_| line[name.len()..].trim().to_owned())
            })
        };
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut shelf = self.shelf.lock().unwrap();
        let mood = if shelf.moods.is_empty() { Mood::Well } else { shelf.moods.remove(0) };
        let found = shelf.files.get(&path).cloned();
        let (status, headers, body) = match found {
            _ if mood == Mood::Busy => ("503 Busy", String::new(), Vec::new()),
            None => ("404 Not Found", String::new(), Vec::new()),
            Some((_, tag)) if header("if-none-match:").as_ref() == Some(&tag) => {
                ("304 Not Modified", String::new(), Vec::new())
            }
            Some((contents, tag)) => match header("range:").filter(|_| header("if-range:").as_ref() == Some(&tag)) {
                Some(range) => {
                    let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
                    let last = contents.len() - 1;
                    let headers = format!("Content-Range: bytes {from}-{last}/{}\r\nETag: {tag}\r\n", contents.len());
                    ("206 Partial Content", headers, contents[from..].to_vec())
                }
                None => ("200 OK", format!("ETag: {tag}\r\n"), contents),
            },
        };
        shelf.requests.push(format!("{} {path}", &status[..3]));
        drop(shelf);
        let sent = if mood == Mood::Broken { body.len() / 2 } else { body.len() };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n", body.len())?;
        stream.write_all(&body[..sent])
    }
}

fn zip_of(records: &[&str]) -> Vec<u8> {
    let folder = folder_of("records", records);
    let files: Vec<_> = (0..records.len()).map(|n| folder.path().join(format!("records/{n:03}.json"))).collect();
    zips::write(&folder.path().join("all.zip"), &files).unwrap();
    fs::read(folder.path().join("all.zip")).unwrap()
}

fn real_zip() -> Vec<u8> {
    let mut files: Vec<_> = fs::read_dir(testdata()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let root = tempfile::tempdir().unwrap();
    zips::write(&root.path().join("all.zip"), &files).unwrap();
    fs::read(root.path().join("all.zip")).unwrap()
}

async fn update(folder: &Folder, server: &Server, ecosystems: &[&str]) -> Result<UpdateReport, AdvisoriesError> {
    let without = Some(String::new());
    update_by(folder, AdvisoriesConfig { kev_url: without.clone(), epss_url: without, ..config(server, ecosystems) })
        .await
}

fn config(server: &Server, ecosystems: &[&str]) -> AdvisoriesConfig {
    AdvisoriesConfig {
        url: server.url.clone(),
        ecosystems: ecosystems.iter().map(|ecosystem| (*ecosystem).to_owned()).collect(),
        ..AdvisoriesConfig::default()
    }
}

async fn update_by(folder: &Folder, config: AdvisoriesConfig) -> Result<UpdateReport, AdvisoriesError> {
    folder.update_with(&config, 3, Duration::from_millis(1), Arc::new(|_| ())).await
}

fn outcomes(report: &UpdateReport) -> Vec<&str> {
    let word = |update: &SourceUpdate| match update.outcome {
        Updated::Fetched { .. } => "fetched",
        Updated::Unchanged => "unchanged",
        Updated::Failed { .. } => "failed",
    };
    report.updates.iter().map(word).collect()
}

const ONE: &str = r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1"]}]}"#;
const TWO: &str = r#"{"id":"B","affected":[{"package":{"ecosystem":"npm","name":"b"},"versions":["1"]}]}"#;

#[tokio::test]
async fn only_what_changed_is_fetched() {
    let (root, server) = (tempfile::tempdir().unwrap(), Server::start());
    let folder = Folder::new(root.path());
    server.put("/base/npm/all.zip", zip_of(&[ONE]), "1");
    server.put("/base/Azure%20Linux/all.zip", real_zip(), "1");
    let first = update(&folder, &server, &["npm", "Azure Linux"]).await.unwrap();
    assert_eq!((outcomes(&first), first.database.totals()), (vec!["fetched", "fetched"], (13, 12)));

    let second = update(&folder, &server, &["npm", "Azure Linux"]).await.unwrap();
    assert_eq!(outcomes(&second), ["unchanged", "unchanged"]);
    assert_eq!(second.database, first.database);
    Database::open(&folder.database_path()).unwrap().verify(&folder.database_path()).unwrap();

    server.put("/base/npm/all.zip", zip_of(&[ONE, TWO]), "2");
    server.seen();
    let third = update(&folder, &server, &["npm", "Azure Linux"]).await.unwrap();
    assert_eq!((outcomes(&third), third.database.totals().0), (vec!["fetched", "unchanged"], 14));
    assert_eq!(server.seen(), ["200 /base/npm/all.zip", "304 /base/Azure%20Linux/all.zip"]);
    assert_ne!(third.database.version, first.database.version);
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_ended() {
    let (root, server) = (tempfile::tempdir().unwrap(), Server::start());
    let folder = Folder::new(root.path());
    server.put("/base/PyPI/all.zip", real_zip(), "1");
    server.moods(&[Mood::Broken, Mood::Busy]);
    let report = update(&folder, &server, &["PyPI"]).await.unwrap();
    assert_eq!((outcomes(&report), report.database.totals()), (vec!["fetched"], (12, 11)));
    assert_eq!(server.seen(), ["200 /base/PyPI/all.zip", "503 /base/PyPI/all.zip", "206 /base/PyPI/all.zip"]);
    assert_eq!(fs::read(root.path().join("sources/PyPI.zip")).unwrap(), real_zip());
}

#[tokio::test]
async fn a_file_that_changed_in_between_is_fetched_whole() {
    let (root, server) = (tempfile::tempdir().unwrap(), Server::start());
    let folder = Folder::new(root.path());
    server.put("/base/PyPI/all.zip", zip_of(&[ONE]), "1");
    server.moods(&[Mood::Broken; 3]);
    assert!(update(&folder, &server, &["PyPI"]).await.is_err(), "there is nothing to build from");
    server.put("/base/PyPI/all.zip", real_zip(), "2");
    let report = update(&folder, &server, &["PyPI"]).await.unwrap();
    assert_eq!(report.database.totals().0, 12);
}

#[tokio::test]
async fn a_failed_update_keeps_what_was_there() {
    let (root, server) = (tempfile::tempdir().unwrap(), Server::start());
    let folder = Folder::new(root.path());
    server.put("/base/npm/all.zip", zip_of(&[ONE]), "1");
    let before = update(&folder, &server, &["npm"]).await.unwrap();
    server.put("/base/npm/all.zip", b"<html>maintenance</html>".to_vec(), "2");
    let after = update(&folder, &server, &["npm", "Nowhere"]).await.unwrap();
    assert_eq!((outcomes(&after), &after.database), (vec!["failed", "failed"], &before.database));
    let Updated::Failed { why } = &after.updates[1].outcome else { panic!("{after:?}") };
    assert!(why.contains("/base/Nowhere/all.zip") && why.contains("404"), "{why}");
}

#[tokio::test]
async fn an_imported_source_is_not_taken_for_a_download() {
    let (root, server) = (tempfile::tempdir().unwrap(), Server::start());
    let folder = Folder::new(root.path());
    server.put("/base/npm/all.zip", zip_of(&[ONE]), "1");
    update(&folder, &server, &["npm"]).await.unwrap();
    let own = folder_of("npm", &[TWO]);
    folder.import(&[own.path().join("npm")], &|_| ()).unwrap();
    let report = update(&folder, &server, &["npm"]).await.unwrap();
    assert_eq!(outcomes(&report), ["fetched"]);
}

const EPSS: &[u8] = b"#model_version:v1,score_date:2026-01-02T00:00:00Z\ncve,epss,percentile\nCVE-2024-0001,0.5,0.9\n";

#[tokio::test]
async fn a_table_that_fails_harms_nothing_else() {
    let (root, server) = (tempfile::tempdir().unwrap(), Server::start());
    let folder = Folder::new(root.path());
    server.put("/base/npm/all.zip", zip_of(&[ONE]), "1");
    server.put("/base/known_exploited_vulnerabilities.json", b"<html>maintenance</html>".to_vec(), "1");
    server.put("/base/epss_scores-current.csv.gz", EPSS.to_vec(), "1");
    let first = update_by(&folder, config(&server, &["npm"])).await.unwrap();
    assert_eq!(outcomes(&first), ["fetched", "failed", "fetched"]);
    let [epss] = first.database.tables.as_slice() else { panic!("{first:?}") };
    assert_eq!((epss.kind, epss.date.as_str(), epss.kept), (TableKind::Epss, "2026-01-02", 1));

    let built_at = || Database::open(&folder.database_path()).unwrap().stamp().built_at;
    build::restamp(&folder.database_path(), &root.path().join("old"), Timestamp::UNIX_EPOCH).unwrap();
    fs::rename(root.path().join("old"), folder.database_path()).unwrap();
    let second = update_by(&folder, config(&server, &["npm"])).await.unwrap();
    assert_eq!(outcomes(&second), ["unchanged", "failed", "unchanged"]);
    assert!(built_at() > Timestamp::UNIX_EPOCH, "the records are up to date");
}

#[tokio::test]
async fn addresses_and_names_that_cannot_be_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path());
    for (url, ecosystem) in
        [("file:///etc", "npm"), ("nonsense", "npm"), ("http://127.0.0.1", "../npm"), ("http://127.0.0.1", "")]
    {
        let config =
            AdvisoriesConfig { url: url.into(), ecosystems: vec![ecosystem.into()], ..AdvisoriesConfig::default() };
        let refused = folder.update(&config, Arc::new(|_| ())).await;
        assert!(matches!(refused, Err(AdvisoriesError::Config(_))), "{url} {ecosystem}: {refused:?}");
    }
}
