//! Which advisories are about one vulnerability.
//!
//! *Aliases* are other names of the same vulnerability: an advisory's id and aliases are one. *Upstream* ids are what a
//! distro's advisory is about: each CVE among them is a vulnerability of its own, and the advisory's id is no name of
//! it, or two CVEs fixed by one DSA would be one. Upstream ids that are no CVEs (a GHSA) are names of the CVE if there is
//! exactly one, and of one vulnerability together if there is none. *Related* ids never merge anything.
//!
//! The canonical id is the CVE, the first in text order if there are several; without a CVE a GHSA, else the first of all.
//! Where an advisory has no CVE, others in the database that share one of its names are asked for it.

use std::collections::HashMap;

use crate::advisories::{Damaged, Database, Record};

/// One vulnerability that an advisory is about, by all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim<'d> {
    pub(super) names: Vec<&'d str>,
    /// Whether the advisory is about nothing else, so that its severity and text are this vulnerability's.
    pub(super) alone: bool,
}

/// Advisories about one vulnerability.
#[derive(Debug)]
pub(super) struct Group<'d> {
    /// Canonical id.
    pub(super) id: &'d str,
    pub(super) members: Vec<Member<'d>>,
}

/// An advisory of a group.
#[derive(Debug)]
pub(super) struct Member<'d> {
    /// Its place among the advisories that were grouped.
    pub(super) record: usize,
    pub(super) claim: Claim<'d>,
}

/// The vulnerabilities that an advisory is about.
pub(super) fn claims<'d>(record: &Record<'d>) -> Vec<Claim<'d>> {
    let (cves, others): (Vec<&str>, Vec<&str>) = record.upstream.iter().partition(|id| is_cve(id));
    let claim = |names, alone| Claim { names, alone };
    match (cves.as_slice(), others.as_slice()) {
        ([], []) => vec![claim([&[record.id], record.aliases.as_slice()].concat(), true)],
        ([], _) => vec![claim(others, true)],
        ([cve], _) => vec![claim([&[*cve], others.as_slice()].concat(), true)],
        (several, _) => several.iter().map(|cve| claim(vec![*cve], false)).collect(),
    }
}

/// The vulnerability of that name among those that an advisory is about; under the advisory's own id the first of them.
pub(super) fn claim_of<'d>(record: &Record<'d>, name: &str) -> Option<Claim<'d>> {
    let mut cves = record.upstream.iter().filter(|id| is_cve(id));
    if cves.clone().nth(1).is_some() {
        let cve = cves.find(|cve| **cve == name || record.id == name)?;
        return Some(Claim { names: vec![*cve], alone: false });
    }
    claims(record).into_iter().find(|claim| claim.names.contains(&name) || record.id == name)
}

/// Groups advisories that apply to one package.
pub(super) fn group<'d, 'r>(
    database: &'d Database,
    records: impl Iterator<Item = &'r Record<'d>>,
) -> Result<Vec<Group<'d>>, Damaged>
where
    'd: 'r,
{
    let mut sets = Sets::default();
    let mut members = Vec::new();
    for (number, record) in records.enumerate() {
        for mut claim in claims(record) {
            add_cve(database, &mut claim)?;
            sets.add(members.len(), &claim.names);
            members.push(Member { record: number, claim });
        }
    }
    let mut groups: Vec<Vec<Member<'d>>> = Vec::new();
    let mut places = HashMap::new();
    for (number, member) in members.into_iter().enumerate() {
        let place = *places.entry(sets.root(number)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(member);
    }
    Ok(groups.into_iter().map(Group::new).collect())
}

impl<'d> Group<'d> {
    fn new(members: Vec<Member<'d>>) -> Self {
        let names = members.iter().flat_map(|member| member.claim.names.iter().copied());
        Self { id: canonical(names), members }
    }
}

/// The name by which a vulnerability is known to us.
pub(super) fn canonical<'n>(names: impl Iterator<Item = &'n str>) -> &'n str {
    names.min_by_key(|name| (!is_cve(name), !name.starts_with("GHSA-"), *name)).unwrap_or_default()
}

fn is_cve(id: &str) -> bool {
    id.starts_with("CVE-")
}

/// Asks the database for the CVE of a claim that has none.
fn add_cve<'d>(database: &'d Database, claim: &mut Claim<'d>) -> Result<(), Damaged> {
    if claim.names.iter().any(|name| is_cve(name)) {
        return Ok(());
    }
    let mut found = Vec::new();
    for name in &claim.names {
        for number in database.numbers_of(name)? {
            let record = database.record(number)?;
            if record.is_withdrawn() {
                continue;
            }
            let same = claim_of(&record, name).filter(|same| same.names.contains(name));
            found.extend(same.into_iter().flat_map(|same| same.names).filter(|name| is_cve(name)));
        }
    }
    claim.names.extend(found);
    Ok(())
}

/// Disjoint sets of claims that share names.
#[derive(Default)]
struct Sets<'d> {
    parents: Vec<usize>,
    by_name: HashMap<&'d str, usize>,
}

impl<'d> Sets<'d> {
    fn add(&mut self, number: usize, names: &[&'d str]) {
        self.parents.push(number);
        for name in names {
            let other = *self.by_name.entry(name).or_insert(number);
            let (root, other) = (self.root(number), self.root(other));
            self.parents[root.max(other)] = root.min(other);
        }
    }

    fn root(&self, mut number: usize) -> usize {
        while self.parents[number] != number {
            number = self.parents[number];
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(id: &'a str, aliases: &[&'a str], upstream: &[&'a str]) -> Record<'a> {
        Record { id, aliases: aliases.to_vec(), upstream: upstream.to_vec(), ..Record::default() }
    }

    #[test]
    fn each_upstream_cve_is_a_vulnerability_of_its_own() {
        let names = |record: Record<'static>| claims(&record).into_iter().map(|claim| claim.names).collect::<Vec<_>>();
        assert_eq!(names(record("DSA-1", &[], &["CVE-1", "CVE-2"])), [["CVE-1"], ["CVE-2"]]);
        assert_eq!(names(record("CGA-1", &[], &["GHSA-1", "CVE-1"])), [["CVE-1", "GHSA-1"]]);
        assert_eq!(names(record("CGA-1", &[], &["GHSA-1"])), [["GHSA-1"]]);
        assert_eq!(names(record("GHSA-1", &["CVE-1", "PYSEC-1"], &[])), [["GHSA-1", "CVE-1", "PYSEC-1"]]);
        assert!(!claims(&record("DSA-1", &[], &["CVE-1", "CVE-2"]))[0].alone);
    }

    #[test]
    fn one_claim_of_several_is_found_by_its_name() {
        let names = |record: &Record<'static>, name| claim_of(record, name).map(|claim| claim.names);
        let dsa = record("DSA-1", &[], &["CVE-1", "CVE-2"]);
        assert_eq!(names(&dsa, "CVE-2"), Some(vec!["CVE-2"]));
        assert_eq!(names(&dsa, "DSA-1"), Some(vec!["CVE-1"]));
        assert_eq!(names(&dsa, "CVE-3"), None);
        assert_eq!(names(&record("GHSA-1", &["CVE-1"], &[]), "CVE-1"), Some(vec!["GHSA-1", "CVE-1"]));
    }

    #[test]
    fn the_canonical_id_is_the_cve() {
        assert_eq!(canonical(["PYSEC-1", "GHSA-1", "CVE-2", "CVE-1"].into_iter()), "CVE-1");
        assert_eq!(canonical(["EUVD-1", "PYSEC-1", "GHSA-1"].into_iter()), "GHSA-1");
        assert_eq!(canonical(["PYSEC-2", "PYSEC-1"].into_iter()), "PYSEC-1");
    }

    #[test]
    fn claims_are_joined_by_any_shared_name() {
        let mut sets = Sets::default();
        for (number, names) in [vec!["a", "b"], vec!["c"], vec!["d", "e"], vec!["c", "e"], vec!["b"]].iter().enumerate()
        {
            sets.add(number, names);
        }
        assert_eq!((0..5).map(|number| sets.root(number)).collect::<Vec<_>>(), [0, 1, 1, 1, 0]);
    }
}
