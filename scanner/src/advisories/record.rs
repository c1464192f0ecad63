//! What the database keeps of an advisory: one [`Record`], and one [`Entry`] for each package that it is about.

use super::claims::Claim;
use super::format::{Cursor, Damaged, Write};
use super::range::{Event, EventKind, Range, RangeKind};
use super::rating::Rating;

/// An advisory, as stored. Its names are numbers: see [`Database::name`](super::Database::name).
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its id in its source.
    pub id: &'a str,
    /// How bad it says that it is.
    pub rating: Rating<'a>,
    withdrawn: bool,
    /// Claims and names.
    rest: Cursor<'a>,
}

impl<'a> Record<'a> {
    /// Whether its source withdrew it.
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn
    }

    /// The vulnerabilities that it is about.
    pub fn claims(&self) -> Result<Vec<Claim>, Damaged> {
        read_claims(&mut self.rest.clone())
    }

    /// The numbers of its id, its aliases and its upstream ids.
    pub fn names(&self) -> Result<Vec<u32>, Damaged> {
        let mut rest = self.rest;
        read_claims(&mut rest)?;
        rest.list(Cursor::small_number)
    }

    pub(super) fn read(mut cursor: Cursor<'a>) -> Result<Self, Damaged> {
        Ok(Self {
            id: cursor.text()?,
            withdrawn: cursor.number()? != 0,
            rating: Rating::read(&mut cursor)?,
            rest: cursor,
        })
    }
}

/// A record on its way into the database.
pub(super) struct NewRecord<'a> {
    pub(super) id: &'a str,
    pub(super) withdrawn: bool,
    pub(super) rating: Rating<'a>,
    pub(super) claims: Vec<Claim>,
    pub(super) names: Vec<u32>,
}

impl NewRecord<'_> {
    pub(super) fn store(&self, bytes: &mut Vec<u8>) {
        bytes.put_text(self.id);
        bytes.put_number(self.withdrawn.into());
        self.rating.store(bytes);
        bytes.put_number(self.claims.len() as u64);
        for claim in &self.claims {
            bytes.put_number(claim.alone.into());
            bytes.put_numbers(&claim.names);
        }
        bytes.put_numbers(&self.names);
    }
}

fn read_claims(cursor: &mut Cursor<'_>) -> Result<Vec<Claim>, Damaged> {
    cursor.list(|cursor| Ok(Claim { alone: cursor.number()? != 0, names: cursor.list(Cursor::small_number)? }))
}

/// What an advisory says about one package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Number of the advisory's [`Record`].
    pub record: u32,
    /// Affected versions, by order: within any of them is affected.
    pub ranges: Vec<Range<'a>>,
    /// Affected versions, one by one, that no range covers.
    pub versions: Vec<&'a str>,
    /// How bad it says that it is for this package.
    pub rating: Rating<'a>,
    /// Module streams of the packages that it is about, `nodejs:18`; empty where that is not said.
    pub modules: Vec<&'a str>,
    /// Whether the vendor has said that there will be no fix.
    pub wont_fix: bool,
}

impl<'a> Entry<'a> {
    pub(super) fn store(&self, bytes: &mut Vec<u8>) {
        bytes.put_number(u64::from(self.record));
        bytes.put_number(self.ranges.len() as u64);
        for range in &self.ranges {
            bytes.put_number(range.kind as u64);
            bytes.put_number(range.events.len() as u64);
            for event in &range.events {
                bytes.put_number(event.kind as u64);
                bytes.put_text(event.version);
            }
        }
        bytes.put_texts(self.versions.iter().copied());
        self.rating.store(bytes);
        bytes.put_texts(self.modules.iter().copied());
        bytes.put_number(u64::from(self.wont_fix));
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Damaged> {
        Ok(Self {
            record: cursor.small_number()?,
            ranges: cursor.list(read_range)?,
            versions: cursor.texts()?,
            rating: Rating::read(cursor)?,
            modules: cursor.texts()?,
            wont_fix: cursor.number()? != 0,
        })
    }
}

fn read_range<'a>(cursor: &mut Cursor<'a>) -> Result<Range<'a>, Damaged> {
    let kind = match cursor.number()? {
        0 => RangeKind::Semver,
        1 => RangeKind::Ecosystem,
        _ => return Err(Damaged("a range is of no kind")),
    };
    Ok(Range { kind, events: cursor.list(read_event)? })
}

fn read_event<'a>(cursor: &mut Cursor<'a>) -> Result<Event<'a>, Damaged> {
    let kind = match cursor.number()? {
        0 => EventKind::Introduced,
        1 => EventKind::Fixed,
        2 => EventKind::LastAffected,
        3 => EventKind::Limit,
        _ => return Err(Damaged("an event is of no kind")),
    };
    Ok(Event { kind, version: cursor.text()? })
}
