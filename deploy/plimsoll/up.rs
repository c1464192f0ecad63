//! `plimsoll up`: everything in one process.

use std::sync::Arc;

use crate::config::{Global, Settings};
use crate::output::say;
use crate::running::Running;
use crate::{Answer, Failure, advisories, config, demo, output, starter};

/// `plimsoll up`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the main job on an image that ships with Plimsoll, in a data folder of its own; works offline
    #[arg(long)]
    demo: bool,
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
    let running = Running::start(Arc::clone(&settings)).await?;
    if settings.advisory_database().current().is_err() {
        tokio::spawn(advisories::fetch_first(Arc::clone(&settings)));
    }
    introduce(&settings, &running.url, first_start)?;
    running.wait().await?;
    Ok(Answer::Yes)
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
