//! Dead jobs: messages that nobody could process, to replay or to discard.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post};
use jiff::Timestamp;
use serde::Serialize;
use shared::job::ScanJob;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Operator, Viewer};
use super::error::ApiError;
use super::input::{PageParams, Params};
use super::{ApiState, scans};
use crate::store::{DeadLetter, Listing};

/// A message that nobody could process.
#[derive(Debug, Serialize, ToSchema)]
struct DeadJob {
    /// Identity; the scan's id where the message was a job.
    id: Uuid,
    /// Queue that it was in: `push`, `import`, `rescan` or `reports`.
    queue: &'static str,
    /// The job, where the message could be read as one.
    job: Option<ScanJob>,
    /// The message where it could not: its first 4 kB, with unreadable bytes replaced.
    body: Option<String>,
    /// Why nobody could process it.
    reason: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    died_at: Timestamp,
}

impl From<DeadLetter> for DeadJob {
    fn from(dead: DeadLetter) -> Self {
        let DeadLetter { id, topic, job, body, reason, died_at } = dead;
        Self { id, queue: topic.name(), job, body, reason, died_at }
    }
}

/// The scan that a dead job has become.
#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    /// Its new id.
    scan_id: Uuid,
}

/// Dead jobs
///
/// Newest first.
#[utoipa::path(tag = "dead jobs", params(PageParams), responses((status = OK, body = Listing<DeadJob>)))]
#[get("/dead-jobs")]
pub(super) async fn list(
    _: Viewer,
    state: Data<ApiState>,
    Params(query): Params<PageParams>,
) -> Result<Json<Listing<DeadJob>>, ApiError> {
    let dead = state.store.dead(&query.page()).await?;
    Ok(Json(Listing { items: dead.items.into_iter().map(DeadJob::from).collect(), next: dead.next }))
}

/// Replay a dead job
///
/// It is queued again, as a new scan. Only a message that could be read as a job can be replayed.
#[utoipa::path(tag = "dead jobs", security(("token" = ["operator"])), responses((status = ACCEPTED, body = Replayed)),
    params(("id" = Uuid, Path, description = "Id of the dead job")))]
#[post("/dead-jobs/{id}/replay")]
pub(super) async fn replay(
    operator: Operator,
    state: Data<ApiState>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let replayed = state.store.replay(*id, Timestamp::now()).await?;
    let scan_id = replayed.ok_or_else(|| ApiError::NotFound(format!("there is no dead job {id} to replay")))?;
    state.relay_wake.notify_one();
    tracing::info!(by = operator.name, dead.id = %id, job.id = %scan_id, "dead job replayed");
    Ok(HttpResponse::Accepted().insert_header(scans::location(scan_id)).json(Replayed { scan_id }))
}

/// Discard a dead job
#[utoipa::path(tag = "dead jobs", security(("token" = ["operator"])), responses((status = NO_CONTENT)),
    params(("id" = Uuid, Path, description = "Id of the dead job")))]
#[delete("/dead-jobs/{id}")]
pub(super) async fn discard(
    operator: Operator,
    state: Data<ApiState>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    if !state.store.discard(*id).await? {
        return Err(ApiError::NotFound(format!("there is no dead job {id}")));
    }
    tracing::info!(by = operator.name, dead.id = %id, "dead job discarded");
    Ok(HttpResponse::NoContent().finish())
}
