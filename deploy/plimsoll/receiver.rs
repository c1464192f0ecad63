//! `plimsoll receiver`: the control plane alone.

use shared::shutdown::{self, Shutdown};

use crate::config::Global;
use crate::output::say;
use crate::{Answer, Failure, service, starter};

/// `plimsoll receiver`
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(global: &Global, _: Args) -> Result<Answer, Failure> {
    let settings = global.settings()?;
    settings.start_logs()?;
    let metrics = shared::telemetry::init_metrics().map_err(anyhow::Error::msg)?;
    let queue = service::shared_queue(&settings).await?;
    let store = service::open_store(&settings.data_dir)?;
    starter::first_token(&settings.data_dir, store.as_ref()).await?;
    let parts = service::receiver_parts(&settings, store, queue, metrics, Vec::new())?;
    let listener = service::bind(&settings)?;
    say!("receiver listens on http://{}", listener.local_addr()?);
    let shutdown = Shutdown::new();
    shutdown::on_signal(shutdown.clone());
    ::receiver::run(parts, listener, shutdown).await?;
    Ok(Answer::Yes)
}
