//! What comes in with a request besides its path: [`Params`] from the query, [`Body`] from JSON.
//!
//! Both name the key that is wrong, unknown ones included (their types say `deny_unknown_fields`).

use std::error::Error;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use utoipa::IntoParams;

use super::error::ApiError;
use crate::store::Page;

/// A body may have this many bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Time for a body to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Items of a page where the request does not say.
const DEFAULT_LIMIT: usize = 100;

/// Most items of a page.
const MAX_LIMIT: usize = 500;

/// The query, read as a `T`.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(read_query(request.query_string()).map(Self))
    }
}

fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    Query::from_query(query).map(Query::into_inner).map_err(|error| {
        // Without actix's "Query deserialize error: ".
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        let pair = wrong_pair::<T>(query).map(|pair| format!("{pair}: ")).unwrap_or_default();
        ApiError::Invalid(format!("the query: {pair}{why}"))
    })
}

/// The first `key=value` that is wrong by itself. (No key of ours is required, so each can be read alone.)
fn wrong_pair<T: DeserializeOwned>(query: &str) -> Option<&str> {
    query.split('&').find(|pair| Query::<T>::from_query(pair).is_err())
}

/// The body, read as a `T`.
///
/// Unlike actix's own extractor it never inflates: a compressed body could not be bounded before it is in memory.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let plain_json = request.content_type().eq_ignore_ascii_case("application/json")
            && !request.headers().contains_key(header::CONTENT_ENCODING);
        let payload = payload.take();
        Box::pin(async move {
            if !plain_json {
                return Err(ApiError::NotJson);
            }
            let bytes = timeout(BODY_PATIENCE, read_all(payload)).await.map_err(|_| ApiError::TooSlow)??;
            let json = &mut serde_json::Deserializer::from_slice(&bytes);
            serde_path_to_error::deserialize(json)
                .map(Self)
                .map_err(|error| ApiError::Invalid(format!("the body: {}", with_key(&error))))
        })
    }
}

async fn read_all(mut payload: dev::Payload) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ApiError::Invalid(format!("the body cannot be read: {error}")))?;
        if bytes.len() + chunk.len() > BODY_LIMIT {
            return Err(ApiError::TooLarge { limit: BODY_LIMIT });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The error, behind the key that it is about if there is one.
fn with_key<E: std::error::Error>(error: &serde_path_to_error::Error<E>) -> String {
    match error.path().to_string().as_str() {
        "." | "?" | "" => error.inner().to_string(),
        key => format!("{key}: {}", error.inner()),
    }
}

/// The query of a request that takes none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoKeys {}

/// How many items a page may have: 1 to 500.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "usize")]
pub(super) struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl TryFrom<usize> for Limit {
    type Error = String;

    fn try_from(limit: usize) -> Result<Self, String> {
        match limit {
            1..=MAX_LIMIT => Ok(Self(limit)),
            _ => Err(format!("{limit} is not between 1 and {MAX_LIMIT}")),
        }
    }
}

/// Query of a listing without filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// At most this many items.
    #[serde(default)]
    #[param(value_type = Option<usize>, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    cursor: Option<String>,
}

impl PageParams {
    /// The page that is asked for.
    pub(super) fn page(self) -> Page {
        page(self.limit, self.cursor)
    }
}

/// The page of a listing with more keys in its query. (serde cannot both flatten and refuse unknown keys.)
pub(super) fn page(limit: Limit, cursor: Option<String>) -> Page {
    Page { limit: limit.0, cursor }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::findings::FindingParams;

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in r"((severity|limit|digest|cursor|\PC{0,5})[=&%+]\PC{0,8}&?){0,4}") {
            match read_query::<FindingParams>(&query) {
                Ok(_) => {}
                Err(error) => prop_assert!(matches!(error, ApiError::Invalid(_)), "{error}"),
            }
        }

        #[test]
        fn a_limit_is_1_to_500(limit in 0_usize..1000) {
            let read = read_query::<PageParams>(&format!("limit={limit}"));
            prop_assert_eq!(read.map(|params| params.page().limit).ok(), (1..=500).contains(&limit).then_some(limit));
        }
    }
}
