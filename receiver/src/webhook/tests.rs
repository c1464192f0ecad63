use std::collections::BTreeMap;

use actix_web::body::to_bytes;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::{App, FromRequest as _, test};
use futures_util::stream;
use shared::registry::{RegistryConfig, RegistrySelector};

use super::*;
use crate::sources::standard_webhooks::sign;
use crate::testing::MemoryStore;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PUSH: &str = r#"{"type":"image.pushed","data":{"registry":"r.example","repository":"team/app","tag":"1"}}"#;

struct Receiver {
    webhooks: web::Data<Webhooks>,
    store: Arc<MemoryStore>,
    relay: Arc<Notify>,
}

fn receiver(limits: Limits) -> Receiver {
    let sections = [
        ("events".to_owned(), format!("kind = 'standard-webhooks'\nsecrets = ['{SECRET}']").parse().unwrap()),
        ("hub".to_owned(), "kind = 'distribution'\nsecrets = ['token']".parse().unwrap()),
    ];
    let registries = BTreeMap::from([("main".to_owned(), RegistryConfig::anonymous("r.example"))]);
    let sources = Sources::build(&BTreeMap::from(sections), &registries).unwrap();
    let (store, relay) = (Arc::new(MemoryStore::default()), Arc::new(Notify::new()));
    let planner = Planner::new(RegistrySelector::new(&registries));
    let webhooks = Webhooks::new(sources, planner, store.clone(), relay.clone(), limits);
    Receiver { webhooks: web::Data::new(webhooks), store, relay }
}

impl Receiver {
    async fn send(&self, request: test::TestRequest) -> ServiceResponse {
        let app = App::new().configure(|config| configure(config, self.webhooks.clone()));
        test::call_service(&test::init_service(app).await, request.to_request()).await
    }

    fn deliveries(&self) -> usize {
        self.store.kept().deliveries.len()
    }
}

fn signed(id: &str, body: &str) -> test::TestRequest {
    let now = Timestamp::now().as_second();
    test::TestRequest::post()
        .uri("/webhooks/events")
        .insert_header(("webhook-id", id))
        .insert_header(("webhook-timestamp", now.to_string()))
        .insert_header(("webhook-signature", sign(&SECRET.into(), id, now, body.as_bytes()).unwrap()))
        .set_payload(body.to_owned())
}

fn notification(token: &str, body: &str) -> test::TestRequest {
    let request = test::TestRequest::post().uri("/webhooks/hub").insert_header(("Authorization", token));
    request.set_payload(body.to_owned())
}

fn header<'a>(response: &'a ServiceResponse, name: &str) -> &'a str {
    response.headers().get(name).unwrap().to_str().unwrap()
}

async fn json(response: ServiceResponse) -> serde_json::Value {
    serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap()
}

#[actix_web::test]
async fn a_signed_push_is_kept_and_the_relay_is_told() {
    let receiver = receiver(Limits::default());
    let response = receiver.send(signed("msg_1", PUSH)).await;
    assert_eq!(response.status(), 202);
    let answer = json(response).await;
    assert_eq!((&answer["events"], &answer["jobs"], &answer["duplicate"]), (&json!(1), &json!(1), &json!(false)));
    receiver.relay.notified().await;
    let kept = receiver.store.kept();
    let intake = &kept.deliveries[&("events".to_owned(), "msg_1".to_owned())];
    assert_eq!((intake.trace.as_str(), intake.events.len()), (answer["trace"].as_str().unwrap(), 1));
    assert_eq!(kept.outgoing[0].trace, intake.trace, "one id from the delivery to the report");
    assert_eq!(kept.outgoing[0].accepted_at, intake.received_at);
}

#[actix_web::test]
async fn a_duplicate_is_a_success_that_changes_nothing() {
    let receiver = receiver(Limits::default());
    receiver.send(signed("msg_1", PUSH)).await;
    let response = receiver.send(signed("msg_1", PUSH)).await;
    assert_eq!(response.status(), 202);
    assert_eq!(json(response).await["duplicate"], json!(true));
    assert_eq!((receiver.deliveries(), receiver.store.kept().outgoing.len()), (1, 1));
}

#[actix_web::test]
async fn a_sender_that_is_not_proven_leaves_nothing() {
    let receiver = receiver(Limits::default());
    for request in [
        signed("msg_1", PUSH).set_payload(PUSH.replace("team", "evil")),
        signed("msg_1", PUSH).insert_header(("webhook-id", "msg_2")),
        test::TestRequest::post().uri("/webhooks/events").set_payload(PUSH),
        notification("Bearer other", "{}"),
    ] {
        let response = receiver.send(request).await;
        assert_eq!(response.status(), 401);
        assert_eq!(header(&response, "content-type"), "application/problem+json");
        assert_eq!(json(response).await["title"], "Unauthorized");
    }
    assert_eq!(receiver.deliveries(), 0);
}

#[actix_web::test]
async fn a_proven_sender_with_an_unusable_body_is_told_as_its_kind_wants() {
    let receiver = receiver(Limits::default());
    assert_eq!(receiver.send(signed("msg_1", "{}")).await.status(), 400);
    assert_eq!(receiver.send(notification("Bearer token", "{}")).await.status(), 202);
    assert_eq!(receiver.deliveries(), 0);
}

#[actix_web::test]
async fn what_is_of_no_interest_is_a_success() {
    let receiver = receiver(Limits::default());
    assert_eq!(receiver.send(notification("token", r#"{"events":[]}"#)).await.status(), 202);
    assert_eq!(receiver.send(signed("msg_1", r#"{"type":"ping"}"#)).await.status(), 202);
    assert_eq!(receiver.deliveries(), 0);
}

#[actix_web::test]
async fn unknown_names_and_other_methods() {
    let receiver = receiver(Limits::default());
    assert_eq!(receiver.send(test::TestRequest::post().uri("/webhooks/ghost")).await.status(), 404);
    let response = receiver.send(test::TestRequest::get().uri("/webhooks/events")).await;
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, "POST"));
}

#[actix_web::test]
async fn a_store_that_fails_is_a_reason_to_come_back() {
    let receiver = receiver(Limits::default());
    receiver.store.set_broken(true);
    let response = receiver.send(signed("msg_1", PUSH)).await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, "5"));
    let answer = json(response).await;
    assert_eq!(answer["detail"], "the store is not available", "what exactly is for the log");
    receiver.store.set_broken(false);
    assert_eq!(json(receiver.send(signed("msg_1", PUSH)).await).await["jobs"], json!(1));
}

#[actix_web::test]
async fn bodies_and_headers_have_limits() {
    let fits = PUSH.len();
    let small = receiver(Limits { body_bytes: fits, ..Limits::default() });
    assert_eq!(small.send(signed("msg_1", PUSH)).await.status(), 202);
    assert_eq!(small.send(signed("msg_2", &format!("{PUSH} "))).await.status(), 413);

    let headers = receiver(Limits { header_bytes: 500, ..Limits::default() });
    assert_eq!(headers.send(signed("msg_1", PUSH)).await.status(), 202);
    assert_eq!(headers.send(signed("msg_2", PUSH).insert_header(("x", "y".repeat(500)))).await.status(), 431);
    let count = receiver(Limits { header_count: 4, ..Limits::default() });
    assert_eq!(count.send(signed("msg_1", PUSH)).await.status(), 202);
    assert_eq!(count.send(signed("msg_2", PUSH).insert_header(("x", "y"))).await.status(), 431);
}

#[actix_web::test]
async fn all_bodies_together_have_a_limit_and_give_back_what_they_took() {
    let total = PUSH.len() + 1;
    let receiver = receiver(Limits { total_body_bytes: total, ..Limits::default() });
    let other = Arc::clone(&receiver.webhooks.memory).try_acquire_many_owned(2).unwrap();
    let response = receiver.send(signed("msg_1", PUSH)).await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, "5"));
    drop(other);
    assert_eq!(receiver.send(signed("msg_1", PUSH)).await.status(), 202);
    assert_eq!(receiver.webhooks.memory.available_permits(), total);
}

#[actix_web::test]
async fn a_body_that_never_ends_is_not_waited_for() {
    let receiver = receiver(Limits { read_timeout_seconds: 0, ..Limits::default() });
    let stuck = stream::iter([Ok(Bytes::from_static(b"{"))]).chain(stream::pending());
    let mut payload: Payload = Payload::Stream { payload: Box::pin(stuck) };
    let request = signed("msg_1", PUSH).to_http_request();
    let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
    let source = receiver.webhooks.sources.get("events").unwrap();
    let refusal = receiver.webhooks.take_in(source, request.headers(), payload, "trace").await.err().unwrap();
    assert_eq!(refusal.answer(source).status(), 408);
    assert_eq!(receiver.webhooks.memory.available_permits(), Limits::default().total_body_bytes);
}
