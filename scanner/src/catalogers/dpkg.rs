//! Debian's package database: `var/lib/dpkg/status`, and one file per package in `var/lib/dpkg/status.d` where there is no
//! dpkg (distroless).
//!
//! A package counts as installed when its files are in place: dpkg's states `installed`, `unpacked`, `half-configured`,
//! `triggers-awaited` and `triggers-pending`, and a record without a state, as in `status.d`. Those of which only
//! configuration is left (`config-files`), or whose unpacking was broken off (`half-installed`), do not count.
//!
//! Which files a package brought is in `var/lib/dpkg/info/PACKAGE[:ARCHITECTURE].list`, in distroless images in
//! `var/lib/dpkg/status.d/PACKAGE.md5sums` (deb-md5sums(5)).

use std::io::BufRead;

use super::lines::{Line, Lines, Paragraph, read_paragraphs};
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Reads dpkg's database.
pub(super) struct Dpkg;

impl Cataloger for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix("var/lib/dpkg/") else { return false };
        path == "status" || in_folder(path, "status.d/").is_some() || listed_package(path).is_some()
    }

    fn catalog(&self, path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        match path.strip_prefix("var/lib/dpkg/").and_then(listed_package) {
            Some(package) => read_owned(package, file, found),
            None => read_paragraphs::<Record>(file, found),
        }
    }
}

/// The file that `path` names in `folder` itself.
fn in_folder<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder).filter(|file| !file.is_empty() && !file.contains('/'))
}

/// The package whose files are listed at `path`, which is below `var/lib/dpkg`.
fn listed_package(path: &str) -> Option<&str> {
    let list = in_folder(path, "info/").and_then(|file| file.strip_suffix(".list"));
    let sums = || in_folder(path, "status.d/").and_then(|file| file.strip_suffix(".md5sums"));
    let package = list.or_else(sums)?;
    package.split(':').next().filter(|name| !name.is_empty())
}

/// A path a line, in `.md5sums` behind its sum and two spaces. Directories are among them, and match no file.
fn read_owned(package: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
    let mut lines = Lines::of(file);
    while let Some(line) = lines.next()? {
        let path = match line.text.split_once("  ") {
            Some((sum, path)) if is_md5(sum) => path,
            _ => &line.text,
        };
        found.own(package, path.trim_start_matches("./").trim_start_matches('/'));
    }
    Ok(())
}

fn is_md5(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// One paragraph of the file: the fields that matter.
#[derive(Default)]
struct Record {
    /// Where it begins; 0 before its first line.
    line: u64,
    package: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    source: Option<String>,
    status: Option<String>,
    damage: Option<String>,
}

impl Paragraph for Record {
    fn read(&mut self, line: &Line<'_>, _: &mut Found) {
        if self.line == 0 {
            self.line = line.number;
        }
        let is_continuation = line.text.starts_with([' ', '\t']);
        let Some((name, value)) = line.text.split_once(':').filter(|_| !is_continuation) else { return };
        let Some(field) = self.field(name) else { return };
        let is_first = field.is_none();
        if is_first {
            *field = Some(value.trim().to_owned());
        }
        if let Some(damage) = line.damage() {
            self.damage.get_or_insert_with(|| format!("line {} {damage}", line.number));
        }
    }

    fn finish(self, found: &mut Found) -> Result<(), CatalogError> {
        if self.line == 0 || !self.is_installed() {
            return Ok(());
        }
        if let Some(damage) = self.damage {
            found.problem(damage);
            return Ok(());
        }
        let (Some(name), Some(version)) = (filled(self.package), filled(self.version)) else {
            found.problem(format!("line {}: a record without package or version", self.line));
            return Ok(());
        };
        let (source_name, source_version) = source(self.source.as_deref(), &name, &version);
        found.package(FoundPackage {
            kind: "deb".to_owned(),
            name,
            version,
            architecture: filled(self.architecture),
            source_name: Some(source_name),
            source_version: Some(source_version),
            ..FoundPackage::default()
        })
    }
}

impl Record {
    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name.to_ascii_lowercase().as_str() {
            "package" => Some(&mut self.package),
            "version" => Some(&mut self.version),
            "architecture" => Some(&mut self.architecture),
            "source" => Some(&mut self.source),
            "status" => Some(&mut self.status),
            _ => None,
        }
    }

    /// `Status` is three words: what is wanted, a flag for errors, and the state.
    fn is_installed(&self) -> bool {
        let Some(status) = &self.status else { return true };
        let state = status.split_whitespace().nth(2);
        state.is_some_and(|state| {
            ["installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"].contains(&state)
        })
    }
}

fn filled(field: Option<String>) -> Option<String> {
    field.filter(|value| !value.is_empty())
}

/// `Source: name (version)`; without a field or without its version, source and binary package share theirs.
fn source(field: Option<&str>, name: &str, version: &str) -> (String, String) {
    let Some(field) = field.filter(|field| !field.is_empty()) else { return (name.to_owned(), version.to_owned()) };
    let (source, rest) = field.split_once('(').unwrap_or((field, ""));
    let stated = rest.split(')').next().map(str::trim).filter(|version| !version.is_empty());
    (source.trim().to_owned(), stated.unwrap_or(version).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::{assert_matches_expected, catalog};
    use crate::catalogers::owner_key;

    #[test]
    fn minbase_images_hold_to_the_last_package() {
        let columns = |package: &FoundPackage| {
            let source = [&package.source_name, &package.source_version].map(|field| field.clone().unwrap());
            let [source_name, source_version] = source;
            let architecture = package.architecture.clone().unwrap();
            vec![package.name.clone(), package.version.clone(), architecture, source_name, source_version]
        };
        assert_matches_expected(&Dpkg, "dpkg-debian12-minbase", "var/lib/dpkg/status", columns);
        assert_matches_expected(&Dpkg, "dpkg-debian13-minbase", "var/lib/dpkg/status", columns);
        let statusd = "var/lib/dpkg/status.d/libsqlite3-0";
        assert_matches_expected(&Dpkg, "dpkg-distroless-statusd", statusd, columns);
    }

    #[test]
    fn wants_the_databases_alone() {
        for path in [
            "var/lib/dpkg/status",
            "var/lib/dpkg/status.d/base",
            "var/lib/dpkg/status.d/bGliYzY",
            "var/lib/dpkg/status.d/base.md5sums",
            "var/lib/dpkg/info/libc6:amd64.list",
        ] {
            assert!(Dpkg.wants(path), "{path}");
        }
        for path in [
            "var/lib/dpkg/status-old",
            "var/lib/dpkg/info/libc6:amd64.md5sums",
            "var/lib/dpkg/info/a/b.list",
            "var/lib/dpkg/info/.list",
            "var/lib/dpkg/status.d/",
            "var/lib/dpkg/status.d/a/b",
            "srv/var/lib/dpkg/status",
        ] {
            assert!(!Dpkg.wants(path), "{path}");
        }
    }

    #[test]
    fn sources_are_stated_or_shared() {
        assert_eq!(source(None, "tar", "1.34"), ("tar".into(), "1.34".into()));
        assert_eq!(source(Some("gcc-12"), "libgcc-s1", "12.2"), ("gcc-12".into(), "12.2".into()));
        assert_eq!(source(Some("apr (1.7-1)"), "libapr1", "1.7-1+b1"), ("apr".into(), "1.7-1".into()));
        assert_eq!(source(Some("apr ("), "libapr1", "1.7"), ("apr".into(), "1.7".into()));
    }

    #[test]
    fn only_packages_whose_files_are_in_place_count() {
        let found = catalog(
            &Dpkg,
            b"Package: a\nStatus: install ok installed\nVersion: 1\n\n\
              Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\n\n\
              package: c\r\nSTATUS: install ok unpacked\r\nversion: 2:1-1\r\n\r\n\
              Package: d\nStatus: install reinstreq half-installed\nVersion: 1\n\n\
              Package: e\nDescription: text\n Version: 9\nVersion: 3\n\n\
              Package: f\nStatus: install ok installed\n\n\
              Package: g\xff\nVersion: 1\n\nMaintainer: nobody",
        );
        let names: Vec<_> =
            found.packages.iter().map(|package| format!("{}={}", package.name, package.version)).collect();
        assert_eq!(names, ["a=1", "c=2:1-1", "e=3"]);
        assert_eq!(
            found.problems,
            [
                "line 23: a record without package or version",
                "line 26 is not UTF-8",
                "line 29: a record without package or version"
            ]
        );
    }

    #[test]
    fn files_have_the_package_that_brought_them() {
        const LIST: &str = "/.\n/usr/share/doc/python3-yaml\n/usr/lib/python3/dist-packages/PyYAML-6.0.egg-info/PKG-INFO\n\
                            /usr/lib/python3/dist-packages/yaml/a  b.py\n/usr/lib/os-release\n";
        const SUMS: &str = "0123456789abcdef0123456789abcdef  usr/lib/python3/dist-packages/PyYAML-6.0.egg-info/PKG-INFO\n\
                            0123456789abcdef0123456789abcdef  usr/lib/os-release\n";
        let expected =
            ["usr/lib/python3/dist-packages/PyYAML-6.0.egg-info/PKG-INFO", "usr/lib/os-release"].map(owner_key);
        for (path, contents) in [("info/python3-yaml:amd64.list", LIST), ("status.d/python3-yaml.md5sums", SUMS)] {
            let mut found = Found::default();
            Dpkg.catalog(&format!("var/lib/dpkg/{path}"), &mut contents.as_bytes(), &mut found).unwrap();
            let [owned] = &found.owned[..] else { panic!("{:?}", found.owned) };
            assert_eq!((owned.package.as_str(), &owned.files[..]), ("python3-yaml", &expected[..]), "{path}");
            assert!(found.packages.is_empty() && found.problems.is_empty(), "{found:?}");
        }
    }
}
