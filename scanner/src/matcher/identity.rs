//! Which advisories are about one vulnerability: those whose claims share a name.
//!
//! Names are numbers here: the lowest of a vulnerability is that of its canonical id, which is the CVE, the first in text
//! order if there are several; without a CVE a GHSA, else the first of all.

use std::collections::HashMap;

use crate::advisories::{Claim, Damaged, Record};

/// Advisories about one vulnerability.
#[derive(Debug)]
pub(super) struct Group {
    /// Number of the canonical id.
    pub(super) id: u32,
    pub(super) members: Vec<Member>,
}

/// An advisory of a group.
#[derive(Debug)]
pub(super) struct Member {
    /// Its place among the advisories that were grouped.
    pub(super) record: usize,
    /// Whether it is about nothing else.
    pub(super) alone: bool,
    /// The lowest of its names for the vulnerability.
    first: u32,
}

/// Groups advisories that apply to one package.
pub(super) fn group<'d, 'r>(records: impl Iterator<Item = &'r Record<'d>>) -> Result<Vec<Group>, Damaged>
where
    'd: 'r,
{
    let mut sets = Sets::default();
    let mut members = Vec::new();
    for (record, advisory) in records.enumerate() {
        for Claim { names, alone } in advisory.claims()? {
            sets.add(members.len(), &names);
            let first = names.iter().copied().min().ok_or(Damaged("an advisory is about nothing"))?;
            members.push(Member { record, alone, first });
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut places = HashMap::new();
    for (number, member) in members.into_iter().enumerate() {
        let place = *places.entry(sets.root(number)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.add(member),
            None => groups.push(Group { id: member.first, members: vec![member] }),
        }
    }
    Ok(groups)
}

impl Group {
    fn add(&mut self, member: Member) {
        self.id = self.id.min(member.first);
        self.members.push(member);
    }
}

/// Disjoint sets of claims that share names.
#[derive(Default)]
struct Sets {
    parents: Vec<usize>,
    by_name: HashMap<u32, usize>,
}

impl Sets {
    fn add(&mut self, number: usize, names: &[u32]) {
        self.parents.push(number);
        for &name in names {
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

    #[test]
    fn claims_are_joined_by_any_shared_name() {
        let mut sets = Sets::default();
        let claims = [vec![1, 2], vec![3], vec![4, 5], vec![3, 5], vec![2]];
        for (number, names) in claims.iter().enumerate() {
            sets.add(number, names);
        }
        assert_eq!((0..5).map(|number| sets.root(number)).collect::<Vec<_>>(), [0, 1, 1, 1, 0]);
    }
}
