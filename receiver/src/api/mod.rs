//! The API for operators and programs, under `/api/v1`. Every route is on this page, in [`routes`].
//!
//! - **Closed without a token.** [`auth::authenticate`] stands before every route but the OpenAPI document (which says
//!   nothing of this installation); handlers besides take a [`auth::Viewer`], [`auth::Operator`] or [`auth::Admin`].
//! - **Errors are problem details** (RFC 9457), unknown routes, wrong methods and unknown query keys included.
//! - **Listings** are `{"items": […], "next": "…"}`: 100 items unless `limit` (1 to 500) says otherwise; `next`, given
//!   back as `cursor`, goes on behind the last item however much has come in since. No `next`: that was the last page.
//! - **Repositories** have slashes in their names. In a path they may be written as they are or as `%2F`.
//!
//! To add a route: a handler with `#[utoipa::path]` in the file of its resource, and a line in [`routes`]. The OpenAPI
//! document follows by itself.

use std::sync::Arc;

use actix_web::web;
use tokio::sync::Notify;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::store::Store;

mod auth;
mod dead;
mod error;
mod events;
mod findings;
mod images;
mod input;
mod openapi;
mod registries;
mod scans;
#[cfg(test)]
mod tests;
pub mod tokens;

pub use registries::ConfiguredRegistries;

/// What the handlers work with.
pub struct ApiState {
    /// Everything that is known.
    pub store: Arc<dyn Store>,
    /// The registries of the configuration.
    pub registries: ConfiguredRegistries,
    /// Tells the relay that a job waits.
    pub relay_wake: Arc<Notify>,
}

/// Mounts the API.
pub fn configure(config: &mut web::ServiceConfig, state: web::Data<ApiState>) {
    let closed = web::scope("")
        .wrap(actix_web::middleware::from_fn(auth::authenticate))
        .configure(|config| routes(&mut ServiceConfig::new(config)))
        .default_service(web::to(openapi::no_route));
    let version_1 = web::scope("/v1").service(openapi::document).service(closed);
    let api = web::scope("/api")
        .app_data(state)
        .app_data(web::PathConfig::default().error_handler(|error, _| error::ApiError::from(error).into()))
        .wrap(error::protective_headers())
        .service(version_1)
        .default_service(web::to(openapi::no_route));
    config.service(api);
}

/// Every route that needs a token, below `/api/v1`.
fn routes(config: &mut ServiceConfig) {
    config
        .service(registries::list)
        .service(registries::repositories)
        .service(registries::images)
        .service(images::detail)
        .service(images::packages)
        .service(images::findings)
        .service(findings::list)
        .service(findings::detail)
        .service(events::list)
        .service(events::detail)
        .service(scans::list)
        .service(scans::detail)
        .service(scans::request)
        .service(dead::list)
        .service(dead::replay)
        .service(dead::discard)
        .service(tokens::list)
        .service(tokens::issue)
        .service(tokens::revoke);
}
