//! One case: a target, what is true of it, and which differences are explained.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Columns of a table: ecosystem, name, version, and for findings the advisory.
pub(crate) type Row = Vec<String>;

/// Packages or findings.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) packages: BTreeSet<Row>,
    pub(crate) findings: BTreeSet<Row>,
}

pub(crate) struct Case {
    /// Name of its folder.
    pub(crate) name: String,
    /// What is true.
    pub(crate) expected: Facts,
    folder: PathBuf,
    /// `missing` or `extra`, then the row.
    explained: BTreeSet<Row>,
}

/// A row that is in one of truth and result.
pub(crate) struct Difference {
    /// `package` or `finding`.
    pub(crate) what: &'static str,
    pub(crate) row: Row,
    pub(crate) problem: &'static str,
}

impl Case {
    pub(crate) fn read(folder: &Path) -> Self {
        let expected = Facts {
            packages: table(&folder.join("packages.tsv"), 3).into_iter().map(normalized).collect(),
            findings: table(&folder.join("findings.tsv"), 4).into_iter().map(normalized).collect(),
        };
        let explained = folder.join("explained.tsv");
        let explained = if explained.exists() { explained_rows(&explained) } else { BTreeSet::new() };
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, expected, folder: folder.to_owned(), explained }
    }

    /// Whether its packages are given, not found.
    pub(crate) fn is_list(&self) -> bool {
        self.folder.join("purls.txt").exists()
    }

    /// As `plimsoll scan` wants it. Compressed package databases are unpacked below `scratch`.
    pub(crate) fn target(&self, scratch: &Path) -> String {
        if self.is_list() {
            return format!("purls:{}", self.folder.join("purls.txt").display());
        }
        let root = self.folder.join("root");
        if root.exists() {
            return format!("rootfs:{}", root.display());
        }
        let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("scanner/testdata/packagedb").join(&self.name);
        let scratch = scratch.join(&self.name);
        unpack(&database, &scratch);
        format!("rootfs:{}", scratch.display())
    }

    /// What the program says of it.
    pub(crate) fn found(&self, json: &[u8]) -> Facts {
        let document: Value = serde_json::from_slice(json).expect("a document in JSON");
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let package = |value: &Value| vec![text(&value["ecosystem"]), text(&value["name"]), text(&value["version"])];
        let findings = list("findings").into_iter().flat_map(|finding| {
            let package = vec![text(&finding["ecosystem"]), text(&finding["package"]), text(&finding["version"])];
            let advisories = finding["advisories"].as_array().cloned().unwrap_or_default();
            advisories.into_iter().map(move |advisory| [package.clone(), vec![text(&advisory)]].concat())
        });
        Facts {
            packages: list("packages").iter().map(package).map(normalized).collect(),
            findings: findings.map(normalized).collect(),
        }
    }

    /// Differences between truth and result that nobody has explained, and explanations of nothing.
    pub(crate) fn unexplained(&self, found: &Facts) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut seen = BTreeSet::new();
        for (what, expected, found) in [
            ("package", &self.expected.packages, &found.packages),
            ("finding", &self.expected.findings, &found.findings),
        ] {
            let missing = expected.difference(found).map(|row| ("missing", row));
            let extra = found.difference(expected).map(|row| ("extra", row));
            for (problem, row) in missing.chain(extra) {
                let key = [vec![problem.to_owned()], row.clone()].concat();
                if !self.explained.contains(&key) {
                    differences.push(Difference { what, row: row.clone(), problem });
                }
                seen.insert(key);
            }
        }
        let stale = self.explained.difference(&seen).cloned();
        differences.extend(stale.map(|row| Difference { what: "explanation", row, problem: "explains nothing" }));
        differences
    }
}

/// Copies a folder; what is `.zst` there is unpacked here.
fn unpack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        match path.extension() {
            _ if path.is_dir() => unpack(&path, &to.join(name)),
            Some(extension) if extension == "zst" => {
                let bytes = zstd::decode_all(std::fs::File::open(&path).expect("a file")).expect("zstd");
                std::fs::write(to.join(path.file_stem().unwrap_or_default()), bytes).expect("a copy");
            }
            _ => _ = std::fs::copy(&path, to.join(name)).expect("a copy"),
        }
    }
}

/// Names as their ecosystems compare them.
fn normalized(mut row: Row) -> Row {
    let name = match row[0].as_str() {
        "PyPI" => row[1].to_lowercase().replace(['_', '.'], "-"),
        "NuGet" | "Packagist" => row[1].to_lowercase(),
        _ => return row,
    };
    row[1] = name;
    row
}

fn table(path: &Path, columns: usize) -> Vec<Row> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|line| line.split('\t').take(columns).map(str::to_owned).collect()).collect()
}

/// Rows of `missing` or `extra`, the columns of the table, and why; the reason must be there.
fn explained_rows(path: &Path) -> BTreeSet<Row> {
    let rows = table(path, 6).into_iter();
    rows.map(|mut row| {
        let reason = row.pop().unwrap_or_default();
        assert!(reason.len() > 10, "{}: {row:?} has no reason", path.display());
        let problem = row.remove(0);
        [vec![problem], normalized(row)].concat()
    })
    .collect()
}
