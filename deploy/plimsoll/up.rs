//! `plimsoll up`: everything in one process.

use std::sync::Arc;

use shared::shutdown::{self, Shutdown};

use crate::config::{Global, Settings};
use crate::output::say;
use crate::{Answer, Failure, advisories, config, demo, output, service, starter};

/// `plimsoll up`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the main job on an image that ships with Plimsoll, in a data folder of its own; works offline
    #[arg(long)]
    demo: bool,
}

/// A running `up`.
pub(crate) struct Running {
    /// `http://ADDRESS`
    pub(crate) url: String,
    /// The first token.
    pub(crate) token: String,
    shutdown: Shutdown,
    receiver: tokio::task::JoinHandle<Result<(), receiver::RunError>>,
    scanner: tokio::task::JoinHandle<Result<(), Failure>>,
}

pub(crate) async fn run(global: &Global, args: Args) -> Result<Answer, Failure> {
    if args.demo {
        return demo::run(global).await;
    }
    let first_start = global.config_file()?.is_none();
    if first_start {
        starter::write_configuration(&global.data_dir()?)?;
    }
    let settings = Arc::new(global.settings()?);
    settings.start_logs()?;
    let running = start(Arc::clone(&settings)).await?;
    if settings.advisory_database().current().is_err() {
        tokio::spawn(advisories::fetch_first(Arc::clone(&settings)));
    }
    introduce(&settings, &running.url, first_start)?;
    running.wait().await?;
    Ok(Answer::Yes)
}

/// Starts receiver and scanner.
pub(crate) async fn start(settings: Arc<Settings>) -> Result<Running, Failure> {
    let metrics = shared::telemetry::init_metrics().map_err(anyhow::Error::msg)?;
    let store = service::open_store(&settings.data_dir)?;
    let token = starter::first_token(&settings.data_dir, store.as_ref()).await?;
    let queue = service::queue(&settings).await?;
    let checks = vec![service::advisories_check(&settings)];
    let parts = service::receiver_parts(&settings, store, Arc::clone(&queue), metrics, checks)?;
    let scanner = service::scanner(&settings)?;
    let listener = service::bind(&settings)?;
    let url = format!("http://{}", listener.local_addr()?);

    let shutdown = Shutdown::new();
    shutdown::on_signal(shutdown.clone());
    let receiver = tokio::spawn(receiver::run(parts, listener, shutdown.clone()));
    let stop = shutdown.clone();
    let scanner = tokio::spawn(async move { service::work(&settings, scanner, queue, stop).await });
    Ok(Running { url, token, shutdown, receiver, scanner })
}

impl Running {
    /// Serves until a signal, or until one half fails; then stops the other.
    pub(crate) async fn wait(mut self) -> Result<(), Failure> {
        tokio::select! {
            ended = &mut self.receiver => {
                self.shutdown.cancel();
                self.scanner.await??;
                ended??;
            }
            ended = &mut self.scanner => {
                self.shutdown.cancel();
                self.receiver.await??;
                ended??;
            }
        }
        Ok(())
    }
}

/// Says where everything is; on the first start also what to paste into the registry's configuration.
fn introduce(settings: &Settings, url: &str, first_start: bool) -> Result<(), Failure> {
    say!("{} listens on {url}", output::bold("Plimsoll"));
    if let Some(file) = &settings.file {
        say!("  configuration  {}", file.display());
    }
    say!("  token          {}", starter::token_path(&settings.data_dir).display());
    if settings.advisory_database().current().is_err() {
        say!("  advisories     none yet, being fetched; until then scans are partial");
    }
    if first_start {
        say!("\nThis is the first start. Say where your registry is in the configuration, and paste there:");
        config::print_setup(settings, url)?;
    }
    say!("\nFor senders: plimsoll config setup. For findings: plimsoll findings. Ctrl-C stops.");
    Ok(())
}
