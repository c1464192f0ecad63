//! Whether an advisory's entry applies to a version, and which version is free of it.

use std::cmp::Ordering;

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
pub(super) fn judge(entry: &Entry<'_>, ecosystem: &str, version: &str) -> Verdict {
    let mut undecided = None;
    for range in &entry.ranges {
        match within(range, ecosystem, version) {
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
pub(super) fn within<'a>(range: &Range<'a>, ecosystem: &str, version: &str) -> Result<Decision<'a>, Undecided> {
    let scheme = range.scheme(ecosystem);
    range.decide(version, &|a, b| Ok(scheme.ok_or(Undecided::NoOrder)?.compare(a, b)?))
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
/// entry comes with the installed version in its own terms.
pub(super) fn remedy(ecosystem: &str, entries: &[(&Entry<'_>, &str)]) -> Option<String> {
    let mut best: Option<&str> = None;
    for (entry, installed) in entries {
        for range in &entry.ranges {
            let Some(scheme) = range.scheme(ecosystem) else { continue };
            for event in range.events.iter().filter(|event| event.kind == EventKind::Fixed) {
                let is_above = |version: &str| scheme.compare(event.version, version) == Ok(Ordering::Greater);
                let is_lower = best.is_none_or(|best| scheme.compare(event.version, best) == Ok(Ordering::Less));
                let is_free =
                    || entries.iter().all(|(entry, _)| judge(entry, ecosystem, event.version) == Verdict::Free);
                if is_above(installed) && is_lower && is_free() {
                    best = Some(event.version);
                }
            }
        }
    }
    best.map(str::to_owned)
}
