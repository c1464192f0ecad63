//! `plimsoll scanner`: one worker process.

use std::net::{SocketAddr, TcpListener};

use ::receiver::health::Health;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use shared::shutdown::{self, Shutdown};

use crate::config::Global;
use crate::{Answer, Failure, service};

/// `plimsoll scanner`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Serve /healthz, /readyz and /metrics on this address
    #[arg(long, env = "PLIMSOLL_SCANNER_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(global: &Global, args: Args) -> Result<Answer, Failure> {
    let settings = global.settings()?;
    settings.start_logs()?;
    let metrics = shared::telemetry::init_metrics().map_err(anyhow::Error::msg)?;
    let scanner = service::scanner(&settings)?;
    let queue = service::shared_queue(&settings).await?;
    let shutdown = Shutdown::new();
    shutdown::on_signal(shutdown.clone());
    if let Some(address) = args.listen {
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        let health = web::Data::new(Health::new(vec![service::advisories_check(&settings)], metrics));
        let server = HttpServer::new(move || {
            let health = health.clone();
            App::new().configure(|config| ::receiver::health::configure(config, health))
        });
        tokio::spawn(server.workers(1).disable_signals().listen(listener)?.run());
    }
    tracing::info!(scanner = service::name(&settings), "scanner started");
    service::work(&settings, scanner, queue, shutdown).await?;
    Ok(Answer::Yes)
}
