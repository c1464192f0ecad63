//! Which advisories apply to which packages.
//!
//! For each package, in this order:
//!
//! 1. *Subjects*: the names and versions under which advisories may speak of it ([`subject`]), and the ecosystems of the
//!    database where they may be ([`places`]). Java packages without a sure group get one ([`coordinates`]). A package that a package of the distribution brought is the vendor's: as
//!    long as the database has the vendor's advisories, those of its language are not asked.
//! 2. *Judging*: each advisory's entry for such a name is evaluated as the OSV schema says ([`judge`]), modules of rpm
//!    apart ([`modules`]). What cannot be judged is a warning, never silence. Withdrawn advisories do not match.
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
//!    names the worst of them: that is the word for one of which nobody says anything else.
//! 7. *Order*: what to act on first comes first: see [`rating::order`].

mod coordinates;
mod end_of_life;
mod explain;
mod gaps;
mod identity;
mod judge;
mod modules;
mod opinions;
mod places;
mod rating;
mod subject;

use std::collections::{BTreeSet, HashMap, HashSet, hash_map};
use std::rc::Rc;

use jiff::Timestamp;
use shared::finding::{Finding, Priority, Severity, Vulnerability};
use shared::package::{Distro, Package};
use shared::report::{Warning, WarningCode};

use self::coordinates::Coordinates;
use self::gaps::Gaps;
use self::identity::Group;
use self::judge::Verdict;
use self::opinions::opinions;
use self::places::Places;
use self::subject::Subject;
use crate::advisories::{Damaged, Database, Dossier, Entry, Record, TextReader};
pub use explain::{Considered, Explanation, RangeExplained, explain};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matched {
    /// What to act on first comes first.
    pub findings: Vec<Finding>,
    /// One for each id in `findings`, by id.
    pub vulnerabilities: Vec<Vulnerability>,
    /// `no-advisories`, `unreadable-version`, `unordered-ecosystem`, `unidentified-packages`, `end-of-life`,
    /// `stale-advisories`, `damaged-advisories`.
    pub warnings: Vec<Warning>,
}

/// Matches the packages of one image, by the usual rules. With any warning among the answer, nothing may be called clean.
pub fn match_packages(packages: &[Package], distro: Option<&Distro>, database: &Database) -> Matched {
    Matcher::new(database).run(packages, distro)
}

/// The rules by which packages are matched.
#[derive(Debug, Clone)]
pub struct Matcher<'d> {
    database: &'d Database,
    match_owned: bool,
    now: Timestamp,
}

impl<'d> Matcher<'d> {
    /// The usual rules, today.
    pub fn new(database: &'d Database) -> Self {
        Self { database, match_owned: false, now: Timestamp::now() }
    }

    /// Whether packages that the distribution brought are matched by their languages' advisories too.
    #[must_use]
    pub fn match_owned(self, match_owned: bool) -> Self {
        Self { match_owned, ..self }
    }

    /// The time that decides what is stale and at its end of life.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// Matches the packages of one image. With any warning among the answer, nothing may be called clean.
    pub fn run(&self, packages: &[Package], distro: Option<&Distro>) -> Matched {
        let ecosystem = distro.and_then(|distro| distro.ecosystem.as_deref());
        let vendor_answers = ecosystem.is_some_and(|ecosystem| !Places::of(ecosystem, self.database).is_empty());
        let skips_owned = vendor_answers && !self.match_owned;
        let matched = || packages.iter().filter(|package| !skips_owned || package.owner.is_none());

        let mut matching = Matching::new(self.database);
        let outcome = matched().try_for_each(|package| matching.add(package)).and_then(|()| matching.describe());
        let mut gaps = matching.gaps;
        if let Some(ecosystem) = ecosystem {
            gaps.note_ecosystem(ecosystem, vendor_answers);
        }
        matching.matched.warnings = gaps.warnings();
        if let Err(damaged) = outcome {
            matching.matched.warnings.push(Warning::new(WarningCode::DamagedAdvisories, damaged.to_string()));
        }
        let has_pro = packages.iter().any(|package| places::is_pro(&package.version));
        let end = distro.and_then(|distro| end_of_life::warning(distro, has_pro, self.now));
        matching.matched.warnings.extend(end);
        matching.matched.warnings.extend(self.database.staleness(self.now));
        matching.found.sort_by(|a, b| rating::order(a, b));
        matching.matched.findings = matching.found.into_iter().map(|finding| *finding).collect();
        matching.matched
    }
}

/// An advisory that applies to a package.
struct Hit<'d, 'p> {
    record: Record<'d>,
    entry: Entry<'d>,
    /// The package in the advisory's terms.
    subject: Rc<Subject<'p>>,
}

struct Matching<'d, 'p> {
    database: &'d Database,
    matched: Matched,
    #[expect(clippy::vec_box, reason = "sorting moves them, and they are large")]
    found: Vec<Box<Finding>>,
    gaps: Gaps<'p>,
    /// Where the advisories of each ecosystem are.
    places: HashMap<&'p str, Rc<Places>>,
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
    module: Option<&'p str>,
}

impl<'d, 'p> Matching<'d, 'p> {
    fn new(database: &'d Database) -> Self {
        Self {
            database,
            matched: Matched::default(),
            found: Vec::new(),
            gaps: Gaps::default(),
            places: HashMap::new(),
            known: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    fn add(&mut self, package: &'p Package) -> Result<(), Damaged> {
        let Some(ecosystem) = package.ecosystem.as_deref() else { return Ok(()) };
        let installed = Installed {
            ecosystem,
            name: &package.name,
            version: &package.version,
            source: [package.source_name.as_deref(), package.source_version.as_deref()],
            module: package.module.as_deref(),
        };
        if !self.seen.insert(installed) {
            return Ok(());
        }
        let places = self.places.entry(ecosystem).or_insert_with(|| Rc::new(Places::of(ecosystem, self.database)));
        let places = Rc::clone(places);
        self.gaps.note_package(ecosystem, !places.is_empty());
        let hits = self.hits(package, ecosystem, &places)?;
        for group in identity::group(hits.iter().map(|hit| &hit.record))? {
            let finding = self.finding(package, ecosystem, &hits, &group)?;
            self.found.push(Box::new(finding));
        }
        Ok(())
    }

    fn hits(&mut self, package: &'p Package, ecosystem: &'p str, places: &Places) -> Result<Vec<Hit<'d, 'p>>, Damaged> {
        let mut hits = Vec::new();
        let mut undecided = Vec::new();
        let coordinates = Coordinates::of(package, places, self.database)?;
        self.gaps.note_coordinates(package, &coordinates);
        for subject in coordinates.subjects(package, ecosystem).into_iter().map(Rc::new) {
            for (entry, verdict) in opinions(self.database, places, package, &subject)? {
                if matches!(verdict, Verdict::Free) {
                    continue;
                }
                let record = self.database.record(entry.record)?;
                match verdict {
                    _ if record.is_withdrawn() => {}
                    Verdict::Undecided(why) => undecided.push((record.id, why)),
                    Verdict::Affected | Verdict::Free => {
                        hits.push(Hit { record, entry, subject: Rc::clone(&subject) });
                    }
                }
            }
        }
        self.gaps.note_undecided(package, ecosystem, &undecided);
        Ok(hits)
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
        let mut rated = rating::rate(own, &known.dossier.rating, subject::is_distro(ecosystem));
        if rated.severity == Severity::Unknown {
            rated.severity = members().filter_map(|(hit, _)| hit.record.rating.word).max().unwrap_or_default();
        }
        let exploited = known.dossier.exploited.map(Into::into);
        let epss = known.dossier.epss;
        let entries: Vec<_> = members().map(|(hit, _)| (&hit.entry, hit.subject.as_ref())).collect();
        let fixed_version = judge::remedy(ecosystem, &entries);
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
            wont_fix: fixed_version.is_none() && entries.iter().any(|(entry, _)| entry.wont_fix),
            fixed_version,
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
