//! Which vulnerabilities a record is about.
//!
//! *Aliases* are other names of the same vulnerability: an advisory's id and aliases are one. *Upstream* ids are what a
//! distro's advisory is about: each CVE among them is a vulnerability of its own, and the advisory's id is no name of
//! it, or two CVEs fixed by one DSA would be one. Upstream ids that are no CVEs (a GHSA) are names of the CVE if there is
//! exactly one, and of one vulnerability together if there is none. *Related* ids never merge anything.
//!
//! Where an advisory has no CVE, others in the database that share one of its names are asked for it.

use std::collections::HashMap;

/// Where an id stands among the names of one vulnerability: CVEs first, then GHSA ids, then all others; each by text.
pub(super) fn rank(id: &str) -> (bool, bool, &str) {
    (!is_cve(id), !id.starts_with("GHSA-"), id)
}

/// Whether an id is one of the CVE programme.
pub(super) fn is_cve(id: &str) -> bool {
    id.starts_with("CVE-")
}

/// One vulnerability that an advisory is about, by all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<N = u32> {
    /// Its names; in a database, by number.
    pub names: Vec<N>,
    /// Whether the advisory is about nothing else, so that its severity and text are this vulnerability's.
    pub alone: bool,
}

/// The vulnerabilities that an advisory is about.
pub(super) fn claims<N: Copy>(id: N, aliases: &[N], upstream: &[N], is_cve: impl Fn(N) -> bool) -> Vec<Claim<N>> {
    let (cves, others): (Vec<N>, Vec<N>) = upstream.iter().copied().partition(|id| is_cve(*id));
    let claim = |names, alone| Claim { names, alone };
    match (cves.as_slice(), others.as_slice()) {
        ([], []) => vec![claim([&[id], aliases].concat(), true)],
        ([], _) => vec![claim(others, true)],
        ([cve], _) => vec![claim([&[*cve], others.as_slice()].concat(), true)],
        (several, _) => several.iter().map(|cve| claim(vec![*cve], false)).collect(),
    }
}

/// The claims of every record of a database that is being built.
pub(super) struct Claims {
    names: Vec<u32>,
    claims: Vec<Place>,
    /// Where the claims of each record begin in `claims`; one more at the end.
    starts: Vec<usize>,
}

struct Place {
    start: usize,
    end: usize,
    alone: bool,
}

/// One of [`Claims`].
#[derive(Debug, Clone, Copy)]
pub(super) struct ClaimRef<'c> {
    pub(super) names: &'c [u32],
    pub(super) alone: bool,
}

impl Claims {
    /// The claims of records, in their order.
    pub(super) fn of(records: impl Iterator<Item = Vec<Claim>>) -> Self {
        let mut all = Self { names: Vec::new(), claims: Vec::new(), starts: vec![0] };
        for record in records {
            for claim in record {
                let start = all.names.len();
                all.names.extend(claim.names);
                all.claims.push(Place { start, end: all.names.len(), alone: claim.alone });
            }
            all.starts.push(all.claims.len());
        }
        all
    }

    /// What a record is about.
    pub(super) fn of_record(&self, record: u32) -> impl ExactSizeIterator<Item = ClaimRef<'_>> {
        let record = record as usize;
        let places = &self.claims[self.starts[record]..self.starts[record + 1]];
        places.iter().map(|place| ClaimRef { names: &self.names[place.start..place.end], alone: place.alone })
    }

    /// The claim of that name, under the record's own `id` the first of all.
    pub(super) fn named(&self, record: u32, id: u32, name: u32) -> Option<ClaimRef<'_>> {
        self.of_record(record).find(|claim| id == name || claim.names.contains(&name))
    }

    /// The same, with the CVEs that others know for those that have none. `speakers` are the records that have a name,
    /// each with its id; those that were withdrawn do not count.
    pub(super) fn with_cves<'s>(
        &self,
        is_cve: impl Fn(u32) -> bool,
        speakers: impl Fn(u32) -> Box<dyn Iterator<Item = (u32, u32)> + 's>,
    ) -> Self {
        let mut known: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut cves_of = |name: u32| -> Vec<u32> {
            let ask = || {
                let same = speakers(name).filter_map(|(record, id)| self.named(record, id, name));
                let same = same.filter(|claim| claim.names.contains(&name));
                let mut cves: Vec<u32> = same.flat_map(|claim| claim.names).copied().filter(|n| is_cve(*n)).collect();
                cves.sort_unstable();
                cves.dedup();
                cves
            };
            known.entry(name).or_insert_with(ask).clone()
        };
        Self::of((0..self.starts.len() as u32 - 1).map(|record| {
            let claims = self.of_record(record).map(|claim| {
                let mut names = claim.names.to_vec();
                if !names.iter().any(|name| is_cve(*name)) {
                    let found: Vec<u32> = names.iter().flat_map(|name| cves_of(*name)).collect();
                    names.extend(found);
                }
                Claim { names, alone: claim.alone }
            });
            claims.collect()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(id: &'static str, aliases: &[&'static str], upstream: &[&'static str]) -> Vec<Vec<&'static str>> {
        claims(id, aliases, upstream, is_cve).into_iter().map(|claim| claim.names).collect()
    }

    #[test]
    fn each_upstream_cve_is_a_vulnerability_of_its_own() {
        assert_eq!(names("DSA-1", &[], &["CVE-1", "CVE-2"]), [["CVE-1"], ["CVE-2"]]);
        assert_eq!(names("CGA-1", &[], &["GHSA-1", "CVE-1"]), [["CVE-1", "GHSA-1"]]);
        assert_eq!(names("CGA-1", &[], &["GHSA-1"]), [["GHSA-1"]]);
        assert_eq!(names("GHSA-1", &["CVE-1", "PYSEC-1"], &[]), [["GHSA-1", "CVE-1", "PYSEC-1"]]);
        assert!(!claims("DSA-1", &[], &["CVE-1", "CVE-2"], is_cve)[0].alone);
    }

    #[test]
    fn one_claim_of_several_is_found_by_its_name() {
        let claim = |names: &[u32], alone| Claim { names: names.to_vec(), alone };
        let all = Claims::of([vec![claim(&[1], false), claim(&[2], false)], vec![claim(&[8, 1], true)]].into_iter());
        let named = |record, id, name| all.named(record, id, name).map(|claim| claim.names);
        assert_eq!(named(0, 9, 2), Some(&[2][..]));
        assert_eq!(named(0, 9, 9), Some(&[1][..]));
        assert_eq!(named(0, 9, 3), None);
        assert_eq!(named(1, 8, 1), Some(&[8, 1][..]));
    }

    #[test]
    fn a_claim_without_a_cve_gets_those_of_its_namesakes() {
        let claim = |names: &[u32]| vec![Claim { names: names.to_vec(), alone: true }];
        let all = Claims::of([claim(&[10]), claim(&[10, 1]), claim(&[11])].into_iter());
        let speakers = |name: u32| -> Box<dyn Iterator<Item = (u32, u32)>> {
            if name == 10 { Box::new([(0, 50), (1, 51)].into_iter()) } else { Box::new(std::iter::empty()) }
        };
        let found = all.with_cves(|name| name < 10, speakers);
        let names: Vec<_> =
            (0..3).flat_map(|record| found.of_record(record)).map(|claim| claim.names.to_vec()).collect();
        assert_eq!(names, [vec![10, 1], vec![10, 1], vec![11]]);
    }

    #[test]
    fn the_canonical_id_is_the_cve() {
        let canonical = |names: &[&'static str]| names.iter().copied().min_by_key(|name| rank(name)).unwrap();
        assert_eq!(canonical(&["PYSEC-1", "GHSA-1", "CVE-2", "CVE-1"]), "CVE-1");
        assert_eq!(canonical(&["EUVD-1", "PYSEC-1", "GHSA-1"]), "GHSA-1");
        assert_eq!(canonical(&["PYSEC-2", "PYSEC-1"]), "PYSEC-1");
    }
}
