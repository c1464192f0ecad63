//! Rules of the recorder and of dead letters.

use shared::event::EventKind;
use shared::finding::Severity;
use shared::job::ScanJob;
use shared::queue::Topic;
use shared::report::Outcome;
use uuid::Uuid;

use super::Backend;
use super::builders::{
    REGISTRY, accept, accept_push, at, digest, event, failed, finding, first_page, found, image, job_for, push, report,
};
use crate::store::{DeadLetter, FindingQuery, FindingRow, Recorded, ScanStatus, Store};

async fn steps(store: &impl Store, scan: Uuid) -> Vec<String> {
    store.scan(scan).await.unwrap().unwrap().timeline.into_iter().map(|step| step.step).collect()
}

async fn all_findings(store: &impl Store) -> Vec<FindingRow> {
    store.findings(&FindingQuery::default(), &first_page()).await.unwrap().items
}

fn letter(job: &ScanJob, second: i64) -> DeadLetter {
    DeadLetter {
        id: job.id,
        topic: Topic::Jobs(job.kind),
        job: Some(job.clone()),
        body: None,
        reason: "it killed its scanner".to_owned(),
        died_at: at(second),
    }
}

pub(super) async fn a_timeline_tells_every_attempt_once(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    store.mark_sent(&[job.id], at(1)).await.unwrap();
    for _ in 0..2 {
        store.record_started(job.id, "s1", 1, at(2)).await.unwrap();
        store.record_retrying(job.id, 1, "503", at(3), at(8)).await.unwrap();
    }
    let scan = store.scan(job.id).await.unwrap().unwrap();
    assert_eq!((scan.status, scan.reason.as_deref()), (ScanStatus::Retrying, Some("503")));
    store.record_started(job.id, "s2", 2, at(9)).await.unwrap();
    store.record(&found(&job, Vec::new()), at(10)).await.unwrap();
    store.record_started(job.id, "s3", 3, at(11)).await.unwrap();
    store.record_retrying(job.id, 3, "503", at(12), at(13)).await.unwrap();
    store.record_started(Uuid::now_v7(), "s3", 1, at(12)).await.unwrap();
    assert_eq!(steps(&store, job.id).await, ["accepted", "queued", "started", "retrying", "started", "complete"]);

    let event = &store.events(&first_page()).await.unwrap().items[0];
    let told: Vec<_> = event.timeline.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(told, ["accepted", "queued", "started", "retrying", "started", "complete"]);
    assert_eq!(store.event(event.id).await.unwrap().unwrap().timeline, event.timeline);
}

pub(super) async fn a_report_is_recorded_once(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    let report = found(&job, vec![finding("CVE-1", "a", Severity::High)]);
    assert_eq!(store.record(&report, at(70)).await.unwrap(), Recorded::New);
    assert_eq!(store.record(&report, at(80)).await.unwrap(), Recorded::Duplicate);

    let scan = store.scan(job.id).await.unwrap().unwrap();
    assert_eq!((scan.status, scan.digest, scan.images), (ScanStatus::Complete, job.digest, vec![digest(1)]));
    let image = &store.image(&digest(1)).await.unwrap()[0];
    assert_eq!(image.summary.scanned_at, Some(at(70)));
    assert_eq!((image.summary.packages, image.summary.findings.high), (1, 1));
    assert_eq!(store.packages(&digest(1)).await.unwrap(), Some(report.images[0].packages.clone()));
    assert_eq!(store.packages(&digest(2)).await.unwrap(), None);
    assert!(store.outgoing(10).await.unwrap().is_empty(), "what has ended need not be sent");
}

pub(super) async fn a_rescan_replaces_findings_and_keeps_when_they_were_first_seen(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    let [stays, goes] = ["CVE-1", "CVE-2"].map(|id| finding(id, "a", Severity::Low));
    store.record(&found(&job, vec![stays.clone(), goes]), at(70)).await.unwrap();

    let mut worse = stays;
    worse.severity = Severity::Critical;
    let comes = finding("CVE-3", "a", Severity::Low);
    let job = accept_push(&store, "1", 1, 1).await;
    store.record(&found(&job, vec![comes.clone(), worse.clone(), comes]), at(80)).await.unwrap();

    let told: Vec<_> = all_findings(&store)
        .await
        .into_iter()
        .map(|row| (row.finding.id, row.finding.severity, row.first_seen, row.last_seen))
        .collect();
    let expected = [("CVE-1", Severity::Critical, at(70)), ("CVE-3", Severity::Low, at(80))]
        .map(|(id, severity, first)| (id.to_owned(), severity, first, at(80)));
    assert_eq!(told, expected);
    let counts = store.image(&digest(1)).await.unwrap()[0].summary.findings;
    assert_eq!((counts.critical, counts.low), (1, 1), "the same finding twice is one");
}

pub(super) async fn a_failed_scan_leaves_the_last_good_result(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    store.record(&failed(&job, "gone"), at(65)).await.unwrap();
    let image = &store.image(&digest(1)).await.unwrap()[0];
    assert_eq!((image.summary.outcome, image.reason.as_deref()), (Some(Outcome::Failed), Some("gone")));
    assert!(image.failed_scan.is_none(), "there is no earlier result");

    let good = accept_push(&store, "1", 1, 1).await;
    store.record(&found(&good, vec![finding("CVE-1", "a", Severity::High)]), at(70)).await.unwrap();
    let bad = accept_push(&store, "1", 1, 2).await;
    store.record(&failed(&bad, "gone again"), at(80)).await.unwrap();
    let image = &store.image(&digest(1)).await.unwrap()[0];
    assert_eq!((image.summary.outcome, image.scan_id), (Some(Outcome::Complete), Some(good.id)));
    let scan = image.failed_scan.as_ref().unwrap();
    assert_eq!((scan.job.id, scan.reason.as_deref()), (bad.id, Some("gone again")));
    assert_eq!(all_findings(&store).await.len(), 1);

    let again = accept_push(&store, "1", 1, 3).await;
    store.record(&found(&again, Vec::new()), at(90)).await.unwrap();
    assert!(store.image(&digest(1)).await.unwrap()[0].failed_scan.is_none());
    assert!(all_findings(&store).await.is_empty());
}

pub(super) async fn a_tag_points_at_what_its_scan_resolved(backend: &impl Backend) {
    let store = backend.open().await;
    let id = accept(&store, vec![push(Some("latest"), None, 10)]).await[0].unwrap();
    let job = store.scan(id).await.unwrap().unwrap().job;
    let mut resolved = report(&job, vec![image(digest(1), Vec::new())]);
    resolved.digest = Some(digest(1));
    store.record(&resolved, at(70)).await.unwrap();
    let tags = store.image(&digest(1)).await.unwrap()[0].summary.tags.clone();
    assert_eq!(tags, ["latest".parse().unwrap()]);

    let id = accept(&store, vec![push(Some("latest"), None, 20)]).await[0].unwrap();
    let job = store.scan(id).await.unwrap().unwrap().job;
    accept_push(&store, "latest", 3, 30).await;
    let mut late = report(&job, vec![image(digest(2), Vec::new())]);
    late.digest = Some(digest(2));
    store.record(&late, at(80)).await.unwrap();
    assert_eq!(store.image(&digest(3)).await.unwrap()[0].summary.tags.len(), 1, "a later push has moved it");
    assert!(store.image(&digest(2)).await.unwrap()[0].summary.tags.is_empty());
}

pub(super) async fn a_report_of_an_unknown_job_is_recorded(backend: &impl Backend) {
    let store = backend.open().await;
    let job = job_for(&event(EventKind::Push, Some("1"), Some(digest(1)), 0), REGISTRY);
    let report = found(&job, vec![finding("CVE-1", "a", Severity::High)]);
    assert_eq!(store.record(&report, at(70)).await.unwrap(), Recorded::New);
    assert_eq!(steps(&store, job.id).await, ["accepted", "started", "complete"]);
    assert_eq!(all_findings(&store).await[0].locations[0].tags, ["1".parse().unwrap()]);
    assert_eq!(store.registries().await.unwrap()[0].images, 1);
}

pub(super) async fn large_results_come_back_whole(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    let findings: Vec<_> = (0..3000)
        .map(|number| finding(&format!("CVE-{}", number % 50), &format!("package-{number}"), Severity::Medium))
        .collect();
    let mut report = found(&job, findings);
    report.images[0].vulnerabilities.iter_mut().for_each(|text| text.description = "x".repeat(70_000));
    store.record(&report, at(70)).await.unwrap();
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.packages(&digest(1)).await.unwrap(), Some(report.images[0].packages.clone()));
    assert_eq!(store.image(&digest(1)).await.unwrap()[0].summary.findings.medium, 3000);
    let row = &all_findings(&store).await[0];
    assert_eq!(store.finding(&row.finding_id).await.unwrap().unwrap().vulnerability.description.len(), 70_000);

    let job = accept_push(&store, "1", 1, 1).await;
    store.record(&found(&job, Vec::new()), at(80)).await.unwrap();
    assert_eq!(store.packages(&digest(1)).await.unwrap(), Some(Vec::new()));
    assert!(all_findings(&store).await.is_empty());
}

pub(super) async fn a_dead_job_is_replayed_under_a_new_id(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    for _ in 0..2 {
        store.record_dead(&letter(&job, 5)).await.unwrap();
    }
    assert_eq!(store.dead_count().await.unwrap(), 1);
    assert_eq!(steps(&store, job.id).await, ["accepted", "dead"]);
    assert!(store.outgoing(10).await.unwrap().is_empty());

    let again = store.replay(job.id, at(9)).await.unwrap().unwrap();
    assert_ne!(again, job.id);
    assert_eq!(store.replay(job.id, at(9)).await.unwrap(), None, "it is no longer there");
    assert_eq!(store.dead_count().await.unwrap(), 0);
    let old = store.scan(job.id).await.unwrap().unwrap();
    assert_eq!(old.status, ScanStatus::Dropped);
    assert_eq!(old.timeline.last().unwrap().detail, Some(format!("replayed as {again}")));
    let waiting = store.outgoing(10).await.unwrap();
    assert_eq!((waiting[0].id, &waiting[0].digest), (again, &job.digest));
    assert_eq!(accept_push(&store, "1", 1, 0).await.id, again, "it is under way");
    store.record_dead(&letter(&job, 5)).await.unwrap();
    assert_eq!(store.dead_count().await.unwrap(), 0, "the old message came once more");
}

pub(super) async fn a_replay_joins_what_is_under_way(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    store.record_dead(&letter(&job, 5)).await.unwrap();
    let running = accept_push(&store, "1", 1, 1).await;
    assert_ne!(running.id, job.id, "nobody joins the dead");
    assert_eq!(store.replay(job.id, at(9)).await.unwrap(), Some(running.id));
    assert_eq!(store.outgoing(10).await.unwrap().len(), 1);
}

pub(super) async fn dead_letters_are_listed_and_discarded(backend: &impl Backend) {
    let store = backend.open().await;
    let mut jobs = Vec::new();
    for number in 0..3 {
        let job = accept_push(&store, "1", number, 0).await;
        store.record_dead(&letter(&job, 5 + i64::from(number))).await.unwrap();
        jobs.push(job);
    }
    let unreadable = DeadLetter {
        id: Uuid::now_v7(),
        topic: Topic::Reports,
        job: None,
        body: Some("?".into()),
        ..letter(&jobs[0], 1)
    };
    store.record_dead(&unreadable).await.unwrap();
    let listed: Vec<_> = store.dead(&first_page()).await.unwrap().items.iter().map(|letter| letter.id).collect();
    assert_eq!(listed, [jobs[2].id, jobs[1].id, jobs[0].id, unreadable.id]);

    assert_eq!(store.replay(unreadable.id, at(9)).await.unwrap(), None);
    assert!(store.discard(unreadable.id).await.unwrap());
    assert!(store.discard(jobs[1].id).await.unwrap());
    assert!(!store.discard(jobs[1].id).await.unwrap());
    assert_eq!(store.scan(jobs[1].id).await.unwrap().unwrap().status, ScanStatus::Dropped);
    assert_eq!(store.dead_count().await.unwrap(), 2);
}

pub(super) async fn a_report_revives_a_dead_job(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    store.record_dead(&letter(&job, 5)).await.unwrap();
    assert_eq!(store.record(&found(&job, Vec::new()), at(70)).await.unwrap(), Recorded::New);
    assert_eq!(store.dead_count().await.unwrap(), 0);
    store.record_dead(&letter(&job, 5)).await.unwrap();
    assert_eq!(store.dead_count().await.unwrap(), 0, "what was recorded is not dead");
    assert_eq!(store.scan(job.id).await.unwrap().unwrap().status, ScanStatus::Complete);
}

pub(super) async fn a_job_whose_report_is_dead_is_dead(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    store.record_started(job.id, "s1", 1, at(1)).await.unwrap();
    store.record_dead(&DeadLetter { topic: Topic::Reports, ..letter(&job, 5) }).await.unwrap();
    assert_eq!(steps(&store, job.id).await, ["accepted", "started", "dead"]);
    assert_ne!(accept_push(&store, "1", 1, 1).await.id, job.id, "nobody joins the dead");
}
