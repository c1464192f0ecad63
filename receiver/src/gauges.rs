//! Figures that are looked up now and then: how much waits, for how long, and how old the advisories are.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use shared::queue::{Depth, Queue, Topic};
use shared::shutdown::Shutdown;
use shared::telemetry::names;

use crate::store::Store;

const EVERY: Duration = Duration::from_secs(5);

/// When the newest advisory database that a report has named was built.
#[derive(Clone, Default)]
pub struct NewestAdvisories(Arc<AtomicI64>);

impl NewestAdvisories {
    /// A report was matched against a database built then.
    pub fn seen(&self, built_at: Timestamp) {
        self.0.fetch_max(built_at.as_second(), Ordering::Relaxed);
    }

    /// `None` before the first report.
    fn age_seconds(&self, now: Timestamp) -> Option<i64> {
        let built_at = self.0.load(Ordering::Relaxed);
        (built_at > 0).then(|| (now.as_second() - built_at).max(0))
    }
}

/// Sets the gauges every 5 s until `shutdown`, and lets the exporter fold its samples, which would pile up where nobody asks
/// for `/metrics`. A gauge whose figure cannot be looked up keeps its value: what is away is for `/readyz` to say.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    advisories: NewestAdvisories,
    metrics: PrometheusHandle,
    shutdown: Shutdown,
) {
    let for_ever = async {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            set_waiting(store.as_ref(), queue.as_ref()).await;
            if let Some(age) = advisories.age_seconds(Timestamp::now()) {
                gauge!(names::ADVISORIES_AGE_SECONDS).set(age as f64);
            }
            metrics.run_upkeep();
        }
    };
    let _: Option<()> = shutdown.run_until_cancelled(for_ever).await;
}

async fn set_waiting(store: &dyn Store, queue: &dyn Queue) {
    if let Ok(dead) = store.dead_count().await {
        gauge!(names::DEAD_JOBS).set(dead as f64);
    }
    if let (Ok(depths), Ok(outgoing)) = (queue.depths().await, store.outgoing(1).await) {
        let oldest_outgoing = outgoing.first().map(|job| job.accepted_at);
        set_depths(&depths, oldest_outgoing, Timestamp::now());
    }
}

fn set_depths(depths: &[Depth], oldest_outgoing: Option<Timestamp>, now: Timestamp) {
    for depth in depths {
        gauge!(names::QUEUE_DEPTH, "queue" => depth.topic.name()).set(depth.waiting as f64);
    }
    let jobs = depths.iter().filter(|depth| Topic::JOBS.contains(&depth.topic));
    let oldest = jobs.filter_map(|depth| depth.oldest).chain(oldest_outgoing).min();
    let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
    gauge!(names::OLDEST_JOB_SECONDS).set(age);
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use shared::job::JobKind;

    use super::*;

    #[test]
    fn what_waits_is_shown() {
        let now = Timestamp::now();
        let depth = |topic, waiting, oldest| Depth { topic, waiting, oldest };
        let depths = [
            depth(Topic::Jobs(JobKind::Push), 3, Some(now - 5.seconds())),
            depth(Topic::Reports, 1, Some(now - 60.seconds())),
        ];
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || set_depths(&depths, Some(now - 7.seconds()), now));
        let page = recorder.handle().render();
        for line in [
            "plimsoll_queue_depth{queue=\"push\"} 3",
            "plimsoll_queue_depth{queue=\"reports\"} 1",
            "plimsoll_oldest_waiting_job_seconds 7",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line} in {page}");
        }
    }

    #[test]
    fn the_newest_database_counts() {
        let advisories = NewestAdvisories::default();
        assert_eq!(advisories.age_seconds(Timestamp::now()), None);
        for second in [1000, 3000, 2000] {
            advisories.seen(Timestamp::from_second(second).unwrap());
        }
        assert_eq!(advisories.age_seconds(Timestamp::from_second(3060).unwrap()), Some(60));
    }
}
