//! Whole scans, from a source in memory.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use shared::image::{Platform, Reference};
use shared::job::JobKind;
use shared::report::{BaseImage, Outcome};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::image::testing::{Tar, describe, gzip};
use crate::image::{LayerDescriptor, Resolved};

const STATUS: &str = "Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 8.5.0-2\n\n";

/// Serves layers, and counts how often each was asked for.
#[derive(Default)]
struct Memory {
    layers: Vec<LayerDescriptor>,
    blobs: HashMap<Digest, Vec<u8>>,
    base: Option<BaseImage>,
    opened: AtomicUsize,
}

impl Memory {
    fn new(tars: Vec<Tar>) -> Self {
        let mut memory = Self::default();
        for tar in tars {
            let blob = gzip(&tar.end());
            let layer = describe(&blob);
            memory.blobs.insert(layer.digest.clone(), blob);
            memory.layers.push(layer);
        }
        memory
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl ImageSource for Memory {
    async fn resolve(&self, reference: Option<&Reference>, _: &[Platform]) -> Result<Resolved, SourceError> {
        assert!(reference.is_none());
        let digest = Digest::sha256_of(b"manifest");
        let manifest = Manifest {
            digest: digest.clone(),
            platform: None,
            os_version: None,
            layers: self.layers.clone(),
            history: self.layers.iter().map(|layer| format!("COPY {} /", layer.digest)).collect(),
            base: self.base.clone(),
        };
        Ok(Resolved { digest, manifests: vec![manifest] })
    }

    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(io::Cursor::new(self.blobs[&layer.digest].clone())))
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// Never answers.
struct Silent;

#[async_trait]
impl ImageSource for Silent {
    async fn resolve(&self, _: Option<&Reference>, _: &[Platform]) -> Result<Resolved, SourceError> {
        std::future::pending().await
    }

    async fn open_layer(&self, _: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        std::future::pending().await
    }
}

/// Breaks off in the middle of every layer.
struct Breaking(Memory);

#[async_trait]
impl ImageSource for Breaking {
    async fn resolve(&self, reference: Option<&Reference>, platforms: &[Platform]) -> Result<Resolved, SourceError> {
        self.0.resolve(reference, platforms).await
    }

    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                let retry_after = Some(Duration::from_secs(7));
                Err(io::Error::other(SourceError::Temporary { reason: "connection reset".to_owned(), retry_after }))
            }
        }
        let start = self.0.blobs[&layer.digest][..20].to_vec();
        Ok(Box::new(io::Cursor::new(start).chain(Broken)))
    }
}

/// Its first layer ends only once the second one was opened.
struct Overlapping {
    memory: Memory,
    second_is_open: Arc<(Mutex<bool>, Condvar)>,
}

#[async_trait]
impl ImageSource for Overlapping {
    async fn resolve(&self, reference: Option<&Reference>, platforms: &[Platform]) -> Result<Resolved, SourceError> {
        self.memory.resolve(reference, platforms).await
    }

    async fn open_layer(&self, layer: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        struct End(Arc<(Mutex<bool>, Condvar)>);
        impl Read for End {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                let (is_open, changed) = &*self.0;
                let open = is_open.lock().unwrap();
                let patience = Duration::from_secs(10);
                let (open, _) = changed.wait_timeout_while(open, patience, |is_open| !*is_open).unwrap();
                if *open { Ok(0) } else { Err(io::ErrorKind::TimedOut.into()) }
            }
        }
        let bytes = self.memory.open_layer(layer).await?;
        if *layer == self.memory.layers[0] {
            return Ok(Box::new(bytes.chain(End(Arc::clone(&self.second_is_open)))));
        }
        *self.second_is_open.0.lock().unwrap() = true;
        self.second_is_open.1.notify_all();
        Ok(bytes)
    }
}

fn scanner(folder: &TempDir, change: impl FnOnce(&mut ScannerConfig)) -> Scanner {
    let mut config = ScannerConfig { name: Some("test".to_owned()), ..ScannerConfig::default() };
    change(&mut config);
    let advisories = DatabaseHandle::new(folder.path().join("advisories.db"));
    Scanner::new(config, &BTreeMap::new(), folder.path(), advisories).unwrap()
}

fn debian() -> Tar {
    let release = "ID=debian\nVERSION_ID=\"12\"\n";
    Tar::new().file("etc/os-release", release).file("var/lib/dpkg/status", STATUS)
}

async fn scan(scanner: &Scanner, source: &dyn ImageSource) -> ImageReport {
    let mut scanned = scanner.scan_source(source, None).await.unwrap();
    assert_eq!(scanned.images.len(), 1);
    scanned.images.remove(0)
}

#[tokio::test]
async fn a_layer_is_pulled_once_however_often_it_is_scanned() {
    let folder = TempDir::new().unwrap();
    let scanner = scanner(&folder, |_| {});
    let source = Memory::new(vec![debian(), Tar::new().file("app", "1"), Tar::new().file("app", "1")]);
    let (first, second) = tokio::join!(scan(&scanner, &source), scan(&scanner, &source));
    assert_eq!(source.opened(), 2);
    assert_eq!(first.packages, second.packages);
    assert_eq!(first.packages.len(), 1);
    assert_eq!(first.packages[0].layer.as_ref(), Some(&source.layers[0].digest));
    assert_eq!(first.distro.unwrap().ecosystem.as_deref(), Some("Debian:12"));

    let next = Memory::new(vec![debian(), Tar::new().file("app", "2")]);
    let report = scan(&scanner, &next).await;
    assert_eq!(next.opened(), 1);
    let cached: Vec<bool> = report.layers.iter().map(|layer| layer.cached).collect();
    assert_eq!(cached, [true, false]);
}

#[tokio::test]
async fn a_layer_is_pulled_while_the_one_below_is_read() {
    let folder = TempDir::new().unwrap();
    let scanner = scanner(&folder, |config| config.layer_concurrency = 2);
    let memory = Memory::new(vec![debian(), Tar::new().file("opt/new", "")]);
    let source = Overlapping { memory, second_is_open: Arc::default() };
    let report = scan(&scanner, &source).await;
    assert_eq!((report.packages.len(), source.memory.opened()), (1, 2));
}

#[tokio::test]
async fn layers_know_their_lines_and_an_unknown_registry_is_not_asked_for_the_base() {
    let folder = TempDir::new().unwrap();
    let base = BaseImage { name: Some("registry.invalid/base:1".to_owned()), digest: None };
    let source = Memory { base: Some(base.clone()), ..Memory::new(vec![debian(), Tar::new().file("app", "1")]) };
    let report = scan(&scanner(&folder, |_| {}), &source).await;
    let lines: Vec<_> = report.layers.iter().map(|layer| layer.created_by.clone().unwrap()).collect();
    assert_eq!(lines, source.layers.iter().map(|layer| format!("COPY {} /", layer.digest)).collect::<Vec<_>>());
    assert_eq!(report.base, Some(base));
    assert!(report.layers.iter().all(|layer| !layer.base));
}

#[tokio::test]
async fn without_advisories_a_result_is_partial_and_says_what_to_run() {
    let folder = TempDir::new().unwrap();
    let report = scan(&scanner(&folder, |_| {}), &Memory::new(vec![debian()])).await;
    assert_eq!((report.outcome, report.advisories), (Outcome::Partial, None));
    let warning = report.warnings.iter().find(|warning| warning.code == "no-advisories").unwrap();
    assert!(warning.message.contains("plimsoll advisories update"), "{}", warning.message);
}

#[tokio::test]
async fn a_file_behind_a_hard_link_costs_a_second_pass() {
    let folder = TempDir::new().unwrap();
    let tar = Tar::new().file("backup/status", STATUS).hardlink("var/lib/dpkg/status", "backup/status");
    let source = Memory::new(vec![tar]);
    let report = scan(&scanner(&folder, |_| {}), &source).await;
    assert_eq!(source.opened(), 2);
    assert_eq!(report.packages[0].name, "curl");
}

#[tokio::test]
async fn what_trying_again_cannot_change_is_a_failed_report() {
    let folder = TempDir::new().unwrap();
    let scanner = scanner(&folder, |config| config.limits.layers = 2);
    let mut mismatched = Memory::new(vec![debian()]);
    let digest = mismatched.layers[0].digest.clone();
    mismatched.blobs.insert(digest.clone(), gzip(&Tar::new().end()));
    let many = Memory::new(vec![Tar::new().file("a", ""), Tar::new().file("b", ""), Tar::new().file("c", "")]);
    for (source, reason) in [(mismatched, digest.as_str()), (many, "limit layers = 2")] {
        let report = scan(&scanner, &source).await;
        assert_eq!(report.outcome, Outcome::Failed);
        let said = report.reason.unwrap();
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn small_layers_cannot_get_past_the_limits_together() {
    let folder = TempDir::new().unwrap();
    let scanner = scanner(&folder, |config| config.limits.entries = 3);
    let layer = |name: &str| Tar::new().dir(name).file(&format!("{name}/x"), "");
    assert_ne!(scan(&scanner, &Memory::new(vec![layer("a")])).await.outcome, Outcome::Failed);
    let report = scan(&scanner, &Memory::new(vec![layer("a"), layer("b")])).await;
    assert!(report.reason.unwrap().contains("limit entries = 3"));
}

#[tokio::test]
async fn a_source_that_breaks_off_is_worth_another_try() {
    let folder = TempDir::new().unwrap();
    let error = scanner(&folder, |_| {}).scan_source(&Breaking(Memory::new(vec![debian()])), None).await.unwrap_err();
    match error {
        ScanError::Temporary { reason, retry_after } => {
            assert!(reason.contains("connection reset"), "{reason}");
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_scan_that_takes_too_long_fails_with_the_limit_named() {
    let folder = TempDir::new().unwrap();
    let scanner = scanner(&folder, |config| config.limits.scan_seconds = 0);
    let error = scanner.scan_source(&Silent, None).await.unwrap_err();
    assert!(matches!(&error, ScanError::Failed(reason) if reason.contains("scan_seconds = 0")), "{error:?}");
}

#[tokio::test]
async fn a_job_for_an_unknown_registry_fails_for_good() {
    let folder = TempDir::new().unwrap();
    let job = ScanJob {
        id: Uuid::now_v7(),
        kind: JobKind::Push,
        registry: "nowhere".to_owned(),
        repository: "team/app".parse().unwrap(),
        tag: Some("1".parse().unwrap()),
        digest: None,
        accepted_at: Timestamp::now(),
        trace: String::new(),
    };
    let report = scanner(&folder, |_| {}).scan_job(&job, 3, Timestamp::now()).await.unwrap();
    assert_eq!((report.outcome, report.attempt, report.scanner.as_str()), (Outcome::Failed, 3, "test"));
    assert!(report.reason.unwrap().contains("[registries.nowhere]"));
}

#[tokio::test]
async fn a_folder_is_scanned_like_an_image() {
    let (folder, root) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::create_dir_all(root.path().join("var/lib/dpkg")).unwrap();
    std::fs::write(root.path().join("var/lib/dpkg/status"), STATUS).unwrap();
    let report = scanner(&folder, |_| {}).scan_rootfs(root.path()).await.unwrap();
    assert_eq!((report.packages[0].name.as_str(), report.packages[0].layer.as_ref()), ("curl", None));
    assert!(scanner(&folder, |_| {}).scan_rootfs(&root.path().join("missing")).await.is_err());
}
