//! The advisory database: one mapped file, looked up without parsing. Its layout is told in [`super::format`].

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use memmap2::Mmap;
use sha2::{Digest as _, Sha256};
use shared::report::{AdvisoryStamp, Warning, WarningCode};
use zerocopy::FromBytes;

use super::about::About;
use super::artifacts;
use super::claims::rank;
use super::dossier::Dossier;
use super::format::{self, Cursor, Damaged, FORMAT, Header, MAGIC, Name, NameSlot, Slot};
use super::record::{Entry, Record};
use super::text::{Text, TextReader};
use crate::vendors::base_ecosystem;

/// An advisory database that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is none.
    #[error(
        "there is no advisory database at {0}; build one with `plimsoll advisories update` or `plimsoll advisories import PATH`"
    )]
    Missing(PathBuf),
    /// The file is something else.
    #[error(
        "{0} is not an advisory database; build one with `plimsoll advisories update` or `plimsoll advisories import PATH`"
    )]
    Foreign(PathBuf),
    /// The file was written by another version of Plimsoll.
    #[error(
        "{path} has format {found}, this program reads format {FORMAT}; build it again with `plimsoll advisories update` or `plimsoll advisories import PATH`"
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file ends early.
    #[error("{0} is truncated; build it again with `plimsoll advisories update` or `plimsoll advisories import PATH`")]
    Truncated(PathBuf),
    /// The contents are not what the checksum says.
    #[error(
        "{0} does not have the contents that were written; build it again with `plimsoll advisories update` or `plimsoll advisories import PATH`"
    )]
    Checksum(PathBuf),
    /// The file can be opened and is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The file cannot be read.
    #[error("cannot read the advisory database {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An open database. Any number of threads and processes may read it; it stays whole when its file is replaced.
#[derive(Debug)]
pub struct Database {
    map: Mmap,
    header: Header,
    about: About,
    covered: HashSet<String>,
    stamp: AdvisoryStamp,
    stale_after: Duration,
}

impl Database {
    /// How old a database may be before results say so.
    pub const STALE_AFTER: Duration = Duration::from_secs(48 * 3600);
    const HEADER_LEN: usize = size_of::<Header>();

    /// Maps the file and reads what it says about itself. The checksum is not verified: see [`Database::verify`].
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => DatabaseError::Missing(path.to_owned()),
            _ => DatabaseError::Io { path: path.to_owned(), source },
        };
        let map = map(&File::open(path).map_err(failed)?).map_err(failed)?;
        let header = checked_header(&map, path)?;
        let mut database = Self {
            map,
            header,
            about: About::default(),
            covered: HashSet::new(),
            stamp: AdvisoryStamp {
                version: hex::encode(&header.sha256[..6]),
                built_at: Timestamp::from_second(header.built_at.get())
                    .map_err(|_| Damaged("it was built at no time"))?,
            },
            stale_after: Self::STALE_AFTER,
        };
        database.about = serde_json::from_slice(database.section(Name::About)?)
            .map_err(|_| Damaged("it says nothing about itself"))?;
        database.covered = database.about.ecosystems.keys().cloned().collect();
        Ok(database)
    }

    /// Reads the whole file at `path`, which this is, and compares it with its checksum: done once, by whoever installs
    /// the file. Does not go through the map, so that memory does not fill with pages that nobody asked for.
    pub fn verify(&self, path: &Path) -> Result<(), DatabaseError> {
        let failed = |source| DatabaseError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        file.seek(io::SeekFrom::Start(Self::HEADER_LEN as u64)).map_err(failed)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                read => hash.update(&buffer[..read]),
            }
        }
        let sum: [u8; 32] = hash.finalize().into();
        if sum == self.header.sha256 { Ok(()) } else { Err(DatabaseError::Checksum(path.to_owned())) }
    }

    /// The version and time that results carry.
    pub fn stamp(&self) -> AdvisoryStamp {
        self.stamp.clone()
    }

    /// Its sources and the ecosystems that it covers.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.map.len() as u64
    }

    /// Whether it holds anything for the ecosystem, or, for a release such as `Debian:12`, for `Debian` as a whole.
    pub fn covers(&self, ecosystem: &str) -> bool {
        self.covered.contains(ecosystem) || self.covered.contains(base_ecosystem(ecosystem))
    }

    /// The same database, but stale after `age`.
    #[must_use]
    pub fn stale_after(mut self, age: Duration) -> Self {
        self.stale_after = age;
        self
    }

    /// A warning, `stale-advisories`, if it is older than it may be.
    pub fn staleness(&self, now: Timestamp) -> Option<Warning> {
        let age = now.duration_since(self.stamp.built_at).unsigned_abs();
        (now > self.stamp.built_at && age > self.stale_after).then(|| {
            let message = format!(
                "the advisory database is of {}, {} hours old; run `plimsoll advisories update`",
                self.stamp.built_at,
                age.as_secs() / 3600
            );
            Warning::new(WarningCode::StaleAdvisories, message)
        })
    }

    /// Everything that advisories say about a package: those of the very ecosystem (`Debian:12`), then those that name
    /// it without a release (`Debian`), which hold for every release. The name is normalized already.
    pub fn lookup(&self, ecosystem: &str, name: &str) -> Result<Vec<Entry<'_>>, Damaged> {
        let mut entries = self.entries(ecosystem, name)?;
        let base = base_ecosystem(ecosystem);
        if base != ecosystem {
            entries.extend(self.entries(base, name)?);
        }
        Ok(entries)
    }

    /// What advisories say about a package of the very ecosystem.
    pub fn entries(&self, ecosystem: &str, name: &str) -> Result<Vec<Entry<'_>>, Damaged> {
        let key = format::package_key(ecosystem, name);
        match self.find(Name::Packages, Name::Groups, &key)? {
            Some(mut group) => group.list(Entry::read),
            None => Ok(Vec::new()),
        }
    }

    /// The groups under which advisories name a Maven artifact.
    pub fn groups_of_artifact(&self, artifact: &str) -> Result<Vec<&str>, Damaged> {
        let key = format::package_key(artifacts::ECOSYSTEM, artifact);
        match self.find(Name::Packages, Name::Groups, &key)? {
            Some(mut groups) => groups.texts(),
            None => Ok(Vec::new()),
        }
    }

    /// The advisory with a number.
    pub fn record(&self, number: u32) -> Result<Record<'_>, Damaged> {
        let at = number as usize * size_of::<u64>();
        let offset = self.section(Name::RecordIndex)?.get(at..).and_then(|index| index.first_chunk());
        let offset = u64::from_le_bytes(*offset.ok_or(Damaged("an advisory is not in the index"))?);
        Record::read(Cursor::at(self.section(Name::Records)?, offset)?)
    }

    /// The number of an id or alias, if any advisory has it.
    pub fn number_of(&self, name: &str) -> Result<Option<u32>, Damaged> {
        let (mut low, mut high) = (0, self.name_index()?.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            match rank(self.name(middle)?).cmp(&rank(name)) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(Some(middle)),
                Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// The id or alias with a number.
    pub fn name(&self, number: u32) -> Result<&str, Damaged> {
        self.name_at(number)?.text()
    }

    /// The numbers of the advisories that have a name.
    pub fn records_named(&self, number: u32) -> Result<Vec<u32>, Damaged> {
        let mut name = self.name_at(number)?;
        name.bytes()?;
        name.list(Cursor::small_number)
    }

    /// All that is known about the vulnerability with this canonical name; `None` for names that are not canonical.
    pub fn dossier(&self, number: u32) -> Result<Option<Dossier<'_>>, Damaged> {
        let Some(offset) = self.name_slot(number)?.dossier.get().checked_sub(1) else { return Ok(None) };
        Dossier::read(&mut Cursor::at(self.section(Name::Dossiers)?, offset)?).map(Some)
    }

    /// What people read of a vulnerability.
    pub fn text(&self, dossier: &Dossier<'_>, reader: &mut TextReader) -> Result<Text, Damaged> {
        let (offset, len) = dossier.text;
        if len == 0 {
            return Ok(Text::default());
        }
        reader.decode(slice(self.section(Name::Texts)?, offset, len)?)
    }

    fn name_index(&self) -> Result<&[NameSlot], Damaged> {
        <[NameSlot]>::ref_from_bytes(self.section(Name::Index)?).map_err(|_| Damaged("the index of names is broken"))
    }

    fn name_slot(&self, number: u32) -> Result<&NameSlot, Damaged> {
        self.name_index()?.get(number as usize).ok_or(Damaged("a name is not in the index"))
    }

    fn name_at(&self, number: u32) -> Result<Cursor<'_>, Damaged> {
        Cursor::at(self.section(Name::Names)?, self.name_slot(number)?.name.get())
    }

    /// What `values` has behind `key`, by way of the hash table `slots`.
    fn find(&self, slots: Name, values: Name, key: &str) -> Result<Option<Cursor<'_>>, Damaged> {
        let slots = <[Slot]>::ref_from_bytes(self.section(slots)?).map_err(|_| Damaged("a table has a broken end"))?;
        let values = self.section(values)?;
        for offset in format::probe(slots, format::hash(key.as_bytes())) {
            let mut value = Cursor::at(values, offset)?;
            if value.bytes()? == key.as_bytes() {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn section(&self, name: Name) -> Result<&[u8], Damaged> {
        let section = self.header.sections[name as usize];
        let body = self.map.get(Self::HEADER_LEN..).unwrap_or_default();
        slice(body, section.offset.get(), section.len.get())
    }
}

fn slice(bytes: &[u8], offset: u64, len: u64) -> Result<&[u8], Damaged> {
    let range = || Some(usize::try_from(offset).ok()?..usize::try_from(offset.checked_add(len)?).ok()?);
    range().and_then(|range| bytes.get(range)).ok_or(Damaged("an offset leads out of the file"))
}

/// The header, if the file is a database of this format and as long as it says.
fn checked_header(map: &[u8], path: &Path) -> Result<Header, DatabaseError> {
    if !map.starts_with(&MAGIC) {
        return Err(DatabaseError::Foreign(path.to_owned()));
    }
    let format = map.get(MAGIC.len()..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
    match format {
        Some(FORMAT) => {}
        Some(found) => return Err(DatabaseError::OtherFormat { path: path.to_owned(), found }),
        None => return Err(DatabaseError::Truncated(path.to_owned())),
    }
    match Header::read_from_prefix(map) {
        Ok((header, body)) if header.body_len.get() == body.len() as u64 => Ok(header),
        _ => Err(DatabaseError::Truncated(path.to_owned())),
    }
}

#[expect(unsafe_code, reason = "mapping a file is what lets every process share its pages; see the comment within")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is sound as long as nobody changes or shortens the file under it. Plimsoll never writes to a
    // database in place: a new one is a new file, renamed over the old one's name, and the old one's pages stay with
    // this map. Whoever else can write to the data folder can also replace the program. Bytes are read as bytes, numbers
    // and checked UTF-8 alone, never as types with invalid values.
    unsafe { Mmap::map(file) }
}
