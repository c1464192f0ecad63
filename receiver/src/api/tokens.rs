//! Tokens for the API: `plm_` and 256 random bits. Only their SHA-256 is kept, and looked up by.

use std::time::Duration;

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ApiState;
use super::auth::Admin;
use super::error::ApiError;
use super::input::Body;
use crate::store::{Listing, Role, Store, StoreError, TokenRecord};

/// What every token begins with, so that secret scanners and people know one when they see it.
const PREFIX: &str = "plm_";

/// Makes a token that ends after `ttl`, or never, and keeps its hash. The token itself is in the answer alone.
pub async fn create(
    store: &dyn Store,
    name: &str,
    role: Role,
    ttl: Option<Duration>,
) -> Result<(String, TokenRecord), StoreError> {
    let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let created_at = Timestamp::now();
    // A time beyond the year 9999 is never.
    let expires_at = ttl.and_then(|ttl| created_at.checked_add(ttl).ok());
    let record =
        TokenRecord { id: Uuid::now_v7(), name: name.to_owned(), role, hash: hash(&token), created_at, expires_at };
    store.put_token(&record).await?;
    Ok((token, record))
}

/// What a token is kept and looked up by.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// A token, without the token.
#[derive(Debug, Serialize, ToSchema)]
struct TokenView {
    /// Identity, to revoke it by.
    id: Uuid,
    /// Whose it is, for people.
    name: String,
    /// What it may do.
    role: Role,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl From<TokenRecord> for TokenView {
    fn from(token: TokenRecord) -> Self {
        let TokenRecord { id, name, role, created_at, expires_at, hash: _ } = token;
        Self { id, name, role, created_at, expires_at }
    }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "dashboard", "role": "viewer", "expires_in_days": 90}))]
struct NewToken {
    /// Whose it is, for people: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it may do.
    role: Role,
    /// How long it holds, 1 to 3,650 days; without, until it is revoked.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

impl NewToken {
    fn check(&self) -> Result<(), ApiError> {
        if !(1..=100).contains(&self.name.trim().chars().count()) {
            return Err(ApiError::Invalid("the body: name: it must have 1 to 100 characters".to_owned()));
        }
        if self.expires_in_days.is_some_and(|days| !(1..=3650).contains(&days)) {
            return Err(ApiError::Invalid("the body: expires_in_days: it must be 1 to 3650".to_owned()));
        }
        Ok(())
    }
}

/// A new token, shown this once.
#[derive(Serialize, ToSchema)]
struct IssuedToken {
    /// The token. It is not kept and cannot be shown again.
    token: String,
    /// The rest of it.
    #[serde(flatten)]
    view: TokenView,
}

/// All tokens, by name
#[utoipa::path(tag = "tokens", security(("token" = ["admin"])), responses((status = OK, body = Listing<TokenView>)))]
#[get("/tokens")]
pub(super) async fn list(_: Admin, state: Data<ApiState>) -> Result<Json<Listing<TokenView>>, ApiError> {
    let items = state.store.tokens().await?.into_iter().map(TokenView::from).collect();
    Ok(Json(Listing { items, next: None }))
}

/// Make a token
///
/// The token is in this answer and nowhere else.
#[utoipa::path(tag = "tokens", security(("token" = ["admin"])), request_body = NewToken,
    responses((status = CREATED, body = IssuedToken)))]
#[post("/tokens")]
pub(super) async fn issue(
    admin: Admin,
    state: Data<ApiState>,
    Body(new): Body<NewToken>,
) -> Result<HttpResponse, ApiError> {
    new.check()?;
    let ttl = new.expires_in_days.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    let (token, record) = create(state.store.as_ref(), new.name.trim(), new.role, ttl).await?;
    tracing::info!(by = admin.name, token.id = %record.id, token.name = record.name, "token created");
    Ok(HttpResponse::Created().json(IssuedToken { token, view: record.into() }))
}

/// Revoke a token
///
/// It is refused from now on.
#[utoipa::path(tag = "tokens", security(("token" = ["admin"])),
    params(("id" = Uuid, Path, description = "Id of the token")), responses((status = NO_CONTENT)))]
#[delete("/tokens/{id}")]
pub(super) async fn revoke(admin: Admin, state: Data<ApiState>, id: Path<Uuid>) -> Result<HttpResponse, ApiError> {
    if !state.store.revoke_token(*id).await? {
        return Err(ApiError::NotFound(format!("there is no token {id}")));
    }
    tracing::info!(by = admin.name, token.id = %id, "token revoked");
    Ok(HttpResponse::NoContent().finish())
}
