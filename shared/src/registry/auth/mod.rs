//! Logging in: at most once at a time for each repository, renewed before it expires, and never at a host that does
//! not belong to the registry.

mod challenge;
mod credentials;
mod realm;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use self::challenge::Challenge;
use self::credentials::Credentials;
use self::realm::Realms;
use self::token::TokenRequest;
use super::http::Http;
use super::{RegistryConfig, RegistryError};
use crate::image::Repository;

/// Reads a `WWW-Authenticate` header, for fuzzing.
#[cfg(feature = "fuzzing")]
pub fn read_challenge(header: &str) {
    if let Ok(header) = HeaderValue::from_str(header) {
        let _ = Challenge::from_headers(&HeaderMap::from_iter([(reqwest::header::WWW_AUTHENTICATE, header)]));
    }
}

/// Repositories whose login is remembered; beyond it all are forgotten and logged in again as needed.
const MAX_SESSIONS: usize = 4096;

/// What a login gave. The header is marked sensitive, so that `Debug` does not show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// `Authorization` to send.
    pub(crate) header: HeaderValue,
    /// When to ask for a new one; `None`: when it is refused.
    renew_at: Option<Instant>,
}

impl Grant {
    fn is_stale(&self) -> bool {
        self.renew_at.is_some_and(|at| at <= Instant::now())
    }
}

/// The logins at one registry.
#[derive(Debug)]
pub(crate) struct Auth {
    registry: String,
    credentials: Credentials,
    realms: Realms,
    sessions: Mutex<HashMap<Repository, Arc<tokio::sync::Mutex<Session>>>>,
}

/// The login for one repository. Its lock is held while logging in, so that the others wait for that one login.
#[derive(Debug, Default)]
struct Session {
    challenge: Option<Challenge>,
    grant: Option<Grant>,
}

impl Auth {
    /// Reads the credentials from the configuration; the registry is at `base`.
    pub(crate) fn new(registry: &str, config: &RegistryConfig, base: Url) -> Result<Self, String> {
        Ok(Self {
            registry: registry.to_owned(),
            credentials: Credentials::from_config(config)?,
            realms: Realms::new(base, &config.token_hosts),
            sessions: Mutex::default(),
        })
    }

    /// What to send for `repository`, renewed if it is about to expire. `None` until the registry has asked for a login.
    pub(crate) async fn current(&self, http: &Http, repository: &Repository) -> Result<Option<Grant>, RegistryError> {
        let session = self.session(repository);
        let mut session = session.lock().await;
        match (&session.grant, &session.challenge) {
            (Some(grant), Some(challenge)) if grant.is_stale() => {
                session.grant = Some(self.answer(http, repository, challenge).await?);
            }
            (None, None) if matches!(self.credentials, Credentials::Token(_)) => {
                session.grant = self.presented(repository).map(Some)?;
            }
            _ => {}
        }
        Ok(session.grant.clone())
    }

    /// Logs in as the registry asks in `headers`, unless somebody else has done so since `refused` was sent.
    pub(crate) async fn log_in(
        &self,
        http: &Http,
        repository: &Repository,
        headers: &HeaderMap,
        refused: Option<&Grant>,
    ) -> Result<Grant, RegistryError> {
        let session = self.session(repository);
        let mut session = session.lock().await;
        if let Some(grant) = session.grant.as_ref().filter(|grant| Some(*grant) != refused) {
            return Ok(grant.clone());
        }
        session.grant = None;
        let challenge = Challenge::from_headers(headers).ok_or_else(|| self.refused(repository))?;
        let grant = self.answer(http, repository, &challenge).await?;
        *session = Session { challenge: Some(challenge), grant: Some(grant.clone()) };
        Ok(grant)
    }

    /// The error for a login that did not help.
    pub(crate) fn refused(&self, repository: &Repository) -> RegistryError {
        RegistryError::Refused {
            registry: self.registry.clone(),
            repository: repository.to_string(),
            reason: self.credentials.remedy(&self.registry),
        }
    }

    async fn answer(
        &self,
        http: &Http,
        repository: &Repository,
        challenge: &Challenge,
    ) -> Result<Grant, RegistryError> {
        let (realm, service, scope) = match (challenge, &self.credentials) {
            (Challenge::Basic, _) | (_, Credentials::Token(_)) => return self.presented(repository),
            (Challenge::Bearer { realm, service, scope }, _) => (realm, service, scope),
        };
        let realm = self.realms.check(realm).map_err(|reason| http.invalid(reason))?;
        let pull = format!("repository:{repository}:pull");
        let request = TokenRequest {
            realm,
            service: service.as_deref(),
            scope: scope.as_deref().unwrap_or(&pull),
            credentials: self.credentials.header().map_err(|reason| self.config_error(reason))?,
        };
        request.send(http).await?.ok_or_else(|| self.refused(repository))
    }

    /// The configured credentials, sent as they are.
    fn presented(&self, repository: &Repository) -> Result<Grant, RegistryError> {
        let header = self.credentials.header().map_err(|reason| self.config_error(reason))?;
        let header = header.ok_or_else(|| self.refused(repository))?;
        Ok(Grant { header, renew_at: None })
    }

    fn config_error(&self, reason: String) -> RegistryError {
        RegistryError::Config { registry: self.registry.clone(), reason }
    }

    fn session(&self, repository: &Repository) -> Arc<tokio::sync::Mutex<Session>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MAX_SESSIONS && !sessions.contains_key(repository) {
            sessions.clear();
        }
        sessions.entry(repository.clone()).or_default().clone()
    }
}
