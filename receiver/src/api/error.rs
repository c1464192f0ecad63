//! What the API answers when it cannot: problem details (RFC 9457).

use std::error::Error;

use actix_web::body::BoxBody;
use actix_web::error::PathError;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::{Role, StoreError};

/// Media type of every error.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// When to try again after the store has failed, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// Why a request is not answered as asked. The texts are for the caller.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// Something in the path, the query or the body is wrong.
    #[error("{0}")]
    Invalid(String),
    /// No token, or not in the right form.
    #[error("send an API token: Authorization: Bearer plm_…")]
    NoToken,
    /// A token that is unknown, revoked or expired.
    #[error("the token is not valid: unknown, revoked or expired")]
    BadToken,
    /// A token whose role is too low.
    #[error("this needs a token of the role {}", word(*needs))]
    Forbidden {
        /// The lowest role that may.
        needs: Role,
    },
    /// The path is one of ours, what it names is not there.
    #[error("{0}")]
    NotFound(String),
    /// The path is none of ours.
    #[error("there is nothing at this path; /api/v1/openapi.json lists what there is")]
    NoRoute,
    /// The path is one of ours, the method is not.
    #[error("this path allows {allow} only")]
    Method {
        /// Methods that the path has, as in an `Allow` header.
        allow: String,
    },
    /// The body is too large.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// How many bytes there may be.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The body is not plain JSON.
    #[error("the body must be application/json, without a content encoding")]
    NotJson,
    /// The store failed; what exactly is for the log.
    #[error("the store does not answer as it should; try again, and see the receiver's log if it stays so")]
    Store(#[source] StoreError),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor => Self::Invalid(format!("cursor: {error}")),
            other => Self::Store(other),
        }
    }
}

impl From<PathError> for ApiError {
    fn from(error: PathError) -> Self {
        // Without actix's "Path deserialize error: ".
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Self::Invalid(format!("the path: {why}"))
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::BadToken => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        if let Self::Store(error) = self {
            tracing::error!(%error, "api request failed");
        }
        let mut response = HttpResponse::build(self.status_code());
        if let Some(header) = self.header() {
            response.insert_header(header);
        }
        response.content_type(PROBLEM_JSON).json(Problem::of(self))
    }
}

impl ApiError {
    /// What the status asks for: RFC 9110 sections 11.6.1, 10.2.1 and 10.2.3; RFC 6750 section 3.1.
    fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Self::NoToken => Some(("WWW-Authenticate", "Bearer realm=\"plimsoll\"".to_owned())),
            Self::BadToken => {
                Some(("WWW-Authenticate", "Bearer realm=\"plimsoll\", error=\"invalid_token\"".to_owned()))
            }
            Self::Method { allow } => Some(("Allow", allow.clone())),
            Self::Store(_) => Some(("Retry-After", RETRY_AFTER_SECONDS.to_owned())),
            _ => None,
        }
    }
}

/// A role as requests and the document write it.
fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

/// An error as RFC 9457 has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Bad Request", "status": 400,
    "detail": "unknown field `sevrity`, expected one of `severity`, `at_least`, …"
}))]
pub(super) struct Problem {
    /// `about:blank`: the title says what the status means, nothing more.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: String,
}

impl Problem {
    fn of(error: &ApiError) -> Self {
        let status = error.status_code();
        let title = status.canonical_reason().unwrap_or("Error");
        Self { r#type: "about:blank", title, status: status.as_u16(), detail: error.to_string() }
    }
}

/// Headers of every answer: answers are not to be kept, nor taken for something else than they say.
pub(super) fn protective_headers() -> DefaultHeaders {
    DefaultHeaders::new().add((header::X_CONTENT_TYPE_OPTIONS, "nosniff")).add((header::CACHE_CONTROL, "no-store"))
}
