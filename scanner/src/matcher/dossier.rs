//! Everything that the database says about one vulnerability, whatever package it is found in.
//!
//! A distro's advisory is often no more than an id and a version. What others say about the same CVE fills the gaps:
//! severity, text, links. So the same vulnerability reads the same in every image.

use std::collections::BTreeSet;

use shared::finding::{Severity, Vulnerability};

use super::Rating;
use super::identity::claims;
use crate::advisories::{Damaged, Database, Entry, Record, Text, TextReader};
use crate::severity::{self, Scored};

/// The advisories about one vulnerability; withdrawn ones do not count.
#[derive(Debug)]
pub(super) struct Dossier<'d> {
    records: Vec<(Record<'d>, bool)>,
    names: BTreeSet<&'d str>,
}

impl<'d> Dossier<'d> {
    pub(super) fn of(database: &'d Database, id: &str) -> Result<Self, Damaged> {
        let mut dossier = Self { records: Vec::new(), names: BTreeSet::new() };
        for number in database.numbers_of(id)? {
            let record = database.record(number)?;
            let claim = claims(&record).into_iter().find(|claim| claim.names.contains(&id) || record.id == id);
            if let (Some(claim), false) = (claim, record.is_withdrawn()) {
                dossier.names.extend(claim.names);
                dossier.records.push((record, claim.alone));
            }
        }
        Ok(dossier)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How bad it is, by `own`, the advisories that apply to the package, else by the others.
    pub(super) fn rate<'a>(
        &'a self,
        own: impl Iterator<Item = (&'a Record<'a>, Option<&'a Entry<'a>>)>,
        vendor_first: bool,
    ) -> Rating {
        let own: Vec<_> = own.collect();
        let others: Vec<_> =
            self.records.iter().filter(|(_, alone)| *alone).map(|(record, _)| (record, None)).collect();
        let scored =
            Scored::best(own.iter().flat_map(vectors)).or_else(|| Scored::best(others.iter().flat_map(vectors)));
        let score = scored.map(|scored| scored.score).or_else(|| bare_score(&own)).or_else(|| bare_score(&others));
        let (own_word, other_word) = (worst_word(&own), worst_word(&others));
        let by_score = score.map_or(Severity::Unknown, severity::of_score);
        let order = if vendor_first { [own_word, by_score, other_word] } else { [by_score, own_word, other_word] };
        Rating {
            severity: order.into_iter().find(|severity| *severity != Severity::Unknown).unwrap_or_default(),
            score,
            vector: scored.map(|scored| scored.vector.to_owned()),
        }
    }

    /// What is known about it. `advisories` are those that applied: names of it too, if not ones to merge by.
    pub(super) fn describe(
        &self,
        database: &Database,
        reader: &mut TextReader,
        id: &str,
        advisories: &BTreeSet<String>,
    ) -> Result<Vulnerability, Damaged> {
        let text = self.text(database, reader)?;
        let mut aliases: BTreeSet<&str> =
            self.names.iter().copied().chain(advisories.iter().map(String::as_str)).collect();
        aliases.remove(id);
        let times = |time: fn(&Record<'d>) -> &'d str| {
            self.records
                .iter()
                .map(move |(record, _)| time(record))
                .filter(|time| !time.is_empty() && !time.starts_with("0001"))
        };
        Ok(Vulnerability {
            id: id.to_owned(),
            aliases: aliases.into_iter().map(str::to_owned).collect(),
            title: text.title,
            description: text.description,
            references: text.references,
            published: times(|record| record.published).min().map(str::to_owned),
            modified: times(|record| record.modified).max().map(str::to_owned),
        })
    }

    /// The longest text of an advisory that is about nothing else, or else of any.
    fn text(&self, database: &Database, reader: &mut TextReader) -> Result<Text, Damaged> {
        match self.records.iter().max_by_key(|(record, alone)| (*alone && record.has_text(), record.text_len())) {
            Some((record, _)) => database.text(record, reader),
            None => Ok(Text::default()),
        }
    }
}

fn vectors<'a>((record, entry): &(&'a Record<'a>, Option<&'a Entry<'a>>)) -> Vec<&'a str> {
    [entry.map_or(&[][..], |entry| &entry.vectors), &record.vectors].concat()
}

fn bare_score(records: &[(&Record<'_>, Option<&Entry<'_>>)]) -> Option<f64> {
    let tenths = records.iter().map(|(record, _)| record.tenths).max().filter(|tenths| *tenths > 0);
    tenths.map(|tenths| tenths as f64 / 10.0)
}

fn worst_word(records: &[(&Record<'_>, Option<&Entry<'_>>)]) -> Severity {
    let words = records.iter().map(|(record, entry)| match entry {
        Some(entry) if !entry.word.is_empty() => entry.word,
        _ => record.word,
    });
    words.map(severity::of_word).max().unwrap_or_default()
}
