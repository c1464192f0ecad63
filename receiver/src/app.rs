//! Every route of the HTTP server.

use actix_web::web;

use crate::api::{self, ApiState};
use crate::health::{self, Health};
use crate::webhook::{self, Webhooks};

/// What requests are answered from.
#[derive(Clone)]
pub struct AppState {
    /// For deliveries.
    pub webhooks: web::Data<Webhooks>,
    /// For operators.
    pub api: web::Data<ApiState>,
    /// For machines that watch this one.
    pub health: web::Data<Health>,
}

/// All routes. No middleware may sit before the webhooks: a signature covers the body as it was sent.
pub fn routes(state: &AppState) -> impl FnOnce(&mut web::ServiceConfig) {
    let AppState { webhooks, api, health } = state.clone();
    move |config| {
        webhook::configure(config, webhooks);
        api::configure(config, api);
        health::configure(config, health);
    }
}
