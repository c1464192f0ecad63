//! Why an advisory applies to a package, or does not: every advisory that was considered and what decided.

use serde::Serialize;
use shared::finding::Finding;
use shared::package::Package;
use shared::report::{AdvisoryStamp, Warning};

use super::coordinates::Coordinates;
use super::judge::{self, Verdict};
use super::match_packages;
use super::opinions::opinions;
use super::places::Places;
use super::subject::Subject;
use crate::advisories::{Damaged, Database, Entry, EventKind, Range, RangeKind};

/// The answer to "why".
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The package.
    pub purl: String,
    /// Its ecosystem; without one nothing can be looked up.
    pub ecosystem: Option<String>,
    /// Whether the database holds anything for that ecosystem.
    pub covered: bool,
    /// Names and versions that were looked up.
    pub looked_up: Vec<String>,
    /// Every advisory that names the package.
    pub considered: Vec<Considered>,
    /// Where one id was asked for and no advisory in `considered` has it: whether the database knows it at all.
    pub known_elsewhere: Option<bool>,
    /// What a scan would find.
    pub findings: Vec<Finding>,
    /// What a scan would warn of.
    pub warnings: Vec<Warning>,
    /// The database that was asked.
    pub advisories: AdvisoryStamp,
}

/// One advisory's entry for the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Id of the advisory.
    pub id: String,
    /// Vulnerabilities that it is about: all names of each.
    pub vulnerabilities: Vec<Vec<String>>,
    /// `affected`, `not affected`, `withdrawn` or `undecided`.
    pub verdict: &'static str,
    /// The version that was judged.
    pub version: String,
    /// Its ranges.
    pub ranges: Vec<RangeExplained>,
    /// Versions that it lists and no range covers.
    pub listed: usize,
    /// Whether the version is one of those.
    pub is_listed: bool,
}

/// One range and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RangeExplained {
    /// `SEMVER` or `ECOSYSTEM`.
    pub kind: &'static str,
    /// `introduced 0`, `fixed 1.2`, …
    pub events: Vec<String>,
    /// Whether the version is within; `None` if that cannot be said.
    pub within: Option<bool>,
    /// The event that decided, or why none could.
    pub decided_by: String,
}

/// Explains what is said about a package, or, with `id`, what the advisories with that id, alias or upstream id say.
pub fn explain(package: &Package, id: Option<&str>, database: &Database) -> Result<Explanation, Damaged> {
    let ecosystem = package.ecosystem.as_deref();
    let places = ecosystem.map(|ecosystem| Places::of(ecosystem, database)).unwrap_or_default();
    let mut looked_up = Vec::new();
    let mut considered = Vec::new();
    let coordinates = Coordinates::of(package, &places, database)?;
    for subject in ecosystem.map(|ecosystem| coordinates.subjects(package, ecosystem)).unwrap_or_default() {
        looked_up.push(format!("{} {}", subject.name, subject.version));
        for (entry, verdict) in opinions(database, &places, package, &subject)? {
            considered.extend(consider(database, (&entry, &verdict), ecosystem.unwrap_or_default(), &subject, id)?);
        }
    }
    let matched = match_packages(std::slice::from_ref(package), None, database);
    let known_elsewhere = match id {
        Some(id) if considered.is_empty() => Some(database.number_of(id)?.is_some()),
        _ => None,
    };
    let is_asked = |finding: &Finding| {
        id.is_none_or(|id| finding.id == id || considered.iter().any(|c| finding.advisories.contains(&c.id)))
    };
    Ok(Explanation {
        purl: package.purl.clone(),
        ecosystem: package.ecosystem.clone(),
        covered: !places.is_empty(),
        looked_up,
        known_elsewhere,
        findings: matched.findings.into_iter().filter(is_asked).collect(),
        considered,
        warnings: matched.warnings,
        advisories: database.stamp(),
    })
}

/// What one entry says, unless its advisory does not go by `id`.
fn consider(
    database: &Database,
    (entry, verdict): (&Entry<'_>, &Verdict),
    ecosystem: &str,
    subject: &Subject<'_>,
    id: Option<&str>,
) -> Result<Option<Considered>, Damaged> {
    let record = database.record(entry.record)?;
    let text = |numbers: Vec<u32>| -> Result<Vec<&str>, Damaged> {
        numbers.into_iter().map(|number| database.name(number)).collect()
    };
    let names = text(record.names()?)?;
    if id.is_some_and(|id| !names.iter().any(|name| name.eq_ignore_ascii_case(id))) {
        return Ok(None);
    }
    let verdict = match verdict {
        _ if record.is_withdrawn() => "withdrawn",
        Verdict::Affected => "affected",
        Verdict::Free => "not affected",
        Verdict::Undecided(_) => "undecided",
    };
    let mut vulnerabilities = Vec::new();
    for claim in record.claims()? {
        vulnerabilities.push(text(claim.names)?.into_iter().map(str::to_owned).collect());
    }
    Ok(Some(Considered {
        id: record.id.to_owned(),
        vulnerabilities,
        verdict,
        version: subject.version.to_string(),
        ranges: entry.ranges.iter().map(|range| explain_range(range, ecosystem, subject)).collect(),
        listed: entry.versions.len(),
        is_listed: judge::is_listed(entry, ecosystem, &subject.version),
    }))
}

fn explain_range(range: &Range<'_>, ecosystem: &str, subject: &Subject<'_>) -> RangeExplained {
    let event = |kind, version: &str| match kind {
        EventKind::Introduced => format!("introduced {version}"),
        EventKind::Fixed => format!("fixed {version}"),
        EventKind::LastAffected => format!("last affected {version}"),
        EventKind::Limit => format!("limit {version}"),
    };
    let (within, decided_by) = match judge::within(range, ecosystem, subject) {
        Ok(decision) => {
            let by = decision.by.map(|by| event(by.kind, by.version));
            (Some(decision.affected), by.unwrap_or_else(|| "before every event".to_owned()))
        }
        Err(why) => (None, why.to_string()),
    };
    RangeExplained {
        kind: match range.kind {
            RangeKind::Semver => "SEMVER",
            RangeKind::Ecosystem => "ECOSYSTEM",
        },
        events: range.events.iter().map(|e| event(e.kind, e.version)).collect(),
        within,
        decided_by,
    }
}
