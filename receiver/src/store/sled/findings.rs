//! Writing findings and their indexes. The indexes are by what listings sort and select; each of their keys names the
//! finding completely, so their rows have no values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::finding::{Finding, Severity, Vulnerability};
use shared::image::Digest;
use shared::report::ImageReport;

use super::keys::{Key, Parts, Table};
use super::rows::FindingRow;
use super::tx::Tx;
use crate::store::StoreError;

/// Replaces the findings of an image, keeping when each was first seen. What is returned is what is kept: of findings of
/// the same identity, the first.
pub(super) fn replace<'r>(
    tx: &mut Tx<'_>,
    image: &'r ImageReport,
    at: Timestamp,
) -> Result<Vec<&'r Finding>, StoreError> {
    let mut gone: BTreeMap<Vec<u8>, FindingRow> = BTreeMap::new();
    for row in tx.list::<FindingRow>(&Key::of(Table::Findings).digest(&image.digest))? {
        gone.insert(Name::of(&image.digest, &row.finding).primary().into(), row);
    }
    let mut kept: BTreeMap<Vec<u8>, &Finding> = BTreeMap::new();
    for finding in &image.findings {
        kept.entry(Name::of(&image.digest, finding).primary().into()).or_insert(finding);
    }
    for (key, finding) in &kept {
        let last = gone.remove(key);
        if last.as_ref().is_some_and(|last| last.finding == **finding) {
            continue;
        }
        let first_seen = last.as_ref().map_or(at, |last| last.first_seen);
        if let Some(last) = last {
            remove(tx, &image.digest, &last.finding)?;
        }
        add(tx, FindingRow { digest: image.digest.clone(), finding: (*finding).clone(), first_seen })?;
    }
    for row in gone.values() {
        remove(tx, &image.digest, &row.finding)?;
    }
    for vulnerability in &image.vulnerabilities {
        keep_text(tx, vulnerability)?;
    }
    Ok(kept.into_values().collect())
}

fn add(tx: &mut Tx<'_>, row: FindingRow) -> Result<(), StoreError> {
    let name = Name::of(&row.digest, &row.finding);
    for key in index_keys(&name, &row.finding) {
        tx.mark(key);
    }
    call(tx, &row.finding.id, &row.finding.id)?;
    tx.put(name.primary(), &row)
}

fn remove(tx: &mut Tx<'_>, digest: &Digest, finding: &Finding) -> Result<(), StoreError> {
    let name = Name::of(digest, finding);
    for key in index_keys(&name, finding) {
        tx.remove(key)?;
    }
    tx.remove(name.primary())
}

fn index_keys(name: &Name, finding: &Finding) -> Vec<Key> {
    let source = finding.source_name.as_ref().filter(|source| **source != finding.package);
    let mut keys = vec![name.by_severity(), name.by_vulnerability(), name.by_name(&name.package)];
    keys.extend(source.map(|source| name.by_name(&text(source))));
    keys
}

/// Keeps the text and the names of a vulnerability.
fn keep_text(tx: &mut Tx<'_>, vulnerability: &Vulnerability) -> Result<(), StoreError> {
    let key = Key::of(Table::Vulnerabilities).text(&vulnerability.id);
    let known: Option<Vulnerability> = tx.get(&key)?;
    if known.as_ref() == Some(vulnerability) {
        return Ok(());
    }
    for alias in known.iter().flat_map(|known| &known.aliases) {
        tx.remove(alias_key(alias).text(&vulnerability.id))?;
    }
    for alias in vulnerability.aliases.iter().chain([&vulnerability.id]) {
        call(tx, alias, &vulnerability.id)?;
    }
    tx.put(key, vulnerability)
}

/// The prefix of the canonical ids of a name, whatever its case. (A DSA is a name of many vulnerabilities.)
pub(super) fn alias_key(name: &str) -> Key {
    Key::of(Table::Aliases).text(&name.to_lowercase())
}

fn call(tx: &mut Tx<'_>, name: &str, id: &str) -> Result<(), StoreError> {
    let key = alias_key(name).text(id);
    if tx.has(&key)? { Ok(()) } else { tx.put(key, id) }
}

/// The identity of a finding and its severity, as parts of keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) digest: Vec<u8>,
    pub(super) vulnerability: Vec<u8>,
    pub(super) package: Vec<u8>,
    pub(super) version: Vec<u8>,
    /// 0 is the worst.
    pub(super) rank: u8,
}

/// A text as a part of a key.
pub(super) fn text(text: &str) -> Vec<u8> {
    Key::part().text(text).into()
}

/// The worst severity has the rank 0.
pub(super) fn rank(severity: Severity) -> u8 {
    Severity::ALL.into_iter().zip(0..).find(|(each, _)| *each == severity).map_or(u8::MAX, |(_, rank)| rank)
}

impl Name {
    pub(super) fn of(digest: &Digest, finding: &Finding) -> Self {
        Self {
            digest: Key::part().digest(digest).into(),
            vulnerability: text(&finding.id),
            package: text(&finding.package),
            version: text(&finding.version),
            rank: rank(finding.severity),
        }
    }

    /// The key of the finding itself.
    pub(super) fn primary(&self) -> Key {
        let Self { digest, vulnerability, package, version, .. } = self;
        Key::of(Table::Findings).raw(digest).raw(vulnerability).raw(package).raw(version)
    }

    pub(super) fn by_severity(&self) -> Key {
        self.rest(Key::of(Table::FindingsBySeverity).byte(self.rank).raw(&self.vulnerability).raw(&self.package))
    }

    pub(super) fn by_vulnerability(&self) -> Key {
        let key = Key::of(Table::FindingsByVulnerability).raw(&self.vulnerability);
        self.rest(key.byte(self.rank).raw(&self.package))
    }

    /// Under the name of the package or of its source.
    pub(super) fn by_name(&self, name: &[u8]) -> Key {
        let key = Key::of(Table::FindingsByName).raw(name).byte(self.rank);
        self.rest(key.raw(&self.vulnerability).raw(&self.package))
    }

    fn rest(&self, key: Key) -> Key {
        key.raw(&self.version).raw(&self.digest)
    }

    /// Reads the key of any index. `None` if it is none.
    pub(super) fn read(key: &[u8]) -> Option<Self> {
        let mut parts = Parts(key.get(1..)?);
        let (rank, vulnerability, package) = match Table::of(key)? {
            Table::FindingsBySeverity => (parts.byte()?, parts.text()?, parts.text()?),
            Table::FindingsByVulnerability => {
                let vulnerability = parts.text()?;
                (parts.byte()?, vulnerability, parts.text()?)
            }
            Table::FindingsByName => {
                parts.text()?;
                (parts.byte()?, parts.text()?, parts.text()?)
            }
            _ => return None,
        };
        let (version, digest) = (parts.text()?.to_vec(), parts.digest()?.to_vec());
        let (vulnerability, package) = (vulnerability.to_vec(), package.to_vec());
        parts.0.is_empty().then_some(Self { digest, vulnerability, package, version, rank })
    }
}
