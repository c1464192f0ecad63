//! Rules of taking in and of the relay.

use futures_util::future::join_all;
use shared::event::{Authenticity, EventKind};
use shared::job::JobKind;

use super::Backend;
use super::builders::{
    RECEIVED, REGISTRY, accept, accept_push, at, delivery, digest, event, failed, first_page, found, job_for, planned,
    push,
};
use crate::store::{Accepted, Action, ScanStatus, Store};

pub(super) async fn a_delivery_is_taken_in_once(backend: &impl Backend) {
    let store = backend.open().await;
    let delivery = delivery(vec![push(Some("1"), Some(digest(1)), 0)]);
    let Accepted::New { jobs, queued } = store.accept(&delivery).await.unwrap() else { panic!("it is new") };
    assert_eq!((jobs.len(), queued), (1, 1));
    assert_eq!(store.accept(&delivery).await.unwrap(), Accepted::Duplicate);
    assert_eq!(store.events(&first_page()).await.unwrap().items.len(), 1);

    let mut elsewhere = delivery.clone();
    elsewhere.source = "other".to_owned();
    let joined = Accepted::New { jobs, queued: 0 };
    assert_eq!(store.accept(&elsewhere).await.unwrap(), joined, "another source counts by itself");
}

pub(super) async fn of_many_at_once_one_is_new(backend: &impl Backend) {
    let store = backend.open().await;
    let delivery = delivery(vec![push(Some("1"), Some(digest(1)), 0)]);
    let answers = join_all((0..64).map(|_| {
        let (store, delivery) = (store.clone(), delivery.clone());
        tokio::task::spawn_blocking(move || {
            tokio::runtime::Handle::current().block_on(store.accept(&delivery)).unwrap()
        })
    }))
    .await;
    let new = answers.into_iter().filter(|answer| *answer.as_ref().unwrap() != Accepted::Duplicate).count();
    assert_eq!(new, 1);
    assert_eq!(store.outgoing(10).await.unwrap().len(), 1);
}

pub(super) async fn ten_tags_on_one_digest_are_one_scan(backend: &impl Backend) {
    let store = backend.open().await;
    let tags: Vec<String> = (0..10).map(|number| format!("v{number}")).collect();
    let pushes = |tags: &[String]| tags.iter().map(|tag| push(Some(tag), Some(digest(1)), 0)).collect::<Vec<_>>();

    let Accepted::New { jobs, queued } = store.accept(&delivery(pushes(&tags[..5]))).await.unwrap() else {
        panic!("it is new")
    };
    assert_eq!(queued, 1);
    let later = accept(&store, pushes(&tags[5..])).await;
    assert!(jobs.iter().chain(&later).all(|job| *job == jobs[0]));
    assert_eq!(store.outgoing(10).await.unwrap().len(), 1);

    let events = store.events(&first_page()).await.unwrap().items;
    assert!(events.iter().all(|event| event.scan_id == jobs[0]));
    assert_eq!(events[0].timeline[0].step, "joined");
    assert_eq!(events[9].timeline[0].step, "accepted");
    let image = &store.image(&digest(1)).await.unwrap()[0];
    assert_eq!(image.summary.tags.len(), 10);

    let job = store.scan(jobs[0].unwrap()).await.unwrap().unwrap().job;
    store.record(&found(&job, Vec::new()), at(70)).await.unwrap();
    assert_ne!(accept_push(&store, "v1", 1, 1).await.id, job.id, "what has ended is not joined");
}

pub(super) async fn a_digest_is_joined_across_repositories_but_not_registries(backend: &impl Backend) {
    let store = backend.open().await;
    let mut elsewhere = event(EventKind::Push, None, Some(digest(1)), 0);
    elsewhere.repository = "team/copy".parse().unwrap();
    let jobs = accept(
        &store,
        vec![
            push(None, Some(digest(1)), 0),
            planned(elsewhere.clone(), REGISTRY),
            planned(elsewhere, "second"),
            push(None, Some(digest(2)), 0),
        ],
    )
    .await;
    assert_eq!(jobs[0], jobs[1]);
    assert_ne!(jobs[0], jobs[2]);
    assert_ne!(jobs[0], jobs[3]);
    let locations = &store.image(&digest(1)).await.unwrap()[0].locations;
    assert_eq!(locations.len(), 3, "{locations:?}");
}

pub(super) async fn what_was_just_scanned_is_joined_but_not_by_operators(backend: &impl Backend) {
    let store = backend.open().await;
    let first = accept_push(&store, "v1", 1, 0).await;
    store.record(&found(&first, Vec::new()), at(RECEIVED - 30)).await.unwrap();
    let second = accept_push(&store, "v2", 1, 0).await;
    assert_eq!(second.id, first.id, "half a minute ago");

    let mut asked = event(EventKind::Import, None, Some(digest(1)), 0);
    asked.authenticity = Authenticity::Operator;
    let asked = accept(&store, vec![planned(asked, REGISTRY)]).await[0];
    assert_ne!(asked, Some(first.id), "an operator wants to know anew");
    let running = store.scan(asked.unwrap()).await.unwrap().unwrap().job;
    assert_eq!(accept_push(&store, "v3", 1, 0).await.id, running.id, "what is under way comes first");

    store.record(&failed(&running, "gone"), at(RECEIVED - 1)).await.unwrap();
    let after_failure = accept_push(&store, "v4", 1, 0).await;
    assert!(![first.id, running.id].contains(&after_failure.id), "a failure is tried again");
    store.record(&found(&after_failure, Vec::new()), at(RECEIVED - 60)).await.unwrap();
    assert_ne!(accept_push(&store, "v5", 1, 0).await.id, after_failure.id, "a minute ago");
}

pub(super) async fn a_tag_is_joined_until_its_scan_starts(backend: &impl Backend) {
    let store = backend.open().await;
    let tag = || vec![push(Some("latest"), None, 0)];
    let first = accept(&store, tag()).await[0];
    assert_eq!(accept(&store, tag()).await[0], first);
    store.mark_sent(&[first.unwrap()], at(1)).await.unwrap();
    assert_eq!(accept(&store, tag()).await[0], first);

    store.record_started(first.unwrap(), "s1", 1, at(2)).await.unwrap();
    let second = accept(&store, tag()).await[0];
    assert_ne!(second, first, "the tag may have moved since the scan resolved it");
    store.record_started(first.unwrap(), "s1", 1, at(2)).await.unwrap();
    assert_eq!(accept(&store, tag()).await[0], second, "the first no longer holds the tag");
}

pub(super) async fn jobs_wait_until_they_are_sent(backend: &impl Backend) {
    let store = backend.open().await;
    let asked = event(EventKind::Import, None, Some(digest(9)), 0);
    let mut again = planned(asked.clone(), REGISTRY);
    let mut rescan = job_for(&asked, REGISTRY);
    (rescan.kind, rescan.digest) = (JobKind::Rescan, Some(digest(8)));
    again.action = Action::Scan(Box::new(rescan));
    let (rescan, import) =
        (accept(&store, vec![again]).await[0], accept(&store, vec![planned(asked, REGISTRY)]).await[0]);
    let first = accept_push(&store, "1", 1, 0).await.id;
    let second = accept_push(&store, "2", 2, 0).await.id;

    let order = [Some(first), Some(second), import, rescan];
    let waiting: Vec<_> = store.outgoing(10).await.unwrap().into_iter().map(|job| Some(job.id)).collect();
    assert_eq!(waiting, order, "most urgent kind first, then the oldest");
    assert_eq!(store.outgoing(1).await.unwrap()[0].id, first);

    for _ in 0..2 {
        store.mark_sent(&[first], at(5)).await.unwrap();
        let scan = store.scan(first).await.unwrap().unwrap();
        assert_eq!(scan.status, ScanStatus::Queued);
        assert_eq!(scan.timeline.len(), 2);
    }
    assert_eq!(store.outgoing(10).await.unwrap().len(), 3);

    store.record_started(second, "s1", 1, at(6)).await.unwrap();
    store.mark_sent(&[second], at(7)).await.unwrap();
    assert_eq!(store.scan(second).await.unwrap().unwrap().status, ScanStatus::Started, "it has begun before");
}

pub(super) async fn a_job_that_the_queue_lost_is_sent_again(backend: &impl Backend) {
    let store = backend.open().await;
    let [lost, unsent, ended, heard] = [1, 2, 3, 4].map(|number| push(None, Some(digest(number)), 0));
    let ids = accept(&store, vec![lost, unsent, ended, heard]).await;
    let [lost, unsent, ended, heard] = [0, 1, 2, 3].map(|place: usize| ids[place].unwrap());
    store.mark_sent(&[lost, ended, heard], at(RECEIVED + 1)).await.unwrap();
    let ended = store.scan(ended).await.unwrap().unwrap().job;
    store.record(&found(&ended, Vec::new()), at(RECEIVED + 2)).await.unwrap();
    store.record_started(heard, "s1", 1, at(RECEIVED + 5)).await.unwrap();

    let (since, now) = (at(RECEIVED + 5), at(RECEIVED + 9));
    assert_eq!(store.resend_lost(JobKind::Import, since, now).await.unwrap(), 0, "it is of another kind");
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.resend_lost(JobKind::Push, since, now).await.unwrap(), 1);
    assert_eq!(store.resend_lost(JobKind::Push, since, now).await.unwrap(), 0, "it is on its way");
    let waiting: Vec<_> = store.outgoing(10).await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(waiting, [lost, unsent]);
    assert_eq!(accept_push(&store, "1", 1, 0).await.id, lost, "it is still the one to join");

    store.mark_sent(&[lost], at(RECEIVED + 10)).await.unwrap();
    let scan = store.scan(lost).await.unwrap().unwrap();
    let steps: Vec<_> = scan.timeline.iter().map(|step| step.step.as_str()).collect();
    assert_eq!((scan.status, &steps[..]), (ScanStatus::Queued, &["accepted", "queued", "resent"][..]));
    store.record(&found(&scan.job, Vec::new()), at(RECEIVED + 20)).await.unwrap();
    store.record(&found(&store.scan(heard).await.unwrap().unwrap().job, Vec::new()), at(RECEIVED + 20)).await.unwrap();
    assert_eq!(store.resend_lost(JobKind::Push, at(RECEIVED + 99), at(RECEIVED + 99)).await.unwrap(), 0);
}

pub(super) async fn a_job_that_is_lost_again_and_again_is_dead(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    for loss in 1..=3 {
        store.mark_sent(&[job.id], at(RECEIVED + loss)).await.unwrap();
        let lost = store.resend_lost(JobKind::Push, at(RECEIVED + loss + 1), at(RECEIVED + loss)).await.unwrap();
        assert_eq!(lost, 1);
    }
    assert!(store.outgoing(10).await.unwrap().is_empty());
    let dead = &store.dead(&first_page()).await.unwrap().items[0];
    assert_eq!((dead.id, dead.reason.as_str()), (job.id, "it was sent 3 times and nothing was heard of it"));
    assert_ne!(accept_push(&store, "1", 1, 0).await.id, job.id, "nobody joins the dead");
}

pub(super) async fn a_scan_that_is_quicker_than_its_confirmation_was_queued_too(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    store.record_started(job.id, "s1", 1, at(RECEIVED + 1)).await.unwrap();
    store.record(&found(&job, Vec::new()), at(RECEIVED + 2)).await.unwrap();
    store.mark_sent(&[job.id], at(RECEIVED + 3)).await.unwrap();
    let scan = store.scan(job.id).await.unwrap().unwrap();
    let told: Vec<_> = scan.timeline.iter().map(|step| (step.step.as_str(), step.at)).collect();
    let seconds = [("accepted", 0), ("queued", 1), ("started", 1), ("complete", 2)];
    assert_eq!(told, seconds.map(|(step, second)| (step, at(RECEIVED + second))), "in the order of time");
    assert_eq!(scan.status, ScanStatus::Complete);
    assert_eq!(store.resend_lost(JobKind::Push, at(RECEIVED + 99), at(RECEIVED + 99)).await.unwrap(), 0);
}

pub(super) async fn what_was_acknowledged_outlives_the_process(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    let delivery = delivery(vec![push(Some("2"), Some(digest(2)), 0)]);
    store.accept(&delivery).await.unwrap();
    store.mark_sent(&[job.id], at(1)).await.unwrap();
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.accept(&delivery).await.unwrap(), Accepted::Duplicate);
    assert_eq!(store.outgoing(10).await.unwrap().len(), 1);
    assert_eq!(store.scan(job.id).await.unwrap().unwrap().status, ScanStatus::Queued);
    assert_eq!(accept_push(&store, "1", 1, 2).await.id, job.id, "it is still under way");
}

pub(super) async fn fields_of_any_size_are_taken_in(backend: &impl Backend) {
    let store = backend.open().await;
    let mut long = delivery(vec![push(None, Some(digest(1)), 0)]);
    long.delivery_id = "\0x".repeat(100_000);
    long.events[0].event.actor = Some("somebody ".repeat(100_000));
    let Accepted::New { .. } = store.accept(&long).await.unwrap() else { panic!("it is new") };
    assert_eq!(store.accept(&long).await.unwrap(), Accepted::Duplicate);
    let kept = store.event(long.events[0].id).await.unwrap().unwrap();
    assert_eq!(kept.event, long.events[0].event);
    assert_eq!(store.events(&first_page()).await.unwrap().items.len(), 1);
}
