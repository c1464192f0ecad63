//! Taking records in, and building the database from all that is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::about::{About, Reason, SourceReport, TableReport};
use super::build::Builder;
use super::database::Database;
use super::folder::{self, AdvisoriesError, Folder, Lock, Progress};
use super::osv;
use super::tables::{TableKind, Tables};
use super::zips::{self, Content, RecordZip};

/// What a build made of the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Version of the new database.
    pub version: String,
    /// Size of its file in bytes.
    pub size: u64,
    /// One for each source that it is built from, those of earlier imports included.
    pub sources: Vec<SourceReport>,
    /// One for each table of CVEs that it is built from.
    pub tables: Vec<TableReport>,
}

impl ImportReport {
    /// The report of a database that is built.
    pub(super) fn of(database: &Database) -> Self {
        let About { sources, tables, .. } = database.about().clone();
        Self { version: database.stamp().version, size: database.size(), sources, tables }
    }

    /// Records read and records kept, of all sources.
    pub fn totals(&self) -> (u64, u64) {
        self.sources.iter().fold((0, 0), |(read, kept), source| (read + source.read, kept + source.kept))
    }
}

impl Folder {
    /// Takes in zips, single records (`.json`), tables of CVEs, and folders of all these, then builds the database from
    /// every source and table. A zip replaces the source of its name, a table the one of its kind; loose records become
    /// a source named after their folder or file.
    pub fn import(&self, paths: &[PathBuf], progress: &dyn Fn(Progress)) -> Result<ImportReport, AdvisoriesError> {
        let lock = self.lock()?;
        for path in paths {
            self.take_in(path)?;
        }
        self.rebuild(&lock, progress)
    }

    fn take_in(&self, path: &Path) -> Result<(), AdvisoriesError> {
        let mut taken = false;
        let mut records = Vec::new();
        for file in folder::contents(path)? {
            match file.extension().and_then(|extension| extension.to_str()) {
                _ if self.take_table(&file)? => taken = true,
                Some("zip") => {
                    self.take_zip(&file)?;
                    taken = true;
                }
                Some("json") => records.push(file),
                _ => {}
            }
        }
        match records.as_slice() {
            [] if taken => Ok(()),
            [] => Err(AdvisoriesError::NothingThere(path.to_owned())),
            records => self.take_records(&name_of_records(path)?, records),
        }
    }

    /// Takes a file in if it is a table.
    fn take_table(&self, path: &Path) -> Result<bool, AdvisoriesError> {
        let Some(kind) = TableKind::of_file(path).map_err(AdvisoriesError::io(path))? else { return Ok(false) };
        let copy = |part: &Path| fs::copy(path, part).map(drop);
        self.put(kind.as_str(), "table", copy).map_err(AdvisoriesError::io(path))?;
        Ok(true)
    }

    fn take_zip(&self, path: &Path) -> Result<(), AdvisoriesError> {
        RecordZip::open(path).map_err(AdvisoriesError::io(path))?;
        let copy = |part: &Path| fs::copy(path, part).map(drop);
        self.put(&stem(path)?, "zip", copy).map_err(AdvisoriesError::io(path))
    }

    fn take_records(&self, name: &str, records: &[PathBuf]) -> Result<(), AdvisoriesError> {
        self.put(name, "zip", |part| zips::write(part, records)).map_err(AdvisoriesError::io(&records[0]))
    }

    /// Installs what `write` writes as `name.extension`. What the server called an earlier download is forgotten.
    fn put(&self, name: &str, extension: &str, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let sources = self.sources_path();
        let part = sources.join(format!("{name}.new"));
        write(&part)?;
        match fs::remove_file(sources.join(format!("{name}.http"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => folder::install(&part, &sources.join(format!("{name}.{extension}"))),
        }
    }

    /// Builds the database from every source, checks it, and installs it.
    pub(super) fn rebuild(&self, _lock: &Lock, progress: &dyn Fn(Progress)) -> Result<ImportReport, AdvisoriesError> {
        let sources = self.sources()?;
        let (tables, table_reports) = self.tables()?;
        if sources.is_empty() && table_reports.is_empty() {
            return Err(AdvisoriesError::NoSources(self.sources_path()));
        }
        let mut builder = Builder::new(&self.sources_path()).map_err(AdvisoriesError::io(&self.sources_path()))?;
        let mut reports = Vec::new();
        for (number, (name, path)) in sources.iter().enumerate() {
            let report = read_source(&mut builder, number, name, path, progress);
            reports.push(report.map_err(AdvisoriesError::io(path))?);
        }
        for loser in builder.supersede() {
            let report = &mut reports[loser.source];
            if !loser.withdrawn {
                report.kept -= 1;
                report.skip(Reason::Superseded, &loser.id);
            }
        }
        progress(Progress::Writing);
        let new = self.new_database_path();
        let about = About { sources: reports, tables: table_reports, ..About::default() };
        builder.finish(&new, about, &tables, Timestamp::now()).map_err(AdvisoriesError::io(&new))?;
        self.install_database(&new)
    }

    /// Every table that is there.
    fn tables(&self) -> Result<(Tables, Vec<TableReport>), AdvisoriesError> {
        let mut tables = Tables::default();
        let mut reports = Vec::new();
        for kind in TableKind::ALL {
            let path = self.table_path(kind);
            if path.exists() {
                reports.push(tables.read(kind, &path).map_err(AdvisoriesError::io(&path))?);
            }
        }
        Ok((tables, reports))
    }

    /// Checks a new database and puts it in place of the old one.
    pub(super) fn install_database(&self, new: &Path) -> Result<ImportReport, AdvisoriesError> {
        let database = Database::open(new)?;
        database.verify(new)?;
        folder::install(new, &self.database_path()).map_err(AdvisoriesError::io(new))?;
        Ok(ImportReport::of(&database))
    }
}

/// The name of the source that loose records become: that of their folder or file.
fn name_of_records(path: &Path) -> Result<String, AdvisoriesError> {
    if !path.is_dir() {
        return stem(path);
    }
    let full = fs::canonicalize(path).map_err(AdvisoriesError::io(path))?;
    Ok(full.file_name().map_or("records".into(), |name| name.to_string_lossy()).into_owned())
}

/// The name of the source that a file becomes.
fn stem(path: &Path) -> Result<String, AdvisoriesError> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned).ok_or_else(|| AdvisoriesError::NothingThere(path.to_owned()))
}

/// Adds every record of a source; each is counted, whatever becomes of it.
fn read_source(
    builder: &mut Builder,
    number: usize,
    name: &str,
    path: &Path,
    progress: &dyn Fn(Progress),
) -> io::Result<SourceReport> {
    const STEP: u64 = 500;
    let mut zip = RecordZip::open(path)?;
    let total = zip.len() as u64;
    let mut report = SourceReport { name: name.to_owned(), sha256: zips::sha256(path)?, ..SourceReport::default() };
    zip.for_each(|file, content| {
        if report.read.is_multiple_of(STEP) {
            progress(Progress::Reading { source: name.to_owned(), records: report.read, total });
        }
        report.read += 1;
        count(builder, number, file, content, &mut report)
    })?;
    progress(Progress::Reading { source: name.to_owned(), records: report.read, total });
    Ok(report)
}

/// Adds one record and counts what became of it.
fn count(
    builder: &mut Builder,
    number: usize,
    file: &str,
    content: Content<'_>,
    report: &mut SourceReport,
) -> io::Result<()> {
    let record = match content {
        Content::Json(json) => osv::Record::from_json(json).map_err(|_| Reason::Malformed),
        Content::TooLarge => Err(Reason::TooLarge),
        Content::Unreadable => Err(Reason::Unreadable),
    };
    let record = match record {
        Ok(record) => record,
        Err(reason) => {
            report.skip(reason, file);
            return Ok(());
        }
    };
    match builder.add(number, &record)? {
        Ok(left_out) => {
            left_out.into_iter().for_each(|reason| report.shorten(reason, &record.id));
            if record.is_withdrawn() {
                report.skip(Reason::Withdrawn, &record.id);
            } else {
                report.kept += 1;
            }
        }
        Err(reason) => report.skip(reason, if record.id.is_empty() { file } else { &record.id }),
    }
    Ok(())
}
