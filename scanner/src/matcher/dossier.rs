//! Everything that the database says about one vulnerability, whatever package it is found in.
//!
//! A distro's advisory is often no more than an id and a version. What others say about the same CVE fills the gaps:
//! severity, text, links. So the same vulnerability reads the same in every image.

use std::cell::OnceCell;

use shared::finding::{Severity, Vulnerability};

use super::Rating;
use super::identity::claim_of;
use crate::advisories::{Damaged, Database, Entry, Record, Text, TextReader};
use crate::severity::{self, Scored};

/// The advisories about one vulnerability; withdrawn ones do not count.
#[derive(Debug)]
pub(super) struct Dossier<'d> {
    records: Vec<(Record<'d>, bool)>,
    /// All its names, with the ids of advisories that applied to a package: names of it too, if not ones to merge by.
    names: Vec<&'d str>,
    /// That of all advisories that are about nothing else.
    opinion: OnceCell<Opinion<'d>>,
}

impl<'d> Dossier<'d> {
    pub(super) fn of(database: &'d Database, id: &str) -> Result<Self, Damaged> {
        let mut dossier = Self { records: Vec::new(), names: Vec::new(), opinion: OnceCell::new() };
        for number in database.numbers_of(id)? {
            let record = database.record(number)?;
            if let (Some(claim), false) = (claim_of(&record, id), record.is_withdrawn()) {
                dossier.names.extend(claim.names);
                dossier.records.push((record, claim.alone));
            }
        }
        Ok(dossier)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Notes that advisories with these ids applied to a package.
    pub(super) fn applied(&mut self, ids: impl Iterator<Item = &'d str>) {
        self.names.extend(ids);
    }

    /// How bad it is, by `own`, the advisories that apply to the package, else by all.
    pub(super) fn rate<'r>(
        &self,
        own: impl Iterator<Item = (&'r Record<'d>, Option<&'r Entry<'d>>)> + Clone,
        vendor_first: bool,
    ) -> Rating
    where
        'd: 'r,
    {
        let own = Opinion::of(own);
        let all = || self.opinion.get_or_init(|| self.of_all());
        let scored = own.scored.or_else(|| all().scored);
        let score = scored.map(|scored| scored.score).or(own.bare).or_else(|| all().bare);
        let by_score = score.map_or(Severity::Unknown, severity::of_score);
        let order = if vendor_first { [own.word, by_score] } else { [by_score, own.word] };
        let known = order.into_iter().find(|severity| *severity != Severity::Unknown);
        Rating {
            severity: known.unwrap_or_else(|| all().word),
            score,
            vector: scored.map(|scored| scored.vector.to_owned()),
        }
    }

    fn of_all(&self) -> Opinion<'d> {
        Opinion::of(self.records.iter().filter(|(_, alone)| *alone).map(|(record, _)| (record, None)))
    }

    /// What is known about it, under the name `id`.
    pub(super) fn describe(
        &self,
        database: &Database,
        reader: &mut TextReader,
        id: &str,
    ) -> Result<Vulnerability, Damaged> {
        let text = self.text(database, reader)?;
        let mut aliases: Vec<_> = self.names.iter().filter(|name| **name != id).collect();
        aliases.sort_unstable();
        aliases.dedup();
        let times = |time: fn(&Record<'d>) -> &'d str| {
            self.records
                .iter()
                .map(move |(record, _)| time(record))
                .filter(|time| !time.is_empty() && !time.starts_with("0001"))
        };
        Ok(Vulnerability {
            id: id.to_owned(),
            aliases: aliases.into_iter().map(|alias| (*alias).to_owned()).collect(),
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

/// How bad a vulnerability is by some advisories.
#[derive(Debug, Clone, Copy)]
struct Opinion<'d> {
    scored: Option<Scored<'d>>,
    /// A score that has no vector.
    bare: Option<f64>,
    /// The worst word.
    word: Severity,
}

impl<'d> Opinion<'d> {
    /// That of advisories, each with its entry for the package if there is one.
    fn of<'r>(advisories: impl Iterator<Item = (&'r Record<'d>, Option<&'r Entry<'d>>)> + Clone) -> Self
    where
        'd: 'r,
    {
        let vectors = advisories
            .clone()
            .flat_map(|(record, entry)| entry.map_or(&[][..], |entry| &entry.vectors).iter().chain(&record.vectors));
        let tenths = advisories.clone().map(|(record, _)| record.tenths).max().filter(|tenths| *tenths > 0);
        let words = advisories.map(|(record, entry)| match entry {
            Some(entry) if !entry.word.is_empty() => entry.word,
            _ => record.word,
        });
        Self {
            scored: Scored::best(vectors.copied()),
            bare: tenths.map(|tenths| tenths as f64 / 10.0),
            word: words.map(severity::of_word).max().unwrap_or_default(),
        }
    }
}
