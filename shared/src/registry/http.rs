//! One request and its answer, with every limit that a registry must not be trusted to keep.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Request, Response, StatusCode};
use serde::Deserialize;

use super::{RegistryConfig, RegistryError};

/// To connect, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the answer's head, and between two pieces of its body.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// For the whole body of a small answer.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait that a `Retry-After` is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a request is sent again at once when the registry stumbles; longer waits are the queue's business.
const RETRIES: u32 = 2;
/// Before the first of them; doubled for the second.
const RETRY_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 250 });
/// Longest error message of a registry that is read, in bytes, and shown, in characters.
const MAX_MESSAGE: usize = 16 * 1024;
const SHOWN_MESSAGE: usize = 200;

/// The HTTP client of one registry. It follows no redirects.
#[derive(Debug)]
pub(crate) struct Http {
    registry: String,
    client: Client,
}

impl Http {
    /// A client that trusts the system's certificate authorities and those of `config`.
    pub(crate) fn new(registry: &str, config: &RegistryConfig) -> Result<Self, RegistryError> {
        let config_error = |reason| RegistryError::Config { registry: registry.to_owned(), reason };
        let client = match &config.ca_file {
            Some(path) => builder().tls_certs_merge(certificates(path).map_err(config_error)?).build(),
            None => builder().build(),
        };
        let client = match client {
            // A machine without certificate authorities can still talk to a registry without TLS.
            Err(_) if config.plain_http => builder().tls_certs_only([]).build(),
            client => client,
        };
        let client = client.map_err(|error| {
            let advice = "install the system's CA certificates, or set ca_file";
            config_error(format!("cannot set up TLS: {}; {advice}", describe(&error)))
        })?;
        Ok(Self { registry: registry.to_owned(), client })
    }

    /// Sends `request`, again after a moment if it failed in a way that often passes.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, RegistryError> {
        for retry in 0..RETRIES {
            let Some(copy) = request.try_clone() else { break };
            match self.client.execute(copy).await {
                Ok(response) if !stumbled(&response) => return Ok(response),
                Err(error) if !may_pass(&error) => return Err(self.transport(&error)),
                _ => tokio::time::sleep(RETRY_PAUSE * 2_u32.pow(retry)).await,
            }
        }
        self.client.execute(request).await.map_err(|error| self.transport(&error))
    }

    /// The whole body of `response`, which must not be longer than `cap` bytes.
    pub(crate) async fn read(&self, response: Response, what: &str, cap: usize) -> Result<Vec<u8>, RegistryError> {
        let collected = tokio::time::timeout(BODY_TIMEOUT, self.collect(response, what, cap)).await;
        collected.unwrap_or_else(|_| Err(self.temporary(format!("{what} took longer than {BODY_TIMEOUT:?}"))))
    }

    async fn collect(&self, mut response: Response, what: &str, cap: usize) -> Result<Vec<u8>, RegistryError> {
        let too_long = || self.invalid(format!("{what} is longer than the limit of {cap} bytes"));
        if response.content_length().is_some_and(|length| length > cap as u64) {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if body.len() + chunk.len() > cap {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The error for an answer that is not the success asked for. `what` is what we asked for.
    pub(crate) async fn failure(&self, what: &str, response: Response) -> RegistryError {
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return RegistryError::NotFound { registry: self.registry.clone(), what: what.to_owned() };
        }
        let retry_after = retry_after(response.headers(), Timestamp::now());
        let host = response.url().host_str().unwrap_or_default().to_owned();
        let message = self.collect(response, what, MAX_MESSAGE).await.unwrap_or_default();
        let reason = format!("{host} answered {status} when asked for {what}{}", explanation(&message));
        if is_temporary(status) {
            return RegistryError::Temporary { registry: self.registry.clone(), reason, retry_after };
        }
        self.invalid(reason)
    }

    /// The error for a connection that failed.
    pub(crate) fn transport(&self, error: &reqwest::Error) -> RegistryError {
        match tls_advice(error) {
            Some(advice) => self.invalid(format!("{}; {advice}", describe(error))),
            None if error.is_connect() => {
                self.temporary(format!("{}; check its host and port, and the way there", describe(error)))
            }
            None => self.temporary(describe(error)),
        }
    }

    /// A broken rule.
    pub(crate) fn invalid(&self, reason: impl Into<String>) -> RegistryError {
        RegistryError::Invalid { registry: self.registry.clone(), reason: reason.into() }
    }

    fn temporary(&self, reason: String) -> RegistryError {
        RegistryError::Temporary { registry: self.registry.clone(), reason, retry_after: None }
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("ca_file: cannot read {}: {error}", path.display()))?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(format!("ca_file: {} holds no PEM certificate", path.display()));
    }
    Ok(certificates)
}

fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// Whether the answer is a fault of the moment. One that says how long to wait is left to the caller.
fn stumbled(response: &Response) -> bool {
    response.status().is_server_error() && !response.headers().contains_key(RETRY_AFTER)
}

fn may_pass(error: &reqwest::Error) -> bool {
    !error.is_timeout() && tls_advice(error).is_none()
}

/// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The first message of the distribution specification's error body, made safe to show.
fn explanation(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Some(first) = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.errors.into_iter().next()) else {
        return String::new();
    };
    let text = format!(": {} {}", first.code, first.message);
    text.chars().filter(|character| !character.is_control()).take(SHOWN_MESSAGE).collect()
}

/// An error and its causes, without the address: a redirect's may hold a signature.
fn describe(error: &reqwest::Error) -> String {
    let host = error.url().and_then(|url| url.host_str()).map_or(String::new(), |host| format!("{host}: "));
    let innermost = causes(error).last().map_or_else(|| "request failed".to_owned(), ToString::to_string);
    format!("{host}{innermost}")
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| cause_of(*cause))
}

/// The cause of an error; of an I/O error the error that it wraps, which its `source` passes over.
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// What to do about a TLS failure, which waiting does not cure.
fn tls_advice(error: &reqwest::Error) -> Option<&'static str> {
    match causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())? {
        rustls::Error::InvalidCertificate(_) => Some("if its certificate is from a private authority, set ca_file"),
        rustls::Error::InvalidMessage(_) => Some("if it speaks HTTP without TLS, set plain_http = true"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_answer_is_too_odd(header in "[ -~]{0,40}", body: Vec<u8>, message in ".{0,300}") {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, header.parse().unwrap())]);
            prop_assert!(retry_after(&headers, Timestamp::now()).is_none_or(|wait| wait <= MAX_RETRY_AFTER));
            explanation(&body);
            let told = explanation(serde_json::json!({"errors": [{"message": message}]}).to_string().as_bytes());
            prop_assert!(told.chars().count() <= SHOWN_MESSAGE && !told.contains(char::is_control));
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_registrys_message_is_shown_short_and_harmless() {
        let body = br#"{"errors":[{"code":"DENIED","message":"quota\u001b[31m exceeded"}]}"#;
        assert_eq!(explanation(body), ": DENIED quota[31m exceeded");
        assert_eq!(explanation(b"<html>"), "");
        let long = format!(r#"{{"errors":[{{"code":"X","message":"{}"}}]}}"#, "a".repeat(5000));
        assert_eq!(explanation(long.as_bytes()).len(), SHOWN_MESSAGE);
    }
}
