//! One cancellation token for the whole process.

pub use tokio_util::sync::CancellationToken as Shutdown;

/// Cancels `shutdown` at the first SIGINT or SIGTERM; the second one ends the process at once.
pub fn on_signal(shutdown: Shutdown) {
    tokio::spawn(async move {
        signal().await;
        tracing::info!("shutting down; once more to stop at once");
        shutdown.cancel();
        signal().await;
        std::process::exit(130);
    });
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
