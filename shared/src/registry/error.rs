//! What can go wrong with a registry, and whether waiting helps.

use std::time::Duration;

use crate::image::Digest;

/// Why a registry did not give what was asked. No variant holds a credential or a signed URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The section `[registries.NAME]` cannot be used.
    #[error("registries.{registry}: {reason}")]
    Config {
        /// Configured name.
        registry: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// The registry refused us: no credentials, wrong ones, or not for this repository.
    #[error("registry {registry} refused access to {repository}: {reason}")]
    Refused {
        /// Configured name.
        registry: String,
        /// What we asked for.
        repository: String,
        /// What to do about it.
        reason: String,
    },
    /// The registry does not have it, or not yet: some announce a tag before they write it.
    #[error("registry {registry} has no {what}")]
    NotFound {
        /// Configured name.
        registry: String,
        /// Kind, repository and reference of what is missing.
        what: String,
    },
    /// The bytes are not those that the digest names.
    #[error("registry {registry} sent content with digest {actual} where {expected} was asked for")]
    Mismatch {
        /// Configured name.
        registry: String,
        /// What we asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// The answer breaks a limit or the protocol.
    #[error("registry {registry}: {reason}")]
    Invalid {
        /// Configured name.
        registry: String,
        /// Which rule, with the request.
        reason: String,
    },
    /// Overloaded, away, or too slow: trying again later may help.
    #[error("registry {registry}: {reason}")]
    Temporary {
        /// Configured name.
        registry: String,
        /// What went wrong.
        reason: String,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
}

impl RegistryError {
    /// Whether trying again later may help. [`NotFound`](Self::NotFound) is left to the caller, who knows
    /// whether it was a tag that is perhaps only being written.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary { .. })
    }

    /// How long the registry asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Temporary { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
