//! Which advisories apply to which packages.
//!
//! For each package, in this order:
//!
//! 1. *Subjects*: the names and versions under which advisories may speak of it ([`subject`]).
//! 2. *Judging*: each advisory's entry for such a name is evaluated as the OSV schema says ([`judge`]). What cannot be
//!    judged is a warning, never silence. Withdrawn advisories do not match.
//! 3. *Identity*: advisories about one vulnerability become one finding ([`identity`]).
//! 4. *Merging*: where several advisories speak of one vulnerability of one package, it is found if any of them says
//!    so. Two may disagree about where it was fixed (a DSA names the version that shipped the fix of many, the package's
//!    changelog the one that fixed this). A version between the two is reported: a false alarm there costs an upgrade
//!    within a release, a wrong silence costs more.
//! 5. *Remedy*: the lowest version above the installed one that some of these advisories calls fixed and none of them
//!    calls affected. For distros it is a version of the source package where the advisory speaks of that.
//! 6. *Severity*: for distros the vendor's own word first. Else, and where the vendor has none, the best CVSS vector of the
//!    advisories (the newest version of CVSS, then the highest score), then of other advisories in the database about the
//!    same vulnerability, then of the table of CVSS vectors, then their words. An advisory about several vulnerabilities
//!    rates none of them.
//! 7. *Order*: what to act on first comes first: see [`rating::order`].

mod explain;
mod identity;
mod judge;
mod rating;
mod subject;

use std::collections::{BTreeSet, HashMap, HashSet, hash_map};

use jiff::Timestamp;
use shared::finding::{Finding, Priority, Vulnerability};
use shared::package::{Distro, Package};
use shared::report::Warning;

use self::identity::Group;
use self::judge::{Undecided, Verdict};
use self::subject::{Subject, subjects};
use crate::advisories::{Damaged, Database, Dossier, Entry, Record, TextReader};
pub use explain::{Considered, Explanation, RangeExplained, explain};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matched {
    /// What to act on first comes first.
    pub findings: Vec<Finding>,
    /// One for each id in `findings`, by id.
    pub vulnerabilities: Vec<Vulnerability>,
    /// `no-advisories`, `unreadable-version`, `unordered-ecosystem`, `stale-advisories`, `damaged-advisories`.
    pub warnings: Vec<Warning>,
}

/// Matches the packages of one image. With any warning among the answer, nothing may be called clean.
pub fn match_packages(packages: &[Package], distro: Option<&Distro>, database: &Database) -> Matched {
    let mut matching = Matching::new(database);
    let ecosystems = packages.iter().filter_map(|package| package.ecosystem.as_deref());
    matching.warn_of_gaps(ecosystems.chain(distro.and_then(|distro| distro.ecosystem.as_deref())));
    let outcome = packages.iter().try_for_each(|package| matching.add(package)).and_then(|()| matching.describe());
    if let Err(damaged) = outcome {
        matching.warn("damaged-advisories", damaged.to_string());
    }
    matching.matched.warnings.extend(database.staleness(Timestamp::now()));
    matching.finish()
}

/// An advisory that applies to a package.
struct Hit<'d, 'p> {
    record: Record<'d>,
    entry: Entry<'d>,
    /// The installed version in the advisory's terms.
    version: &'p str,
}

struct Matching<'d, 'p> {
    database: &'d Database,
    matched: Matched,
    /// Of the vulnerabilities that were found, by the number of their id.
    known: HashMap<u32, Known<'d>>,
    /// An image may have a package in many places.
    seen: HashSet<Installed<'p>>,
}

/// A vulnerability that was found.
struct Known<'d> {
    id: &'d str,
    dossier: Dossier<'d>,
    /// Ids of advisories that applied to a package: names of it too, if not ones to merge by.
    applied: BTreeSet<&'d str>,
}

/// What decides which advisories apply to a package.
#[derive(PartialEq, Eq, Hash)]
struct Installed<'p> {
    ecosystem: &'p str,
    name: &'p str,
    version: &'p str,
    source: [Option<&'p str>; 2],
}

impl<'d, 'p> Matching<'d, 'p> {
    fn new(database: &'d Database) -> Self {
        Self { database, matched: Matched::default(), known: HashMap::new(), seen: HashSet::new() }
    }

    fn warn(&mut self, code: &str, message: String) {
        self.matched.warnings.push(Warning { code: code.to_owned(), message });
    }

    fn warn_of_gaps<'e>(&mut self, ecosystems: impl Iterator<Item = &'e str>) {
        for ecosystem in ecosystems.collect::<BTreeSet<_>>() {
            if !self.database.covers(ecosystem) {
                let message =
                    format!("the advisory database holds nothing for {ecosystem}: its packages were not matched");
                self.warn("no-advisories", message);
            }
        }
    }

    fn add(&mut self, package: &'p Package) -> Result<(), Damaged> {
        let Some(ecosystem) = package.ecosystem.as_deref() else { return Ok(()) };
        let installed = Installed {
            ecosystem,
            name: &package.name,
            version: &package.version,
            source: [package.source_name.as_deref(), package.source_version.as_deref()],
        };
        if !self.seen.insert(installed) {
            return Ok(());
        }
        let hits = self.hits(package, ecosystem)?;
        for group in identity::group(hits.iter().map(|hit| &hit.record))? {
            let finding = self.finding(package, ecosystem, &hits, &group)?;
            self.matched.findings.push(finding);
        }
        Ok(())
    }

    fn hits(&mut self, package: &'p Package, ecosystem: &str) -> Result<Vec<Hit<'d, 'p>>, Damaged> {
        let mut hits = Vec::new();
        let mut undecided = Vec::new();
        for Subject { name, version } in subjects(package, ecosystem) {
            for entry in self.database.lookup(ecosystem, &name)? {
                let verdict = judge::judge(&entry, ecosystem, version);
                if matches!(verdict, Verdict::Free) {
                    continue;
                }
                let record = self.database.record(entry.record)?;
                match verdict {
                    _ if record.is_withdrawn() => {}
                    Verdict::Undecided(why) => undecided.push((record.id, why)),
                    Verdict::Affected | Verdict::Free => hits.push(Hit { record, entry, version }),
                }
            }
        }
        self.warn_of_undecided(package, ecosystem, &undecided);
        Ok(hits)
    }

    fn warn_of_undecided(&mut self, package: &Package, ecosystem: &str, undecided: &[(&str, Undecided)]) {
        let Some((id, why)) = undecided.first() else { return };
        let code = match why {
            Undecided::NoOrder => "unordered-ecosystem",
            Undecided::Invalid(_) => "unreadable-version",
        };
        let count = undecided.len();
        let (name, version) = (&package.name, &package.version);
        let message =
            format!("{name} {version} ({ecosystem}) could not be judged by {count} advisories, {id} the first: {why}");
        self.warn(code, message);
    }

    fn finding(
        &mut self,
        package: &Package,
        ecosystem: &str,
        hits: &[Hit<'d, '_>],
        group: &Group,
    ) -> Result<Finding, Damaged> {
        let members = || group.members.iter().map(|member| (&hits[member.record], member));
        let mut advisories: Vec<&'d str> = members().map(|(hit, _)| hit.record.id).collect();
        advisories.sort_unstable();
        advisories.dedup();
        let known = self.known(group.id)?;
        known.applied.extend(&advisories);
        let own = members().filter(|(_, member)| member.alone).map(|(hit, _)| hit.entry.rating.or(hit.record.rating));
        let rated = rating::rate(own, &known.dossier.rating, subject::is_distro(ecosystem));
        let exploited = known.dossier.exploited.map(Into::into);
        let epss = known.dossier.epss;
        Ok(Finding {
            id: known.id.to_owned(),
            package: package.name.clone(),
            version: package.version.clone(),
            ecosystem: ecosystem.to_owned(),
            purl: package.purl.clone(),
            source_name: package.source_name.clone().filter(|source| *source != package.name),
            severity: rated.severity,
            score: rated.score,
            vector: rated.vector.map(str::to_owned),
            fixed_version: judge::remedy(
                ecosystem,
                &members().map(|(hit, _)| (&hit.entry, hit.version)).collect::<Vec<_>>(),
            ),
            wont_fix: false,
            priority: Priority::of(exploited.is_some(), rated.severity, epss),
            exploited,
            epss,
            advisories: advisories.into_iter().map(str::to_owned).collect(),
            layer: package.layer.clone(),
            path: package.path.clone(),
        })
    }

    fn known(&mut self, number: u32) -> Result<&mut Known<'d>, Damaged> {
        match self.known.entry(number) {
            hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            hash_map::Entry::Vacant(place) => {
                let dossier = self.database.dossier(number)?.ok_or(Damaged("a vulnerability has no dossier"))?;
                Ok(place.insert(Known { id: self.database.name(number)?, dossier, applied: BTreeSet::new() }))
            }
        }
    }

    fn describe(&mut self) -> Result<(), Damaged> {
        let mut reader = TextReader::new()?;
        for known in self.known.values() {
            self.matched.vulnerabilities.push(known.describe(self.database, &mut reader)?);
        }
        self.matched.vulnerabilities.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(())
    }

    fn finish(mut self) -> Matched {
        self.matched.findings.sort_by(rating::order);
        self.matched
    }
}

impl Known<'_> {
    fn describe(&self, database: &Database, reader: &mut TextReader) -> Result<Vulnerability, Damaged> {
        let text = database.text(&self.dossier, reader)?;
        let mut aliases: Vec<&str> = self.dossier.names.iter().chain(&self.applied).copied().collect();
        aliases.retain(|alias| *alias != self.id);
        aliases.sort_unstable();
        aliases.dedup();
        let time = |time: &str| (!time.is_empty()).then(|| time.to_owned());
        Ok(Vulnerability {
            id: self.id.to_owned(),
            aliases: aliases.into_iter().map(str::to_owned).collect(),
            title: text.title,
            description: text.description,
            references: text.references,
            published: time(self.dossier.published),
            modified: time(self.dossier.modified),
        })
    }
}

#[cfg(test)]
mod tests;
