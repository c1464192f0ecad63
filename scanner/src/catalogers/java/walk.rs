//! The way through an archive and the archives in it.

use std::collections::HashSet;
use std::fmt::Display;
use std::io::{Read, Seek, SeekFrom};

use super::super::{CatalogError, Found, sbom, spool};
use super::file_name;
use super::identity::Described;
use super::manifest::Manifest;
use super::pom;
use super::zip::{Directory, Entry, ReadSeek};

/// Archives around an archive: an enterprise archive holds web applications, which hold libraries, which may hold others.
const DEPTH: usize = 6;

/// Bytes unpacked of one description.
const DESCRIPTION_BYTES: u64 = 1 << 20;

/// Unpacked bytes of a nested archive for each packed one. Archives hardly shrink when they are packed again.
const RATIO: u64 = 200;

/// Nested archives that unpack to less may have any ratio.
const RATIO_FLOOR: u64 = 16 << 20;

/// What may be done for one file of the image: all archives in it share it.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    /// Entries looked at in directories.
    pub(super) entries: usize,
    /// Descriptions and nested archives that are opened.
    pub(super) opened: usize,
    /// Bytes unpacked.
    pub(super) unpacked: usize,
}

/// Several times what the largest applications need.
pub(super) const BUDGET: Budget = Budget { entries: 2_000_000, opened: 20_000, unpacked: 2 << 30 };

impl Budget {
    /// What is left once `spent` is gone. `BUDGET` itself is told of, as nobody can raise it.
    fn spend(left: &mut usize, spent: usize, what: &'static str, limit: usize) -> Result<(), CatalogError> {
        *left = left.checked_sub(spent).ok_or(CatalogError::TooMany { what, limit })?;
        Ok(())
    }

    fn entry(&mut self) -> Result<(), CatalogError> {
        Self::spend(&mut self.entries, 1, "entries in its archives", BUDGET.entries)
    }

    fn open(&mut self) -> Result<(), CatalogError> {
        Self::spend(&mut self.opened, 1, "archives and descriptions in it", BUDGET.opened)
    }

    fn unpack(&mut self, bytes: u64) -> Result<(), CatalogError> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self::spend(&mut self.unpacked, bytes, "bytes unpacked of its archives", BUDGET.unpacked)
    }
}

/// Walks one file of the image.
pub(super) struct Walk<'f> {
    found: &'f mut Found,
    budget: Budget,
    /// Names of the archives that are open, without the file itself.
    inside: Vec<String>,
}

/// What an entry tells.
enum Kind {
    Manifest,
    PomProperties,
    PomXml { group: String, artifact: String },
    Bill,
    Archive,
}

impl Kind {
    fn of(path: &str) -> Option<Self> {
        if path == "META-INF/MANIFEST.MF" {
            return Some(Self::Manifest);
        }
        if let Some(maven) = path.strip_prefix("META-INF/maven/") {
            let parts: Vec<_> = maven.split('/').collect();
            return match parts[..] {
                [_, _, "pom.properties"] => Some(Self::PomProperties),
                [group, artifact, "pom.xml"] => {
                    Some(Self::PomXml { group: group.to_owned(), artifact: artifact.to_owned() })
                }
                _ => None,
            };
        }
        if path.starts_with("META-INF/sbom/") && path.ends_with(".json") {
            return Some(Self::Bill);
        }
        file_name::is_archive(path).then_some(Self::Archive)
    }
}

impl<'f> Walk<'f> {
    pub(super) fn new(found: &'f mut Found, budget: Budget) -> Self {
        Self { found, budget, inside: Vec::new() }
    }

    /// Reads one archive, whose file is called `name`, and those in it.
    pub(super) fn archive(&mut self, name: &str, file: &mut dyn ReadSeek) -> Result<(), CatalogError> {
        let directory = match Directory::find(file) {
            Ok(directory) => directory,
            Err(error) => {
                self.problem(None, &error);
                return Ok(());
            }
        };
        let mut described = Described::default();
        let wanted = self.entries(directory, file, &mut described)?;
        let (archives, descriptions): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|(_, kind)| matches!(kind, Kind::Archive));
        for (entry, kind) in &descriptions {
            self.describe(entry, kind, file, &mut described)?;
        }
        let inner = Some(self.place(None)).filter(|place| !place.is_empty());
        for mut package in described.packages(file_name::stem(name)) {
            package.inner.clone_from(&inner);
            self.found.package(package)?;
        }
        archives.iter().try_for_each(|(entry, _)| self.nested(entry, file))
    }

    /// The entries that tell something, and where the classes are.
    fn entries(
        &mut self,
        directory: Directory,
        file: &mut dyn ReadSeek,
        described: &mut Described,
    ) -> Result<Vec<(Entry, Kind)>, CatalogError> {
        let (mut wanted, mut spent) = (Vec::new(), Ok(()));
        let outcome = directory.for_each(file, |entry| {
            described.roots.note(&entry.name);
            let kind = Kind::of(&entry.name);
            spent = self.budget.entry().and_then(|()| kind.as_ref().map_or(Ok(()), |_| self.budget.open()));
            wanted.extend(kind.map(|kind| (entry, kind)));
            spent.is_ok()
        });
        if let Err(error) = outcome {
            self.problem(None, &error);
        }
        drop_poms_with_properties(&mut wanted);
        spent.map(|()| wanted)
    }

    fn describe(
        &mut self,
        entry: &Entry,
        kind: &Kind,
        file: &mut dyn ReadSeek,
        described: &mut Described,
    ) -> Result<(), CatalogError> {
        if matches!(kind, Kind::Bill) {
            return self.bill(entry, file);
        }
        let mut bytes = Vec::new();
        let outcome =
            entry.open(file).and_then(|content| Ok(content.take(DESCRIPTION_BYTES).read_to_end(&mut bytes)?));
        self.budget.unpack(bytes.len() as u64)?;
        if let Err(error) = outcome {
            self.problem(Some(entry), &error);
            return Ok(());
        }
        let text = &mut bytes.as_slice();
        match kind {
            Kind::Manifest => described.manifest = Manifest::read(text)?,
            Kind::PomProperties => described.poms.extend(pom::read_properties(text)?),
            Kind::PomXml { group, artifact } => described.poms.extend(pom::read_xml(group, artifact, text)),
            Kind::Bill | Kind::Archive => {}
        }
        Ok(())
    }

    /// Reads a bill of materials, as builds of Spring Boot have it.
    fn bill(&mut self, entry: &Entry, file: &mut dyn ReadSeek) -> Result<(), CatalogError> {
        let limit = self.budget.unpacked as u64;
        let inner = self.place(Some(entry));
        let mut content = match entry.open(file) {
            Ok(content) => content.take(limit),
            Err(error) => {
                self.problem(Some(entry), &error);
                return Ok(());
            }
        };
        let outcome = sbom::read_packages(&mut content, Some(&inner), self.found);
        self.budget.unpack(limit - content.limit())?;
        if let Err(error) = outcome {
            self.problem(Some(entry), &error);
        }
        Ok(())
    }

    fn nested(&mut self, entry: &Entry, file: &mut dyn ReadSeek) -> Result<(), CatalogError> {
        if self.inside.len() >= DEPTH {
            self.problem(Some(entry), &format!("it lies in more than {DEPTH} archives"));
            return Ok(());
        }
        let limit = entry.compressed.saturating_mul(RATIO).max(RATIO_FLOOR);
        let limit_now = limit.min(self.budget.unpacked as u64);
        let spooled = entry.open(file).and_then(|content| {
            let mut spooled = spool(&mut content.take(limit_now + 1))?;
            let len = spooled.seek(SeekFrom::End(0))?;
            Ok((spooled, len))
        });
        match spooled {
            Ok((mut archive, len)) => {
                self.budget.unpack(len)?;
                if len > limit {
                    self.problem(Some(entry), &format!("it unpacks to more than {RATIO} times its size"));
                    return Ok(());
                }
                self.inside.push(entry.name.clone());
                let outcome = self.archive(&entry.name, &mut archive);
                self.inside.pop();
                outcome
            }
            Err(error) => {
                self.problem(Some(entry), &error);
                Ok(())
            }
        }
    }

    fn problem(&mut self, entry: Option<&Entry>, why: &dyn Display) {
        let place: String = self.place(entry).chars().take(400).collect();
        self.found.problem(if place.is_empty() { why.to_string() } else { format!("{place}: {why}") });
    }

    /// The way from the file itself to the entry, or to the archive that is open.
    fn place(&self, entry: Option<&Entry>) -> String {
        let names: Vec<_> = self.inside.iter().chain(entry.map(|entry| &entry.name)).map(String::as_str).collect();
        names.join("!/")
    }
}

/// A `pom.xml` says nothing that the `pom.properties` beside it does not say.
fn drop_poms_with_properties(wanted: &mut Vec<(Entry, Kind)>) {
    let folder = |name: &str| name.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let with_properties: HashSet<_> = wanted
        .iter()
        .filter(|(_, kind)| matches!(kind, Kind::PomProperties))
        .filter_map(|(entry, _)| folder(&entry.name))
        .collect();
    wanted.retain(|(entry, kind)| {
        !matches!(kind, Kind::PomXml { .. })
            || folder(&entry.name).is_none_or(|folder| !with_properties.contains(&folder))
    });
}
