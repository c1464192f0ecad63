//! What machines ask a process: `/healthz`, `/readyz` and `/metrics`. Open, without a token: keep the port to networks
//! that may know how busy you are (names of images, repositories and registries are in none of the answers).
//!
//! A receiver is ready while it can take deliveries in. That needs its store and not the broker: with RabbitMQ away,
//! jobs wait in the store, so the queue is shown as not ok and the receiver stays ready.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, get, web};
use futures_util::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use shared::queue::Queue;

use crate::store::Store;

/// A check that has no answer by then has failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something that a process needs.
pub struct ReadinessCheck {
    name: &'static str,
    required: bool,
    check: Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl ReadinessCheck {
    /// Without it the process is not ready.
    pub fn required<F, R>(name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, required: true, check: Box::new(move || Box::pin(check())) }
    }

    /// Without it the process works, if less well; the reason is shown.
    pub fn optional<F, R>(name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { required: false, ..Self::required(name, check) }
    }

    async fn run(&self) -> Checked {
        let result = tokio::time::timeout(PATIENCE, (self.check)()).await;
        let reason = result.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()))).err();
        Checked { name: self.name, ok: reason.is_none(), required: self.required, reason }
    }
}

/// How a process is.
pub struct Health {
    checks: Vec<ReadinessCheck>,
    metrics: PrometheusHandle,
}

impl Health {
    /// Of any process.
    pub fn new(checks: Vec<ReadinessCheck>, metrics: PrometheusHandle) -> Self {
        Self { checks, metrics }
    }

    /// Of a receiver, with `more` checks where the process has other duties besides.
    pub fn of_receiver(
        store: Arc<dyn Store>,
        queue: Arc<dyn Queue>,
        metrics: PrometheusHandle,
        more: Vec<ReadinessCheck>,
    ) -> Self {
        let mut checks = vec![store_check(store), queue_check(queue)];
        checks.extend(more);
        Self { checks, metrics }
    }
}

fn store_check(store: Arc<dyn Store>) -> ReadinessCheck {
    ReadinessCheck::required("store", move || {
        let store = store.clone();
        async move { store.ready().await.map_err(|error| error.to_string()) }
    })
}

fn queue_check(queue: Arc<dyn Queue>) -> ReadinessCheck {
    ReadinessCheck::optional("queue", move || {
        let queue = queue.clone();
        async move { queue.ready().await.map_err(|error| error.to_string()) }
    })
}

/// Mounts the three routes.
pub fn configure(config: &mut web::ServiceConfig, health: web::Data<Health>) {
    config.app_data(health).service(live).service(ready).service(numbers);
}

#[get("/healthz")]
async fn live() -> &'static str {
    "ok\n"
}

/// Body of `/readyz`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Checked>,
}

/// One check's result.
#[derive(Debug, Serialize)]
struct Checked {
    name: &'static str,
    ok: bool,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[get("/readyz")]
async fn ready(health: web::Data<Health>) -> HttpResponse {
    let checks = join_all(health.checks.iter().map(ReadinessCheck::run)).await;
    let ready = checks.iter().all(|check| check.ok || !check.required);
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Readiness { ready, checks })
}

/// Prometheus' text format, version 0.0.4.
#[get("/metrics")]
async fn numbers(health: web::Data<Health>) -> HttpResponse {
    health.metrics.run_upkeep();
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4")).body(health.metrics.render())
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use serde_json::{Value, json};

    use super::*;

    async fn ask(checks: Vec<ReadinessCheck>, path: &str) -> (u16, String, Vec<u8>) {
        let handle = PrometheusBuilder::new().build_recorder().handle();
        let health = web::Data::new(Health::new(checks, handle));
        let app = test::init_service(App::new().configure(|config| configure(config, health))).await;
        let response = test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
        let content_type = response.headers().get(CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
        (response.status().as_u16(), content_type, test::read_body(response).await.to_vec())
    }

    #[actix_web::test]
    async fn an_optional_check_that_fails_is_shown_and_no_more() {
        let checks = vec![
            ReadinessCheck::required("store", || async { Ok(()) }),
            ReadinessCheck::optional("queue", || async { Err("the broker is away".to_owned()) }),
        ];
        let (status, _, body) = ask(checks, "/readyz").await;
        let expected = json!({"ready": true, "checks": [
            {"name": "store", "ok": true, "required": true},
            {"name": "queue", "ok": false, "required": false, "reason": "the broker is away"},
        ]});
        assert_eq!((status, serde_json::from_slice::<Value>(&body).unwrap()), (200, expected));
    }

    #[actix_web::test]
    async fn a_required_check_that_fails_makes_the_process_not_ready_but_alive() {
        let failing = || vec![ReadinessCheck::required("store", || async { Err("the disk is full".to_owned()) })];
        let (status, _, body) = ask(failing(), "/readyz").await;
        assert_eq!((status, serde_json::from_slice::<Value>(&body).unwrap()["ready"].clone()), (503, json!(false)));
        assert_eq!(ask(failing(), "/healthz").await.0, 200);
    }

    #[actix_web::test]
    async fn metrics_are_in_the_format_of_prometheus() {
        let (status, content_type, _) = ask(Vec::new(), "/metrics").await;
        assert_eq!((status, content_type.as_str()), (200, "text/plain; version=0.0.4"));
    }
}
