//! How keys are made: a table's byte, then parts of fixed width or with a terminator, so that the order of the bytes
//! is the order that listings want.
//!
//! | Part | Bytes |
//! |---|---|
//! | text | its bytes with `00` as `00 FF`, then `00 01`; above 255 bytes the first 192 and a SHA-256 in hex |
//! | digest | algorithm (1 sha256, 2 sha512), then the raw bytes |
//! | time | microseconds, big-endian, sign bit turned |
//! | id | the 16 bytes of the UUID |

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::Digest as _;
use shared::image::Digest;
use uuid::Uuid;

use crate::store::StoreError;

/// Version of everything in this folder: tables, keys and values.
pub(in crate::store) const SCHEMA_VERSION: u32 = 1;

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $byte:literal, $text:literal;)*) => {
        /// What a row is, by the first byte of its key. The table of tables is in the module above.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(in crate::store) enum Table {
            $($(#[$doc])* $name = $byte,)*
        }

        impl Table {
            /// Every table, in the order of the keys.
            pub(in crate::store) const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in errors and exports.
            pub(in crate::store) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

tables! {
    Meta = 0x01, "meta";
    Deliveries = 0x10, "deliveries";
    DeliveriesByAge = 0x11, "deliveries-by-age";
    Events = 0x12, "events";
    Scans = 0x20, "scans";
    InFlight = 0x21, "in-flight";
    Outbox = 0x22, "outbox";
    Dead = 0x23, "dead";
    DeadByTime = 0x24, "dead-by-time";
    Sent = 0x25, "sent";
    Registries = 0x30, "registries";
    Repositories = 0x31, "repositories";
    Tags = 0x32, "tags";
    TagsByDigest = 0x33, "tags-by-digest";
    Locations = 0x34, "locations";
    LocationsByTime = 0x35, "locations-by-time";
    LocationsByDigest = 0x36, "locations-by-digest";
    Pulls = 0x37, "pulls";
    Images = 0x40, "images";
    Packages = 0x41, "packages";
    Children = 0x42, "children";
    Parents = 0x43, "parents";
    Stacks = 0x44, "stacks";
    Findings = 0x50, "findings";
    FindingsBySeverity = 0x51, "findings-by-severity";
    FindingsByVulnerability = 0x52, "findings-by-vulnerability";
    FindingsByName = 0x53, "findings-by-name";
    Vulnerabilities = 0x58, "vulnerabilities";
    Aliases = 0x59, "aliases";
    Tokens = 0x60, "tokens";
    TokensByHash = 0x61, "tokens-by-hash";
    Documents = 0xf0, "documents";
}

impl Table {
    /// The table of a key.
    pub(in crate::store) fn of(key: &[u8]) -> Option<Self> {
        let byte = *key.first()?;
        Self::ALL.iter().copied().find(|table| *table as u8 == byte)
    }

    /// The table with this name.
    pub(in crate::store) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|table| table.name() == name)
    }

    /// A record of this table that cannot be read.
    pub(in crate::store) fn corrupt(self, why: impl ToString) -> StoreError {
        StoreError::Corrupt { table: self.name(), why: why.to_string() }
    }
}

/// A key under construction; also a prefix of keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Vec<u8>);

impl Key {
    /// The empty prefix of a table.
    pub(super) fn of(table: Table) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(table as u8);
        Self(bytes)
    }

    /// A part alone, to be put into keys with [`Key::raw`].
    pub(super) fn part() -> Self {
        Self(Vec::new())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first key behind all that begin with this prefix. (No table's byte is `FF`.)
    pub(super) fn end(&self) -> Vec<u8> {
        let mut end = self.0.clone();
        while end.pop_if(|last| *last == u8::MAX).is_some() {}
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        end
    }

    pub(super) fn byte(self, byte: u8) -> Self {
        self.raw(&[byte])
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn id(self, id: Uuid) -> Self {
        self.raw(id.as_bytes())
    }

    pub(super) fn time(self, at: Timestamp) -> Self {
        self.raw(&sortable(at).to_be_bytes())
    }

    /// A time whose later values come first; none comes last.
    pub(super) fn newest_first(self, at: Option<Timestamp>) -> Self {
        self.raw(&at.map_or(u64::MAX, |at| !sortable(at)).to_be_bytes())
    }

    pub(super) fn text(self, text: &str) -> Self {
        const LONGEST: usize = 255;
        const KEPT: usize = 192;
        if text.len() <= LONGEST {
            return self.terminated(text.as_bytes());
        }
        let hash = hex::encode(sha2::Sha256::digest(text.as_bytes()));
        self.terminated(&[&text.as_bytes()[..KEPT], hash.as_bytes()].concat())
    }

    fn terminated(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xff);
            }
        }
        self.raw(&[0, 1])
    }

    pub(super) fn digest(self, digest: &Digest) -> Self {
        let algorithm = if digest.algorithm() == "sha512" { SHA512 } else { SHA256 };
        let mut key = self.byte(algorithm);
        let nibble = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
        key.0.extend(digest.hex().as_bytes().chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])));
        key
    }
}

impl From<Key> for Vec<u8> {
    fn from(key: Key) -> Self {
        key.0
    }
}

const SHA256: u8 = 1;
const SHA512: u8 = 2;

fn sortable(at: Timestamp) -> u64 {
    (at.as_microsecond() as u64) ^ (1 << 63)
}

/// Reads the parts of a key, front to back. `None` where the part is not there.
pub(super) struct Parts<'k>(pub(super) &'k [u8]);

impl<'k> Parts<'k> {
    fn cut(&mut self, length: usize) -> Option<&'k [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.cut(1).map(|part| part[0])
    }

    pub(super) fn id(&mut self) -> Option<Uuid> {
        self.cut(16).and_then(|part| Uuid::from_slice(part).ok())
    }

    /// Passes over a time.
    pub(super) fn time(&mut self) -> Option<()> {
        self.cut(8).map(|_| ())
    }

    /// The bytes of a text with its terminator.
    pub(super) fn text(&mut self) -> Option<&'k [u8]> {
        let mut at = 0;
        loop {
            at += self.0.get(at..)?.iter().position(|&byte| byte == 0)?;
            match self.0.get(at + 1)? {
                0xff => at += 2,
                1 => return self.cut(at + 2),
                _ => return None,
            }
        }
    }

    /// The bytes of a digest, as [`read_digest`] takes them.
    pub(super) fn digest(&mut self) -> Option<&'k [u8]> {
        match *self.0.first()? {
            SHA256 => self.cut(1 + 32),
            SHA512 => self.cut(1 + 64),
            _ => None,
        }
    }
}

/// The digest that [`Key::digest`] wrote.
pub(super) fn read_digest(part: &[u8]) -> Option<Digest> {
    let (algorithm, raw) = part.split_first()?;
    let name = if *algorithm == SHA512 { "sha512" } else { "sha256" };
    format!("{name}:{}", hex::encode(raw)).parse().ok()
}

/// What a cursor leads back into. Part of the cursor, so that one listing refuses the cursor of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Listed {
    Repositories = 1,
    Images,
    Events,
    Scans,
    Dead,
    FindingsBySeverity,
    FindingsByVulnerability,
    FindingsByPackage,
    Finding,
}

/// The longest position that a cursor of ours holds: four texts of 258 bytes, each byte of them escaped, and change.
const LONGEST_POSITION: usize = 4096;

/// A cursor that goes on behind `position`.
pub(super) fn cursor(listed: Listed, position: &[u8]) -> String {
    let bytes = [&[SCHEMA_VERSION as u8, listed as u8], position].concat();
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The position in a cursor of `listed`.
pub(super) fn position(listed: Listed, cursor: Option<&str>) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(cursor) = cursor else { return Ok(None) };
    if cursor.len() > LONGEST_POSITION * 4 / 3 {
        return Err(StoreError::Cursor);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| StoreError::Cursor)?;
    match bytes.split_at_checked(2) {
        Some(([version, kind], position)) if *version == SCHEMA_VERSION as u8 && *kind == listed as u8 => {
            Ok(Some(position.to_vec()))
        }
        _ => Err(StoreError::Cursor),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_key(text: &str) -> Vec<u8> {
        Key::part().text(text).into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn texts_keep_their_order_and_are_cut_where_they_end(a in ".{0,20}", b in "[\0\u{1}a-c]{0,4}", rest: Vec<u8>) {
            prop_assert_eq!(a.cmp(&b), text_key(&a).cmp(&text_key(&b)));
            let joined = [text_key(&b), rest.clone()].concat();
            let (key, mut parts) = (text_key(&b), Parts(&joined));
            prop_assert_eq!((parts.text(), parts.0), (Some(key.as_slice()), rest.as_slice()));
        }

        #[test]
        fn no_bytes_break_the_readers(bytes: Vec<u8>, cursor_text in ".{0,40}") {
            let mut parts = Parts(&bytes);
            while parts.text().is_some() || parts.byte().is_some() {}
            if let Some(digest) = Parts(&bytes).digest() {
                prop_assert!(read_digest(digest).is_some());
            }
            let back = cursor(Listed::Scans, &bytes);
            prop_assert_eq!(position(Listed::Scans, Some(&back)).unwrap(), Some(bytes));
            prop_assert!(position(Listed::Events, Some(&back)).is_err());
            let _ = position(Listed::Events, Some(&cursor_text));
        }
    }

    #[test]
    fn long_texts_stay_apart() {
        let long = "x".repeat(10_000);
        let other = format!("{long}y");
        assert_ne!(text_key(&long), text_key(&other));
        assert!(text_key(&long).len() <= 258);
    }

    #[test]
    fn digests_come_back() {
        for digest in [format!("sha256:{}", "0a".repeat(32)), format!("sha512:{}", "f9".repeat(64))] {
            let digest: Digest = digest.parse().unwrap();
            let key = Key::part().digest(&digest).raw(b"rest");
            let mut parts = Parts(key.bytes());
            let part = parts.digest().unwrap();
            assert_eq!((read_digest(part), parts.0), (Some(digest), b"rest".as_slice()));
        }
    }

    #[test]
    fn times_sort_and_tables_are_told_apart() {
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::now());
        let key = || Key::of(Table::Events);
        assert!(key().time(early) < key().time(late));
        assert!(key().newest_first(Some(late)) < key().newest_first(Some(early)));
        assert!(key().newest_first(Some(early)) < key().newest_first(None));
        for table in Table::ALL {
            assert_eq!(Table::named(table.name()), Some(*table));
            assert_eq!(Table::of(Key::of(*table).bytes()), Some(*table));
        }
    }
}
