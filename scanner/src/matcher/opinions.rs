//! What the database says about a package under one of its names.

use std::collections::HashSet;

use shared::package::Package;

use super::judge::{Verdict, judge};
use super::modules;
use super::places::Places;
use super::subject::Subject;
use crate::advisories::{Damaged, Database, Entry};

/// Every entry for the package, with its verdict. What speaks of other modules is free, whatever its versions.
pub(super) fn opinions<'d>(
    database: &'d Database,
    places: &Places,
    package: &Package,
    subject: &Subject<'_>,
) -> Result<Vec<(Entry<'d>, Verdict)>, Damaged> {
    let ecosystem = package.ecosystem.as_deref().unwrap_or_default();
    let mut entries: Vec<Entry<'d>> = Vec::new();
    for group in places.groups(&subject.version) {
        let heard: HashSet<u32> = entries.iter().map(|entry| entry.record).collect();
        for place in group {
            let said = database.entries(place, &subject.name)?;
            entries.extend(said.into_iter().filter(|entry| !heard.contains(&entry.record)));
        }
    }
    let verdict = |entry: &Entry<'_>| match modules::may_concern(entry, package) {
        true => judge(entry, ecosystem, subject),
        false => Verdict::Free,
    };
    let mut verdicts: Vec<Verdict> = entries.iter().map(verdict).collect();
    for at in (0..entries.len()).filter(|_| subject.version.contains(".module")) {
        let others = entries.iter().zip(&verdicts).filter(|(entry, _)| modules::may_concern(entry, package));
        if verdicts[at] == Verdict::Affected && modules::is_fixed_by_other_build(&entries[at], others) {
            verdicts[at] = Verdict::Free;
        }
    }
    Ok(entries.into_iter().zip(verdicts).collect())
}
