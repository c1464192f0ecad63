//! Talking to registries: the only way out for images.

use std::path::PathBuf;

use serde::Deserialize;

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
