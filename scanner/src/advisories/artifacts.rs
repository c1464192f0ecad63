//! The groups of each Maven artifact that advisories name, for packages whose archives do not tell theirs.
//!
//! In the table of packages an artifact is a package of the ecosystem [`ECOSYSTEM`], which no advisory can have; it leads
//! to the groups instead of to entries.

use std::collections::{BTreeMap, BTreeSet};

use super::format::{self, Write as _};
use crate::vendors::base_ecosystem;

/// Stands for the ecosystem in keys. Records without an ecosystem are not kept.
pub(super) const ECOSYSTEM: &str = "";

/// Artifacts and their groups.
#[derive(Default)]
pub(super) struct Artifacts<'k>(BTreeMap<&'k str, BTreeSet<&'k str>>);

impl<'k> Artifacts<'k> {
    /// Notes a package that advisories name, if it is one of Maven.
    pub(super) fn note(&mut self, ecosystem: &str, name: &'k str) {
        if base_ecosystem(ecosystem) == "Maven"
            && let Some((group, artifact)) = name.split_once(':')
        {
            self.0.entry(artifact).or_default().insert(group);
        }
    }

    /// Appends each artifact's groups to the section of `groups`, and its place to that of the table.
    pub(super) fn store(&self, groups: &mut Vec<u8>, slots: &mut Vec<(u64, u64)>) {
        for (artifact, of) in &self.0 {
            let key = format::package_key(ECOSYSTEM, artifact);
            slots.push((format::hash(key.as_bytes()), groups.len() as u64));
            groups.put_text(&key);
            groups.put_texts(of.iter().copied());
        }
    }
}
