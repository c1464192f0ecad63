//! What a registry told us, in our own words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::image::{Digest, Repository, Tag};

/// What happened in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A manifest or an index was written.
    Push,
    /// A manifest was brought in from another registry.
    Import,
    /// A manifest was read.
    Pull,
    /// A tag, a manifest or a whole repository was removed.
    Delete,
}

/// How far the sender was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Authenticity {
    /// The body carries a signature that verified.
    Signed,
    /// The caller proved who it is, the body is not covered.
    CallerVerified,
    /// The caller knows a secret that we share.
    SharedSecret,
    /// Nothing was proven.
    Unauthenticated,
    /// We found it ourselves by listing the registry.
    Polled,
    /// A person asked for it.
    Operator,
}

/// One thing that a registry said. The host in it only *selects* a configured registry; it never introduces one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegistryEvent {
    /// Configured name of the source that received it.
    pub source: String,
    /// What happened.
    pub kind: EventKind,
    /// Host (and port) of the registry as the sender named it.
    pub registry: String,
    /// Where it happened.
    pub repository: Repository,
    /// The tag, if the sender named one.
    pub tag: Option<Tag>,
    /// The digest, if the sender named one.
    pub digest: Option<Digest>,
    /// Media type of the manifest, if known.
    pub media_type: Option<String>,
    /// Who did it, if the sender says.
    pub actor: Option<String>,
    /// When it happened by the sender's clock, or when we received it.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The sender's own identifier of the delivery or event.
    pub delivery_id: String,
    /// How far the sender was proven.
    pub authenticity: Authenticity,
}
