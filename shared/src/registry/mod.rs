//! Talking to registries: the only way out for images.
//!
//! [`RegistryClient`] speaks to one configured registry; [`RegistrySelector`] finds which one a host name means.
//! Manifest types and media types come from `oci_distribution`; requests are our own, because its client
//! knows no limits, retries, `Retry-After` or rule for where credentials may go.

mod auth;
mod blob;
mod client;
mod error;
#[cfg(test)]
mod fake;
mod http;
mod select;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Deserialize;

#[cfg(feature = "fuzzing")]
pub use auth::read_challenge;
pub use blob::BlobStream;
pub use client::{RawManifest, RegistryClient};
pub use error::RegistryError;
pub use select::{Registries, RegistrySelector};

use crate::secret::Secret;

/// Section `[registries.NAME]` of the configuration: one registry that may be pulled from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Host, with its port if that is not 443: `registry.example.com:5000`.
    pub host: String,
    /// Other names under which events may speak of this registry.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Talk HTTP without TLS. Only for registries on a network that you trust.
    #[serde(default)]
    pub plain_http: bool,
    /// PEM file of certificate authorities to trust besides the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// User for basic authentication and for the token service.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password or access token.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A bearer token to send as it is.
    #[serde(default)]
    pub token: Option<Secret>,
    /// Hosts besides `host` whose token service may be given the credentials.
    #[serde(default)]
    pub token_hosts: Vec<String>,
}

impl RegistryConfig {
    /// A registry that nothing is configured about: HTTPS, no credentials.
    pub fn anonymous(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            aliases: Vec::new(),
            plain_http: false,
            ca_file: None,
            username: None,
            password: None,
            token: None,
            token_hosts: Vec::new(),
        }
    }
}
