//! What the database keeps of an advisory: one [`Record`], and one [`Entry`] for each package that it is about.

use super::format::{Cursor, Damaged, Write};
use super::range::{Event, EventKind, Range, RangeKind};

/// An advisory, as stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record<'a> {
    /// Number of its source.
    pub source: usize,
    /// Its id in its source.
    pub id: &'a str,
    /// RFC 3339, as published; empty if the source does not say.
    pub published: &'a str,
    /// RFC 3339, as published.
    pub modified: &'a str,
    /// RFC 3339; empty unless the source withdrew it.
    pub withdrawn: &'a str,
    /// Other ids of the same vulnerability.
    pub aliases: Vec<&'a str>,
    /// Ids of the vulnerabilities that it is about.
    pub upstream: Vec<&'a str>,
    /// CVSS vectors, not checked.
    pub vectors: Vec<&'a str>,
    /// The source's word for the severity; empty without one.
    pub word: &'a str,
    /// A CVSS score in tenths that has no vector; 0 without one.
    pub tenths: u64,
    /// Where its text is: offset and length.
    pub(crate) text: (u64, u64),
}

impl<'a> Record<'a> {
    /// Whether its source withdrew it.
    pub fn is_withdrawn(&self) -> bool {
        !self.withdrawn.is_empty()
    }

    /// Whether there is anything to read about it.
    pub fn has_text(&self) -> bool {
        self.text_len() > 0
    }

    /// Compressed length of its text, which tells a long text from a short one without reading it.
    pub fn text_len(&self) -> u64 {
        self.text.1
    }

    pub(super) fn store(&self, bytes: &mut Vec<u8>) {
        bytes.put_number(self.source as u64);
        for text in [self.id, self.published, self.modified, self.withdrawn, self.word] {
            bytes.put_text(text);
        }
        for texts in [&self.aliases, &self.upstream, &self.vectors] {
            bytes.put_texts(texts.iter().copied());
        }
        for number in [self.tenths, self.text.0, self.text.1] {
            bytes.put_number(number);
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Damaged> {
        Ok(Self {
            source: cursor.number()? as usize,
            id: cursor.text()?,
            published: cursor.text()?,
            modified: cursor.text()?,
            withdrawn: cursor.text()?,
            word: cursor.text()?,
            aliases: cursor.texts()?,
            upstream: cursor.texts()?,
            vectors: cursor.texts()?,
            tenths: cursor.number()?,
            text: (cursor.number()?, cursor.number()?),
        })
    }
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
    /// CVSS vectors for this package, not checked.
    pub vectors: Vec<&'a str>,
    /// The source's word for the severity of this package; empty without one.
    pub word: &'a str,
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
        bytes.put_texts(self.vectors.iter().copied());
        bytes.put_text(self.word);
        bytes.put_texts(self.modules.iter().copied());
        bytes.put_number(u64::from(self.wont_fix));
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Damaged> {
        Ok(Self {
            record: u32::try_from(cursor.number()?).map_err(|_| Damaged("an advisory's number is too large"))?,
            ranges: cursor.list(read_range)?,
            versions: cursor.texts()?,
            vectors: cursor.texts()?,
            word: cursor.text()?,
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
