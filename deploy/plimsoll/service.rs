//! Putting a process together: queue, store, receiver, scanner.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::receiver::health::ReadinessCheck;
use ::receiver::sources::Sources;
use ::receiver::store::Store;
use ::receiver::store::sled::SledStore;
use ::scanner::config::ScannerConfig;
use ::scanner::pipeline::Scanner;
use ::scanner::worker::{self, WorkerConfig};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use shared::durable::Durable;
use shared::queue::Queue;
use shared::queue::embedded::EmbeddedQueue;
use shared::queue::rabbitmq::RabbitQueue;
use shared::shutdown::Shutdown;

use crate::Failure;
use crate::config::{QueueConfig, Settings};

/// Memory that the embedded queue may keep of its disk.
const QUEUE_CACHE_BYTES: u64 = 16 << 20;

/// Folder of the store.
pub(crate) fn store_path(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// Opens the store, creating it where there is none.
pub(crate) fn open_store(data_dir: &Path) -> Result<Arc<dyn Store>, Failure> {
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot create {}", data_dir.display()))?;
    Ok(Arc::new(SledStore::open(&store_path(data_dir))?))
}

/// The embedded queue of `plimsoll up`.
pub(crate) fn embedded_queue(data_dir: &Path) -> Result<Arc<dyn Queue>, Failure> {
    let durable = Durable::open(&data_dir.join("queue"), QUEUE_CACHE_BYTES)?;
    Ok(Arc::new(EmbeddedQueue::open(durable)?))
}

/// The configured queue.
pub(crate) async fn queue(settings: &Settings) -> Result<Arc<dyn Queue>, Failure> {
    match settings.config.queue.broker().map_err(|error| settings.wrong(error))? {
        None => embedded_queue(&settings.data_dir),
        Some(broker) => {
            let connected = RabbitQueue::connect(broker).await.context("queue");
            Ok(Arc::new(connected.map_err(|error| settings.wrong(error))?))
        }
    }
}

/// The broker, for a process that works with others.
pub(crate) async fn shared_queue(settings: &Settings) -> Result<Arc<dyn Queue>, Failure> {
    if matches!(settings.config.queue, QueueConfig::Embedded) {
        return Err(Failure::usage(anyhow::anyhow!(
            "receiver and scanner as processes of their own need a broker: set [queue] kind = \"rabbitmq\" and url; \
             or run everything in one process with `plimsoll up`"
        )));
    }
    queue(settings).await
}

/// Binds the receiver's address.
pub(crate) fn bind(settings: &Settings) -> Result<TcpListener, Failure> {
    let address = settings.config.receiver.listen;
    let listener = TcpListener::bind(address);
    Ok(listener.with_context(|| format!("cannot listen on {address}; set receiver.listen to another address"))?)
}

/// Everything that a receiver needs.
pub(crate) fn receiver_parts(
    settings: &Settings,
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    metrics: PrometheusHandle,
    checks: Vec<ReadinessCheck>,
) -> Result<::receiver::Parts, Failure> {
    let config = &settings.config;
    Ok(::receiver::Parts {
        config: config.receiver.clone(),
        sources: Sources::build(&config.sources, &config.registries).map_err(|error| settings.wrong(error))?,
        registries: config.registries.clone(),
        store,
        queue,
        metrics,
        checks,
    })
}

/// A scanner with its caches and the advisory database.
pub(crate) fn scanner(settings: &Settings) -> Result<Scanner, Failure> {
    let config = ScannerConfig { name: Some(name(settings)), ..settings.config.scanner.clone() };
    let advisories = settings.advisory_database();
    Scanner::new(config, &settings.config.registries, &settings.data_dir, advisories)
        .map_err(|error| settings.wrong(error))
}

/// Works on jobs until `shutdown`.
pub(crate) async fn work(
    settings: &Settings,
    scanner: Scanner,
    queue: Arc<dyn Queue>,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let config = &settings.config.scanner;
    let worker = WorkerConfig {
        name: name(settings),
        concurrency: u16::try_from(config.concurrency).unwrap_or(u16::MAX),
        max_attempts: config.max_attempts,
    };
    Ok(worker::run(queue, Arc::new(scanner), worker, shutdown).await?)
}

/// What this process calls itself: as configured, else by host and process id.
pub(crate) fn name(settings: &Settings) -> String {
    let usual = || {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("{host}-{}", std::process::id())
    };
    settings.config.scanner.name.clone().unwrap_or_else(usual)
}

/// Whether there is an advisory database that can be used.
pub(crate) fn advisories_check(settings: &Settings) -> ReadinessCheck {
    let handle = Arc::new(settings.advisory_database());
    ReadinessCheck::optional("advisories", move || {
        let handle = Arc::clone(&handle);
        async move { handle.current().map(drop).map_err(|error| error.to_string()) }
    })
}
