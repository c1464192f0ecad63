//! What the registries said, and what became of it.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use uuid::Uuid;

use super::ApiState;
use super::auth::Viewer;
use super::error::ApiError;
use super::input::{PageParams, Params};
use crate::store::{EventRecord, Listing};

/// Events
///
/// Newest first.
#[utoipa::path(tag = "events", params(PageParams), responses((status = OK, body = Listing<EventRecord>)))]
#[get("/events")]
pub(super) async fn list(
    _: Viewer,
    state: Data<ApiState>,
    Params(query): Params<PageParams>,
) -> Result<Json<Listing<EventRecord>>, ApiError> {
    Ok(Json(state.store.events(&query.page()).await?))
}

/// An event
///
/// With its timeline: accepted, queued, started, recorded or how else it ended.
#[utoipa::path(tag = "events", responses((status = OK, body = EventRecord)),
    params(("id" = Uuid, Path, description = "Id of the event")))]
#[get("/events/{id}")]
pub(super) async fn detail(_: Viewer, state: Data<ApiState>, id: Path<Uuid>) -> Result<Json<EventRecord>, ApiError> {
    let found = state.store.event(*id).await?;
    found.map(Json).ok_or_else(|| ApiError::NotFound(format!("there is no event {id}")))
}
