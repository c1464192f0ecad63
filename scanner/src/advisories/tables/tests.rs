use std::fs;
use std::io::Write;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const KEV: &str = r#"{"title":"CISA Catalog","catalogVersion":"2025.08.25","dateReleased":"2025-08-25T17:04:19.9796Z","count":4,
    "vulnerabilities":[
    {"cveID":"CVE-2021-44228","dateAdded":"2021-12-10","dueDate":"2021-12-24","knownRansomwareCampaignUse":"Known"},
    {"cveID":"CVE-2022-0001","dateAdded":"2022-01-10","dueDate":"2022-01-24","knownRansomwareCampaignUse":"Unknown"},
    {"cveID":"CAN-1","dateAdded":"2022-01-10","dueDate":"2022-01-24"},
    {"cveID":"CVE-2022-0002","dateAdded":"soon","dueDate":"2022-01-24"}]}"#;

const EPSS: &str = "#model_version:v2025.03.14,score_date:2025-08-25T12:55:00Z\ncve,epss,percentile\n\
    CVE-2021-44228,0.94358,0.99958\nCVE-1999-0001,0.01025,0.76412\nCVE-1999-0002,1.5,0.5\nCVE-1999-0003,0.1\n\
    GHSA-1,0.1,0.2\nCVE-1999-0004,NaN,0.1\n";

const CVSS: &str = "cve,version,vector,base_score,base_severity\n\
    CVE-2024-0001,3.1,CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H,9.8,CRITICAL\n\
    CVE-2024-0001,2.0,AV:N/AC:L/Au:N/C:C/I:C/A:C,10.0,HIGH\n\
    CVE-2024-0002,,,,\nCVE-2024-0003,3.1,CVSS:3.1/nonsense,5.0,MEDIUM\n";

fn read(kind: TableKind, text: &str) -> (Tables, TableReport) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("table");
    fs::write(&path, text).unwrap();
    assert_eq!(TableKind::of_file(&path).unwrap(), Some(kind));
    let mut tables = Tables::default();
    let report = tables.read(kind, &path).unwrap();
    (tables, report)
}

fn rejected(report: &TableReport) -> Vec<(Reason, u64)> {
    report.skipped.iter().map(|(reason, examples)| (*reason, examples.count)).collect()
}

#[test]
fn the_catalogue_of_exploited_vulnerabilities_is_read() {
    let (tables, report) = read(TableKind::Kev, KEV);
    assert_eq!((report.date.as_str(), report.read, report.kept), ("2025-08-25", 4, 2));
    assert_eq!(rejected(&report), [(Reason::NoCve, 1), (Reason::BadRow, 1)]);
    let log4shell = tables.exploited(["CVE-1999-1", "CVE-2021-44228"].into_iter()).unwrap();
    let expected = KnownExploited { added: "2021-12-10".into(), due: "2021-12-24".into(), ransomware: true };
    assert_eq!(*log4shell, expected);
    assert!(!tables.exploited(["CVE-2022-0001"].into_iter()).unwrap().ransomware);
    assert_eq!(tables.exploited(["CVE-2022-0002"].into_iter()), None);
}

#[test]
fn probabilities_are_read() {
    let (tables, report) = read(TableKind::Epss, EPSS);
    assert_eq!((report.date.as_str(), report.read, report.kept), ("2025-08-25", 6, 2));
    assert_eq!(rejected(&report), [(Reason::NoCve, 1), (Reason::BadRow, 1), (Reason::BadScore, 2)]);
    let highest = tables.epss(["CVE-1999-0001", "CVE-2021-44228", "CVE-1999-0002"].into_iter());
    assert_eq!(highest, Some(Epss { score: 0.94358, percentile: 0.99958 }));
}

#[test]
fn the_best_vector_of_a_cve_is_kept() {
    let (tables, report) = read(TableKind::Cvss, CVSS);
    assert_eq!((report.read, report.kept), (4, 2));
    assert_eq!(rejected(&report), [(Reason::BadScore, 1), (Reason::NoVector, 1)]);
    let vector = tables.vector(["CVE-2024-0001"].into_iter()).unwrap();
    assert_eq!((vector.version, vector.tenths), (31, 98));
    assert_eq!(tables.vector(["CVE-2024-0002"].into_iter()), None);
}

fn written(name: &str, bytes: &[u8]) -> (TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(name);
    fs::write(&path, bytes).unwrap();
    (root, path)
}

fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_table_is_known_by_its_contents() {
    let kind = |name: &str, bytes: &[u8]| TableKind::of_file(&written(name, bytes).1).unwrap();
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(kind("a.zip", &zip_of(&[("k.json", KEV)])), Some(TableKind::Kev));
    assert_eq!(kind("b", &gzip(EPSS)), Some(TableKind::Epss));
    assert_eq!(kind("c.json", &zip_of(&[("c", CVSS)])), Some(TableKind::Cvss));
    assert_eq!(kind("several.zip", &zip_of(&[("k.json", KEV), ("e.csv", EPSS)])), None);
    assert_eq!(kind("cut.gz", &gzip(EPSS)[..30]), None);
    for other in [r#"{"id":"A","affected":[]}"#, "cve,score\n", "", "PK", "\x1f\u{8b}"] {
        assert_eq!(kind("other", other.as_bytes()), None, "{other}");
    }
}

#[test]
fn a_cve_is_one_number() {
    let number = |id| Cve::parse(id).map(|cve| cve.0);
    assert_eq!(number("CVE-2021-44228"), Some(2_021_000_000_044_228));
    assert_ne!(number("CVE-2021-0001"), number("CVE-2022-0001"));
    for bad in ["CVE-2021", "cve-2021-0001", "CVE-21-0001", "CVE-2021-1", "CVE-2021-+123", "CVE-2021-1234567890123"] {
        assert_eq!(number(bad), None, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_damaged_table_is_read_or_refused(
        which in 0_usize..3,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = [KEV, EPSS, CVSS][which].as_bytes().to_vec();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let (_root, path) = written("damaged", &bytes);
        if let Some(kind) = TableKind::of_file(&path).unwrap() {
            let report = Tables::default().read(kind, &path).unwrap();
            prop_assert_eq!(report.read, report.kept + report.skipped.values().map(|some| some.count).sum::<u64>());
        }
    }
}
