//! Tables of CVEs from elsewhere: which are exploited, how likely that is, and how bad they are. They are kept beside the
//! records and told apart by what is in them, whatever they are called and whether they come as they are, as gzip or as a
//! zip of one file.

mod cvss;
mod epss;
mod kev;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::finding::{Epss, KnownExploited};

use super::about::{Reason, TableReport};
use super::rating::Vector;
use super::zips;

/// What a table says of CVEs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// CISA's catalogue of known exploited vulnerabilities: `known_exploited_vulnerabilities.json`.
    Kev,
    /// FIRST's probabilities of exploitation: `epss_scores-YYYY-MM-DD.csv.gz`.
    Epss,
    /// CVSS vectors: a table with the columns `cve` and `vector`.
    Cvss,
}

impl TableKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kev, Self::Epss, Self::Cvss];

    /// The lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kev => "kev",
            Self::Epss => "epss",
            Self::Cvss => "cvss",
        }
    }

    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Kev => "known exploited vulnerabilities (KEV)",
            Self::Epss => "probabilities of exploitation (EPSS)",
            Self::Cvss => "CVSS vectors",
        }
    }

    /// What a file holds, if it is a table. A file that cannot be unpacked is none.
    pub(super) fn of_file(path: &Path) -> io::Result<Option<Self>> {
        Ok(contents(path)?.and_then(|bytes| Self::of(&bytes)))
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        if kev::is_catalogue(bytes) {
            return Some(Self::Kev);
        }
        let header = Rows::of(bytes).header?;
        let has = |columns: &[&str]| columns.iter().all(|column| header.contains(column));
        match () {
            () if has(&epss::COLUMNS) => Some(Self::Epss),
            () if has(&cvss::COLUMNS) => Some(Self::Cvss),
            () => None,
        }
    }
}

/// What all tables say.
#[derive(Debug, Default)]
pub(super) struct Tables {
    exploited: HashMap<Cve, KnownExploited>,
    epss: HashMap<Cve, Epss>,
    vectors: HashMap<Cve, OwnedVector>,
}

#[derive(Debug)]
struct OwnedVector {
    version: u8,
    tenths: u8,
    text: Box<str>,
}

impl OwnedVector {
    fn borrow(&self) -> Vector<'_> {
        Vector { version: self.version, tenths: self.tenths, text: &self.text }
    }
}

impl Tables {
    /// Reads the table in a file. Each row is counted, whatever becomes of it.
    pub(super) fn read(&mut self, kind: TableKind, path: &Path) -> io::Result<TableReport> {
        let bytes = contents(path)?.unwrap_or_default();
        let mut report = TableReport::new(kind, zips::sha256(path)?);
        self.read_bytes(kind, &bytes, &mut report);
        Ok(report)
    }

    /// The same of a table in memory.
    pub(super) fn read_bytes(&mut self, kind: TableKind, bytes: &[u8], report: &mut TableReport) {
        match kind {
            TableKind::Kev => kev::read(bytes, &mut self.exploited, report),
            TableKind::Epss => epss::read(bytes, &mut self.epss, report),
            TableKind::Cvss => cvss::read(bytes, &mut self.vectors, report),
        }
    }

    /// The first of these CVEs that is in the catalogue.
    pub(super) fn exploited<'n>(&self, cves: impl Iterator<Item = &'n str>) -> Option<&KnownExploited> {
        cves.filter_map(Cve::parse).find_map(|cve| self.exploited.get(&cve))
    }

    /// The highest probability of these CVEs.
    pub(super) fn epss<'n>(&self, cves: impl Iterator<Item = &'n str>) -> Option<Epss> {
        let known = cves.filter_map(|cve| self.epss.get(&Cve::parse(cve)?));
        known.copied().max_by(|a, b| a.score.total_cmp(&b.score))
    }

    /// The best vector of these CVEs.
    pub(super) fn vector<'n>(&self, cves: impl Iterator<Item = &'n str>) -> Option<Vector<'_>> {
        let known = cves.filter_map(|cve| self.vectors.get(&Cve::parse(cve)?));
        known.map(OwnedVector::borrow).max_by_key(|vector| (vector.version, vector.tenths))
    }
}

/// `CVE-2021-44228` as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cve(u64);

impl Cve {
    fn parse(id: &str) -> Option<Self> {
        let (year, number) = id.strip_prefix("CVE-")?.split_once('-')?;
        let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| -> Option<u64> {
            let is_number = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        Some(Self(digits(year, 4..=4)? * 1_000_000_000_000 + digits(number, 4..=12)?))
    }
}

/// Unpacked, no table is larger: EPSS has 10 MB.
const MAX_LEN: u64 = 256 << 20;

/// What is in a file, unpacked; `None` for a zip of several files and for what cannot be unpacked.
fn contents(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    let file = File::open(path)?;
    let bytes = match start.as_slice() {
        [b'P', b'K', ..] => return Ok(zips::only_file(path, MAX_LEN).ok().flatten()),
        [0x1f, 0x8b, ..] => unpacked(flate2::read::MultiGzDecoder::new(file)),
        _ => unpacked(file),
    };
    Ok(bytes.ok().flatten())
}

fn unpacked(file: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_LEN).then_some(bytes))
}

/// A table as text: values between commas, the first row naming the columns, comments before it. None of the tables
/// that are read has a value with a comma in it.
struct Rows<'t> {
    comment: Option<&'t str>,
    header: Option<Vec<&'t str>>,
    rows: std::str::Lines<'t>,
}

impl<'t> Rows<'t> {
    fn of(bytes: &'t [u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let mut rows = text.trim_start_matches('\u{feff}').lines();
        let mut comment = None;
        let mut first = rows.next();
        while let Some(line) = first.filter(|line| line.starts_with('#')) {
            comment = Some(line);
            first = rows.next();
        }
        Self { comment, header: first.map(|line| values(line).collect()), rows }
    }

    /// The value of each of `columns` in each row; `None` where the row has too few.
    fn each<const N: usize>(self, columns: [&str; N], mut visit: impl FnMut(&'t str, Option<[&'t str; N]>)) {
        let header = self.header.unwrap_or_default();
        let places = columns.map(|column| header.iter().position(|name| *name == column));
        for line in self.rows.filter(|line| !line.trim().is_empty()) {
            let row: Vec<&str> = values(line).collect();
            let found = places.map(|place| place.and_then(|place| row.get(place).copied()));
            let whole = found.iter().all(Option::is_some).then(|| found.map(Option::unwrap_or_default));
            visit(line, whole);
        }
    }
}

fn values(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|value| value.trim().trim_matches('"'))
}

/// Notes in `report` what became of a row.
fn count(report: &mut TableReport, row: &str, outcome: Result<(), Reason>) {
    report.read += 1;
    match outcome {
        Ok(()) => report.kept += 1,
        Err(reason) => report.skip(reason, row),
    }
}

#[cfg(test)]
mod tests;
