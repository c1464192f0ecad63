//! Scans: what runs and ran, and an operator's wish for one.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, get, post};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::event::{Authenticity, EventKind, RegistryEvent};
use shared::image::{Digest, ImageRef, Reference, Repository, Tag};
use shared::job::{JobKind, ScanJob};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Operator, Viewer};
use super::error::ApiError;
use super::input::{Body, Limit, Params, page};
use super::{ApiState, ConfiguredRegistries};
use crate::store::{Accepted, Action, Intake, Listing, PlannedEvent, ScanRecord, ScanStatus, StoreError};

/// Source of the events that operators cause.
const SOURCE: &str = "operator";

/// Which scans.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ScanParams {
    /// Only those that stand there.
    status: Option<ScanStatus>,
    /// At most this many items.
    #[serde(default)]
    #[param(value_type = Option<usize>, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before, which had the same status.
    cursor: Option<String>,
}

/// Scans
///
/// Newest first.
#[utoipa::path(tag = "scans", params(ScanParams), responses((status = OK, body = Listing<ScanRecord>)))]
#[get("/scans")]
pub(super) async fn list(
    _: Viewer,
    state: Data<ApiState>,
    Params(params): Params<ScanParams>,
) -> Result<Json<Listing<ScanRecord>>, ApiError> {
    Ok(Json(state.store.scans(params.status, &page(params.limit, params.cursor)).await?))
}

/// A scan
#[utoipa::path(tag = "scans", responses((status = OK, body = ScanRecord)),
    params(("id" = Uuid, Path, description = "Id of the scan")))]
#[get("/scans/{id}")]
pub(super) async fn detail(_: Viewer, state: Data<ApiState>, id: Path<Uuid>) -> Result<Json<ScanRecord>, ApiError> {
    let found = state.store.scan(*id).await?;
    found.map(Json).ok_or_else(|| ApiError::NotFound(format!("there is no scan {id}")))
}

/// Ask for a scan
///
/// Taken in like a registry's own event. Where the same is already queued or being scanned, the answer names that scan.
#[utoipa::path(tag = "scans", security(("token" = ["operator"])), request_body = ScanRequest,
    responses((status = ACCEPTED, body = ScanAccepted, headers(("Location" = String, description = "The scan")))))]
#[post("/scans")]
pub(super) async fn request(
    operator: Operator,
    state: Data<ApiState>,
    Body(request): Body<ScanRequest>,
) -> Result<HttpResponse, ApiError> {
    let wish = request.resolve(&state.registries)?;
    let intake = wish.intake(&operator.name, Timestamp::now());
    let event_id = intake.events[0].id;
    let (scan_id, queued) = match state.store.accept(&intake).await? {
        Accepted::New { jobs, queued } => (jobs.first().copied().flatten(), queued > 0),
        Accepted::Duplicate => (None, false),
    };
    // Every wish is a delivery of its own, and its one event asks for a scan: anything else is the store's fault.
    let scan_id = scan_id.ok_or(StoreError::Corrupt { table: "deliveries", why: "a wish has no scan".to_owned() })?;
    state.relay_wake.notify_one();
    tracing::info!(by = operator.name, trace = intake.trace, job.id = %scan_id, "scan requested");
    Ok(HttpResponse::Accepted().insert_header(location(scan_id)).json(ScanAccepted { scan_id, event_id, queued }))
}

/// Where a scan is found.
pub(super) fn location(scan: Uuid) -> (&'static str, String) {
    ("Location", format!("/api/v1/scans/{scan}"))
}

/// An image to scan: either `image` alone, or `registry` and `repository` with a tag, a digest or both
/// (`latest` with neither).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"image": "registry.example.com/team/app:1.2"}))]
struct ScanRequest {
    /// `HOST/REPOSITORY[:TAG][@DIGEST]`; the host must be that of a configured registry.
    image: Option<String>,
    /// Configured name of the registry.
    registry: Option<String>,
    /// Repository within it.
    repository: Option<Repository>,
    /// A tag.
    tag: Option<Tag>,
    /// Digest of a manifest or of an index; with it the tag is only a label.
    digest: Option<Digest>,
}

/// What was accepted.
#[derive(Debug, Serialize, ToSchema)]
struct ScanAccepted {
    /// The scan that was started or joined.
    scan_id: Uuid,
    /// The event that stands for the request.
    event_id: Uuid,
    /// Whether the scan is new; `false` where one of the same was already under way.
    queued: bool,
}

impl ScanRequest {
    fn resolve(self, registries: &ConfiguredRegistries) -> Result<Wish, ApiError> {
        match self {
            Self { image: Some(image), registry: None, repository: None, tag: None, digest: None } => {
                let image: ImageRef = image.parse().map_err(|error| invalid(format!("image: {error}")))?;
                let name = registries.select(&image.host).ok_or_else(|| no_registry("image", &image.host))?;
                Ok(Wish { registry: name.to_owned(), image })
            }
            Self { image: None, registry: Some(name), repository: Some(repository), tag, digest } => {
                let host = registries.host(&name).ok_or_else(|| no_registry("registry", &name))?.to_owned();
                Ok(Wish { registry: name, image: ImageRef { host, repository, tag, digest } })
            }
            _ => Err(invalid("give either image alone, or registry and repository with tag or digest".to_owned())),
        }
    }
}

fn invalid(what: String) -> ApiError {
    ApiError::Invalid(format!("the body: {what}"))
}

fn no_registry(key: &str, value: &str) -> ApiError {
    invalid(format!("{key}: no registry of the configuration is {value:?}; GET /api/v1/registries lists them"))
}

/// A scan that an operator wants.
struct Wish {
    /// Configured name of the registry.
    registry: String,
    image: ImageRef,
}

impl Wish {
    /// The wish as a delivery of its own.
    fn intake(self, operator: &str, at: Timestamp) -> Intake {
        let delivery_id = Uuid::now_v7().to_string();
        let trace = delivery_id.clone();
        let tag = match self.image.reference() {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => self.image.tag,
        };
        let event = RegistryEvent {
            source: SOURCE.to_owned(),
            kind: EventKind::Import,
            registry: self.image.host,
            repository: self.image.repository,
            tag,
            digest: self.image.digest,
            media_type: None,
            actor: Some(operator.to_owned()),
            time: at,
            delivery_id: delivery_id.clone(),
            authenticity: Authenticity::Operator,
        };
        let job = ScanJob {
            id: Uuid::now_v7(),
            kind: JobKind::Import,
            registry: self.registry.clone(),
            repository: event.repository.clone(),
            tag: event.tag.clone(),
            digest: event.digest.clone(),
            accepted_at: at,
            trace: trace.clone(),
        };
        let action = Action::Scan(Box::new(job));
        let planned = PlannedEvent { id: Uuid::now_v7(), event, registry: Some(self.registry), action };
        Intake { source: SOURCE.to_owned(), delivery_id, received_at: at, trace, events: vec![planned] }
    }
}
