//! A whole receiver on a loopback port, with the real store and the real queue.

use std::net::SocketAddr;

use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusBuilder;
use shared::durable::Durable;
use shared::job::ScanJob;
use shared::queue::embedded::EmbeddedQueue;
use shared::queue::{Topic, message};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::sources::standard_webhooks::sign;
use crate::store::sled::SledStore;
use crate::store::{Page, ScanStatus};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

struct Running {
    address: SocketAddr,
    store: Arc<SledStore>,
    queue: Arc<EmbeddedQueue>,
    shutdown: Shutdown,
    task: JoinHandle<Result<(), RunError>>,
    _folder: TempDir,
}

fn start() -> Running {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SledStore::open(&folder.path().join("store")).unwrap());
    let durable = Durable::open(&folder.path().join("queue"), 1 << 20).unwrap();
    let queue = Arc::new(EmbeddedQueue::open(durable).unwrap());
    let registries = BTreeMap::from([("main".to_owned(), RegistryConfig::anonymous("r.example"))]);
    let section = format!("kind = 'standard-webhooks'\nsecrets = ['{SECRET}']").parse().unwrap();
    let parts = Parts {
        config: ReceiverConfig::default(),
        sources: Sources::build(&BTreeMap::from([("events".to_owned(), section)]), &registries).unwrap(),
        registries,
        store: store.clone(),
        queue: queue.clone(),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        checks: Vec::new(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let task = tokio::spawn(run(parts, listener, shutdown.clone()));
    Running { address, store, queue, shutdown, task, _folder: folder }
}

/// Sends one request and gives the status line and what follows.
async fn exchange(address: SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A signed push of a tag of its own.
fn push(number: usize) -> String {
    let body = format!(
        r#"{{"type":"image.pushed","data":{{"registry":"r.example","repository":"team/app","tag":"{number}"}}}}"#
    );
    let (id, now) = (format!("msg_{number}"), Timestamp::now().as_second());
    let signature = sign(&SECRET.into(), &id, now, body.as_bytes()).unwrap();
    format!(
        "POST /webhooks/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\
         webhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_deliveries_are_all_kept_and_queued() {
    let running = start();
    let send = |number| tokio::spawn(exchange(running.address, push(number)));
    for answer in (0..64).map(send).collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }
    let mut consumer = running.queue.consume(&Topic::JOBS, 1).await.unwrap();
    let mut tags = std::collections::BTreeSet::new();
    while tags.len() < 64 {
        let received = consumer.next().await.unwrap();
        let job: ScanJob = message::decode(&received.body).unwrap();
        tags.insert(job.tag.unwrap());
        received.ack().await.unwrap();
    }
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody listens any more");
    let page = Page { limit: 100, cursor: None };
    let scans = running.store.scans(None, &page).await.unwrap().items;
    assert_eq!(scans.len(), 64);
    assert!(scans.iter().all(|scan| matches!(scan.status, ScanStatus::Accepted | ScanStatus::Queued)));
}

#[tokio::test(flavor = "multi_thread")]
async fn api_health_and_metrics_are_there() {
    let running = start();
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        exchange(running.address, request)
    };
    for (path, status) in
        [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/api/v1/findings", 401), ("/webhooks/events", 405)]
    {
        let answer = get(path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
}
