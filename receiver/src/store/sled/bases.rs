//! Which of an image's layers come from another image in the store: the image that it is built on.
//!
//! A stack of layers is one key: a hash of the platform and of the layers' digests from the bottom up. Every image with a
//! result has a row under its whole stack, so the base of another one is found by as many look-ups as that has layers.
//!
//! Digests are those of the compressed layers. An image whose base was compressed anew, as by another builder, does not
//! share them, and is not marked. Nor is one that was recorded before its base: it is when it is scanned again.

use sha2::{Digest as _, Sha256};
use shared::image::{Digest, Platform};
use shared::report::{BaseImage, ImageReport, LayerUse};

use super::images::scanned;
use super::keys::{Key, Table, read_digest};
use super::places;
use super::record::children;
use super::tx::Tx;
use crate::store::StoreError;

/// Images of the same layers that are looked at for one that a repository has now.
const MOST_NAMESAKES: usize = 16;

/// An image's layers, the base's marked, and its base.
pub(super) struct Marked {
    pub(super) layers: Vec<LayerUse>,
    pub(super) base: Option<BaseImage>,
}

/// Notes that an image has these layers.
pub(super) fn note(tx: &mut Tx<'_>, image: &ImageReport) {
    if let Some(whole) = stacks(image).last() {
        tx.mark(whole.clone().digest(&image.digest));
    }
}

/// Marks the layers of the base, unless the scanner has. The image that the report names comes first, then the one of
/// the store that shares most layers. What the report says of its base stands; what it leaves out is filled in.
pub(super) fn mark(tx: &Tx<'_>, image: &ImageReport) -> Result<Marked, StoreError> {
    let (mut layers, base) = (image.layers.clone(), image.base.clone());
    if layers.iter().any(|layer| layer.base) {
        return Ok(Marked { layers, base });
    }
    let stated = base.as_ref().and_then(|base| base.digest.as_ref());
    let mut found = stated.map_or(Ok(None), |digest| shared_with(tx, digest, image))?;
    if found.is_none() {
        found = longest(tx, image)?;
    }
    let Some((digest, count)) = found else { return Ok(Marked { layers, base }) };
    layers.iter_mut().take(count).for_each(|layer| layer.base = true);
    let base = match base {
        Some(BaseImage { name: None, digest: Some(same) }) if same == digest => named(tx, same)?,
        Some(stated) => stated,
        None => named(tx, digest)?,
    };
    Ok(Marked { layers, base: Some(base) })
}

/// For each layer, the key of the stack up to it.
fn stacks(image: &ImageReport) -> Vec<Key> {
    let platform = image.platform.as_ref().map(Platform::to_string).unwrap_or_default();
    let mut hash = Sha256::new_with_prefix(platform);
    let stack = |layer: &LayerUse| {
        hash.update([0]);
        hash.update(layer.digest.as_str());
        Key::of(Table::Stacks).raw(&hash.clone().finalize())
    };
    image.layers.iter().map(stack).collect()
}

/// The image whose layers are the most of this one's from the bottom up, but not all of them.
fn longest(tx: &Tx<'_>, image: &ImageReport) -> Result<Option<(Digest, usize)>, StoreError> {
    let stacks = stacks(image);
    for (index, stack) in stacks.iter().enumerate().rev().skip(1) {
        if let Some(digest) = image_of(tx, stack)? {
            return Ok(Some((digest, index + 1)));
        }
    }
    Ok(None)
}

/// An image of just these layers; rather one that a repository has now.
fn image_of(tx: &Tx<'_>, stack: &Key) -> Result<Option<Digest>, StoreError> {
    let mut first = None;
    for row in tx.rows(stack).take(MOST_NAMESAKES) {
        let (key, _) = row?;
        let digest = read_digest(&key[stack.bytes().len()..]);
        let digest = digest.ok_or_else(|| Table::Stacks.corrupt("its key holds no digest"))?;
        if !places::locations(tx, &digest)?.is_empty() {
            return Ok(Some(digest));
        }
        first.get_or_insert(digest);
    }
    Ok(first)
}

/// How many layers at the bottom are those of the image `base`, or of one that this index holds, if all of its are.
fn shared_with(tx: &Tx<'_>, base: &Digest, image: &ImageReport) -> Result<Option<(Digest, usize)>, StoreError> {
    let digests = |layers: &[LayerUse]| -> Vec<Digest> { layers.iter().map(|layer| layer.digest.clone()).collect() };
    let own = digests(&image.layers);
    for digest in children(tx, base)?.iter().chain([base]) {
        let known = scanned(tx, digest)?.filter(|known| known.platform == image.platform && !known.layers.is_empty());
        if let Some(known) = known.filter(|known| *digest != image.digest && own.starts_with(&digests(&known.layers))) {
            return Ok(Some((base.clone(), known.layers.len())));
        }
    }
    Ok(None)
}

/// An image with the name of the place where it is found first, as people write it: `company/library/debian:12`.
fn named(tx: &Tx<'_>, digest: Digest) -> Result<BaseImage, StoreError> {
    let name = places::locations(tx, &digest)?.first().map(|location| {
        let tag = location.tags.first().map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("{}/{}{tag}", location.registry, location.repository)
    });
    Ok(BaseImage { name, digest: Some(digest) })
}
