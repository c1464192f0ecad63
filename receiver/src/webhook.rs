//! `POST /webhooks/{name}`: the one way in for registries. Read [`Webhooks::take_in`] first.
//!
//! The answers, which decide what a sender does next:
//!
//! | | |
//! |---|---|
//! | 202 | on disk, or a duplicate, or of no interest |
//! | 400 | proven, but not what this kind of source sends (some kinds are told 202: see [`Source::malformed_answer`]) |
//! | 401 | not proven |
//! | 404, 405 | no such source; not a POST |
//! | 408, 413, 431 | the body was too slow or too large, the headers too many |
//! | 503 | not now: the store failed, or other deliveries hold all the memory there is for bodies |
//!
//! Never a redirect: senders disagree about what it means.
//!
//! [`Source::malformed_answer`]: crate::sources::Source::malformed_answer

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use metrics::{counter, histogram};
use serde_json::json;
use shared::telemetry::names;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::config::Limits;
use crate::delivery::Delivery;
use crate::intake::Planner;
use crate::signature::Rejection;
use crate::sources::{Configured, Malformed, Normalized, Sources};
use crate::store::{Accepted, Action, Intake, Store, StoreError};

mod refusals;

use refusals::Refusals;

/// When a sender that was told "not now" may come back, in seconds.
const RETRY_AFTER: u64 = 5;

/// What the handler needs.
pub struct Webhooks {
    sources: Sources,
    planner: Planner,
    store: Arc<dyn Store>,
    relay: Arc<Notify>,
    limits: Limits,
    /// One permit for each byte of a body that may be held.
    memory: Arc<Semaphore>,
    refusals: Refusals,
}

/// What became of a delivery that was taken in.
struct Taken {
    delivery_id: String,
    events: usize,
    /// Jobs that are new, and jobs that were waiting already.
    queued: usize,
    joined: usize,
    duplicate: bool,
}

/// Why a delivery was not taken in.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the delivery has too many or too large headers")]
    Headers,
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body did not arrive in time")]
    Slow,
    #[error("the connection ended within the body")]
    Broken,
    #[error("too many deliveries at once")]
    Busy,
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the store is not available")]
    Store(#[source] StoreError),
}

impl Webhooks {
    /// A handler for deliveries to `sources` that notifies `relay` of new jobs.
    pub fn new(sources: Sources, planner: Planner, store: Arc<dyn Store>, relay: Arc<Notify>, limits: Limits) -> Self {
        let memory = Arc::new(Semaphore::new(limits.total_body_bytes));
        Self { sources, planner, store, relay, limits, memory, refusals: Refusals::default() }
    }

    /// The whole of a delivery: limit, read, verify, normalize, plan, store.
    async fn take_in(
        &self,
        to: &Configured,
        headers: &HeaderMap,
        payload: web::Payload,
        trace: &str,
    ) -> Result<Taken, Refusal> {
        let received_at = Timestamp::now();
        self.check_headers(headers)?;
        let (body, _memory) = self.read_body(payload).await?;
        let delivery = Delivery::new(&to.name, headers.clone(), body, received_at);
        let delivery = to.source.verify(delivery, received_at)?;
        let normalized = to.source.normalize(&delivery)?;
        report_left_out(to, trace, &normalized);
        let Normalized { delivery_id, events, .. } = normalized;
        let plan = |event| self.planner.plan(event, to.registry.as_deref(), received_at, trace);
        let events: Vec<_> = events.into_iter().map(plan).collect();
        let intake = Intake { source: to.name.clone(), delivery_id, received_at, trace: trace.to_owned(), events };
        self.keep(intake).await
    }

    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if headers.len() > self.limits.header_count || bytes > self.limits.header_bytes {
            return Err(Refusal::Headers);
        }
        Ok(())
    }

    /// Reads the body as it was sent: never inflated, never larger than the limit, and counted against what all
    /// deliveries together may hold for as long as the permit lives.
    async fn read_body(&self, mut payload: web::Payload) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let take = |bytes| Arc::clone(&self.memory).try_acquire_many_owned(bytes).map_err(|_| Refusal::Busy);
        let read = async {
            let mut held = take(0)?;
            let mut body = BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| Refusal::Broken)?;
                if body.len() + chunk.len() > self.limits.body_bytes {
                    return Err(Refusal::TooLarge(self.limits.body_bytes));
                }
                held.merge(take(chunk.len() as u32)?);
                body.extend_from_slice(&chunk);
            }
            Ok((body.freeze(), held))
        };
        tokio::time::timeout(self.limits.read_timeout(), read).await.unwrap_or(Err(Refusal::Slow))
    }

    /// Returns once the delivery is on disk. One without events leaves nothing to keep.
    async fn keep(&self, intake: Intake) -> Result<Taken, Refusal> {
        let mut taken = Taken {
            delivery_id: intake.delivery_id.clone(),
            events: intake.events.len(),
            queued: 0,
            joined: 0,
            duplicate: false,
        };
        if intake.events.is_empty() {
            return Ok(taken);
        }
        match self.store.accept(&intake).await.map_err(Refusal::Store)? {
            Accepted::Duplicate => taken.duplicate = true,
            Accepted::New { jobs, queued } => {
                taken.queued = queued;
                taken.joined = jobs.iter().flatten().count().saturating_sub(queued);
                count_events(&intake, &taken);
            }
        }
        if taken.queued > 0 {
            self.relay.notify_one();
        }
        Ok(taken)
    }

    /// The one line of each delivery that is accepted; of those that are refused, of not too many.
    fn log(&self, to: &Configured, trace: &str, result: &Result<Taken, Refusal>, status: StatusCode, started: Instant) {
        let (source, status) = (to.name.as_str(), status.as_u16());
        let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
        let refusal = match result {
            Ok(Taken { delivery_id, events, queued, joined, duplicate }) => {
                info!(
                    trace,
                    source,
                    delivery.id = delivery_id,
                    events,
                    jobs = queued,
                    joined,
                    duplicate,
                    status,
                    duration_ms,
                    "delivery accepted"
                );
                return;
            }
            Err(refusal) => refusal,
        };
        let Some(untold) = self.refusals.count(source, Instant::now()) else { return };
        match refusal {
            Refusal::Store(error) => error!(trace, source, %error, status, duration_ms, untold, "delivery refused"),
            error => warn!(trace, source, %error, status, duration_ms, untold, "delivery refused"),
        }
    }
}

/// Mounts the route.
pub(crate) fn configure(config: &mut web::ServiceConfig, webhooks: web::Data<Webhooks>) {
    let deliveries = web::resource("/webhooks/{name}").app_data(webhooks);
    config.service(deliveries.route(web::post().to(receive)).default_service(web::to(method_not_allowed)));
}

/// Answers `POST /webhooks/{name}`.
async fn receive(
    name: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    webhooks: web::Data<Webhooks>,
) -> HttpResponse {
    let started = Instant::now();
    let Some(to) = webhooks.sources.get(&name) else {
        counter!(names::DELIVERIES, "source" => "unknown", "status" => "404").increment(1);
        return problem(StatusCode::NOT_FOUND, "there is no source of this name");
    };
    let trace = Uuid::now_v7().to_string();
    let result = webhooks.take_in(to, request.headers(), payload, &trace).await;
    let response = match &result {
        Ok(taken) => HttpResponse::Accepted().json(json!({
            "trace": trace, "events": taken.events, "jobs": taken.queued, "duplicate": taken.duplicate,
        })),
        Err(refusal) => refusal.answer(to),
    };
    let status = response.status();
    counter!(names::DELIVERIES, "source" => to.name.clone(), "status" => status.as_str().to_owned()).increment(1);
    if matches!(result, Err(Refusal::Malformed(_))) {
        counter!(names::DELIVERIES_UNUSABLE, "source" => to.name.clone()).increment(1);
    }
    histogram!(names::ACCEPT_SECONDS).record(started.elapsed().as_secs_f64());
    webhooks.log(to, &trace, &result, status, started);
    response
}

/// Answers every other method.
async fn method_not_allowed() -> HttpResponse {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "deliveries are sent by POST");
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    response
}

impl Refusal {
    fn answer(&self, to: &Configured) -> HttpResponse {
        let status = match self {
            Self::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Rejected(_) => StatusCode::UNAUTHORIZED,
            Self::Malformed(_) => to.source.malformed_answer(),
        };
        problem(status, &self.to_string())
    }
}

/// A problem document (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
    }
    response
        .content_type("application/problem+json")
        .body(json!({ "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail }).to_string())
}

fn report_left_out(to: &Configured, trace: &str, normalized: &Normalized) {
    let Normalized { uninteresting, problems, .. } = normalized;
    let ignored = uninteresting + problems.len();
    if ignored > 0 {
        counter!(names::EVENTS, "source" => to.name.clone(), "action" => "ignored").increment(ignored as u64);
    }
    if let Some(first) = problems.first() {
        warn!(trace, source = to.name, events = problems.len(), first, "events left out");
    }
}

fn count_events(intake: &Intake, taken: &Taken) {
    let count = |action: &'static str, events: usize| {
        if events > 0 {
            counter!(names::EVENTS, "source" => intake.source.clone(), "action" => action).increment(events as u64);
        }
    };
    let planned = |wanted: fn(&Action) -> bool| intake.events.iter().filter(|event| wanted(&event.action)).count();
    count("scan", taken.queued);
    count("joined", taken.joined);
    count("pulled", planned(|action| matches!(action, Action::Pulled)));
    count("deleted", planned(|action| matches!(action, Action::Deleted)));
    count("ignored", planned(|action| matches!(action, Action::Ignored(_))));
}

#[cfg(test)]
mod tests;
