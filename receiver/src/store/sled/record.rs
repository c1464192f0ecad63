//! Recording reports: what a scan found replaces what was known of the same manifest.

use jiff::Timestamp;
use shared::image::Digest;
use shared::job::JobKind;
use shared::report::{ImageReport, Outcome, ScanReport};
use uuid::Uuid;

use super::accept::{leave_flight, step};
use super::bases::{self, Marked};
use super::findings;
use super::jobs;
use super::keys::{Key, Table};
use super::outbox;
use super::places::{self, Home};
use super::rows::ImageRow;
use super::tx::Tx;
use crate::store::{DeadLetter, Recorded, ScanStatus, SeverityCounts, StoreError};

/// See [`crate::store::Store::record`]. A job that is not known, as after a restore of an older export, is recorded too.
pub(super) fn record(tx: &mut Tx<'_>, report: &ScanReport, at: Timestamp) -> Result<Recorded, StoreError> {
    let mut scan = jobs::scan(tx, report.job.id)?.unwrap_or_else(|| jobs::unheard_of(&report.job));
    if jobs::is_recorded(&scan) {
        return Ok(Recorded::Duplicate);
    }
    if !scan.timeline.iter().any(|step| step.step == "started") {
        let detail = jobs::attempt_by(report.attempt, &report.scanner);
        scan.timeline.push(step("started", report.started_at, Some(detail)));
    }
    scan.timeline.push(step(report.outcome.as_str(), at, report.reason.clone()));
    scan.status = ScanStatus::from(report.outcome);
    scan.reason.clone_from(&report.reason);
    scan.digest = report.digest.clone().or_else(|| report.job.digest.clone());
    scan.images = report.images.iter().map(|image| image.digest.clone()).collect();
    jobs::put_scan(tx, &scan)?;

    leave_flight(tx, &scan.job)?;
    outbox::forget(tx, &scan.job)?;
    let letter: Option<DeadLetter> = tx.get(&Key::of(Table::Dead).id(scan.job.id))?;
    if let Some(letter) = &letter {
        jobs::remove_letter(tx, letter)?;
    }
    if let Some(root) = &scan.digest {
        locate(tx, report, root)?;
        record_images(tx, report, root, at)?;
    }
    Ok(Recorded::New)
}

/// A tag that had to be resolved moves to what it resolved to. An image that nothing is known of is found where its job
/// says.
fn locate(tx: &mut Tx<'_>, report: &ScanReport, root: &Digest) -> Result<(), StoreError> {
    let job = &report.job;
    let home = Home { registry: &job.registry, repository: &job.repository };
    places::heard_of(tx, &job.registry, None)?;
    if job.digest.is_some() && places::life_of(tx, home, root)?.is_some() {
        return Ok(());
    }
    let tag = job.tag.as_ref().filter(|_| job.digest.is_none() || job.kind != JobKind::Rescan);
    places::pushed(tx, home, tag, Some(root), job.accepted_at)
}

fn record_images(tx: &mut Tx<'_>, report: &ScanReport, root: &Digest, at: Timestamp) -> Result<(), StoreError> {
    if report.images.is_empty() {
        let mut without_result = children(tx, root)?;
        if without_result.is_empty() {
            without_result.push(root.clone());
        }
        for digest in without_result {
            let image = ImageReport::without_result(digest, None, report.outcome, report.reason.clone());
            record_image(tx, &image, report.job.id, at)?;
        }
        return Ok(());
    }
    set_children(tx, report, root)?;
    for image in &report.images {
        record_image(tx, image, report.job.id, at)?;
    }
    Ok(())
}

/// Manifests that an index was last scanned as; none for a manifest.
pub(super) fn children(tx: &Tx<'_>, index: &Digest) -> Result<Vec<Digest>, StoreError> {
    Ok(tx.get(&Key::of(Table::Children).digest(index))?.unwrap_or_default())
}

/// Keeps what an index holds, in both directions.
fn set_children(tx: &mut Tx<'_>, report: &ScanReport, root: &Digest) -> Result<(), StoreError> {
    let parent = |child: &Digest| Key::of(Table::Parents).digest(child).digest(root);
    for child in children(tx, root)? {
        tx.remove(parent(&child))?;
    }
    let mut scanned: Vec<&Digest> = report.images.iter().map(|image| &image.digest).collect();
    scanned.sort();
    scanned.dedup();
    let key = Key::of(Table::Children).digest(root);
    if scanned == [root] {
        return tx.remove(key);
    }
    for child in &scanned {
        tx.mark(parent(child));
    }
    // An index that failed before it was known as one has a row of its own.
    tx.remove(Key::of(Table::Images).digest(root))?;
    tx.put(key, &scanned)
}

/// Whether an outcome says what is in an image.
fn is_good(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Complete | Outcome::Partial)
}

fn record_image(tx: &mut Tx<'_>, image: &ImageReport, scan: Uuid, at: Timestamp) -> Result<(), StoreError> {
    let key = Key::of(Table::Images).digest(&image.digest);
    let known: Option<ImageRow> = tx.get(&key)?;
    if let Some(mut last) = known.filter(|last| is_good(last.outcome) && !is_good(image.outcome)) {
        last.failed_scan = Some(scan);
        return tx.put(key, &last);
    }
    let mut counts = SeverityCounts::default();
    for finding in findings::replace(tx, image, at)? {
        counts.add(finding.severity);
    }
    tx.put(Key::of(Table::Packages).digest(&image.digest), &image.packages)?;
    let Marked { layers, base } = bases::mark(tx, image)?;
    if is_good(image.outcome) {
        bases::note(tx, image);
    }
    let row = ImageRow {
        digest: image.digest.clone(),
        platform: image.platform.clone(),
        outcome: image.outcome,
        reason: image.reason.clone(),
        warnings: image.warnings.clone(),
        distro: image.distro.clone(),
        advisories: image.advisories.clone(),
        base,
        layers,
        timings: image.timings,
        packages: u64::try_from(image.packages.len()).unwrap_or(u64::MAX),
        findings: counts,
        scan,
        scanned_at: at,
        failed_scan: None,
    };
    tx.put(key, &row)
}
