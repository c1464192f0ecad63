//! The database file, byte by byte. One file, written once, never changed; little-endian; mapped by its readers.
//!
//! ```text
//! Header                 magic, format version, time of building, SHA-256 and length of the body, where each section is
//! body  texts            one zstd frame a vulnerability: title, details, links
//!       records          one an advisory: its id, how bad it is, which vulnerabilities it is about, all its names
//!       record index     u64 each: where record n is in `records`
//!       groups           one a package: ecosystem, name, and each advisory's entry for it (ranges, versions); one a Maven
//!                        artifact: its groups
//!       packages         open-addressing hash table: (ecosystem, name) to its group
//!       names            one an id or alias: the id and the numbers of its records
//!       dossiers         one a vulnerability: all that is known about it, where its text is
//!       index            one a name, in the order of [`rank`](super::claims::rank): where it is in `names` and `dossiers`
//!       about            JSON: sources, tables and ecosystems, read when the file is opened
//! ```
//!
//! A name's place in the index is its number. So the lowest number among the names of a vulnerability is that of its
//! canonical one, under which its dossier is.
//!
//! Within a section, numbers are LEB128 and texts are their length and their bytes. Nothing that is read is trusted:
//! a length or an offset that leads out of its section is [`Damaged`].

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::little_endian::{I64, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of the file.
pub(super) const MAGIC: [u8; 8] = *b"PLIMSOLL";
/// Raised whenever a reader of the old layout could not read the new one.
pub(super) const FORMAT: u32 = 2;

/// Start of the file.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    pub(super) magic: [u8; 8],
    pub(super) format: U32,
    /// Seconds since 1970.
    pub(super) built_at: I64,
    pub(super) sha256: [u8; 32],
    pub(super) body_len: U64,
    pub(super) sections: [Section; Name::COUNT],
}

/// Where a section lies in the body.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Section {
    pub(super) offset: U64,
    pub(super) len: U64,
}

/// The sections, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Texts,
    Records,
    RecordIndex,
    Groups,
    Packages,
    Names,
    Dossiers,
    Index,
    About,
}

impl Name {
    pub(super) const COUNT: usize = Self::About as usize + 1;
}

/// One place of a hash table. Free while `place` is 0.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Slot {
    pub(super) hash: U64,
    /// One more than the offset in the section that the table leads to.
    pub(super) place: U64,
}

/// One place of the name index.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct NameSlot {
    /// Offset in the names.
    pub(super) name: U64,
    /// One more than the offset in the dossiers; 0 where it is the canonical name of nothing.
    pub(super) dossier: U64,
}

/// A byte that is not what the layout says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the advisory database is damaged ({0}); build it again with `plimsoll advisories update` or `import`")]
pub struct Damaged(pub(crate) &'static str);

/// Hash of a table's key.
pub(super) fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// The key of the table of packages.
pub(super) fn package_key(ecosystem: &str, name: &str) -> String {
    format!("{ecosystem}\0{name}")
}

/// A hash table of `entries` (hash, offset), twice as many places as entries.
pub(super) fn table(entries: impl ExactSizeIterator<Item = (u64, u64)>) -> Vec<Slot> {
    let size = (entries.len() * 2).next_power_of_two().max(2);
    let mut slots = vec![Slot::default(); size];
    for (hash, offset) in entries {
        let mut at = hash as usize % size;
        while slots[at].place != 0 {
            at = (at + 1) % size;
        }
        slots[at] = Slot { hash: hash.into(), place: (offset + 1).into() };
    }
    slots
}

/// The offsets that `slots` has under `hash`, likeliest first. Ends whatever the table holds.
pub(super) fn probe(slots: &[Slot], hash: u64) -> impl Iterator<Item = u64> + '_ {
    let start = if slots.is_empty() { 0 } else { hash as usize % slots.len() };
    slots[start..]
        .iter()
        .chain(&slots[..start])
        .take_while(|slot| slot.place != 0)
        .filter(move |slot| slot.hash == hash)
        .map(|slot| slot.place.get() - 1)
}

/// Appends values to a section.
pub(super) trait Write {
    fn put_number(&mut self, value: u64);
    fn put_text(&mut self, text: &str);
    fn put_texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>);
    fn put_numbers(&mut self, numbers: &[u32]);
}

impl Write for Vec<u8> {
    fn put_number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_text(&mut self, text: &str) {
        self.put_number(text.len() as u64);
        self.extend_from_slice(text.as_bytes());
    }

    fn put_texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) {
        self.put_number(texts.len() as u64);
        texts.for_each(|text| self.put_text(text));
    }

    fn put_numbers(&mut self, numbers: &[u32]) {
        self.put_number(numbers.len() as u64);
        numbers.iter().for_each(|number| self.put_number(u64::from(*number)));
    }
}

/// Takes values from a section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Items for which a list has room from the start, whatever length it claims.
    const LIST_AT_ONCE: u64 = 1024;

    /// Reads `bytes` from `offset` on.
    pub(super) fn at(bytes: &'a [u8], offset: u64) -> Result<Self, Damaged> {
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
        rest.map(|rest| Self { rest }).ok_or(Damaged("an offset leads out of its section"))
    }

    pub(super) fn number(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Damaged("a number ends early"))?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damaged("a number is too long"))
    }

    /// A number of 32 bits.
    pub(super) fn small_number(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.number()?).map_err(|_| Damaged("a number is too large"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let len = self.number()?;
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let (bytes, rest) = split.ok_or(Damaged("a text ends early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damaged("a text is not UTF-8"))
    }

    /// A list: its length, then what `item` reads, so many times. Costs no more memory than its bytes allow.
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Damaged>) -> Result<Vec<T>, Damaged> {
        let len = self.number()?;
        if len > self.rest.len() as u64 {
            return Err(Damaged("a list ends early"));
        }
        let mut items = Vec::with_capacity(len.min(Self::LIST_AT_ONCE) as usize);
        for _ in 0..len {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(super) fn texts(&mut self) -> Result<Vec<&'a str>, Damaged> {
        self.list(Self::text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(numbers: Vec<u64>, texts: Vec<String>) {
            let mut bytes = Vec::new();
            for number in &numbers {
                bytes.put_number(*number);
            }
            bytes.put_texts(texts.iter().map(String::as_str));
            let mut cursor = Cursor::at(&bytes, 0).unwrap();
            for number in &numbers {
                prop_assert_eq!(cursor.number().unwrap(), *number);
            }
            prop_assert_eq!(cursor.texts().unwrap(), texts);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, offset in 0_u64..64) {
            if let Ok(mut cursor) = Cursor::at(&bytes, offset) {
                while cursor.texts().is_ok() && !cursor.rest.is_empty() {}
            }
        }

        #[test]
        fn every_key_of_a_table_is_found(keys in proptest::collection::hash_set(0_u64..50, 0..40)) {
            let slots = table(keys.iter().map(|key| (*key, *key * 3)));
            for key in 0..50 {
                prop_assert_eq!(probe(&slots, key).any(|offset| offset == key * 3), keys.contains(&key));
            }
        }
    }

    #[test]
    fn a_full_table_still_ends() {
        let slots = [Slot { hash: 1.into(), place: 1.into() }; 4];
        assert_eq!(probe(&slots, 2).count(), 0);
        assert_eq!(probe(&slots, 1).count(), 4);
        assert_eq!(probe(&[], 1).count(), 0);
    }
}
