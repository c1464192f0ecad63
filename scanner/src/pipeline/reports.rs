//! What a scan says of itself.

use jiff::Timestamp;
use shared::image::{Digest, Platform};
use shared::job::ScanJob;
use shared::report::{ImageReport, LayerUse, Outcome, ScanReport, Timings, Warning};

use super::{Judged, ScanError, Scanned};
use crate::image::Manifest;

pub(super) fn judged(digest: Digest, platform: Option<Platform>, layers: Vec<LayerUse>, judged: Judged) -> ImageReport {
    let Judged { inventory, matched, advisories, match_ms } = judged;
    let warnings = [inventory.warnings, matched.warnings].concat();
    let reason = gaps(&warnings);
    ImageReport {
        digest,
        platform,
        outcome: if reason.is_none() { Outcome::Complete } else { Outcome::Partial },
        reason,
        warnings,
        distro: inventory.distro,
        advisories,
        base: None,
        layers,
        packages: inventory.packages,
        findings: matched.findings,
        vulnerabilities: matched.vulnerabilities,
        timings: Timings { match_ms, ..Timings::default() },
    }
}

pub(super) fn failed(manifest: &Manifest, reason: String) -> ImageReport {
    without_result(manifest, Outcome::Failed, reason)
}

pub(super) fn unsupported(manifest: &Manifest, reason: String) -> ImageReport {
    without_result(manifest, Outcome::Unsupported, reason)
}

fn without_result(manifest: &Manifest, outcome: Outcome, reason: String) -> ImageReport {
    ImageReport::without_result(manifest.digest.clone(), manifest.platform.clone(), outcome, Some(reason))
}

/// One line about the gaps in a result; `None` where there are none.
fn gaps(warnings: &[Warning]) -> Option<String> {
    match warnings {
        [] => None,
        [only] => Some(only.message.clone()),
        [first, other] => Some(format!("{}; and: {}", first.message, other.message)),
        [first, others @ ..] => Some(format!("{}; and {} more gaps", first.message, others.len())),
    }
}

/// The end of a job: the worst outcome of its images, or why there is none.
pub(super) fn finished(
    job: &ScanJob,
    scanner: String,
    attempt: u32,
    started_at: Timestamp,
    result: Result<Scanned, ScanError>,
) -> ScanReport {
    let (digest, outcome, reason, images) = match result {
        Ok(Scanned { digest, images }) => {
            let worst = images.iter().max_by_key(|image| image.outcome);
            let outcome = worst.map_or(Outcome::Unsupported, |image| image.outcome);
            let reason =
                worst.map_or_else(|| Some("it has no image for these platforms".to_owned()), |w| w.reason.clone());
            (Some(digest), outcome, reason, images)
        }
        Err(ScanError::Unsupported(reason)) => (job.digest.clone(), Outcome::Unsupported, Some(reason), Vec::new()),
        Err(ScanError::Failed(reason) | ScanError::Missing(reason) | ScanError::Temporary { reason, .. }) => {
            (job.digest.clone(), Outcome::Failed, Some(reason), Vec::new())
        }
    };
    ScanReport {
        job: job.clone(),
        scanner,
        attempt,
        started_at,
        finished_at: Timestamp::now(),
        digest,
        outcome,
        reason,
        images,
    }
}
