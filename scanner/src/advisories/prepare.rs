//! What the database keeps of a published record, and why the rest is left out.

use std::collections::BTreeSet;

use super::about::Reason;
use super::claims::is_cve;
use super::format::package_key;
use super::range::Range;
use super::rating::{self, Rating, Vector};
use super::record::Entry;
use super::state::State;
use super::text::Text;
use super::{normalize_name, osv};
use crate::vendors::{base_ecosystem, vendor_of};

/// A record, ready to be stored.
pub(super) struct Prepared<'r> {
    /// Ids of the vulnerabilities that it is about, where each is one of its own.
    pub(super) upstream: Vec<&'r str>,
    /// How bad it says that it is.
    pub(super) rating: Rating<'r>,
    /// What people read.
    pub(super) text: Text,
    /// One for each package.
    pub(super) affected: Vec<Affected<'r>>,
    /// Why entries of the record are not in `affected`.
    pub(super) left_out: BTreeSet<Reason>,
}

/// What a record says about one package.
pub(super) struct Affected<'r> {
    /// Key of the table of packages.
    pub(super) key: String,
    /// The ecosystem without its release.
    pub(super) base: &'r str,
    /// The record's number is not known yet.
    pub(super) entry: Entry<'r>,
}

/// Most vectors read of one severity list.
const MAX_VECTORS: usize = 8;
/// Longest word or vector that is read.
const MAX_SEVERITY: usize = 300;

impl<'r> Prepared<'r> {
    /// Keeps what can be matched against, or says why nothing can.
    pub(super) fn new(record: &'r osv::Record) -> Result<Self, Reason> {
        if record.id.trim().is_empty() {
            return Err(Reason::NoId);
        }
        let mut affected = Vec::new();
        let mut left_out = BTreeSet::new();
        for entry in &record.affected {
            match Affected::new(record, entry) {
                Ok((entry, without)) => {
                    affected.push(entry);
                    left_out.extend(without);
                }
                Err(reason) => _ = left_out.insert(reason),
            }
        }
        if affected.is_empty() {
            return Err(left_out.last().copied().unwrap_or(Reason::NoPackage));
        }
        Ok(Self { upstream: upstream(record), rating: rating(record), text: Text::of(record), affected, left_out })
    }

    /// The ecosystems that it speaks for, without their releases.
    pub(super) fn ecosystems(&self) -> BTreeSet<&'r str> {
        self.affected.iter().map(|affected| affected.base).collect()
    }
}

/// How bad the record as a whole says that it is.
fn rating(record: &osv::Record) -> Rating<'_> {
    let bare = record.database_specific.score.map_or(0, |score| (score.clamp(0.0, 10.0) * 10.0).round() as u8);
    Rating {
        vector: vector(&record.severity),
        bare: (bare > 0).then_some(bare),
        word: rating::word(
            word(&record.severity, &[&record.database_specific]).unwrap_or_else(|| word_of_vendor(record)),
        ),
    }
}

/// What a record is about. AlmaLinux's and Rocky's name their CVEs as related, from before there was `upstream`: where a
/// record of distributions says nothing else, that is what it is about.
fn upstream(record: &osv::Record) -> Vec<&str> {
    let packages = || record.affected.iter().filter_map(|affected| affected.package.as_ref());
    let says_nothing_else = record.upstream.is_empty() && record.aliases.is_empty() && !is_cve(&record.id);
    if says_nothing_else && packages().all(|package| vendor_of(&package.ecosystem).is_some()) {
        return record.related.iter().map(String::as_str).filter(|id| is_cve(id)).collect();
    }
    record.upstream.iter().map(String::as_str).collect()
}

impl<'r> Affected<'r> {
    /// Keeps the entry, or says why it says nothing; with it, why a range of it was left out.
    fn new(record: &'r osv::Record, affected: &'r osv::Affected) -> Result<(Self, Option<Reason>), Reason> {
        let package = affected.package.as_ref().ok_or(Reason::NoPackage)?;
        if package.name.is_empty() || package.ecosystem.is_empty() {
            return Err(Reason::NoPackage);
        }
        let specific = [&affected.ecosystem_specific, &affected.database_specific, &record.database_specific];
        let words = specific.iter().flat_map(|specific| [&specific.state, &specific.word]);
        let state = State::of(words.filter_map(|word| word.as_deref()));
        if state == State::NotAffected {
            return Err(Reason::NotAffected);
        }
        let ordered = || affected.ranges.iter().filter(|range| range.kind != "GIT");
        let ranges: Vec<_> = ordered().filter_map(Range::from_osv).collect();
        let unknown = ranges.len() < ordered().count();
        if ranges.is_empty() && affected.versions.is_empty() {
            return Err(match (unknown, affected.ranges.is_empty()) {
                (true, _) => Reason::UnknownRange,
                (false, true) => Reason::NoVersions,
                (false, false) => Reason::GitOnly,
            });
        }
        let is_extra = |version: &&str| !ranges.iter().any(|range| covers(range, &package.ecosystem, version));
        let entry = Entry {
            record: 0,
            versions: affected.versions.iter().map(String::as_str).filter(is_extra).collect(),
            ranges,
            rating: Rating {
                vector: vector(&affected.severity),
                bare: None,
                word: word(&affected.severity, &specific[..2]).and_then(rating::word),
            },
            modules: modules(record, affected),
            wont_fix: state == State::WontFix,
        };
        let key = package_key(&package.ecosystem, &normalize_name(&package.ecosystem, &package.name));
        let kept = Self { key, base: base_ecosystem(&package.ecosystem), entry };
        Ok((kept, unknown.then_some(Reason::UnknownRange)))
    }
}

/// The module streams that an entry is about: AlmaLinux names them, Rocky and others have them in the summary,
/// `Important: nodejs:18 security update`.
fn modules<'r>(record: &'r osv::Record, affected: &'r osv::Affected) -> Vec<&'r str> {
    let fixes = || affected.ranges.iter().flat_map(|range| &range.events).filter_map(|event| event.fixed.as_deref());
    match affected.ecosystem_specific.module.as_deref() {
        Some(module) => vec![module],
        None if fixes().any(|version| version.contains(".module")) => {
            let words = record.summary.split_whitespace().map(|word| word.trim_end_matches([',', ';', '.']));
            words
                .filter(|word| {
                    word.split_once(':').is_some_and(|(name, stream)| !name.is_empty() && !stream.is_empty())
                })
                .collect()
        }
        None => Vec::new(),
    }
}

/// Whether a range says of `version` what listing it would. PyPI's records list every version of every range: dropping
/// those makes the database smaller and keeps matching from comparing with each of them.
fn covers(range: &Range<'_>, ecosystem: &str, version: &str) -> bool {
    let Some(scheme) = range.scheme(ecosystem) else { return false };
    range.decide(version, &|a, b| scheme.compare(a, b)).is_ok_and(|decision| decision.affected)
}

fn vector(severity: &[osv::SeverityEntry]) -> Option<Vector<'_>> {
    let vectors = severity.iter().filter(|entry| entry.kind.starts_with("CVSS_"));
    let short = vectors.map(|entry| entry.score.as_str()).filter(|vector| vector.len() <= MAX_SEVERITY);
    Vector::best(short.take(MAX_VECTORS))
}

/// The vendor's entry among the severities, else a source's own field.
fn word<'r>(severity: &'r [osv::SeverityEntry], specific: &[&'r osv::Specific]) -> Option<&'r str> {
    let vendor = severity.iter().find(|entry| !entry.kind.starts_with("CVSS_")).map(|entry| entry.score.as_str());
    vendor
        .or_else(|| specific.iter().find_map(|specific| specific.word.as_deref()))
        .filter(|word| word.len() <= MAX_SEVERITY)
}

/// Red Hat and its kin begin the summary with it: `Important: kernel security update`. Their updates that are about bugs
/// (`ALBA-…`) and enhancements (`ALEA-…`) and name no vulnerability are nothing to worry about.
fn word_of_vendor(record: &osv::Record) -> &str {
    let first = record.summary.split_once(": ").map_or("", |(first, _)| first);
    let is_update = matches!(record.id.as_bytes(), [_, _, b'B' | b'E', b'A', b'-', ..]) && upstream(record).is_empty();
    match first {
        "Critical" | "Important" | "Moderate" | "Low" => first,
        _ if is_update => "none",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use shared::finding::Severity;

    use super::*;

    fn prepare(affected: &str) -> Result<usize, Reason> {
        let json = format!(r#"{{"id":"X-1","affected":{affected}}}"#);
        let record = osv::Record::from_json(json.as_bytes()).unwrap();
        Prepared::new(&record).map(|prepared| prepared.affected.len())
    }

    #[test]
    fn what_cannot_be_matched_has_its_reason() {
        let package = r#""package":{"ecosystem":"Moon","name":"x"}"#;
        let entry = |rest: &str| prepare(&format!("[{{{package}{rest}}}]"));
        assert_eq!(prepare("[]"), Err(Reason::NoPackage));
        assert_eq!(prepare(r#"[{"versions":["1"]}]"#), Err(Reason::NoPackage));
        assert_eq!(entry(""), Err(Reason::NoVersions));
        assert_eq!(entry(r#","ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]"#), Err(Reason::GitOnly));
        assert_eq!(entry(r#","ranges":[{"type":"TIDE","events":[{"introduced":"0"}]}]"#), Err(Reason::UnknownRange));
        assert_eq!(entry(r#","ranges":[{"type":"SEMVER","events":[{"fixed":"1"}]}]"#), Err(Reason::UnknownRange));
        assert_eq!(entry(r#","ranges":[{"type":"SEMVER","events":[{}]}]"#), Err(Reason::UnknownRange));
        assert_eq!(entry(r#","ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]"#), Ok(1));
        assert_eq!(entry(r#","versions":["1"]"#), Ok(1));
    }

    #[test]
    fn a_record_is_kept_for_the_packages_that_can_be_matched() {
        let json = r#"{"id":"X-1","affected":[{"package":{"ecosystem":"PyPI","name":"A_b"},"versions":["1"]},{}]}"#;
        let record = osv::Record::from_json(json.as_bytes()).unwrap();
        let prepared = Prepared::new(&record).unwrap();
        assert_eq!(prepared.affected[0].key, "PyPI\0a-b");
        assert_eq!(prepared.left_out, BTreeSet::from([Reason::NoPackage]));
    }

    fn first_entry(json: &str, check: impl Fn(&Prepared<'_>, &Entry<'_>)) {
        let record = osv::Record::from_json(json.as_bytes()).unwrap();
        let prepared = Prepared::new(&record).unwrap();
        check(&prepared, &prepared.affected[0].entry);
    }

    #[test]
    fn what_the_vendor_does_is_kept() {
        let debian = r#"{"id":"D","affected":[{"package":{"ecosystem":"Debian:10","name":"x"},
            "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}],"ecosystem_specific":{"urgency":"end-of-life"}}]}"#;
        first_entry(debian, |_, entry| assert!(entry.wont_fix && entry.rating.word == Some(Severity::Unknown)));
        let wolfi = r#"{"id":"CGA","database_specific":{"status":"fix-not-planned"},"affected":[{"package":
            {"ecosystem":"Wolfi","name":"x"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}"#;
        first_entry(wolfi, |_, entry| assert!(entry.wont_fix));
        let free = wolfi.replace("fix-not-planned", "false-positive-determination");
        let free = osv::Record::from_json(free.as_bytes()).unwrap();
        assert_eq!(Prepared::new(&free).err(), Some(Reason::NotAffected));
    }

    #[test]
    fn what_distributions_call_related_is_what_they_are_about() {
        let alma = r#"{"id":"ALSA-2021:1242","summary":"Moderate: mariadb:10.3 and mariadb-devel:10.3 security update",
            "related":["CVE-2020-1","RHSA-2021:1242"],"affected":[{"package":{"ecosystem":"AlmaLinux:8","name":"Judy"},
            "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0.5-18.module_el8.6.0+2867+72759d2f"}]}]}]}"#;
        first_entry(alma, |record, entry| {
            assert_eq!(record.upstream, ["CVE-2020-1"]);
            assert_eq!(entry.modules, ["mariadb:10.3", "mariadb-devel:10.3"]);
        });
        let named =
            alma.replace(r#"[{"package""#, r#"[{"ecosystem_specific":{"rpm_modularity":"mariadb:10.3"},"package""#);
        first_entry(&named, |_, entry| assert_eq!(entry.modules, ["mariadb:10.3"]));
        first_entry(&alma.replace("AlmaLinux:8", "PyPI"), |record, _| assert!(record.upstream.is_empty()));
        first_entry(&alma.replace(".module_el8", ".el8"), |_, entry| assert!(entry.modules.is_empty()));
    }

    #[test]
    fn the_word_for_the_severity_is_found_where_sources_put_it() {
        let word = |json: &str| rating(&osv::Record::from_json(json.as_bytes()).unwrap()).word;
        let ubuntu = r#"{"severity":[{"type":"CVSS_V3","score":"x"},{"type":"Ubuntu","score":"low"}]}"#;
        assert_eq!(word(ubuntu), Some(Severity::Low));
        assert_eq!(word(r#"{"database_specific":{"severity":"MODERATE"}}"#), Some(Severity::Medium));
        assert_eq!(word(r#"{"summary":"Important: kernel security update"}"#), Some(Severity::High));
        assert_eq!(word(r#"{"summary":"kernel: bad"}"#), None);
        assert_eq!(
            word(r#"{"id":"ALBA-2021:4378","summary":"krb5 bug fix and enhancement update"}"#),
            Some(Severity::Negligible)
        );
        assert_eq!(word(r#"{"id":"ALSA-2021:4378","summary":"krb5 security update"}"#), None);
    }
}
