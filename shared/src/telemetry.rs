//! Logs and metrics: set-up, and the names used everywhere.
//!
//! Log lines are *process event* ("scan started"), lower case, with what varies in fields: `trace` (one id from
//! delivery to report), `delivery.id`, `job.id`, `image.digest`, `registry`, `repository`, `duration_ms`, `error`.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// Names of metrics. None carries a repository or a tag as a label.
pub mod names {
    /// Counter of deliveries, labels `source` and `status` (the answer).
    pub const DELIVERIES: &str = "plimsoll_deliveries_total";
    /// Counter of proven deliveries whose body was unusable, whatever they were answered, label `source`.
    pub const DELIVERIES_UNUSABLE: &str = "plimsoll_deliveries_unusable_total";
    /// Counter of events, labels `source` and `action` (`scan`, `joined`, `pulled`, `deleted`, `ignored`).
    pub const EVENTS: &str = "plimsoll_events_total";
    /// Counter of ended scans, label `outcome`.
    pub const SCANS: &str = "plimsoll_scans_total";
    /// Histogram: delivery received to answer sent.
    pub const ACCEPT_SECONDS: &str = "plimsoll_accept_seconds";
    /// Histogram: job accepted to attempt started.
    pub const QUEUE_WAIT_SECONDS: &str = "plimsoll_queue_wait_seconds";
    /// Histogram: manifests and layers pulled and cataloged.
    pub const PULL_SECONDS: &str = "plimsoll_pull_seconds";
    /// Histogram: packages matched.
    pub const MATCH_SECONDS: &str = "plimsoll_match_seconds";
    /// Histogram: event accepted to findings recorded.
    pub const ACCEPTED_TO_RECORDED_SECONDS: &str = "plimsoll_accepted_to_recorded_seconds";
    /// Gauge: messages that wait, label `queue`.
    pub const QUEUE_DEPTH: &str = "plimsoll_queue_depth";
    /// Gauge: age of the oldest job that waits.
    pub const OLDEST_JOB_SECONDS: &str = "plimsoll_oldest_waiting_job_seconds";
    /// Gauge: age of the advisory database, by the newest report.
    pub const ADVISORIES_AGE_SECONDS: &str = "plimsoll_advisories_age_seconds";
    /// Gauge: dead jobs that wait for an operator.
    pub const DEAD_JOBS: &str = "plimsoll_dead_jobs";
}

/// Buckets of every histogram: 50 ms to 15 min, with finer ones below for the quick steps.
const BUCKETS_SECONDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 420.0, 900.0];

/// Everything that an operator should know; the HTTP server's own comings and goings are not.
pub const USUAL_FILTER: &str = "info,actix_server=warn";

/// Section `[log]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Shape of a line.
    pub format: LogFormat,
    /// Which lines, in the words of tracing's `EnvFilter`; empty means [`USUAL_FILTER`].
    pub filter: String,
}

/// Shape of log lines, always on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogConfig {
    /// Says what cannot be used.
    pub fn check(&self) -> Result<(), String> {
        self.env_filter().map(drop)
    }

    fn env_filter(&self) -> Result<EnvFilter, String> {
        let words = match std::env::var("RUST_LOG") {
            Ok(words) if !words.is_empty() => words,
            _ if self.filter.is_empty() => USUAL_FILTER.to_owned(),
            _ => self.filter.clone(),
        };
        EnvFilter::try_new(&words).map_err(|error| format!("{words:?}: {error}"))
    }
}

/// Starts logging. `RUST_LOG` wins over the configuration.
pub fn init_logs(config: &LogConfig) -> Result<(), String> {
    let filter = config.env_filter()?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.format {
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).init(),
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder.with_ansi(colours).init();
        }
    }
    Ok(())
}

/// Starts collecting metrics; the handle renders them. Call once per process.
pub fn init_metrics() -> Result<PrometheusHandle, String> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS_SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| format!("metrics cannot start: {error}"))
}
