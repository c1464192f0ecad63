//! Whether an advisory's entry applies to a version, and which version is free of it.

use std::cmp::Ordering;

use super::subject::Subject;
use crate::advisories::{Decision, Entry, EventKind, Range};
use crate::versions::{self, InvalidVersion};

/// What an entry says about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It applies.
    Affected,
    /// It does not.
    Free,
    /// Nobody can say.
    Undecided(Undecided),
}

/// Why a range says nothing about a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Undecided {
    /// A version, the installed one or one of the range, has no place in the order.
    #[error(transparent)]
    Invalid(#[from] InvalidVersion),
    /// The order of the ecosystem's versions is not known here.
    #[error("the order of this ecosystem's versions is not known")]
    NoOrder,
}

/// A version is affected if it is within any range or is listed. What a range cannot say may still be said by another.
pub(super) fn judge(entry: &Entry<'_>, ecosystem: &str, subject: &Subject<'_>) -> Verdict {
    judge_version(entry, ecosystem, subject, &subject.version)
}

fn judge_version(entry: &Entry<'_>, ecosystem: &str, subject: &Subject<'_>, version: &str) -> Verdict {
    let mut undecided = None;
    for range in &entry.ranges {
        match within_version(range, ecosystem, subject, version) {
            Ok(decision) if decision.affected => return Verdict::Affected,
            Ok(_) => {}
            Err(why) => undecided = Some(why),
        }
    }
    match undecided {
        _ if is_listed(entry, ecosystem, version) => Verdict::Affected,
        Some(why) => Verdict::Undecided(why),
        None => Verdict::Free,
    }
}

/// What one range says.
pub(super) fn within<'a>(range: &Range<'a>, ecosystem: &str, subject: &Subject<'_>) -> Result<Decision<'a>, Undecided> {
    within_version(range, ecosystem, subject, &subject.version)
}

fn within_version<'a>(
    range: &Range<'a>,
    ecosystem: &str,
    subject: &Subject<'_>,
    version: &str,
) -> Result<Decision<'a>, Undecided> {
    let scheme = range.scheme(ecosystem);
    range.decide(version, &|a, b| Ok(subject.compare(scheme.ok_or(Undecided::NoOrder)?, a, b)?))
}

/// Whether the entry lists the version, in these or in other characters (`1.0` is `1.0.0` for PyPI).
pub(super) fn is_listed(entry: &Entry<'_>, ecosystem: &str, version: &str) -> bool {
    entry.versions.contains(&version)
        || !entry.versions.is_empty()
            && versions::scheme_for(ecosystem).is_some_and(|scheme| {
                entry.versions.iter().any(|listed| scheme.compare(listed, version) == Ok(Ordering::Equal))
            })
}

/// The lowest version, above the installed one, that one of `entries` calls fixed and none of them calls affected. Each
/// entry comes with the package in its own terms.
pub(super) fn remedy(ecosystem: &str, entries: &[(&Entry<'_>, &Subject<'_>)]) -> Option<String> {
    let mut best: Option<&str> = None;
    for (entry, subject) in entries {
        for range in &entry.ranges {
            let Some(scheme) = range.scheme(ecosystem) else { continue };
            for event in range.events.iter().filter(|event| event.kind == EventKind::Fixed) {
                let fixed = event.version;
                let is_above = subject.compare(scheme, fixed, &subject.version) == Ok(Ordering::Greater);
                let is_lower = best.is_none_or(|best| scheme.compare(fixed, best) == Ok(Ordering::Less));
                let is_free = || {
                    entries
                        .iter()
                        .all(|(entry, subject)| judge_version(entry, ecosystem, subject, fixed) == Verdict::Free)
                };
                if is_above && is_lower && is_free() {
                    best = Some(fixed);
                }
            }
        }
    }
    best.map(str::to_owned)
}
