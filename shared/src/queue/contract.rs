//! What every implementation of [`Queue`] must do.

use std::future::Future;
use std::time::Duration;

use super::topology::{DELIVERY_LIMIT, RETRY_STEPS};
use super::{Consumer, Depth, Outgoing, Queue, Received, Topic};
use crate::job::JobKind;

const PUSH: Topic = Topic::Jobs(JobKind::Push);
const IMPORT: Topic = Topic::Jobs(JobKind::Import);
const RESCAN: Topic = Topic::Jobs(JobKind::Rescan);

/// Longer than anything here may take; only to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the whole contract against one queue, which must be empty and is left empty.
pub(super) async fn check(queue: &dyn Queue) {
    publishes_in_order(queue).await;
    serves_earlier_topics_first(queue).await;
    wakes_a_waiting_consumer(queue).await;
    returns_what_is_dropped(queue).await;
    loses_nothing_when_a_wait_is_cancelled(queue).await;
    holds_at_most_the_prefetch(queue).await;
    buries_with_the_reason(queue).await;
    buries_a_job_that_ends_its_workers(queue).await;
    carries_large_messages(queue).await;
    retries_later(queue).await;
    counts_what_waits(queue).await;
}

pub(super) fn message(id: &str) -> Outgoing {
    Outgoing { id: id.to_owned(), body: format!("body of {id}").into_bytes() }
}

pub(super) async fn next(consumer: &mut Box<dyn Consumer>) -> Received {
    patiently(consumer.next()).await.unwrap()
}

pub(super) async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("nothing came for a minute")
}

async fn publish(queue: &dyn Queue, topic: Topic, ids: &[&str]) {
    let messages: Vec<Outgoing> = ids.iter().map(|id| message(id)).collect();
    patiently(queue.publish(topic, &messages)).await.unwrap();
}

async fn publishes_in_order(queue: &dyn Queue) {
    let ids: Vec<String> = (0..600).map(|number| format!("order-{number}")).collect();
    let messages: Vec<Outgoing> = ids.iter().map(|id| message(id)).collect();
    patiently(queue.publish(Topic::Reports, &messages)).await.unwrap();
    let mut consumer = queue.consume(&[Topic::Reports], 64).await.unwrap();
    for expected in messages {
        let received = next(&mut consumer).await;
        assert_eq!((received.topic, received.attempt, &received.death), (Topic::Reports, 1, &None));
        assert_eq!((&received.id, &received.body), (&expected.id, &expected.body));
        received.ack().await.unwrap();
    }
}

async fn serves_earlier_topics_first(queue: &dyn Queue) {
    publish(queue, RESCAN, &["rescan"]).await;
    publish(queue, IMPORT, &["import-1", "import-2"]).await;
    publish(queue, PUSH, &["push-1", "push-2"]).await;
    let mut consumer = queue.consume(&Topic::JOBS, 1).await.unwrap();
    for expected in ["push-1", "push-2", "import-1"] {
        let received = next(&mut consumer).await;
        assert_eq!(received.id, expected);
        received.ack().await.unwrap();
    }
    publish(queue, PUSH, &["push-3"]).await;
    for expected in ["push-3", "import-2", "rescan"] {
        let received = next(&mut consumer).await;
        assert_eq!(received.id, expected);
        received.ack().await.unwrap();
    }
}

async fn wakes_a_waiting_consumer(queue: &dyn Queue) {
    let mut consumer = queue.consume(&Topic::JOBS, 4).await.unwrap();
    for topic in Topic::JOBS {
        let ids = [topic.name()];
        let (received, ()) = tokio::join!(next(&mut consumer), publish(queue, topic, &ids));
        assert_eq!((received.topic, received.id.as_str()), (topic, topic.name()));
        received.ack().await.unwrap();
    }
}

async fn returns_what_is_dropped(queue: &dyn Queue) {
    publish(queue, PUSH, &["dropped"]).await;
    let mut consumer = queue.consume(&[PUSH], 1).await.unwrap();
    drop(next(&mut consumer).await);
    let again = next(&mut consumer).await;
    assert_eq!((again.id.as_str(), again.attempt), ("dropped", 2));
    drop(consumer);

    let mut other = queue.consume(&Topic::JOBS, 1).await.unwrap();
    drop(again);
    let third = next(&mut other).await;
    assert_eq!((third.id.as_str(), third.attempt), ("dropped", 3));
    third.ack().await.unwrap();
}

async fn loses_nothing_when_a_wait_is_cancelled(queue: &dyn Queue) {
    let mut consumer = queue.consume(&Topic::JOBS, 2).await.unwrap();
    for number in 0..20 {
        let id = format!("cancelled-{number}");
        let ids = [id.as_str()];
        let early = tokio::select! {
            biased;
            received = next(&mut consumer) => Some(received),
            () = publish(queue, PUSH, &ids) => None,
        };
        let received = match early {
            Some(received) => received,
            None => next(&mut consumer).await,
        };
        assert_eq!((&received.id, received.attempt), (&id, 1));
        received.ack().await.unwrap();
    }
}

async fn holds_at_most_the_prefetch(queue: &dyn Queue) {
    publish(queue, PUSH, &["first", "second", "third"]).await;
    let mut greedy = queue.consume(&Topic::JOBS, 2).await.unwrap();
    let (first, second) = (next(&mut greedy).await, next(&mut greedy).await);
    let mut other = queue.consume(&Topic::JOBS, 1).await.unwrap();
    let third = tokio::select! {
        biased;
        _ = greedy.next() => panic!("a third message beyond the prefetch"),
        third = next(&mut other) => third,
    };
    assert_eq!([&first.id, &second.id, &third.id], ["first", "second", "third"]);
    for received in [first, second, third] {
        received.ack().await.unwrap();
    }
}

async fn buries_with_the_reason(queue: &dyn Queue) {
    publish(queue, IMPORT, &["unreadable"]).await;
    let mut jobs = queue.consume(&Topic::JOBS, 1).await.unwrap();
    next(&mut jobs).await.dead_letter("not a readable message: größer").await.unwrap();

    let mut dead = queue.consume(&[Topic::Dead], 1).await.unwrap();
    let received = next(&mut dead).await;
    let death = received.death.clone().unwrap();
    assert_eq!((received.topic, received.id.as_str()), (Topic::Dead, "unreadable"));
    assert_eq!((death.topic, death.reason.as_str()), (IMPORT, "not a readable message: größer"));
    assert_eq!(received.body, message("unreadable").body);
    received.ack().await.unwrap();
}

async fn buries_a_job_that_ends_its_workers(queue: &dyn Queue) {
    publish(queue, PUSH, &["poison", "harmless"]).await;
    let mut consumer = queue.consume(&[PUSH, Topic::Dead], 1).await.unwrap();
    let mut attempts = Vec::new();
    let dead = loop {
        let received = next(&mut consumer).await;
        match received.id.as_str() {
            "harmless" => received.ack().await.unwrap(),
            _ if received.topic == PUSH => attempts.push(received.attempt),
            _ => break received,
        }
    };
    assert_eq!(attempts, (1..=DELIVERY_LIMIT).collect::<Vec<_>>());
    let death = dead.death.clone().unwrap();
    assert_eq!((dead.id.as_str(), dead.topic, death.topic), ("poison", Topic::Dead, PUSH));
    assert!(death.reason.contains("worker"), "{}", death.reason);
    dead.ack().await.unwrap();
}

async fn carries_large_messages(queue: &dyn Queue) {
    let body: Vec<u8> = (0_u32..1_300_000).flat_map(u32::to_le_bytes).collect();
    let report = Outgoing { id: "large".to_owned(), body };
    patiently(queue.publish(Topic::Reports, std::slice::from_ref(&report))).await.unwrap();
    let mut reports = queue.consume(&[Topic::Reports], 1).await.unwrap();
    drop(next(&mut reports).await);
    let received = next(&mut reports).await;
    assert!(received.body == report.body);
    received.dead_letter("too large for the test").await.unwrap();
    let mut dead = queue.consume(&[Topic::Dead], 1).await.unwrap();
    let received = next(&mut dead).await;
    assert!(received.body == report.body);
    received.ack().await.unwrap();
}

async fn retries_later(queue: &dyn Queue) {
    publish(queue, RESCAN, &["later"]).await;
    let mut jobs = queue.consume(&Topic::JOBS, 1).await.unwrap();
    let asked = std::time::Instant::now();
    next(&mut jobs).await.retry(Duration::ZERO).await.unwrap();
    let again = next(&mut jobs).await;
    assert_eq!((again.topic, again.id.as_str(), again.attempt), (RESCAN, "later", 2));
    assert!(asked.elapsed() >= RETRY_STEPS[0] / 2, "it came back at once");
    again.ack().await.unwrap();
}

async fn counts_what_waits(queue: &dyn Queue) {
    publish(queue, IMPORT, &["one", "two"]).await;
    let waiting = |depths: &[Depth], topic| depths.iter().find(|depth| depth.topic == topic).unwrap().waiting;
    let depths = queue.depths().await.unwrap();
    assert_eq!(depths.iter().map(|depth| depth.topic).collect::<Vec<_>>(), Topic::ALL);
    assert_eq!((waiting(&depths, PUSH), waiting(&depths, IMPORT)), (0, 2));

    let mut jobs = queue.consume(&Topic::JOBS, 2).await.unwrap();
    let (one, two) = (next(&mut jobs).await, next(&mut jobs).await);
    assert_eq!(waiting(&queue.depths().await.unwrap(), IMPORT), 0);
    one.ack().await.unwrap();
    two.ack().await.unwrap();
    queue.ready().await.unwrap();
}
