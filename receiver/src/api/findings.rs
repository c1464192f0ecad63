//! Findings across all images.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::Deserialize;
use shared::finding::Severity;
use shared::image::{Digest, Repository, Tag};
use utoipa::IntoParams;

use super::ApiState;
use super::auth::Viewer;
use super::error::ApiError;
use super::input::{Limit, Params, page};
use crate::store::{FindingDetail, FindingQuery, FindingRow, FindingSort, Listing, Page};

/// Which findings. A finding must pass every filter that is given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FindingParams {
    /// Exactly this severity.
    severity: Option<Severity>,
    /// This severity or a worse one.
    at_least: Option<Severity>,
    /// Canonical id or any alias of the vulnerability, in any case.
    #[param(example = "CVE-2024-3094")]
    vulnerability: Option<String>,
    /// Name of the package or of its source package.
    #[param(example = "openssl")]
    package: Option<String>,
    /// Ecosystem in OSV's words, with or without its release: `Debian` finds `Debian:12`.
    #[param(example = "Debian:12")]
    ecosystem: Option<String>,
    /// Configured name of the registry.
    registry: Option<String>,
    /// Repository that has the image.
    #[param(example = "team/app")]
    repository: Option<Repository>,
    /// A tag that points at the image now.
    tag: Option<Tag>,
    /// Digest of the image or of an index that holds it.
    digest: Option<Digest>,
    /// Whether a fixed version is known.
    fix_available: Option<bool>,
    /// Whether the package's layer comes from the image's base: `false` is what the image's own Dockerfile added.
    base: Option<bool>,
    /// The order: `severity` (worst first), `vulnerability` (by id) or `package` (by name).
    #[serde(default)]
    #[param(inline, value_type = Option<FindingSort>)]
    sort: FindingSort,
    /// At most this many items.
    #[serde(default)]
    #[param(value_type = Option<usize>, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before, which had the same filters and order.
    cursor: Option<String>,
}

impl FindingParams {
    fn split(self) -> (FindingQuery, Page) {
        let query = FindingQuery {
            severity: self.severity,
            at_least: self.at_least,
            vulnerability: self.vulnerability,
            package: self.package,
            ecosystem: self.ecosystem,
            registry: self.registry,
            repository: self.repository,
            tag: self.tag,
            digest: self.digest,
            fix_available: self.fix_available,
            base: self.base,
            sort: self.sort,
        };
        (query, page(self.limit, self.cursor))
    }
}

/// Findings across all images
#[utoipa::path(tag = "findings", params(FindingParams), responses((status = OK, body = Listing<FindingRow>)))]
#[get("/findings")]
pub(super) async fn list(
    _: Viewer,
    state: Data<ApiState>,
    Params(params): Params<FindingParams>,
) -> Result<Json<Listing<FindingRow>>, ApiError> {
    let (query, page) = params.split();
    Ok(Json(state.store.findings(&query, &page).await?))
}

/// A finding
///
/// With what is known of the vulnerability, the remedy, and every image that has it.
#[utoipa::path(tag = "findings", responses((status = OK, body = FindingDetail)),
    params(("finding_id" = String, Path, description = "`finding_id` from a listing")))]
#[get("/findings/{finding_id}")]
pub(super) async fn detail(
    _: Viewer,
    state: Data<ApiState>,
    id: Path<String>,
) -> Result<Json<FindingDetail>, ApiError> {
    let found = state.store.finding(&id).await?;
    found.map(Json).ok_or_else(|| ApiError::NotFound("there is no finding with this id (any more)".to_owned()))
}
