//! Findings as operators see them, with where their images are and what is known about the vulnerability.

use std::collections::HashMap;
use std::rc::Rc;

use shared::finding::{Finding, Vulnerability};
use shared::image::{Digest, Platform};

use super::findings::Name;
use super::images::scanned;
use super::keys::{Key, Table, read_digest};
use super::places;
use super::query::{id_of, read_id, same_elsewhere};
use super::rows::{FindingRow, ImageRow};
use super::tx::Tx;
use crate::store::{self, AffectedImage, FindingDetail, Location, StoreError};
use jiff::Timestamp;

/// At most so many images are named in a finding's detail.
const MOST_IMAGES: usize = 1000;

/// Reads what belongs to findings; what is the same for all findings of an image, once.
pub(super) struct Views<'a> {
    tx: &'a Tx<'a>,
    locations: HashMap<Vec<u8>, Rc<Vec<Location>>>,
    images: HashMap<Vec<u8>, Rc<Scanned>>,
}

#[derive(Default)]
struct Scanned {
    platform: Option<Platform>,
    scanned_at: Option<Timestamp>,
    base_layers: Vec<Digest>,
}

impl From<ImageRow> for Scanned {
    fn from(row: ImageRow) -> Self {
        let base_layers = row.layers.into_iter().filter(|layer| layer.base).map(|layer| layer.digest).collect();
        Self { platform: row.platform, scanned_at: Some(row.scanned_at), base_layers }
    }
}

impl<'a> Views<'a> {
    pub(super) fn new(tx: &'a Tx<'a>) -> Self {
        Self { tx, locations: HashMap::new(), images: HashMap::new() }
    }

    /// Everywhere an image is found now.
    pub(super) fn locations(&mut self, digest: &[u8]) -> Result<Rc<Vec<Location>>, StoreError> {
        if let Some(known) = self.locations.get(digest) {
            return Ok(Rc::clone(known));
        }
        let name = read_digest(digest).ok_or_else(|| Table::Findings.corrupt("its key holds no digest"))?;
        let found = Rc::new(places::locations(self.tx, &name)?);
        self.locations.insert(digest.to_vec(), Rc::clone(&found));
        Ok(found)
    }

    fn image(&mut self, digest: &[u8]) -> Result<Rc<Scanned>, StoreError> {
        if let Some(known) = self.images.get(digest) {
            return Ok(Rc::clone(known));
        }
        let row = read_digest(digest).map_or(Ok(None), |digest| scanned(self.tx, &digest))?;
        let image = Rc::new(row.map(Scanned::from).unwrap_or_default());
        self.images.insert(digest.to_vec(), Rc::clone(&image));
        Ok(image)
    }

    /// Whether the finding's layer is one of its image's base.
    pub(super) fn is_in_base(&mut self, digest: &[u8], finding: &Finding) -> Result<bool, StoreError> {
        let image = self.image(digest)?;
        Ok(finding.layer.as_ref().is_some_and(|layer| image.base_layers.contains(layer)))
    }

    /// The finding of this name, if there still is one.
    pub(super) fn row(&mut self, name: &Name) -> Result<Option<store::FindingRow>, StoreError> {
        let row: Option<FindingRow> = self.tx.get(&name.primary())?;
        row.map(|row| self.show(row)).transpose()
    }

    fn show(&mut self, row: FindingRow) -> Result<store::FindingRow, StoreError> {
        let name = Name::of(&row.digest, &row.finding);
        let image = self.image(&name.digest)?;
        let text = vulnerability(self.tx, &row.finding.id)?;
        Ok(store::FindingRow {
            finding_id: id_of(&name),
            platform: image.platform.clone(),
            base: self.is_in_base(&name.digest, &row.finding)?,
            aliases: text.aliases,
            title: text.title,
            first_seen: row.first_seen,
            last_seen: image.scanned_at.unwrap_or(row.first_seen),
            locations: self.locations(&name.digest)?.to_vec(),
            digest: row.digest,
            finding: row.finding,
        })
    }
}

/// What is known about a vulnerability: at least its id.
fn vulnerability(tx: &Tx<'_>, id: &str) -> Result<Vulnerability, StoreError> {
    let known: Option<Vulnerability> = tx.get(&Key::of(Table::Vulnerabilities).text(id))?;
    Ok(known.unwrap_or_else(|| Vulnerability {
        id: id.to_owned(),
        aliases: Vec::new(),
        title: String::new(),
        description: String::new(),
        references: Vec::new(),
        published: None,
        modified: None,
    }))
}

/// See [`crate::store::Store::finding`].
pub(super) fn finding(tx: &Tx<'_>, id: &str) -> Result<Option<FindingDetail>, StoreError> {
    let row: Option<FindingRow> = read_id(id).map_or(Ok(None), |key| tx.get(&key))?;
    let Some(row) = row else { return Ok(None) };
    let name = Name::of(&row.digest, &row.finding);
    let mut views = Views::new(tx);
    let vulnerability = vulnerability(tx, &row.finding.id)?;
    let mut images = Vec::new();
    for digest in same_elsewhere(tx, &name, MOST_IMAGES)? {
        let part: Vec<u8> = Key::part().digest(&digest).into();
        let (platform, locations) = (views.image(&part)?.platform.clone(), views.locations(&part)?.to_vec());
        images.push(AffectedImage { digest, platform, locations });
    }
    Ok(Some(FindingDetail { row: views.show(row)?, vulnerability, images }))
}
