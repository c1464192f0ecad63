//! Listing findings across images.
//!
//! A query is led by the index that selects most. Where that index is also in the wanted order, rows are streamed from
//! where the cursor points until the page is full. Otherwise all that it selects is passed through a heap that
//! holds one page, so memory stays bounded.

use std::collections::{BTreeSet, BinaryHeap};

use shared::finding::Severity;

use super::findings::{Name, alias_key, rank, text};
use super::keys::{Key, Listed, Parts, Table, cursor, position};
use super::places::{self, Home};
use super::record::children;
use super::rows::{FindingRow, LocationRow, RepositoryRow, TagRow};
use super::timeline::MOST_LOOKED_AT;
use super::tx::{Order, Tx};
use super::views::Views;
use crate::store::{self, FindingQuery, FindingSort, Listing, Page, StoreError};
use shared::image::Digest;

/// Up to so many images are looked at one by one, rather than through an index of all images.
const FEW_IMAGES: usize = 64;

/// See [`crate::store::Store::findings`].
pub(super) fn findings(
    tx: &Tx<'_>,
    query: &FindingQuery,
    page: &Page,
) -> Result<Listing<store::FindingRow>, StoreError> {
    let mut selection = Selection::new(tx, query)?;
    let after = read_position(query.sort, page)?;
    let (names, next) = match selection.leads(query) {
        Lead::InOrder(table, prefixes) => stream(&mut selection, table, &prefixes, after, page.limit)?,
        Lead::Unordered(prefixes) => gather(&mut selection, &prefixes, after, page.limit)?,
    };
    let mut items = Vec::with_capacity(names.len());
    for name in names {
        // Between the two reads the image may have been scanned again.
        items.extend(selection.views.row(&name)?);
    }
    Ok(Listing { items, next: next.map(|name| cursor(listed(query.sort), &name.by_severity().bytes()[1..])) })
}

fn listed(sort: FindingSort) -> Listed {
    match sort {
        FindingSort::Severity => Listed::FindingsBySeverity,
        FindingSort::Vulnerability => Listed::FindingsByVulnerability,
        FindingSort::Package => Listed::FindingsByPackage,
    }
}

/// A position names the last finding completely, whatever the order.
fn read_position(sort: FindingSort, page: &Page) -> Result<Option<Name>, StoreError> {
    let Some(bytes) = position(listed(sort), page.cursor.as_deref())? else { return Ok(None) };
    let key = Key::of(Table::FindingsBySeverity).raw(&bytes);
    Name::read(key.bytes()).map(Some).ok_or(StoreError::Cursor)
}

/// What a query wants, in the words of the keys.
struct Selection<'a, 'q> {
    tx: &'a Tx<'a>,
    query: &'q FindingQuery,
    views: Views<'a>,
    ranks: Vec<u8>,
    package: Option<Vec<u8>>,
    vulnerabilities: Option<BTreeSet<Vec<u8>>>,
    digests: Option<BTreeSet<Vec<u8>>>,
}

/// Where the rows come from.
enum Lead {
    /// From this table, under these prefixes, in the wanted order.
    InOrder(Table, Vec<Key>),
    /// Under these prefixes, in any order.
    Unordered(Vec<Key>),
}

impl<'a, 'q> Selection<'a, 'q> {
    fn new(tx: &'a Tx<'a>, query: &'q FindingQuery) -> Result<Self, StoreError> {
        let wanted = |severity: &Severity| {
            query.severity.is_none_or(|exactly| *severity == exactly)
                && query.at_least.is_none_or(|at_least| *severity >= at_least)
        };
        let vulnerabilities = match &query.vulnerability {
            Some(name) => Some(tx.list::<String>(&alias_key(name))?.iter().map(|id| text(id)).collect()),
            None => None,
        };
        Ok(Self {
            tx,
            query,
            views: Views::new(tx),
            ranks: Severity::ALL.into_iter().filter(wanted).map(rank).collect(),
            package: query.package.as_deref().map(text),
            vulnerabilities,
            digests: selected_digests(tx, query)?,
        })
    }

    fn leads(&self, query: &FindingQuery) -> Lead {
        let ranked = |prefix: Key| self.ranks.iter().map(move |rank| prefix.clone().byte(*rank));
        if let Some(digests) = self.digests.as_ref().filter(|digests| digests.len() <= FEW_IMAGES) {
            return Lead::Unordered(digests.iter().map(|digest| Key::of(Table::Findings).raw(digest)).collect());
        }
        if let Some(ids) = &self.vulnerabilities {
            let table = Table::FindingsByVulnerability;
            let prefixes = ids.iter().flat_map(|id| ranked(Key::of(table).raw(id))).collect();
            return match query.sort {
                FindingSort::Vulnerability => Lead::InOrder(table, prefixes),
                FindingSort::Severity if ids.len() <= 1 => Lead::InOrder(table, prefixes),
                FindingSort::Severity | FindingSort::Package => Lead::Unordered(prefixes),
            };
        }
        if let Some(package) = &self.package {
            let table = Table::FindingsByName;
            let prefixes = ranked(Key::of(table).raw(package)).collect();
            return match query.sort {
                FindingSort::Severity => Lead::InOrder(table, prefixes),
                FindingSort::Vulnerability | FindingSort::Package => Lead::Unordered(prefixes),
            };
        }
        match query.sort {
            FindingSort::Severity => {
                let table = Table::FindingsBySeverity;
                Lead::InOrder(table, ranked(Key::of(table)).collect())
            }
            FindingSort::Vulnerability => by_table(Table::FindingsByVulnerability),
            FindingSort::Package => by_table(Table::FindingsByName),
        }
    }

    /// The key by which the wanted order compares.
    fn sort_key(&self, name: &Name) -> Key {
        match self.query.sort {
            FindingSort::Severity => name.by_severity(),
            FindingSort::Vulnerability => name.by_vulnerability(),
            FindingSort::Package => name.by_name(&name.package),
        }
    }

    /// The key of a finding in the index that leads.
    fn index_key(&self, table: Table, name: &Name) -> Key {
        match table {
            Table::FindingsBySeverity => name.by_severity(),
            Table::FindingsByVulnerability => name.by_vulnerability(),
            _ => name.by_name(self.package.as_ref().unwrap_or(&name.package)),
        }
    }

    /// What can be told from the name alone, then where the image is, then what only the finding itself says.
    fn wants(&mut self, name: &Name) -> Result<bool, StoreError> {
        let by_name = self.ranks.contains(&name.rank)
            && self.vulnerabilities.as_ref().is_none_or(|ids| ids.contains(&name.vulnerability))
            && self.digests.as_ref().is_none_or(|digests| digests.contains(&name.digest));
        if !by_name || self.views.locations(&name.digest)?.is_empty() {
            return Ok(false);
        }
        let FindingQuery { package, ecosystem, fix_available, base, .. } = self.query;
        if package.is_none() && ecosystem.is_none() && fix_available.is_none() && base.is_none() {
            return Ok(true);
        }
        let Some(row) = self.tx.get::<FindingRow>(&name.primary())? else { return Ok(false) };
        let finding = row.finding;
        if let Some(wanted) = *base
            && self.views.is_in_base(&name.digest, &finding)? != wanted
        {
            return Ok(false);
        }
        let named = |package: &String| finding.package == *package || finding.source_name.as_ref() == Some(package);
        Ok(package.as_ref().is_none_or(named)
            && ecosystem.as_ref().is_none_or(|wanted| is_of(&finding.ecosystem, wanted))
            && fix_available.is_none_or(|wanted| finding.fixed_version.is_some() == wanted))
    }
}

fn by_table(table: Table) -> Lead {
    Lead::InOrder(table, vec![Key::of(table)])
}

/// `Debian` is wanted of `Debian:12`, in any case.
fn is_of(ecosystem: &str, wanted: &str) -> bool {
    let without_release = ecosystem.split_once(':').map_or(ecosystem, |(name, _)| name);
    ecosystem.eq_ignore_ascii_case(wanted) || without_release.eq_ignore_ascii_case(wanted)
}

/// The findings of one page, and the last one looked at if there may be more.
type Found = (Vec<Name>, Option<Name>);

fn stream(
    selection: &mut Selection<'_, '_>,
    table: Table,
    prefixes: &[Key],
    after: Option<Name>,
    limit: usize,
) -> Result<Found, StoreError> {
    let position = after.map(|name| selection.index_key(table, &name));
    let position = position.as_ref().map(Key::bytes);
    let mut found = Vec::new();
    let mut last: Option<Name> = None;
    let mut looked_at = 0;
    for prefix in prefixes.iter().filter(|prefix| position.is_none_or(|key| key < prefix.end().as_slice())) {
        let within = position.filter(|key| key.starts_with(prefix.bytes()));
        for row in selection.tx.page(prefix, Order::Ascending, within)? {
            let (key, _) = row?;
            let name = Name::read(&key).ok_or_else(|| table.corrupt("its key names no finding"))?;
            // A row under the name of a source package, in a listing by package.
            if selection.index_key(table, &name).bytes() != key.as_ref() {
                continue;
            }
            if selection.wants(&name)? {
                if found.len() == limit {
                    return Ok((found, last));
                }
                found.push(name.clone());
            }
            last = Some(name);
            looked_at += 1;
            if looked_at == MOST_LOOKED_AT {
                return Ok((found, last));
            }
        }
    }
    Ok((found, None))
}

fn gather(
    selection: &mut Selection<'_, '_>,
    prefixes: &[Key],
    after: Option<Name>,
    limit: usize,
) -> Result<Found, StoreError> {
    let position = after.map(|name| selection.sort_key(&name));
    let mut first: BinaryHeap<(Key, Name)> = BinaryHeap::new();
    for prefix in prefixes {
        for row in selection.tx.page(prefix, Order::Ascending, None)? {
            let (key, value) = row?;
            let Some(name) = name_of(selection.tx, &key, value)? else { continue };
            let sort_key = selection.sort_key(&name);
            let comes_late = first.len() > limit && first.peek().is_some_and(|(latest, _)| *latest <= sort_key);
            if position.as_ref().is_some_and(|position| sort_key <= *position) || comes_late {
                continue;
            }
            if selection.wants(&name)? {
                first.push((sort_key, name));
                if first.len() > limit + 1 {
                    first.pop();
                }
            }
        }
    }
    let mut names: Vec<Name> = first.into_sorted_vec().into_iter().map(|(_, name)| name).collect();
    let more = names.len() > limit;
    names.truncate(limit);
    let next = names.last().filter(|_| more).cloned();
    Ok((names, next))
}

/// The finding that a row is of: a row of an index, or the finding itself.
fn name_of(tx: &Tx<'_>, key: &[u8], value: sled::IVec) -> Result<Option<Name>, StoreError> {
    if Table::of(key) == Some(Table::Findings) {
        let row: Option<FindingRow> = tx.decode(key, value)?;
        return Ok(row.map(|row| Name::of(&row.digest, &row.finding)));
    }
    Ok(Name::read(key))
}

/// The images that the query's digest, registry, repository and tag select; `None` if it has none of them.
fn selected_digests(tx: &Tx<'_>, query: &FindingQuery) -> Result<Option<BTreeSet<Vec<u8>>>, StoreError> {
    let placed = match (&query.registry, &query.repository, &query.tag) {
        (None, None, None) => None,
        _ => Some(placed_digests(tx, query)?),
    };
    let Some(digest) = &query.digest else { return Ok(placed) };
    let mut selected = BTreeSet::new();
    add_with_children(tx, digest, &mut selected)?;
    if let Some(placed) = placed {
        selected.retain(|digest| placed.contains(digest));
    }
    Ok(Some(selected))
}

fn placed_digests(tx: &Tx<'_>, query: &FindingQuery) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let all = Key::of(Table::Repositories);
    let prefix = match (&query.registry, &query.repository) {
        (Some(registry), Some(repository)) => all.text(registry).text(repository.as_str()),
        (Some(registry), None) => all.text(registry),
        (None, _) => all,
    };
    let mut digests = BTreeSet::new();
    for row in tx.list::<RepositoryRow>(&prefix)? {
        if query.repository.as_ref().is_some_and(|wanted| *wanted != row.repository) {
            continue;
        }
        let home = Home { registry: &row.registry, repository: &row.repository };
        if let Some(tag) = &query.tag {
            let row: Option<TagRow> = tx.get(&home.key(Table::Tags).text(tag.as_str()))?;
            if let Some(digest) = row.and_then(|row| row.digest) {
                add_with_children(tx, &digest, &mut digests)?;
            }
            continue;
        }
        for row in tx.list::<LocationRow>(&home.key(Table::Locations))?.iter().filter(|row| row.life.current) {
            add_with_children(tx, &row.digest, &mut digests)?;
        }
    }
    Ok(digests)
}

fn add_with_children(tx: &Tx<'_>, digest: &Digest, digests: &mut BTreeSet<Vec<u8>>) -> Result<(), StoreError> {
    for digest in children(tx, digest)?.iter().chain([digest]) {
        digests.insert(Key::part().digest(digest).into());
    }
    Ok(())
}

/// What is in a finding's opaque id: the rest of its key.
pub(super) fn read_id(id: &str) -> Option<Key> {
    let bytes = position(Listed::Finding, Some(id)).ok()??;
    let mut parts = Parts(&bytes);
    parts.digest()?;
    for _vulnerability_package_version in 0..3 {
        parts.text()?;
    }
    parts.0.is_empty().then(|| Key::of(Table::Findings).raw(&bytes))
}

/// A finding's opaque id.
pub(super) fn id_of(name: &Name) -> String {
    cursor(Listed::Finding, &name.primary().bytes()[1..])
}

/// Digests of current images that have the same vulnerability in the same package and version, at most `limit`.
pub(super) fn same_elsewhere(tx: &Tx<'_>, name: &Name, limit: usize) -> Result<Vec<Digest>, StoreError> {
    let mut digests = Vec::new();
    for rank in Severity::ALL.map(rank) {
        let prefix = Key::of(Table::FindingsByVulnerability).raw(&name.vulnerability).byte(rank);
        for row in tx.page(&prefix.raw(&name.package).raw(&name.version), Order::Ascending, None)? {
            if digests.len() == limit {
                return Ok(digests);
            }
            let found = Name::read(&row?.0).and_then(|name| super::keys::read_digest(&name.digest));
            if let Some(digest) = found
                && !places::locations(tx, &digest)?.is_empty()
            {
                digests.push(digest);
            }
        }
    }
    Ok(digests)
}
