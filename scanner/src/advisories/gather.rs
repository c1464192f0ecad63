//! The dossiers of a database that is being built: all that its records say about each vulnerability, brought together.

use std::collections::{BTreeSet, HashMap};
use std::io;

use super::build::{Builder, Kept, Writer};
use super::claims::{Claim, ClaimRef, Claims, is_cve, rank};
use super::dossier::Dossier;
use super::format::{Name, NameSlot, Write};
use super::interned::Interned;
use super::rating::Rating;
use super::tables::Tables;

/// The order of names in the file, and which records have each.
pub(super) struct Order {
    /// Names in the order of the file.
    sorted: Vec<u32>,
    /// Where each name is in `sorted`.
    places: Vec<u32>,
    /// Names with their records, sorted.
    postings: Vec<(u32, u32)>,
    /// Where the records of each name begin in `postings`; one more at the end.
    starts: Vec<u32>,
}

impl Order {
    /// The order of `names`, of which `postings` has each with each of its records, sorted.
    pub(super) fn of(names: &Interned, postings: Vec<(u32, u32)>) -> Self {
        let count = names.len() as u32;
        let mut sorted: Vec<u32> = (0..count).collect();
        sorted.sort_unstable_by(|a, b| rank(names.text(*a)).cmp(&rank(names.text(*b))));
        let mut places = vec![0; names.len()];
        for (place, name) in sorted.iter().enumerate() {
            places[*name as usize] = place as u32;
        }
        let start = |name| postings.partition_point(|(other, _)| *other < name) as u32;
        let starts = (0..=count).map(start).collect();
        Self { sorted, places, postings, starts }
    }

    /// The number of a name in the file.
    pub(super) fn place(&self, name: u32) -> u32 {
        self.places[name as usize]
    }

    /// A claim in the numbers of the file.
    pub(super) fn renumber(&self, claim: ClaimRef<'_>) -> Claim {
        Claim { names: claim.names.iter().map(|name| self.place(*name)).collect(), alone: claim.alone }
    }

    /// The records that have a name.
    pub(super) fn records(&self, name: u32) -> impl ExactSizeIterator<Item = u32> + Clone {
        let name = name as usize;
        self.postings[self.starts[name] as usize..self.starts[name + 1] as usize].iter().map(|(_, record)| *record)
    }
}

/// Brings together what records say.
pub(super) struct Gatherer<'b> {
    pub(super) builder: &'b Builder,
    pub(super) order: &'b Order,
    pub(super) claims: &'b Claims,
    pub(super) tables: &'b Tables,
}

impl<'b> Gatherer<'b> {
    /// Writes the texts, the names and the dossiers.
    pub(super) fn write(&self, writer: &mut Writer) -> io::Result<()> {
        let start = writer.at;
        let mut written = HashMap::new();
        let canonical = self.canonical_names();
        let (mut names, mut dossiers, mut index) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &name) in self.order.sorted.iter().enumerate() {
            let mut slot = NameSlot { name: (names.len() as u64).into(), dossier: 0.into() };
            names.put_text(self.builder.names.text(name));
            names.put_numbers(&self.order.records(name).collect::<Vec<_>>());
            if canonical.contains(&(place as u32)) {
                slot.dossier = (dossiers.len() as u64 + 1).into();
                let (mut dossier, text) = self.dossier(name);
                if text.1 > 0 {
                    dossier.text = match written.get(&text) {
                        Some(place) => *place,
                        None => {
                            let at = writer.at - start;
                            writer.write(&self.builder.text(text)?)?;
                            *written.entry(text).or_insert((at, text.1))
                        }
                    };
                }
                dossier.store(&mut dossiers);
            }
            index.push(slot);
        }
        writer.close_section(Name::Texts, start);
        writer.section(Name::Names, &names)?;
        writer.section(Name::Dossiers, &dossiers)?;
        writer.name_index(&index)
    }

    /// The places of all names under which a finding may go.
    fn canonical_names(&self) -> BTreeSet<u32> {
        let records = 0..self.builder.records.len() as u32;
        let claims = records.flat_map(|record| self.claims.of_record(record));
        claims.filter_map(|claim| claim.names.iter().map(|name| self.order.place(*name)).min()).collect()
    }

    /// What the records say about the vulnerability `name`, and where in the spool the best text about it is.
    fn dossier(&self, name: u32) -> (Dossier<'b>, (u64, u64)) {
        let speakers = self.builder.speakers(self.order, name);
        let about = speakers.filter_map(|(record, id)| Some((record, self.claims.named(record, id, name)?)));
        let about: Vec<(&Kept, ClaimRef<'_>)> =
            about.map(|(record, claim)| (&self.builder.records[record as usize], claim)).collect();
        let mut names: Vec<&str> =
            about.iter().flat_map(|(_, claim)| claim.names).map(|name| self.builder.names.text(*name)).collect();
        names.push(self.builder.names.text(name));
        names.sort_unstable();
        names.dedup();
        let times = |time: fn(&Kept) -> u32| {
            let times = about.iter().map(move |(record, _)| self.builder.time(time(record)));
            times.filter(|time| !time.is_empty() && !time.starts_with("0001"))
        };
        let cves = || names.iter().copied().filter(|name| is_cve(name));
        let best = about.iter().max_by_key(|(record, claim)| {
            (record.text.1 > 0, self.closeness(record, claim), claim.alone, record.text.1)
        });
        let text = best.map_or((0, 0), |(record, _)| record.text);
        let dossier = Dossier {
            rating: self.rating(&about, cves()),
            exploited: self.tables.exploited(cves()).map(Into::into),
            epss: self.tables.epss(cves()),
            published: times(|record| record.published).min().unwrap_or_default(),
            modified: times(|record| record.modified).max().unwrap_or_default(),
            names,
            text: (0, 0),
        };
        (dossier, text)
    }

    /// How closely a record describes the vulnerability itself: 2 under a name of its own, 1 as a vendor's word on it
    /// (`UBUNTU-CVE-…`), 0 as an update that fixes it.
    fn closeness(&self, record: &Kept, claim: &ClaimRef<'_>) -> u8 {
        let id = self.builder.names.text(record.id);
        match claim.names {
            names if names.contains(&record.id) => 2,
            names if names.iter().any(|name| id.ends_with(self.builder.names.text(*name))) => 1,
            _ => 0,
        }
    }

    /// That of all records that are about nothing else; where none of them has a vector, that of the table.
    fn rating(&self, about: &[(&Kept, ClaimRef<'_>)], cves: impl Iterator<Item = &'b str>) -> Rating<'b> {
        let alone = about.iter().filter(|(_, claim)| claim.alone);
        let own = alone.map(|(record, _)| self.builder.rating(record)).fold(Rating::default(), Rating::with);
        Rating { vector: own.vector.or_else(|| self.tables.vector(cves)), ..own }
    }
}
