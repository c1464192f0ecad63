//! What the real program finds in real package databases, beside what is true of them.
//!
//! Each folder of `cases/` has a target, `packages.tsv` (what is in it, by the package managers' own word) and `findings.tsv` (which
//! advisories apply, judged by `expected.py` with the ecosystems' own tools). The target is `root/`, a root file system; or
//! `purls.txt`; or else the package database of the same name in the scanner's test data.
//!
//! Prints precision and recall for each ecosystem. A difference fails until `explained.tsv` says why it is there; an
//! explanation without its difference fails too.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot read its data has failed")]

mod case;
mod score;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use flate2::read::GzDecoder;

use self::case::{Case, Difference};
use self::score::Scores;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accuracy");
    let data = tempfile::tempdir().expect("a temporary folder");
    import(&folder.join("advisories"), data.path());
    let mut scores = Scores::default();
    let mut unexplained = Vec::new();
    let cases = entries(&folder.join("cases"));
    let mut failed = 0;
    for path in &cases {
        let case = Case::read(path);
        let found = case.found(&plimsoll(data.path(), &["scan", &case.target(data.path()), "--format", "json"]).stdout);
        scores.add(&case, &found);
        let differences = case.unexplained(&found);
        failed += usize::from(!differences.is_empty());
        unexplained.extend(differences.into_iter().map(|difference| (case.name.clone(), difference)));
    }
    println!("{scores}");
    for (case, Difference { what, row, problem }) in &unexplained {
        println!("{case}: {what} {problem}: {}", row.join("\t"));
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes an advisory database of the frozen records.
fn import(frozen: &Path, data: &Path) {
    let records = data.join("records");
    std::fs::create_dir_all(&records).expect("a folder for records");
    for (source, file) in entries(frozen).iter().enumerate() {
        let file = std::fs::File::open(file).expect("frozen records");
        let text = std::io::read_to_string(GzDecoder::new(file)).expect("frozen records are text");
        for (number, record) in text.lines().enumerate() {
            std::fs::write(records.join(format!("{source}-{number}.json")), record).expect("a record");
        }
    }
    plimsoll(data, &["advisories", "import", &records.to_string_lossy()]);
}

/// Runs the program to its end. Findings are no failure.
fn plimsoll(data: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(arguments)
        .arg("--data-dir")
        .arg(data)
        .output()
        .expect("plimsoll runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of test data");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}
