//! What the rows hold where it is not simply a type of the contract.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::finding::Finding;
use shared::image::{Digest, Platform, Repository, Tag};
use shared::package::Distro;
use shared::report::{AdvisoryStamp, BaseImage, LayerUse, Outcome, Timings, Warning};
use uuid::Uuid;

use crate::store::SeverityCounts;

/// Whose store this is. Checked before anything else is read.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct Meta {
    pub(in crate::store) application: String,
    pub(in crate::store) schema_version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RegistryRow {
    pub(super) name: String,
    pub(super) last_event_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RepositoryRow {
    pub(super) registry: String,
    pub(super) repository: Repository,
    pub(super) life: Life,
}

/// Where a tag points, and since which event. Without a digest the tag is retired.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TagRow {
    pub(super) tag: Tag,
    pub(super) digest: Option<Digest>,
    pub(super) moved_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LocationRow {
    pub(super) digest: Digest,
    pub(super) life: Life,
}

/// Row of [`super::keys::Table::LocationsByDigest`]; there only while the location is current.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) registry: String,
    pub(super) repository: Repository,
}

/// Pushes and deletes of one thing, whatever the order in which we hear of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Life {
    /// The newest push or import.
    pub(super) pushed_at: Option<Timestamp>,
    /// The newest delete.
    pub(super) retired_at: Option<Timestamp>,
    /// Whether it is there now.
    pub(super) current: bool,
}

impl Life {
    /// A push at `at`; at the moment of a delete, what we hear last holds.
    pub(super) fn pushed(&mut self, at: Timestamp) {
        self.current |= self.retired_at.is_none_or(|retired| retired <= at);
        self.pushed_at = self.pushed_at.max(Some(at));
    }

    /// A delete at `at`.
    pub(super) fn retired(&mut self, at: Timestamp) {
        self.current &= self.pushed_at.is_some_and(|pushed| pushed > at);
        self.retired_at = self.retired_at.max(Some(at));
    }
}

/// The last result of one manifest, without its packages and findings.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ImageRow {
    pub(super) digest: Digest,
    pub(super) platform: Option<Platform>,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) warnings: Vec<Warning>,
    pub(super) distro: Option<Distro>,
    pub(super) advisories: Option<AdvisoryStamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<BaseImage>,
    pub(super) layers: Vec<LayerUse>,
    pub(super) timings: Timings,
    pub(super) packages: u64,
    pub(super) findings: SeverityCounts,
    pub(super) scan: Uuid,
    pub(super) scanned_at: Timestamp,
    /// A newer scan that gave no result.
    pub(super) failed_scan: Option<Uuid>,
}

/// A finding. It was last seen when its image was last scanned: what is no longer seen is removed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FindingRow {
    pub(super) digest: Digest,
    pub(super) finding: Finding,
    pub(super) first_seen: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_ends_the_same_in_any_order() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut life = Life::default();
        life.retired(at(20));
        life.pushed(at(10));
        assert!(!life.current, "the push was before the delete");
        life.pushed(at(20));
        assert!(life.current, "at the same moment, what we hear last holds");
        life.retired(at(15));
        assert!(life.current, "the delete was before the push");
        life.retired(at(20));
        assert!(!life.current);
    }
}
