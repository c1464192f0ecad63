//! Plimsoll's control plane: takes deliveries in, owns the store, records reports, answers operators.
//!
//! It never parses an image: that is the scanner's.
//!
//! A delivery's way in, in reading order: [`webhook`], [`delivery`], [`signature`], [`sources`], [`intake`], [`store`],
//! [`relay`]. A report's: [`recorder`], [`store`].

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::{App, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use shared::queue::Queue;
use shared::registry::{RegistryConfig, RegistrySelector};
use shared::shutdown::Shutdown;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::info;

pub mod api;
pub mod app;
pub mod config;
pub mod delivery;
pub mod gauges;
pub mod health;
pub mod intake;
mod outage;
pub mod recorder;
pub mod relay;
pub mod signature;
pub mod sources;
pub mod store;
#[cfg(test)]
mod testing;
pub mod webhook;

use api::{ApiState, ConfiguredRegistries};
use app::AppState;
use config::ReceiverConfig;
use gauges::NewestAdvisories;
use health::{Health, ReadinessCheck};
use intake::Planner;
use recorder::Recorder;
use relay::Relay;
use sources::Sources;
use store::Store;
use webhook::Webhooks;

/// Time for requests in hand to end when the receiver stops, in seconds.
const STOP_TIMEOUT: u64 = 10;

/// What a receiver is made of.
pub struct Parts {
    /// Section `[receiver]`.
    pub config: ReceiverConfig,
    /// Section `[sources]`, built.
    pub sources: Sources,
    /// Sections `[registries.NAME]`.
    pub registries: BTreeMap<String, RegistryConfig>,
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The way to the scanners and back.
    pub queue: Arc<dyn Queue>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// What else `/readyz` asks, where the process has other duties besides.
    pub checks: Vec<ReadinessCheck>,
}

/// Why a receiver could not run, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] config::InvalidSetting),
    /// The listener cannot be served.
    #[error("the HTTP server failed: {0}")]
    Http(#[from] std::io::Error),
    /// A part that must run for ever ended.
    #[error("a part of the receiver ended unexpectedly: {0}")]
    Task(String),
}

/// Serves `listener` until `shutdown`, then stops in order: no more deliveries, then relay and recorder. What they have
/// in hand is on disk or goes back to the queue.
pub async fn run(parts: Parts, listener: TcpListener, shutdown: Shutdown) -> Result<(), RunError> {
    parts.config.check()?;
    let address = listener.local_addr()?;
    let relay_wake = Arc::new(Notify::new());
    let background = Shutdown::new();
    let mut tasks = start_tasks(&parts, &relay_wake, &background);
    let server = serve(parts, listener, relay_wake)?;
    let stop = server.handle();
    let mut serving = tokio::spawn(server);
    info!(%address, "receiver started");

    let ended = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        ended = &mut serving => Err(RunError::Task(format!("HTTP server: {ended:?}"))),
        Some(ended) = tasks.join_next() => Err(RunError::Task(format!("{ended:?}"))),
    };
    stop.stop(true).await;
    background.cancel();
    while tasks.join_next().await.is_some() {}
    info!("receiver stopped");
    ended
}

fn start_tasks(parts: &Parts, relay_wake: &Arc<Notify>, shutdown: &Shutdown) -> JoinSet<()> {
    let store = || Arc::clone(&parts.store);
    let queue = || Arc::clone(&parts.queue);
    let advisories = NewestAdvisories::default();
    let mut tasks = JoinSet::new();
    tasks.spawn(Relay::new(store(), queue(), Arc::clone(relay_wake)).run(shutdown.clone()));
    tasks.spawn(Recorder::new(store(), queue(), advisories.clone()).run(shutdown.clone()));
    tasks.spawn(gauges::run(store(), queue(), advisories, parts.metrics.clone(), shutdown.clone()));
    tasks
}

fn serve(parts: Parts, listener: TcpListener, relay_wake: Arc<Notify>) -> std::io::Result<actix_web::dev::Server> {
    let Parts { config, sources, registries, store, queue, metrics, checks } = parts;
    let planner = Planner::new(RegistrySelector::new(&registries));
    let webhooks = Webhooks::new(sources, planner, Arc::clone(&store), Arc::clone(&relay_wake), config.limits.clone());
    let registries = ConfiguredRegistries::new(&registries);
    let state = AppState {
        webhooks: web::Data::new(webhooks),
        api: web::Data::new(ApiState { store: Arc::clone(&store), registries, relay_wake }),
        health: web::Data::new(Health::of_receiver(store, queue, metrics, checks)),
    };
    let server = HttpServer::new(move || App::new().configure(app::routes(&state)))
        .max_connections(config.limits.connections)
        .shutdown_timeout(STOP_TIMEOUT)
        .disable_signals();
    let server = match config.workers {
        Some(workers) => server.workers(workers.get()),
        None => server,
    };
    Ok(server.listen(listener)?.run())
}

#[cfg(test)]
mod tests;
