//! Where images are: repositories, tags and locations, as pushes, pulls and deletes move them in any order.
//!
//! Only current places are shown anywhere. What was retired leaves a row with the time of the delete, so that an older
//! push that is heard of later does not bring it back.

use jiff::Timestamp;
use shared::image::{Digest, Repository, Tag};

use super::keys::{Key, Table, read_digest};
use super::rows::{Life, LocationRow, Place, RegistryRow, RepositoryRow, TagRow};
use super::tx::Tx;
use crate::store::{Location, StoreError};

/// A repository within a registry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home<'a> {
    pub(super) registry: &'a str,
    pub(super) repository: &'a Repository,
}

impl Home<'_> {
    /// The prefix of this repository in a table that begins with registry and repository.
    pub(super) fn key(self, table: Table) -> Key {
        Key::of(table).text(self.registry).text(self.repository.as_str())
    }

    fn place(self) -> Place {
        Place { registry: self.registry.to_owned(), repository: self.repository.clone() }
    }
}

impl Place {
    pub(super) fn home(&self) -> Home<'_> {
        Home { registry: &self.registry, repository: &self.repository }
    }
}

/// The registry spoke.
pub(super) fn heard_of(tx: &mut Tx<'_>, registry: &str, at: Option<Timestamp>) -> Result<(), StoreError> {
    let key = Key::of(Table::Registries).text(registry);
    let known: Option<RegistryRow> = tx.get(&key)?;
    let last_event_at = known.as_ref().and_then(|row| row.last_event_at).max(at);
    if known.is_some_and(|row| row.last_event_at == last_event_at) {
        return Ok(());
    }
    tx.put(key, &RegistryRow { name: registry.to_owned(), last_event_at })
}

/// `tag`, if there is one, pointed at `digest`, if that is known, at the moment `at`.
pub(super) fn pushed(
    tx: &mut Tx<'_>,
    home: Home<'_>,
    tag: Option<&Tag>,
    digest: Option<&Digest>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let key = home.key(Table::Repositories);
    let known: Option<RepositoryRow> = tx.get(&key)?;
    let mut life = known.map(|row| row.life).unwrap_or_default();
    if life.retired_at.is_some_and(|retired| retired > at) {
        return Ok(());
    }
    life.pushed(at);
    let Place { registry, repository } = home.place();
    tx.put(key, &RepositoryRow { registry, repository, life })?;

    let Some(digest) = digest else { return Ok(()) };
    set_location(tx, home, digest, |life| life.pushed(at))?;
    match tag {
        Some(tag) => move_tag(tx, home, tag, Some(digest), at),
        None => Ok(()),
    }
}

/// The digest, or what the tag points at, was read.
pub(super) fn pulled(
    tx: &mut Tx<'_>,
    home: Home<'_>,
    tag: Option<&Tag>,
    digest: Option<&Digest>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let digest = match (digest, tag) {
        (Some(digest), _) => Some(digest.clone()),
        (None, Some(tag)) => tx.get(&home.key(Table::Tags).text(tag.as_str()))?.and_then(|row: TagRow| row.digest),
        (None, None) => None,
    };
    let Some(digest) = digest else { return Ok(()) };
    let key = home.key(Table::Pulls).digest(&digest);
    let last: Option<Timestamp> = tx.get(&key)?;
    if last.is_none_or(|last| last < at) {
        tx.put(key, &at)?;
    }
    Ok(())
}

/// A delete: of the tag if one is named (with a digest, only while it points there), else of the digest with all its
/// tags, else of the repository.
pub(super) fn deleted(
    tx: &mut Tx<'_>,
    home: Home<'_>,
    tag: Option<&Tag>,
    digest: Option<&Digest>,
    at: Timestamp,
) -> Result<(), StoreError> {
    match (tag, digest) {
        (Some(tag), None) => move_tag(tx, home, tag, None, at),
        (Some(tag), Some(digest)) => {
            let row: Option<TagRow> = tx.get(&home.key(Table::Tags).text(tag.as_str()))?;
            match row.and_then(|row| row.digest) {
                Some(current) if current != *digest => Ok(()),
                _ => move_tag(tx, home, tag, None, at),
            }
        }
        (None, Some(digest)) => delete_digest(tx, home, digest, at),
        (None, None) => delete_repository(tx, home, at),
    }
}

fn delete_digest(tx: &mut Tx<'_>, home: Home<'_>, digest: &Digest, at: Timestamp) -> Result<(), StoreError> {
    for tag in tags_of(tx, home, digest)? {
        move_tag(tx, home, &tag, None, at)?;
    }
    set_location(tx, home, digest, |life| life.retired(at))
}

fn delete_repository(tx: &mut Tx<'_>, home: Home<'_>, at: Timestamp) -> Result<(), StoreError> {
    let key = home.key(Table::Repositories);
    let known: Option<RepositoryRow> = tx.get(&key)?;
    let mut life = known.map(|row| row.life).unwrap_or_default();
    life.retired(at);
    for row in tx.list::<TagRow>(&home.key(Table::Tags))? {
        move_tag(tx, home, &row.tag, None, at)?;
    }
    for row in tx.list::<LocationRow>(&home.key(Table::Locations))? {
        set_location(tx, home, &row.digest, |life| life.retired(at))?;
    }
    let Place { registry, repository } = home.place();
    tx.put(key, &RepositoryRow { registry, repository, life })
}

/// Points `tag` at `to`, unless a later event has moved it already.
fn move_tag(tx: &mut Tx<'_>, home: Home<'_>, tag: &Tag, to: Option<&Digest>, at: Timestamp) -> Result<(), StoreError> {
    let key = home.key(Table::Tags).text(tag.as_str());
    let row: Option<TagRow> = tx.get(&key)?;
    if row.as_ref().is_some_and(|row| row.moved_at > at) {
        return Ok(());
    }
    let by_digest = |digest: &Digest| home.key(Table::TagsByDigest).digest(digest).text(tag.as_str());
    if let Some(from) = row.and_then(|row| row.digest) {
        tx.remove(by_digest(&from))?;
    }
    if let Some(to) = to {
        tx.put(by_digest(to), tag)?;
    }
    tx.put(key, &TagRow { tag: tag.clone(), digest: to.cloned(), moved_at: at })
}

/// Changes the life of a digest in a repository and keeps the indexes of current locations in step.
fn set_location(
    tx: &mut Tx<'_>,
    home: Home<'_>,
    digest: &Digest,
    change: impl FnOnce(&mut Life),
) -> Result<(), StoreError> {
    let key = home.key(Table::Locations).digest(digest);
    let known: Option<LocationRow> = tx.get(&key)?;
    let mut life = known.map(|row| row.life).unwrap_or_default();
    if life.current {
        tx.remove(by_time(home, digest, &life))?;
    }
    change(&mut life);
    let by_digest = Key::of(Table::LocationsByDigest).digest(digest).text(home.registry).text(home.repository.as_str());
    if life.current {
        tx.mark(by_time(home, digest, &life));
        tx.put(by_digest, &home.place())?;
    } else {
        tx.remove(by_digest)?;
    }
    tx.put(key, &LocationRow { digest: digest.clone(), life })
}

/// The row by which a repository lists a digest: most recently pushed first.
pub(super) fn by_time(home: Home<'_>, digest: &Digest, life: &Life) -> Key {
    home.key(Table::LocationsByTime).newest_first(life.pushed_at).digest(digest)
}

/// Whether and when the digest was pushed to this repository.
pub(super) fn life_of(tx: &Tx<'_>, home: Home<'_>, digest: &Digest) -> Result<Option<Life>, StoreError> {
    let row: Option<LocationRow> = tx.get(&home.key(Table::Locations).digest(digest))?;
    Ok(row.map(|row| row.life))
}

/// Tags of a repository that point at this digest now, by name.
pub(super) fn tags_of(tx: &Tx<'_>, home: Home<'_>, digest: &Digest) -> Result<Vec<Tag>, StoreError> {
    tx.list(&home.key(Table::TagsByDigest).digest(digest))
}

/// Indexes that hold this manifest.
pub(super) fn parents(tx: &Tx<'_>, digest: &Digest) -> Result<Vec<Digest>, StoreError> {
    let prefix = Key::of(Table::Parents).digest(digest);
    tx.rows(&prefix)
        .map(|row| {
            let (key, _) = row?;
            read_digest(&key[prefix.bytes().len()..]).ok_or_else(|| Table::Parents.corrupt("its key holds no digest"))
        })
        .collect()
}

/// Everywhere a digest is found now, directly or through an index; by registry and repository.
pub(super) fn locations(tx: &Tx<'_>, digest: &Digest) -> Result<Vec<Location>, StoreError> {
    let mut found: Vec<Location> = Vec::new();
    for root in std::iter::once(digest.clone()).chain(parents(tx, digest)?) {
        for place in tx.list::<Place>(&Key::of(Table::LocationsByDigest).digest(&root))? {
            let tags = tags_of(tx, place.home(), &root)?;
            let same = |known: &&mut Location| known.registry == place.registry && known.repository == place.repository;
            match found.iter_mut().find(same) {
                Some(known) => known.tags.extend(tags),
                None => found.push(Location { registry: place.registry, repository: place.repository, tags }),
            }
        }
    }
    for location in &mut found {
        location.tags.sort();
        location.tags.dedup();
    }
    found.sort_by(|a, b| (&a.registry, &a.repository).cmp(&(&b.registry, &b.repository)));
    Ok(found)
}

/// When the digest was last pulled from this repository.
pub(super) fn last_pulled(tx: &Tx<'_>, home: Home<'_>, digest: &Digest) -> Result<Option<Timestamp>, StoreError> {
    tx.get(&home.key(Table::Pulls).digest(digest))
}
