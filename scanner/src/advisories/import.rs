//! Taking records in, and building the database from all that is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::about::{About, Reason, SourceReport};
use super::build::Builder;
use super::database::Database;
use super::folder::{self, AdvisoriesError, Folder, Lock, Progress};
use super::osv;
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
}

impl ImportReport {
    /// The report of a database that is built.
    pub(super) fn of(database: &Database) -> Self {
        Self { version: database.stamp().version, size: database.size(), sources: database.about().sources.clone() }
    }

    /// Records read and records kept, of all sources.
    pub fn totals(&self) -> (u64, u64) {
        self.sources.iter().fold((0, 0), |(read, kept), source| (read + source.read, kept + source.kept))
    }
}

impl Folder {
    /// Takes in zips, single records (`.json`), and folders of either, then builds the database from every source.
    /// A zip replaces the source of its name; loose records become a source named after their folder or file.
    pub fn import(&self, paths: &[PathBuf], progress: &dyn Fn(Progress)) -> Result<ImportReport, AdvisoriesError> {
        let lock = self.lock()?;
        for path in paths {
            self.take_in(path)?;
        }
        self.rebuild(&lock, progress)
    }

    fn take_in(&self, path: &Path) -> Result<(), AdvisoriesError> {
        if !path.is_dir() {
            return match path.extension().and_then(|extension| extension.to_str()) {
                Some("zip") => self.take_zip(path),
                Some("json") => self.take_records(&stem(path)?, &[path.to_owned()]),
                _ => Err(AdvisoriesError::NothingThere(path.to_owned())),
            };
        }
        let (zips, records) = (folder::files(path, "zip")?, folder::files(path, "json")?);
        if zips.is_empty() && records.is_empty() {
            return Err(AdvisoriesError::NothingThere(path.to_owned()));
        }
        for zip in zips {
            self.take_zip(&zip)?;
        }
        if records.is_empty() {
            return Ok(());
        }
        let full = fs::canonicalize(path).map_err(AdvisoriesError::io(path))?;
        let name = full.file_name().map_or("records".into(), |name| name.to_string_lossy());
        self.take_records(&name, &records)
    }

    fn take_zip(&self, path: &Path) -> Result<(), AdvisoriesError> {
        RecordZip::open(path).map_err(AdvisoriesError::io(path))?;
        self.put(&stem(path)?, |part| fs::copy(path, part).map(drop)).map_err(AdvisoriesError::io(path))
    }

    fn take_records(&self, name: &str, records: &[PathBuf]) -> Result<(), AdvisoriesError> {
        self.put(name, |part| zips::write(part, records)).map_err(AdvisoriesError::io(&records[0]))
    }

    /// Installs what `write` writes as the source `name`. What the server called an earlier download is forgotten.
    fn put(&self, name: &str, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let sources = self.sources_path();
        let part = sources.join(format!("{name}.new"));
        write(&part)?;
        match fs::remove_file(sources.join(format!("{name}.http"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => folder::install(&part, &sources.join(format!("{name}.zip"))),
        }
    }

    /// Builds the database from every source, checks it, and installs it.
    pub(super) fn rebuild(&self, _lock: &Lock, progress: &dyn Fn(Progress)) -> Result<ImportReport, AdvisoriesError> {
        let sources = self.sources()?;
        if sources.is_empty() {
            return Err(AdvisoriesError::NoSources(self.sources_path()));
        }
        let new = self.new_database_path();
        let mut builder = Builder::create(&new).map_err(AdvisoriesError::io(&new))?;
        let mut reports = Vec::new();
        for (number, (name, path)) in sources.iter().enumerate() {
            let report = read_source(&mut builder, number, name, path, progress);
            reports.push(report.map_err(AdvisoriesError::io(path))?);
        }
        for loser in builder.superseded() {
            let report = &mut reports[loser.source];
            if !loser.withdrawn {
                report.kept -= 1;
                report.skip(Reason::Superseded, &loser.id);
            }
        }
        progress(Progress::Writing);
        let about = About { sources: reports, ..About::default() };
        builder.finish(about, Timestamp::now()).map_err(AdvisoriesError::io(&new))?;
        self.install_database(&new)
    }

    /// Checks a new database and puts it in place of the old one.
    pub(super) fn install_database(&self, new: &Path) -> Result<ImportReport, AdvisoriesError> {
        let database = Database::open(new)?;
        database.verify(new)?;
        folder::install(new, &self.database_path()).map_err(AdvisoriesError::io(new))?;
        Ok(ImportReport::of(&database))
    }
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
