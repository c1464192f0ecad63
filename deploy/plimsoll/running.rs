//! Receiver and scanner in one process.

use std::sync::Arc;

use shared::shutdown::{self, Shutdown};
use tokio::task::JoinHandle;

use crate::config::Settings;
use crate::{Failure, service, starter};

/// Both, running.
pub(crate) struct Running {
    /// `http://ADDRESS`
    pub(crate) url: String,
    /// The first token.
    pub(crate) token: String,
    shutdown: Shutdown,
    receiver: JoinHandle<Result<(), receiver::RunError>>,
    scanner: JoinHandle<Result<(), Failure>>,
}

impl Running {
    /// Starts both.
    pub(crate) async fn start(settings: Arc<Settings>) -> Result<Self, Failure> {
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
        Ok(Self { url, token, shutdown, receiver, scanner })
    }

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
