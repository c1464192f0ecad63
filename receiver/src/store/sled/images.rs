//! Registries, their repositories, the images in them.

use std::collections::{BTreeMap, BTreeSet};

use shared::image::{Digest, Tag};

use super::jobs;
use super::keys::{Key, Listed, Parts, Table, cursor, position, read_digest};
use super::places::{self, Home};
use super::record::children;
use super::rows::{ImageRow, LocationRow, RegistryRow, RepositoryRow, TagRow};
use super::tx::{Order, Tx};
use crate::store::{
    ImageDetail, ImageSummary, Listing, Page, RegistrySummary, RepositorySummary, SeverityCounts, StoreError,
};

/// See [`crate::store::Store::registries`].
pub(super) fn registries(tx: &Tx<'_>) -> Result<Vec<RegistrySummary>, StoreError> {
    let mut summaries = Vec::new();
    for row in tx.list::<RegistryRow>(&Key::of(Table::Registries))? {
        let mut repositories = 0;
        let mut images = BTreeSet::new();
        for repository in tx.list::<RepositoryRow>(&Key::of(Table::Repositories).text(&row.name))? {
            if repository.life.current {
                let home = Home { registry: &row.name, repository: &repository.repository };
                repositories += 1;
                images.extend(current_digests(tx, home)?);
            }
        }
        let images = images.len() as u64;
        summaries.push(RegistrySummary { name: row.name, repositories, images, last_event_at: row.last_event_at });
    }
    Ok(summaries)
}

fn current_digests(tx: &Tx<'_>, home: Home<'_>) -> Result<Vec<Digest>, StoreError> {
    let rows = tx.list::<LocationRow>(&home.key(Table::Locations))?;
    Ok(rows.into_iter().filter(|row| row.life.current).map(|row| row.digest).collect())
}

/// See [`crate::store::Store::repositories`].
pub(super) fn repositories(tx: &Tx<'_>, registry: &str, page: &Page) -> Result<Listing<RepositorySummary>, StoreError> {
    let prefix = Key::of(Table::Repositories).text(registry);
    let after = position(Listed::Repositories, page.cursor.as_deref())?.map(|name| prefix.clone().raw(&name));
    let mut items = Vec::new();
    let mut last = None;
    for row in tx.page(&prefix, Order::Ascending, after.as_ref().map(Key::bytes))? {
        if items.len() == page.limit {
            let next = last.map(|key: sled::IVec| cursor(Listed::Repositories, &key[prefix.bytes().len()..]));
            return Ok(Listing { items, next });
        }
        let (key, value) = row?;
        let row: Option<RepositoryRow> = tx.decode(&key, value)?;
        if let Some(row) = row.filter(|row| row.life.current) {
            items.push(summarize_repository(tx, row)?);
            last = Some(key);
        }
    }
    Ok(Listing { items, next: None })
}

fn summarize_repository(tx: &Tx<'_>, row: RepositoryRow) -> Result<RepositorySummary, StoreError> {
    let home = Home { registry: &row.registry, repository: &row.repository };
    let tags = tx.list::<TagRow>(&home.key(Table::Tags))?;
    Ok(RepositorySummary {
        tags: tags.iter().filter(|row| row.digest.is_some()).count() as u64,
        images: current_digests(tx, home)?.len() as u64,
        last_pushed_at: row.life.pushed_at,
        registry: row.registry,
        repository: row.repository,
    })
}

/// See [`crate::store::Store::images`]. A manifest is listed once: under the most recently pushed index of the repository
/// that holds it, else by itself.
pub(super) fn images(tx: &Tx<'_>, home: Home<'_>, page: &Page) -> Result<Listing<ImageSummary>, StoreError> {
    let prefix = home.key(Table::LocationsByTime);
    let mut items: Vec<(Vec<u8>, ImageSummary)> = Vec::new();
    let start = start_of(&prefix, page)?;
    if let Some(Start { root, after }) = &start {
        list_root(tx, home, &prefix, root, after, &mut items)?;
    }
    let after = start.as_ref().map(|start| start.root.as_slice());
    for row in tx.page(&prefix, Order::Ascending, after)? {
        if items.len() > page.limit {
            break;
        }
        list_root(tx, home, &prefix, &row?.0, &[], &mut items)?;
    }
    let more = items.len() > page.limit;
    items.truncate(page.limit);
    let next = items.last().filter(|_| more).map(|(position, _)| cursor(Listed::Images, position));
    Ok(Listing { items: items.into_iter().map(|(_, image)| image).collect(), next })
}

/// Where a page of images goes on: within the images of a root, behind one of them.
struct Start {
    root: Vec<u8>,
    after: Vec<u8>,
}

/// A position is the rest of the root's key, then the digest of the image that was listed last.
fn start_of(prefix: &Key, page: &Page) -> Result<Option<Start>, StoreError> {
    let Some(bytes) = position(Listed::Images, page.cursor.as_deref())? else { return Ok(None) };
    let mut parts = Parts(&bytes);
    parts.time().and_then(|()| parts.digest()).ok_or(StoreError::Cursor)?;
    let root = prefix.clone().raw(&bytes[..bytes.len() - parts.0.len()]).into();
    Ok(Some(Start { root, after: parts.0.to_vec() }))
}

/// Adds the images of the root that the row `key` lists, behind the digest `after`, with their positions.
fn list_root(
    tx: &Tx<'_>,
    home: Home<'_>,
    prefix: &Key,
    key: &[u8],
    after: &[u8],
    items: &mut Vec<(Vec<u8>, ImageSummary)>,
) -> Result<(), StoreError> {
    let rest = &key[prefix.bytes().len()..];
    let mut parts = Parts(rest);
    let root = parts.time().and_then(|()| parts.digest()).and_then(read_digest);
    let root = root.ok_or_else(|| Table::LocationsByTime.corrupt("its key holds no digest"))?;
    let children = children(tx, &root)?;
    let index = (!children.is_empty()).then_some(&root);
    let images: BTreeMap<Vec<u8>, &Digest> = children
        .iter()
        .chain(children.is_empty().then_some(&root))
        .map(|digest| (Key::part().digest(digest).into(), digest))
        .collect();
    for (position, digest) in images.iter().filter(|(position, _)| position.as_slice() > after) {
        if listing_key(tx, home, digest)?.is_some_and(|first| first.bytes() == key) {
            items.push(([rest, position].concat(), summarize(tx, home, digest, index)?));
        }
    }
    Ok(())
}

/// The row under which a repository lists a manifest.
fn listing_key(tx: &Tx<'_>, home: Home<'_>, digest: &Digest) -> Result<Option<Key>, StoreError> {
    let mut keys = Vec::new();
    for root in places::parents(tx, digest)? {
        let life = places::life_of(tx, home, &root)?.filter(|life| life.current);
        keys.extend(life.map(|life| places::by_time(home, &root, &life)));
    }
    if keys.is_empty() {
        let life = places::life_of(tx, home, digest)?.filter(|life| life.current);
        keys.extend(life.map(|life| places::by_time(home, digest, &life)));
    }
    Ok(keys.into_iter().min())
}

fn summarize(tx: &Tx<'_>, home: Home<'_>, digest: &Digest, index: Option<&Digest>) -> Result<ImageSummary, StoreError> {
    let mut summary = scanned(tx, digest)?.map_or_else(|| unscanned(digest), |row| summary_of(&row));
    summary.index = index.cloned();
    let mut tags: BTreeSet<Tag> = BTreeSet::new();
    for root in places::parents(tx, digest)?.iter().chain([digest]) {
        tags.extend(places::tags_of(tx, home, root)?);
        let pushed_at = places::life_of(tx, home, root)?.and_then(|life| life.pushed_at);
        summary.pushed_at = summary.pushed_at.max(pushed_at);
        summary.last_pulled_at = summary.last_pulled_at.max(places::last_pulled(tx, home, root)?);
    }
    summary.tags = tags.into_iter().collect();
    Ok(summary)
}

/// The last result of a manifest.
pub(super) fn scanned(tx: &Tx<'_>, digest: &Digest) -> Result<Option<ImageRow>, StoreError> {
    tx.get(&Key::of(Table::Images).digest(digest))
}

fn unscanned(digest: &Digest) -> ImageSummary {
    ImageSummary {
        digest: digest.clone(),
        index: None,
        platform: None,
        tags: Vec::new(),
        outcome: None,
        scanned_at: None,
        distro: None,
        packages: 0,
        findings: SeverityCounts::default(),
        pushed_at: None,
        last_pulled_at: None,
    }
}

fn summary_of(row: &ImageRow) -> ImageSummary {
    ImageSummary {
        platform: row.platform.clone(),
        outcome: Some(row.outcome),
        scanned_at: Some(row.scanned_at),
        distro: row.distro.clone(),
        packages: row.packages,
        findings: row.findings,
        ..unscanned(&row.digest)
    }
}

/// See [`crate::store::Store::image`].
pub(super) fn image(tx: &Tx<'_>, digest: &Digest) -> Result<Vec<ImageDetail>, StoreError> {
    let children = children(tx, digest)?;
    if children.is_empty() {
        return Ok(detail(tx, digest, None)?.into_iter().collect());
    }
    let mut details = Vec::new();
    for child in &children {
        details.extend(detail(tx, child, Some(digest))?);
    }
    Ok(details)
}

/// Everything about a manifest that was scanned or is found somewhere.
fn detail(tx: &Tx<'_>, digest: &Digest, index: Option<&Digest>) -> Result<Option<ImageDetail>, StoreError> {
    let row = scanned(tx, digest)?;
    let locations = places::locations(tx, digest)?;
    if row.is_none() && locations.is_empty() {
        return Ok(None);
    }
    let mut summary = row.as_ref().map_or_else(|| unscanned(digest), summary_of);
    let parents = places::parents(tx, digest)?;
    summary.index = index.or(parents.first()).cloned();
    for location in &locations {
        let home = Home { registry: &location.registry, repository: &location.repository };
        let here = summarize(tx, home, digest, None)?;
        summary.pushed_at = summary.pushed_at.max(here.pushed_at);
        summary.last_pulled_at = summary.last_pulled_at.max(here.last_pulled_at);
    }
    let tags: BTreeSet<&Tag> = locations.iter().flat_map(|location| &location.tags).collect();
    summary.tags = tags.into_iter().cloned().collect();
    let failed_scan = match row.as_ref().and_then(|row| row.failed_scan) {
        Some(id) => jobs::scan(tx, id)?,
        None => None,
    };
    let row = row.as_ref();
    Ok(Some(ImageDetail {
        summary,
        locations,
        reason: row.and_then(|row| row.reason.clone()),
        warnings: row.map(|row| row.warnings.clone()).unwrap_or_default(),
        advisories: row.and_then(|row| row.advisories.clone()),
        base: row.and_then(|row| row.base.clone()),
        layers: row.map(|row| row.layers.clone()).unwrap_or_default(),
        timings: row.map(|row| row.timings).unwrap_or_default(),
        scan_id: row.map(|row| row.scan),
        failed_scan,
    }))
}
