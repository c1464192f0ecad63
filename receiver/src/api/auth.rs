//! Who asks, and what they may do.
//!
//! A token says it all: `Authorization: Bearer plm_…`. [`authenticate`] stands before every route, so none can be left
//! open by mistake; it also keeps viewers from every method that changes something, should a handler forget to ask.
//! Handlers take [`Viewer`], [`Operator`] or [`Admin`] as an argument: the proof that the caller has the role.

use std::future::{Ready, ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use jiff::Timestamp;

use super::error::ApiError;
use super::{ApiState, tokens};
use crate::store::{Role, Store, TokenRecord};

/// Middleware: lets a request through only with a valid token, and with at least [`Role::Operator`] if it could
/// change something.
pub(super) async fn authenticate<B: MessageBody + 'static>(
    state: web::Data<ApiState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match caller(state.store.as_ref(), &request).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await.map(ServiceResponse::map_into_left_body)
        }
        Err(error) => Ok(request.error_response(error).map_into_right_body()),
    }
}

async fn caller(store: &dyn Store, request: &ServiceRequest) -> Result<TokenRecord, ApiError> {
    let token = bearer(request.headers()).ok_or(ApiError::NoToken)?;
    let record = store.token_by_hash(&tokens::hash(token)).await?.ok_or(ApiError::BadToken)?;
    if record.expires_at.is_some_and(|end| end <= Timestamp::now()) {
        return Err(ApiError::BadToken);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    permit(&record, if reads { Role::Viewer } else { Role::Operator })?;
    Ok(record)
}

/// RFC 6750 section 2.1; the scheme's name may be written in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn permit(token: &TokenRecord, needs: Role) -> Result<(), ApiError> {
    if token.role < needs { Err(ApiError::Forbidden { needs }) } else { Ok(()) }
}

/// The name of the caller's token, if its role is at least `needs`.
fn require(request: &HttpRequest, needs: Role) -> Result<String, ApiError> {
    let extensions = request.extensions();
    let token = extensions.get::<TokenRecord>().ok_or(ApiError::NoToken)?;
    permit(token, needs)?;
    Ok(token.name.clone())
}

/// The caller may read.
pub(super) struct Viewer;

/// The caller may ask for scans, and replay and discard dead jobs.
pub(super) struct Operator {
    /// Name of the token.
    pub(super) name: String,
}

/// The caller may manage tokens.
pub(super) struct Admin {
    /// Name of the token.
    pub(super) name: String,
}

impl FromRequest for Viewer {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(require(request, Role::Viewer).map(|_| Self))
    }
}

impl FromRequest for Operator {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(require(request, Role::Operator).map(|name| Self { name }))
    }
}

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(require(request, Role::Admin).map(|name| Self { name }))
    }
}
