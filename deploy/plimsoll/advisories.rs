//! `plimsoll advisories`: the advisory database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ::scanner::advisories::{Examples, ImportReport, Progress, Reason, SourceReport, TableReport, Updated};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::config::{Global, Settings};
use crate::output::say;
use crate::{Answer, Failure, output};

/// `plimsoll advisories …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take in OSV records and tables of CVEs; a zip of the same name, or a table of the same kind, replaces the one before
    Import {
        /// Zips of OSV records, single records (.json), tables of CVEs (CISA's KEV, FIRST's EPSS, CVSS vectors), or folders of these
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Fetch what changed since the last time from the OSV project, CISA and FIRST, or from the mirror in the configuration
    Update,
    /// Show what the database holds and how old it is
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let settings = global.settings()?;
    let folder = settings.advisories();
    match command {
        Command::Import { paths } => {
            let report = tokio::task::spawn_blocking(move || {
                let bar = bar();
                let report = folder.import(&paths, &|progress| show(&bar, progress));
                bar.finish_and_clear();
                report
            });
            print(&report.await??);
            Ok(Answer::Yes)
        }
        Command::Update => update(&settings).await,
        Command::Status { json } => {
            status(&settings, json)?;
            Ok(Answer::Yes)
        }
    }
}

async fn update(settings: &Settings) -> Result<Answer, Failure> {
    let bar = bar();
    let shown = bar.clone();
    let progress = Arc::new(move |progress| show(&shown, progress));
    let report = settings.advisories().update(&settings.config.advisories, progress).await;
    bar.finish_and_clear();
    let report = report?;
    let mut failures = 0;
    for update in &report.updates {
        match &update.outcome {
            Updated::Fetched { bytes } => say!("{:28} fetched, {:.1} MB", update.source, *bytes as f64 / 1e6),
            Updated::Unchanged => say!("{:28} unchanged", update.source),
            Updated::Failed { why } => {
                failures += 1;
                say!("{:28} {}: {why}", update.source, output::red("failed"));
            }
        }
    }
    print(&report.database);
    if failures > 0 {
        return Err(anyhow::anyhow!("{failures} of {} sources could not be fetched", report.updates.len()).into());
    }
    Ok(Answer::Yes)
}

/// Makes the first database while the service already runs; the log tells how it went.
pub(crate) async fn fetch_first(settings: Arc<Settings>) {
    const ADVICE: &str = "run `plimsoll advisories update`, or without a network `plimsoll advisories import PATH`";
    let config = &settings.config.advisories;
    tracing::info!(url = config.url, "there is no advisory database: fetching one");
    match settings.advisories().update(config, Arc::new(|_| {})).await {
        Ok(report) => {
            for update in &report.updates {
                if let Updated::Failed { why } = &update.outcome {
                    tracing::warn!(source = update.source, error = why, "advisories not fetched; {ADVICE}");
                }
            }
            let (_, records) = report.database.totals();
            tracing::info!(version = report.database.version, records, "advisory database is ready");
        }
        Err(error) => tracing::warn!(%error, "advisories not fetched; {ADVICE}"),
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg:40!} {wide_bar} {percent:>3} %") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Downloading { source, bytes, total } => {
            bar.set_message(format!("fetching {source}"));
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
        }
        Progress::Reading { source, records, total } => {
            bar.set_message(format!("reading {source}"));
            bar.set_length(total);
            bar.set_position(records);
        }
        Progress::Writing => bar.set_message("writing the database"),
    }
}

fn print(report: &ImportReport) {
    let (read, kept) = report.totals();
    say!(
        "{read} records read, {kept} kept; the database is version {}, {:.1} MB",
        report.version,
        report.size as f64 / 1e6
    );
    print_left_out(&report.sources);
    report.tables.iter().for_each(print_table);
}

fn print_left_out(sources: &[SourceReport]) {
    print_examples("left out", &merge(sources, |source| &source.skipped));
    print_examples("kept in part", &merge(sources, |source| &source.shortened));
}

/// A table of CVEs, in a line, and what of it was left out.
fn print_table(table: &TableReport) {
    let of = if table.date.is_empty() { String::new() } else { format!(" of {}", output::clean(&table.date, 20)) };
    say!("{}{of}: {} rows read, {} kept", table.kind.title(), table.read, table.kept);
    print_examples("left out", &table.skipped);
}

type Counted = BTreeMap<Reason, Examples>;

/// The counts of all sources together, with the first examples of each reason.
fn merge(sources: &[SourceReport], list: fn(&SourceReport) -> &Counted) -> Counted {
    let mut all = Counted::new();
    for (reason, examples) in sources.iter().flat_map(list) {
        let merged = all.entry(*reason).or_default();
        merged.count += examples.count;
        merged.first.extend(examples.first.iter().take(3 - merged.first.len().min(3)).cloned());
    }
    all
}

fn print_examples(what: &str, reasons: &Counted) {
    for (reason, examples) in reasons {
        let first = output::clean(examples.first.first().map_or("", String::as_str), 32);
        say!("  {what}: {} {} (such as {first})", examples.count, reason.as_str());
    }
}

fn status(settings: &Settings, json: bool) -> Result<(), Failure> {
    let status = settings.advisories().status(settings.config.advisories.stale_after(), Timestamp::now())?;
    if json {
        say!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    say!("version    {}", status.version);
    let stale = if status.stale { " (stale: run `plimsoll advisories update`)" } else { "" };
    say!("built at   {}{stale}", status.built_at);
    say!("size       {:.1} MB", status.size as f64 / 1e6);
    let mut table = output::table(&["Source", "Records", "Matched against"]);
    for source in &status.sources {
        table.add_row(vec![output::clean(&source.name, 60), source.read.to_string(), source.kept.to_string()]);
    }
    output::print_table(table);
    print_left_out(&status.sources);
    status.tables.iter().for_each(print_table);
    Ok(())
}
