//! How bad a finding is, and what to act on first.

use std::cmp::{Ordering, Reverse};

use shared::finding::{Finding, Severity};

use crate::advisories::Rating;
use crate::severity;

/// How bad one vulnerability is in one package.
pub(super) struct Rated<'d> {
    pub(super) severity: Severity,
    pub(super) score: Option<f64>,
    pub(super) vector: Option<&'d str>,
}

/// By `own`, what the advisories say that apply to the package, else by what `all` say about the vulnerability.
pub(super) fn rate<'d>(own: impl Iterator<Item = Rating<'d>>, all: &Rating<'d>, vendor_first: bool) -> Rated<'d> {
    let own = own.fold(Rating::default(), Rating::with);
    let vector = own.vector.or(all.vector);
    let score = Rating { vector, bare: own.bare.or(all.bare), word: None }.score();
    let by_score = score.map_or(Severity::Unknown, severity::of_score);
    let order = if vendor_first { [own.of_word(), by_score] } else { [by_score, own.of_word()] };
    let known = order.into_iter().find(|severity| *severity != Severity::Unknown);
    Rated { severity: known.unwrap_or_else(|| all.of_word()), score, vector: vector.map(|vector| vector.text) }
}

/// The order of findings: by priority, then severity, then probability of exploitation, then score, the highest first;
/// what is equal in all of these by id, package and version.
pub(super) fn order(a: &Finding, b: &Finding) -> Ordering {
    let urgency = |finding: &Finding| Reverse((finding.priority, finding.severity));
    let epss = |finding: &Finding| finding.epss.map_or(0.0, |epss| epss.score);
    let score = |finding: &Finding| finding.score.unwrap_or(0.0);
    urgency(a)
        .cmp(&urgency(b))
        .then_with(|| epss(b).total_cmp(&epss(a)))
        .then_with(|| score(b).total_cmp(&score(a)))
        .then_with(|| (&a.id, &a.package, &a.version).cmp(&(&b.id, &b.package, &b.version)))
}

#[cfg(test)]
mod tests {
    use shared::finding::{Epss, Priority};

    use super::*;

    #[test]
    fn what_to_act_on_first_comes_first() {
        let finding = |id: &str, priority, severity, epss: Option<f64>, score| Finding {
            id: id.to_owned(),
            priority,
            severity,
            epss: epss.map(|score| Epss { score, percentile: score }),
            score,
            ..Finding::default()
        };
        let sorted = [
            finding("exploited", Priority::Now, Severity::Low, None, None),
            finding("critical", Priority::Soon, Severity::Critical, None, None),
            finding("likely", Priority::Soon, Severity::Medium, Some(0.5), Some(5.0)),
            finding("less likely", Priority::Soon, Severity::Medium, Some(0.2), Some(6.0)),
            finding("a worse score", Priority::Watch, Severity::Low, None, Some(3.5)),
            finding("a", Priority::Watch, Severity::Low, None, None),
            finding("b", Priority::Watch, Severity::Low, None, None),
        ];
        let mut findings = sorted.to_vec();
        findings.reverse();
        findings.sort_by(order);
        assert_eq!(findings, sorted);
    }
}
