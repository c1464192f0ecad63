//! One image, by the digest of its manifest or of an index that holds it.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use shared::image::Digest;
use shared::package::Package;

use super::ApiState;
use super::auth::Viewer;
use super::error::ApiError;
use super::input::{NoKeys, PageParams, Params};
use crate::store::{FindingQuery, FindingRow, ImageDetail, Listing};

/// An image
///
/// For the digest of an index: an item for each of its scanned platforms.
#[utoipa::path(tag = "images", params(("digest" = Digest, Path, description = "Digest of a manifest or of an index")),
    responses((status = OK, body = Listing<ImageDetail>)))]
#[get("/images/{digest}")]
pub(super) async fn detail(
    _: Viewer,
    state: Data<ApiState>,
    digest: Path<Digest>,
) -> Result<Json<Listing<ImageDetail>>, ApiError> {
    let items = state.store.image(&digest).await?;
    if items.is_empty() {
        return Err(unknown(&digest));
    }
    Ok(Json(Listing { items, next: None }))
}

/// Packages of an image
///
/// All of them, in one page.
#[utoipa::path(tag = "images", params(("digest" = Digest, Path, description = "Digest of a manifest")),
    responses((status = OK, body = Listing<Package>)))]
#[get("/images/{digest}/packages")]
pub(super) async fn packages(
    _: Viewer,
    state: Data<ApiState>,
    digest: Path<Digest>,
    _: Params<NoKeys>,
) -> Result<Json<Listing<Package>>, ApiError> {
    let items = state.store.packages(&digest).await?.ok_or_else(|| unknown(&digest))?;
    Ok(Json(Listing { items, next: None }))
}

/// Findings of an image
///
/// Worst first. For filters and other orders: `/findings?digest=…`.
#[utoipa::path(tag = "images",
    params(("digest" = Digest, Path, description = "Digest of a manifest or of an index"), PageParams),
    responses((status = OK, body = Listing<FindingRow>)))]
#[get("/images/{digest}/findings")]
pub(super) async fn findings(
    _: Viewer,
    state: Data<ApiState>,
    digest: Path<Digest>,
    Params(query): Params<PageParams>,
) -> Result<Json<Listing<FindingRow>>, ApiError> {
    let of_image = FindingQuery { digest: Some(digest.clone()), ..FindingQuery::default() };
    let listing = state.store.findings(&of_image, &query.page()).await?;
    if listing.items.is_empty() && state.store.image(&digest).await?.is_empty() {
        return Err(unknown(&digest));
    }
    Ok(Json(listing))
}

fn unknown(digest: &Digest) -> ApiError {
    ApiError::NotFound(format!("no image with the digest {digest} has been scanned"))
}
