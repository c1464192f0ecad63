//! From records to the database file. Memory holds one record, the tables, and the packages' entries; texts go to the
//! file as they come.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write as _};
use std::mem::offset_of;
use std::path::Path;
use std::rc::Rc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use zerocopy::IntoBytes;

use super::about::{About, Reason};
use super::format::{self, FORMAT, Header, MAGIC, Name, Section, Slot, Write};
use super::osv;
use super::prepare::{Affected, Prepared};
use super::text::Text;

/// Writes one database file.
pub(super) struct Builder {
    file: BufWriter<File>,
    hash: Sha256,
    at: u64,
    header: Header,
    compressor: zstd::bulk::Compressor<'static>,
    names: Interned,
    ecosystems: Interned,
    packages: Interned,
    records: Vec<Kept>,
    by_id: HashMap<String, Vec<u32>>,
    stored: Vec<u8>,
    entries: Vec<StoredEntry>,
    entry_bytes: Vec<u8>,
    superseded: HashSet<(u32, u32)>,
}

/// A record in work.
struct Kept {
    source: usize,
    id: String,
    modified: String,
    withdrawn: bool,
    /// Where it begins in `stored`.
    offset: u64,
    /// Its id, aliases and upstream ids, interned.
    names: Vec<u32>,
    /// Its ecosystems without their releases, interned.
    ecosystems: Vec<u32>,
}

/// What one record says about one package.
struct StoredEntry {
    package: u32,
    record: u32,
    ecosystem: u32,
    start: usize,
    end: usize,
}

/// A record that gave way to a newer one of the same id.
pub(super) struct Superseded {
    pub(super) source: usize,
    pub(super) id: String,
    pub(super) withdrawn: bool,
}

impl Builder {
    /// Begins the file at `path`, which is replaced.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
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
        Ok(Self {
            file,
            hash: Sha256::new(),
            at: 0,
            header,
            compressor: zstd::bulk::Compressor::new(Text::LEVEL)?,
            names: Interned::default(),
            ecosystems: Interned::default(),
            packages: Interned::default(),
            records: Vec::new(),
            by_id: HashMap::new(),
            stored: Vec::new(),
            entries: Vec::new(),
            entry_bytes: Vec::new(),
            superseded: HashSet::new(),
        })
    }

    /// Adds a record of the source with number `source`. What is left out of it, and why, is in the answer: the reason
    /// alone where nothing is left.
    pub(super) fn add(&mut self, source: usize, record: &osv::Record) -> io::Result<Result<BTreeSet<Reason>, Reason>> {
        let mut prepared = match Prepared::new(record) {
            Ok(prepared) => prepared,
            Err(reason) => return Ok(Err(reason)),
        };
        let number = self.records.len() as u32;
        prepared.record.source = source;
        prepared.record.text = self.write_text(&prepared.text)?;
        let kept = Kept {
            source,
            id: record.id.clone(),
            modified: record.modified.clone(),
            withdrawn: record.is_withdrawn(),
            offset: self.stored.len() as u64,
            names: prepared.names().map(|name| self.names.number(name)).collect(),
            ecosystems: prepared.ecosystems().iter().map(|base| self.ecosystems.number(base)).collect(),
        };
        prepared.record.store(&mut self.stored);
        self.supersede(number, &kept);
        self.records.push(kept);
        for affected in prepared.affected {
            self.add_entry(number, affected);
        }
        Ok(Ok(prepared.left_out))
    }

    fn write_text(&mut self, text: &Text) -> io::Result<(u64, u64)> {
        if text.is_empty() {
            return Ok((0, 0));
        }
        let frame = self.compressor.compress(&text.encode())?;
        let place = (self.at, frame.len() as u64);
        self.write(&frame)?;
        Ok(place)
    }

    fn add_entry(&mut self, record: u32, mut affected: Affected<'_>) {
        let start = self.entry_bytes.len();
        affected.entry.record = record;
        affected.entry.store(&mut self.entry_bytes);
        self.entries.push(StoredEntry {
            package: self.packages.number(&affected.key),
            record,
            ecosystem: self.ecosystems.number(affected.base),
            start,
            end: self.entry_bytes.len(),
        });
    }

    /// Among records of one id, the newest speaks for an ecosystem; of equally new ones the first.
    /// (Sources publish a record once for each of its ecosystems, and two sources may use one id for different packages.)
    fn supersede(&mut self, number: u32, new: &Kept) {
        let same_id = self.by_id.entry(new.id.clone()).or_default();
        for &other in same_id.iter() {
            let old = &self.records[other as usize];
            let loser = if new.modified > old.modified { other } else { number };
            for ecosystem in new.ecosystems.iter().filter(|ecosystem| old.ecosystems.contains(ecosystem)) {
                self.superseded.insert((loser, *ecosystem));
            }
        }
        same_id.push(number);
    }

    fn is_superseded(&self, number: u32) -> bool {
        let record = &self.records[number as usize];
        record.ecosystems.iter().all(|ecosystem| self.superseded.contains(&(number, *ecosystem)))
    }

    /// The records that have nothing left to say.
    pub(super) fn superseded(&self) -> Vec<Superseded> {
        (0..self.records.len() as u32)
            .filter(|number| !self.superseded.is_empty() && self.is_superseded(*number))
            .map(|number| &self.records[number as usize])
            .map(|record| Superseded { source: record.source, id: record.id.clone(), withdrawn: record.withdrawn })
            .collect()
    }

    /// Writes the tables and the header, and flushes the file to disk.
    pub(super) fn finish(mut self, mut about: About, built_at: Timestamp) -> io::Result<()> {
        self.close_section(Name::Texts, 0);
        let stored = std::mem::take(&mut self.stored);
        self.section(Name::Records, &stored)?;
        let index: Vec<u8> = self.records.iter().flat_map(|record| record.offset.to_le_bytes()).collect();
        self.section(Name::RecordIndex, &index)?;
        self.write_groups(&mut about)?;
        self.write_postings()?;
        let about = serde_json::to_vec(&about)?;
        self.section(Name::About, &about)?;
        self.header.built_at = built_at.as_second().into();
        self.header.body_len = self.at.into();
        self.header.sha256 = self.hash.finalize_reset().into();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(self.header.as_bytes())?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }

    fn write_groups(&mut self, about: &mut About) -> io::Result<()> {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|entry| !self.superseded.contains(&(entry.record, entry.ecosystem)));
        entries.sort_by_key(|entry| (entry.package, entry.record));
        let mut groups = Vec::new();
        let mut slots = Vec::new();
        for group in entries.chunk_by(|a, b| a.package == b.package) {
            let key = self.packages.text(group[0].package);
            slots.push((format::hash(key.as_bytes()), groups.len() as u64));
            if let Some((ecosystem, _)) = key.split_once('\0') {
                *about.ecosystems.entry(ecosystem.to_owned()).or_default() += group.len() as u64;
            }
            groups.put_text(key);
            groups.put_number(group.len() as u64);
            for entry in group {
                groups.extend_from_slice(&self.entry_bytes[entry.start..entry.end]);
            }
        }
        self.section(Name::Groups, &groups)?;
        self.table(Name::Packages, &slots)
    }

    fn write_postings(&mut self) -> io::Result<()> {
        let mut pairs: Vec<(u32, u32)> = (0..self.records.len() as u32)
            .filter(|number| !self.is_superseded(*number))
            .flat_map(|number| self.records[number as usize].names.iter().map(move |name| (*name, number)))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut postings = Vec::new();
        let mut slots = Vec::new();
        for posting in pairs.chunk_by(|a, b| a.0 == b.0) {
            let name = self.names.text(posting[0].0);
            slots.push((format::hash(name.as_bytes()), postings.len() as u64));
            postings.put_text(name);
            postings.put_number(posting.len() as u64);
            posting.iter().for_each(|(_, record)| postings.put_number(u64::from(*record)));
        }
        self.section(Name::Postings, &postings)?;
        self.table(Name::Ids, &slots)
    }

    fn table(&mut self, name: Name, entries: &[(u64, u64)]) -> io::Result<()> {
        let slots: Vec<Slot> = format::table(entries.iter().copied());
        self.section(name, slots.as_bytes())
    }

    fn section(&mut self, name: Name, bytes: &[u8]) -> io::Result<()> {
        let start = self.at;
        self.write(bytes)?;
        self.close_section(name, start);
        Ok(())
    }

    fn close_section(&mut self, name: Name, start: u64) {
        self.header.sections[name as usize] = Section { offset: start.into(), len: (self.at - start).into() };
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        self.file.write_all(bytes)
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

/// Texts by number, in the order in which they came.
#[derive(Default)]
struct Interned {
    numbers: HashMap<Rc<str>, u32>,
    texts: Vec<Rc<str>>,
}

impl Interned {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        let text: Rc<str> = text.into();
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }

    fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}
