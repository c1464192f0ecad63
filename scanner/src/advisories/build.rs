//! From records to the database file. Memory holds one record, numbers, names, and the packages' entries; texts wait in a
//! file without a name until it is known which of them are the best.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write as _};
use std::mem::offset_of;
use std::ops::Range;
use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use shared::finding::Severity;
use zerocopy::IntoBytes;

use super::about::{About, Reason};
use super::artifacts::Artifacts;
use super::claims::{Claims, claims, is_cve};
use super::format::{self, FORMAT, Header, MAGIC, Name, NameSlot, Section, Slot, Write};
use super::gather::{Gatherer, Order};
use super::interned::Interned;
use super::osv;
use super::prepare::{Affected, Prepared};
use super::rating::{Rating, Vector};
use super::record::NewRecord;
use super::tables::Tables;
use super::text::Spool;

/// Collects the records of a database.
pub(super) struct Builder {
    texts: Spool,
    pub(super) names: Interned,
    words: Interned,
    ecosystems: Interned,
    packages: Interned,
    pub(super) records: Vec<Kept>,
    /// What records have lists of.
    lists: Vec<u32>,
    entries: Vec<StoredEntry>,
    entry_bytes: Vec<u8>,
    superseded: HashSet<(u32, u32)>,
}

/// A record in work. Names, words and ecosystems by number.
pub(super) struct Kept {
    source: u32,
    pub(super) id: u32,
    aliases: Range<u32>,
    upstream: Range<u32>,
    /// Its ecosystems without their releases.
    ecosystems: Range<u32>,
    pub(super) published: u32,
    pub(super) modified: u32,
    pub(super) withdrawn: bool,
    rating: KeptRating,
    /// Where its text is in the spool.
    pub(super) text: (u64, u64),
}

/// [`Rating`], with the text of its vector by number.
struct KeptRating {
    vector: Option<(u8, u8, u32)>,
    bare: Option<u8>,
    word: Option<Severity>,
}

/// What one record says about one package.
struct StoredEntry {
    package: u32,
    record: u32,
    ecosystem: u32,
    end: usize,
}

/// A record that gave way to a newer one of the same id.
pub(super) struct Superseded {
    pub(super) source: usize,
    pub(super) id: String,
    pub(super) withdrawn: bool,
}

impl Builder {
    /// Begins with nothing. Texts wait in `folder`.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            texts: Spool::new(folder)?,
            names: Interned::default(),
            words: Interned::default(),
            ecosystems: Interned::default(),
            packages: Interned::default(),
            records: Vec::new(),
            lists: Vec::new(),
            entries: Vec::new(),
            entry_bytes: Vec::new(),
            superseded: HashSet::new(),
        })
    }

    /// Adds a record of the source with number `source`. What is left out of it, and why, is in the answer: the reason
    /// alone where nothing is left.
    pub(super) fn add(&mut self, source: usize, record: &osv::Record) -> io::Result<Result<BTreeSet<Reason>, Reason>> {
        let prepared = match Prepared::new(record) {
            Ok(prepared) => prepared,
            Err(reason) => return Ok(Err(reason)),
        };
        let number = self.records.len() as u32;
        let ecosystems = prepared.ecosystems();
        let kept = Kept {
            source: source as u32,
            id: self.names.number(&record.id),
            aliases: list(&mut self.lists, &mut self.names, record.aliases.iter().map(String::as_str)),
            upstream: list(&mut self.lists, &mut self.names, prepared.upstream.iter().copied()),
            ecosystems: list(&mut self.lists, &mut self.ecosystems, ecosystems.into_iter()),
            published: self.words.number(&record.published),
            modified: self.words.number(&record.modified),
            withdrawn: record.is_withdrawn(),
            rating: self.keep_rating(prepared.rating),
            text: self.texts.put(&prepared.text)?,
        };
        self.records.push(kept);
        for affected in prepared.affected {
            self.add_entry(number, affected);
        }
        Ok(Ok(prepared.left_out))
    }

    fn keep_rating(&mut self, Rating { vector, bare, word }: Rating<'_>) -> KeptRating {
        let vector = vector.map(|v| (v.version, v.tenths, self.words.number(v.text)));
        KeptRating { vector, bare, word }
    }

    /// How bad a record says that it is.
    pub(super) fn rating(&self, record: &Kept) -> Rating<'_> {
        let KeptRating { vector, bare, word } = record.rating;
        let vector = vector.map(|(version, tenths, text)| Vector { version, tenths, text: self.words.text(text) });
        Rating { vector, bare, word }
    }

    /// A time by number.
    pub(super) fn time(&self, number: u32) -> &str {
        self.words.text(number)
    }

    fn add_entry(&mut self, record: u32, mut affected: Affected<'_>) {
        affected.entry.record = record;
        affected.entry.store(&mut self.entry_bytes);
        self.entries.push(StoredEntry {
            package: self.packages.number(&affected.key),
            record,
            ecosystem: self.ecosystems.number(affected.base),
            end: self.entry_bytes.len(),
        });
    }

    fn list(&self, range: &Range<u32>) -> &[u32] {
        &self.lists[range.start as usize..range.end as usize]
    }

    /// Among records of one id, the newest speaks for an ecosystem; of equally new ones the first.
    /// (Sources publish a record once for each of its ecosystems, and two sources may use one id for different packages.)
    /// The answer is the records that have nothing left to say.
    pub(super) fn supersede(&mut self) -> Vec<Superseded> {
        let mut newest: HashMap<(u32, u32), u32> = HashMap::new();
        let mut superseded = HashSet::new();
        for number in 0..self.records.len() as u32 {
            let record = &self.records[number as usize];
            for &ecosystem in self.list(&record.ecosystems) {
                let best = newest.entry((record.id, ecosystem)).or_insert(number);
                if *best == number {
                    continue;
                }
                let is_newer = self.time(record.modified) > self.time(self.records[*best as usize].modified);
                let loser = if is_newer { std::mem::replace(best, number) } else { number };
                superseded.insert((loser, ecosystem));
            }
        }
        self.superseded = superseded;
        (0..self.records.len() as u32)
            .filter(|number| self.is_superseded(*number))
            .map(|number| &self.records[number as usize])
            .map(|record| Superseded {
                source: record.source as usize,
                id: self.names.text(record.id).to_owned(),
                withdrawn: record.withdrawn,
            })
            .collect()
    }

    fn is_superseded(&self, number: u32) -> bool {
        let ecosystems = || self.list(&self.records[number as usize].ecosystems).iter();
        !self.superseded.is_empty() && ecosystems().all(|ecosystem| self.superseded.contains(&(number, *ecosystem)))
    }

    /// Writes the file at `path`, which is replaced, and flushes it to disk.
    pub(super) fn finish(
        mut self,
        path: &Path,
        mut about: About,
        tables: &Tables,
        built_at: Timestamp,
    ) -> io::Result<()> {
        self.texts.flush()?;
        let mut writer = Writer::create(path)?;
        let order = Order::of(&self.names, self.postings());
        let claims = self.claims(&order);
        self.write_records(&mut writer, &order, &claims)?;
        write_packages(&mut self, &mut writer, &mut about)?;
        Gatherer { builder: &self, order: &order, claims: &claims, tables }.write(&mut writer)?;
        writer.section(Name::About, &serde_json::to_vec(&about)?)?;
        writer.finish(built_at)
    }

    /// Names, by number, with the records that have them. Superseded ones are left out.
    fn postings(&self) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for number in (0..self.records.len() as u32).filter(|number| !self.is_superseded(*number)) {
            pairs.extend(self.names_of(&self.records[number as usize]).map(|name| (name, number)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    fn names_of(&self, record: &Kept) -> impl Iterator<Item = u32> {
        let lists = [&record.aliases, &record.upstream].into_iter().flat_map(|range| self.list(range));
        [record.id].into_iter().chain(lists.copied())
    }

    /// What each record is about.
    fn claims(&self, order: &Order) -> Claims {
        let is_a_cve = |name| is_cve(self.names.text(name));
        let own = self
            .records
            .iter()
            .map(|record| claims(record.id, self.list(&record.aliases), self.list(&record.upstream), is_a_cve));
        Claims::of(own).with_cves(is_a_cve, |name| Box::new(self.speakers(order, name)))
    }

    /// The records, neither withdrawn nor superseded, that have a name; each with its id.
    pub(super) fn speakers<'s>(&'s self, order: &'s Order, name: u32) -> impl Iterator<Item = (u32, u32)> + 's {
        let records = order.records(name).map(|number| (number, &self.records[number as usize]));
        records.filter(|(_, record)| !record.withdrawn).map(|(number, record)| (number, record.id))
    }

    fn write_records(&self, writer: &mut Writer, order: &Order, claims: &Claims) -> io::Result<()> {
        let mut index = Vec::new();
        let mut bytes = Vec::new();
        for (number, record) in self.records.iter().enumerate() {
            index.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            NewRecord {
                id: self.names.text(record.id),
                withdrawn: record.withdrawn,
                rating: self.rating(record),
                claims: claims.of_record(number as u32).map(|claim| order.renumber(claim)).collect(),
                names: self.names_of(record).map(|name| order.place(name)).collect(),
            }
            .store(&mut bytes);
        }
        writer.section(Name::Records, &bytes)?;
        writer.section(Name::RecordIndex, &index)
    }

    /// A text, compressed, from its place in the spool.
    pub(super) fn text(&self, place: (u64, u64)) -> io::Result<Vec<u8>> {
        self.texts.get(place)
    }
}

/// The numbers of `texts`, as a list among `lists`.
fn list<'t>(lists: &mut Vec<u32>, names: &mut Interned, texts: impl Iterator<Item = &'t str>) -> Range<u32> {
    let start = lists.len() as u32;
    lists.extend(texts.map(|text| names.number(text)));
    start..lists.len() as u32
}

/// Writes the groups and their table, and gives the memory of the entries back.
fn write_packages(builder: &mut Builder, writer: &mut Writer, about: &mut About) -> io::Result<()> {
    let entries = std::mem::take(&mut builder.entries);
    let bytes = std::mem::take(&mut builder.entry_bytes);
    let start = |number: u32| number.checked_sub(1).map_or(0, |before| entries[before as usize].end);
    let is_current = |entry: &StoredEntry| !builder.superseded.contains(&(entry.record, entry.ecosystem));
    let mut sorted: Vec<u32> = (0..entries.len() as u32).filter(|n| is_current(&entries[*n as usize])).collect();
    sorted.sort_unstable_by_key(|number| (entries[*number as usize].package, *number));
    let mut ecosystems = BTreeMap::new();
    let mut groups = Vec::new();
    let mut slots = Vec::new();
    let mut artifacts = Artifacts::default();
    for group in sorted.chunk_by(|a, b| entries[*a as usize].package == entries[*b as usize].package) {
        let key = builder.packages.text(entries[group[0] as usize].package);
        slots.push((format::hash(key.as_bytes()), groups.len() as u64));
        if let Some((ecosystem, name)) = key.split_once('\0') {
            artifacts.note(ecosystem, name);
            *ecosystems.entry(ecosystem).or_insert(0) += group.len() as u64;
        }
        groups.put_text(key);
        groups.put_number(group.len() as u64);
        for &number in group {
            groups.extend_from_slice(&bytes[start(number)..entries[number as usize].end]);
        }
    }
    artifacts.store(&mut groups, &mut slots);
    about.ecosystems = ecosystems.into_iter().map(|(ecosystem, count)| (ecosystem.to_owned(), count)).collect();
    writer.section(Name::Groups, &groups)?;
    let slots: Vec<Slot> = format::table(slots.iter().copied());
    writer.section(Name::Packages, slots.as_bytes())
}

/// Writes one database file.
pub(super) struct Writer {
    file: BufWriter<File>,
    hash: Sha256,
    /// Bytes of the body so far.
    pub(super) at: u64,
    header: Header,
}

impl Writer {
    fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let header = Header {
            magic: MAGIC,
            format: FORMAT.into(),
            built_at: 0.into(),
            sha256: [0; 32],
            body_len: 0.into(),
            sections: [Section::default(); Name::COUNT],
        };
        file.write_all(header.as_bytes())?;
        Ok(Self { file, hash: Sha256::new(), at: 0, header })
    }

    /// Writes a whole section.
    pub(super) fn section(&mut self, name: Name, bytes: &[u8]) -> io::Result<()> {
        let start = self.at;
        self.write(bytes)?;
        self.close_section(name, start);
        Ok(())
    }

    /// Writes the index of names.
    pub(super) fn name_index(&mut self, slots: &[NameSlot]) -> io::Result<()> {
        self.section(Name::Index, slots.as_bytes())
    }

    /// Ends a section that was written piece by piece from `start` on.
    pub(super) fn close_section(&mut self, name: Name, start: u64) {
        self.header.sections[name as usize] = Section { offset: start.into(), len: (self.at - start).into() };
    }

    /// Writes a piece of a section.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn finish(mut self, built_at: Timestamp) -> io::Result<()> {
        self.header.built_at = built_at.as_second().into();
        self.header.body_len = self.at.into();
        self.header.sha256 = self.hash.finalize_reset().into();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(self.header.as_bytes())?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}

/// Copies the database at `from` to `to`, with another time of building.
pub(super) fn restamp(from: &Path, to: &Path, built_at: Timestamp) -> io::Result<()> {
    std::fs::copy(from, to)?;
    let mut file = File::options().write(true).open(to)?;
    file.seek(SeekFrom::Start(offset_of!(Header, built_at) as u64))?;
    file.write_all(&built_at.as_second().to_le_bytes())?;
    file.sync_all()
}
