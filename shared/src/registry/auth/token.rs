//! The token service: a challenge and credentials go in, a short-lived bearer token comes out
//! (Distribution's "Token Authentication Specification").

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Request, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::Grant;
use super::credentials::authorization;
use crate::registry::RegistryError;
use crate::registry::http::Http;

/// Longest answer of a token service that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// Lifetime of a token whose service does not say, and the least that is believed.
const DEFAULT_LIFETIME: u64 = 60;
/// The most that is believed, in seconds.
const MAX_LIFETIME: u64 = 24 * 60 * 60;

/// No `Debug`: it holds the token.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// What is asked of the token service.
pub(super) struct TokenRequest<'a> {
    /// The service, already checked to belong to the registry.
    pub(super) realm: Url,
    /// The registry's name there.
    pub(super) service: Option<&'a str>,
    /// The right that is asked for.
    pub(super) scope: &'a str,
    /// Who asks; nobody in particular if `None`.
    pub(super) credentials: Option<HeaderValue>,
}

impl TokenRequest<'_> {
    /// Asks for a token; `None` if the service refuses.
    pub(super) async fn send(self, http: &Http) -> Result<Option<Grant>, RegistryError> {
        let mut url = self.realm;
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = self.service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", self.scope);
        }
        let mut request = Request::new(Method::GET, url);
        if let Some(credentials) = self.credentials {
            request.headers_mut().insert(AUTHORIZATION, credentials);
        }
        let response = http.send(request).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Ok(None),
            _ => return Err(http.failure("a token from the token service", response).await),
        }
        let body = http.read(response, "the token service's answer", MAX_ANSWER).await?;
        // The parser's own words could quote the token.
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| http.invalid("the token service's answer is not the JSON of a token"))?;
        grant(answer).map(Some).map_err(|reason| http.invalid(reason))
    }
}

fn grant(answer: Answer) -> Result<Grant, String> {
    let given = [answer.token, answer.access_token].into_iter().flatten().find(|token| !token.is_empty());
    let token = given.ok_or("the token service's answer holds no token")?;
    let lifetime = answer.expires_in.unwrap_or(DEFAULT_LIFETIME).clamp(DEFAULT_LIFETIME, MAX_LIFETIME);
    let renew_in = Duration::from_secs(lifetime * 9 / 10);
    Ok(Grant { header: authorization("Bearer", &token)?, renew_at: Some(Instant::now() + renew_in) })
}
