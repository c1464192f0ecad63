//! The contract and the faults, against a real broker: `PLIMSOLL_TEST_AMQP` (a URL; the contract alone, because a broker
//! that is not ours is not killed), else one of our own, from the package `rabbitmq-server`.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use uuid::Uuid;

use self::server::Server;
use super::{RabbitConfig, RabbitQueue};
use crate::job::JobKind;
use crate::queue::contract::{check, message, next, patiently};
use crate::queue::{Outgoing, Queue, QueueError, Topic};

mod server;

const PUSH: Topic = Topic::Jobs(JobKind::Push);

async fn connect(url: &str, ca_file: Option<std::path::PathBuf>) -> RabbitQueue {
    let prefix = format!("test-{}", Uuid::now_v7());
    RabbitQueue::connect(RabbitConfig { url: SecretString::from(url), ca_file, prefix }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_and_survives_its_broker() {
    if let Ok(url) = std::env::var("PLIMSOLL_TEST_AMQP") {
        return check(&connect(&url, None).await).await;
    }
    let mut server = Server::start().await;
    check(&connect(&server.url(), None).await).await;
    speaks_tls(&server).await;
    declares_again_what_was_deleted(&server).await;
    survives_closed_connections(&server).await;
    survives_a_deleted_queue(&server).await;
    survives_a_killed_broker(&mut server).await;
}

async fn speaks_tls(server: &Server) {
    let queue = connect(&server.tls_url(), Some(server.ca_file())).await;
    queue.publish(PUSH, &[message("secret")]).await.unwrap();
    next(&mut queue.consume(&Topic::JOBS, 1).await.unwrap()).await.ack().await.unwrap();

    let distrustful = connect(&server.tls_url(), None).await;
    assert!(matches!(distrustful.ready().await, Err(QueueError::Unavailable(_))));
}

async fn declares_again_what_was_deleted(server: &Server) {
    let queue = connect(&server.url(), None).await;
    server.control(&["delete_queue", queue.broker.topology.queue(PUSH).as_str()]).await;
    let refused = queue.publish(PUSH, &[message("unroutable")]).await;
    assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
    publish_in_the_end(&queue, PUSH, &[message("again")]).await;
    let received = next(&mut queue.consume(&Topic::JOBS, 1).await.unwrap()).await;
    assert_eq!(received.id, "again");
}

async fn survives_closed_connections(server: &Server) {
    let queue = connect(&server.url(), None).await;
    let mut consumer = queue.consume(&Topic::JOBS, 2).await.unwrap();
    queue.publish(PUSH, &[message("held")]).await.unwrap();
    let held = next(&mut consumer).await;
    server.control(&["close_all_connections", "test"]).await;
    let again = next(&mut consumer).await;
    assert_eq!((again.id.as_str(), again.attempt), ("held", 2));
    assert!(matches!(held.ack().await, Err(QueueError::Unavailable(_))), "an answer over the old connection");
    again.ack().await.unwrap();
    publish_in_the_end(&queue, PUSH, &[message("after")]).await;
    let after = next(&mut consumer).await;
    assert_eq!(after.id, "after");
    after.ack().await.unwrap();
}

async fn survives_a_deleted_queue(server: &Server) {
    let queue = connect(&server.url(), None).await;
    let mut reports = queue.consume(&[Topic::Reports], 4).await.unwrap();
    queue.publish(Topic::Reports, &[message("before")]).await.unwrap();
    next(&mut reports).await.ack().await.unwrap();
    server.control(&["delete_queue", queue.broker.topology.queue(Topic::Reports).as_str()]).await;
    publish_in_the_end(&queue, Topic::Reports, &[message("after")]).await;
    let after = next(&mut reports).await;
    assert_eq!(after.id, "after");
    after.ack().await.unwrap();
}

async fn survives_a_killed_broker(server: &mut Server) {
    let queue = connect(&server.url(), None).await;
    let messages: Vec<Outgoing> = (0..500).map(|number| message(&number.to_string())).collect();
    queue.publish(Topic::Reports, &messages).await.unwrap();
    let mut consumer = queue.consume(&[Topic::Reports], 64).await.unwrap();
    let mut missing: BTreeSet<String> = messages.iter().map(|message| message.id.clone()).collect();
    for _ in 0..100 {
        let received = next(&mut consumer).await;
        missing.remove(&received.id);
        received.ack().await.unwrap();
    }
    let mut held = Vec::new();
    for _ in 0..30 {
        held.push(next(&mut consumer).await);
    }

    server.kill().await;
    while queue.ready().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = queue.publish(PUSH, &[message("while it is away")]).await;
    assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
    assert!(matches!(queue.depths().await, Err(QueueError::Unavailable(_))));
    drop(held);

    server.restart().await;
    while !missing.is_empty() {
        let received = next(&mut consumer).await;
        missing.remove(&received.id);
        // The connection may be lost once more while the broker starts: then the message comes again.
        let _ = received.ack().await;
    }
    publish_in_the_end(&queue, PUSH, &[message("back")]).await;
    let mut jobs = queue.consume(&Topic::JOBS, 1).await.unwrap();
    let back = next(&mut jobs).await;
    assert_eq!(back.id, "back");
    back.ack().await.unwrap();
}

async fn publish_in_the_end(queue: &RabbitQueue, topic: Topic, messages: &[Outgoing]) {
    patiently(async {
        while let Err(error) = queue.publish(topic, messages).await {
            assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
