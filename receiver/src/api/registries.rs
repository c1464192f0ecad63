//! Registries, their repositories, and the images in them.

use std::collections::BTreeMap;

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use shared::image::Repository;
use shared::registry::{RegistryConfig, RegistrySelector};

use super::ApiState;
use super::auth::Viewer;
use super::error::ApiError;
use super::input::{NoKeys, PageParams, Params};
use crate::store::{ImageSummary, Listing, RegistrySummary, RepositorySummary};

/// Registries
///
/// Those of the configuration, and those that something is still known of. By name.
#[utoipa::path(tag = "images", responses((status = OK, body = Listing<RegistrySummary>)))]
#[get("/registries")]
pub(super) async fn list(
    _: Viewer,
    state: Data<ApiState>,
    _: Params<NoKeys>,
) -> Result<Json<Listing<RegistrySummary>>, ApiError> {
    Ok(Json(Listing { items: summaries(&state).await?, next: None }))
}

/// Repositories of a registry
///
/// By name.
#[utoipa::path(tag = "images", responses((status = OK, body = Listing<RepositorySummary>)),
    params(("registry" = String, Path, description = "Configured name of the registry", example = "main"), PageParams))]
#[get("/registries/{registry}/repositories")]
pub(super) async fn repositories(
    _: Viewer,
    state: Data<ApiState>,
    registry: Path<String>,
    Params(query): Params<PageParams>,
) -> Result<Json<Listing<RepositorySummary>>, ApiError> {
    must_exist(&state, &registry).await?;
    Ok(Json(state.store.repositories(&registry, &query.page()).await?))
}

/// Images of a repository
///
/// Most recently pushed first; none where nothing is known of the repository.
#[utoipa::path(tag = "images", responses((status = OK, body = Listing<ImageSummary>)),
    params(
        ("registry" = String, Path, description = "Configured name of the registry", example = "main"),
        ("repository" = Repository, Path, example = "team/app",
            description = "Repository; its slashes may be written as they are or as %2F"),
        PageParams))]
#[get("/registries/{registry}/repositories/{repository:.+}/images")]
pub(super) async fn images(
    _: Viewer,
    state: Data<ApiState>,
    path: Path<(String, Repository)>,
    Params(query): Params<PageParams>,
) -> Result<Json<Listing<ImageSummary>>, ApiError> {
    let (registry, repository) = path.into_inner();
    must_exist(&state, &registry).await?;
    Ok(Json(state.store.images(&registry, &repository, &query.page()).await?))
}

async fn must_exist(state: &ApiState, registry: &str) -> Result<(), ApiError> {
    let known = state.registries.host(registry).is_some()
        || state.store.registries().await?.iter().any(|known| known.name == registry);
    if known { Ok(()) } else { Err(ApiError::NotFound(format!("there is no registry {registry:?}"))) }
}

/// What the store knows, and the registries of the configuration that it knows nothing of yet.
async fn summaries(state: &ApiState) -> Result<Vec<RegistrySummary>, ApiError> {
    let nothing_yet =
        |name: &String| RegistrySummary { name: name.clone(), repositories: 0, images: 0, last_event_at: None };
    let mut all: BTreeMap<String, RegistrySummary> =
        state.registries.names().map(|name| (name.clone(), nothing_yet(name))).collect();
    all.extend(state.store.registries().await?.into_iter().map(|summary| (summary.name.clone(), summary)));
    Ok(all.into_values().collect())
}

/// The registries of the configuration, without their credentials.
#[derive(Debug, Clone, Default)]
pub struct ConfiguredRegistries {
    hosts: BTreeMap<String, String>,
    selector: RegistrySelector,
}

impl ConfiguredRegistries {
    /// From the sections `[registries.NAME]`.
    pub fn new(registries: &BTreeMap<String, RegistryConfig>) -> Self {
        let hosts = registries.iter().map(|(name, registry)| (name.clone(), registry.host.clone())).collect();
        Self { hosts, selector: RegistrySelector::new(registries) }
    }

    /// Name of the registry that is known as `host`.
    pub(super) fn select(&self, host: &str) -> Option<&str> {
        self.selector.select(host)
    }

    /// Host of the registry that is configured under `name`.
    pub(super) fn host(&self, name: &str) -> Option<&str> {
        self.hosts.get(name).map(String::as_str)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.hosts.keys()
    }
}
