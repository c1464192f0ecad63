//! Secrets by reference: `{ env = "NAME" }`, `{ file = "PATH" }`, or, where the configuration file itself is kept
//! secret, the value as a string.

use std::path::PathBuf;

pub use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Where a secret is found. It is read when it is resolved, and never shown.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "a secret: { env = \"NAME\" }, { file = \"PATH\" } or a string")]
pub enum Secret {
    /// In an environment variable.
    Env(FromEnv),
    /// In a file; white space at its end is dropped.
    File(FromFile),
    /// Written out.
    Value(SecretString),
}

/// `{ env = "NAME" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromEnv {
    env: String,
}

/// `{ file = "PATH" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromFile {
    file: PathBuf,
}

/// A secret that is not where the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum MissingSecret {
    /// The variable is unset or empty.
    #[error("environment variable {0} is not set")]
    Env(String),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file or the value is empty.
    #[error("the secret is empty")]
    Empty,
}

impl Secret {
    /// A secret read from `path`.
    pub fn from_file(path: PathBuf) -> Self {
        Self::File(FromFile { file: path })
    }

    /// Reads the secret from where it is.
    pub fn resolve(&self) -> Result<SecretString, MissingSecret> {
        let text = match self {
            Self::Env(FromEnv { env }) => std::env::var(env).map_err(|_| MissingSecret::Env(env.clone()))?,
            Self::File(FromFile { file }) => {
                std::fs::read_to_string(file).map_err(|source| MissingSecret::File { path: file.clone(), source })?
            }
            Self::Value(value) => value.expose_secret().to_owned(),
        };
        let text = text.trim_end();
        if text.is_empty() {
            return Err(MissingSecret::Empty);
        }
        Ok(SecretString::from(text.to_owned()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(FromEnv { env }) => write!(f, "{{ env = {env:?} }}"),
            Self::File(FromFile { file }) => write!(f, "{{ file = {file:?} }}"),
            Self::Value(_) => f.write_str("[redacted]"),
        }
    }
}
