//! What an operator does: asks for scans, replays and discards dead jobs.

use actix_web::test::TestRequest;
use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::image::Digest;
use shared::job::JobKind;
use shared::queue::Topic;
use uuid::Uuid;

use super::Api;
use super::seed::app;
use crate::store::DeadLetter;

impl Api {
    /// Whether the relay was woken since the last time.
    fn relay_was_woken(&self) -> bool {
        self.state.relay_wake.notified().now_or_never().is_some()
    }
}

fn id_of(answer: &Value) -> Uuid {
    answer["scan_id"].as_str().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_wish_for_a_scan_becomes_an_event_and_an_outgoing_job() {
    let api = Api::new().await;
    let digest = Digest::sha256_of(b"wish");
    let image = format!("mirror.test/team/app:1.2@{digest}");
    let answer = api.post("operator", "/scans", json!({ "image": image })).await;
    assert_eq!((answer.status, &answer.body["queued"]), (202, &json!(true)));
    let scan = id_of(&answer.body);
    assert_eq!(answer.header("Location"), format!("/api/v1/scans/{scan}"));
    assert!(api.relay_was_woken());

    let jobs = api.state.store.outgoing(10).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].id, jobs[0].kind, jobs[0].registry.as_str()), (scan, JobKind::Import, "main"));
    assert_eq!((jobs[0].digest.as_ref(), jobs[0].tag.as_ref().unwrap().as_str()), (Some(&digest), "1.2"));

    let event = api.get(&format!("/events/{}", answer.body["event_id"].as_str().unwrap())).await.ok();
    assert_eq!((&event["event"]["authenticity"], &event["event"]["actor"]), (&json!("operator"), &json!("operator")));
    assert_eq!(api.get(&format!("/scans/{scan}")).await.ok()["status"], "accepted");

    let again = api.post("operator", "/scans", json!({ "image": image })).await;
    assert_eq!((id_of(&again.body), &again.body["queued"]), (scan, &json!(false)));
    assert_eq!(api.state.store.outgoing(10).await.unwrap().len(), 1);
}

#[actix_web::test]
async fn a_wish_may_name_the_registry_and_neither_tag_nor_digest() {
    let api = Api::new().await;
    for (wish, tag) in [
        (json!({"registry": "main", "repository": "a", "tag": "7"}), Some("7")),
        (json!({"registry": "main", "repository": "b"}), Some("latest")),
        (json!({"image": "registry.test:5000/c"}), Some("latest")),
        (json!({"registry": "main", "repository": "d", "digest": app()}), None),
    ] {
        let scan = id_of(&api.post("operator", "/scans", wish.clone()).await.body);
        let jobs = api.state.store.outgoing(10).await.unwrap();
        let job = jobs.iter().find(|job| job.id == scan).unwrap();
        assert_eq!(job.tag.as_ref().map(|tag| tag.as_str()), tag, "{wish}");
    }
}

#[actix_web::test]
async fn a_wrong_wish_for_a_scan_is_refused_and_queues_nothing() {
    let api = Api::new().await;
    for (wish, said) in [
        (json!({}), "either image alone"),
        (json!({"image": "registry.test:5000/a", "tag": "1"}), "either image alone"),
        (json!({"registry": "main"}), "either image alone"),
        (json!({"image": "elsewhere.test/a"}), "elsewhere.test"),
        (json!({"image": "registry.test:5000/A"}), "image: repository"),
        (json!({"registry": "none", "repository": "a"}), "none"),
        (json!({"registry": "main", "repository": "a", "digest": "sha256:1"}), "digest"),
        (json!({"img": "a"}), "unknown field `img`"),
        (json!([]), "the body"),
    ] {
        api.post("operator", "/scans", wish).await.is_problem(400, said);
    }
    assert!(api.state.store.outgoing(10).await.unwrap().is_empty());
    assert!(!api.relay_was_woken());
}

#[actix_web::test]
async fn a_body_that_is_not_small_plain_json_is_refused() {
    let api = Api::new().await;
    let post = || TestRequest::post().uri("/api/v1/scans");
    let json = ("Content-Type", "application/json");
    let send = async |request| api.send_as("operator", request).await;
    send(post().insert_header(json).set_payload("{\"image\":")).await.is_problem(400, "the body");
    send(post().insert_header(json).set_payload(vec![b' '; 64 * 1024 + 1])).await.is_problem(413, "65536");
    send(post().insert_header(("Content-Type", "text/plain")).set_payload("{}"))
        .await
        .is_problem(415, "application/json");
    let inflated = post().insert_header(json).insert_header(("Content-Encoding", "gzip")).set_payload("{}");
    send(inflated).await.is_problem(415, "content encoding");
}

#[actix_web::test]
async fn a_dead_job_is_replayed_once() {
    let api = Api::new().await;
    let job = api.push("team/app", "1", &app()).await;
    api.state.store.mark_sent(&[job.id], Timestamp::now()).await.unwrap();
    let topic = Topic::Jobs(JobKind::Push);
    let reason = "it killed its worker three times".to_owned();
    let dead = DeadLetter { id: job.id, topic, job: Some(job.clone()), body: None, reason, died_at: Timestamp::now() };
    api.state.store.record_dead(&dead).await.unwrap();

    let listed = api.get("/dead-jobs").await.ok();
    assert_eq!((&listed["items"][0]["queue"], &listed["items"][0]["id"]), (&json!("push"), &json!(job.id)));
    let answer = api.post("operator", &format!("/dead-jobs/{}/replay", job.id), Value::Null).await;
    assert_eq!(answer.status, 202);
    let scan = id_of(&answer.body);
    assert_eq!(answer.header("Location"), format!("/api/v1/scans/{scan}"));
    assert!(scan != job.id && api.relay_was_woken());
    let outgoing: Vec<Uuid> = api.state.store.outgoing(10).await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(outgoing, [scan]);
    assert_eq!(api.get("/dead-jobs").await.ok(), json!({"items": []}));
    let again = api.post("operator", &format!("/dead-jobs/{}/replay", job.id), Value::Null).await;
    again.is_problem(404, &job.id.to_string());
}

#[actix_web::test]
async fn a_dead_message_that_is_no_job_can_only_be_discarded() {
    let api = Api::new().await;
    let id = Uuid::now_v7();
    let dead = DeadLetter {
        id,
        topic: Topic::Reports,
        job: None,
        body: Some("{\"version\": 99".to_owned()),
        reason: "it cannot be read".to_owned(),
        died_at: Timestamp::now(),
    };
    api.state.store.record_dead(&dead).await.unwrap();
    api.post("operator", &format!("/dead-jobs/{id}/replay"), Value::Null).await.is_problem(404, &id.to_string());
    assert_eq!(api.delete("operator", &format!("/dead-jobs/{id}")).await.status, 204);
    api.delete("operator", &format!("/dead-jobs/{id}")).await.is_problem(404, &id.to_string());
}
