//! Real databases, and what is left of them when bytes are damaged.

use proptest::prelude::*;

use super::testing::header;
use super::*;
use crate::catalogers::fixtures::{assert_matches_expected, folder, read};

const DATABASES: [(&str, &str); 6] = [
    ("rpm-bdb-big-endian", "var/lib/rpm/Packages"),
    ("rpm-bdb-epoch", "var/lib/rpm/Packages"),
    ("rpm-bdb-libuuid", "var/lib/rpm/Packages"),
    ("rpm-bdb-sle15-reencoded", "var/lib/rpm/Packages"),
    ("rpm-ndb-sle15", "usr/lib/sysimage/rpm/Packages.db"),
    ("rpm-sqlite-mariner2", "var/lib/rpm/rpmdb.sqlite"),
];

/// Name, epoch, version, release, architecture and source package, as `rpm --query` prints them.
fn columns(package: &FoundPackage) -> Vec<String> {
    let (epoch, version) = package.version.split_once(':').unwrap_or(("", &package.version));
    let (version, release) = version.split_once('-').unwrap();
    let source_version = package.source_version.as_deref().unwrap();
    let source_version = source_version.split_once(':').map_or(source_version, |(of_source, version)| {
        assert_eq!(of_source, epoch);
        version
    });
    let source = format!("{}-{source_version}.src.rpm", package.source_name.as_deref().unwrap());
    let architecture = package.architecture.as_deref().unwrap();
    [&package.name, epoch, version, release, architecture, &source].map(str::to_owned).to_vec()
}

#[test]
fn databases_hold_to_the_last_package() {
    for (image, path) in DATABASES {
        assert_matches_expected(&Rpm, image, path, columns);
    }
}

#[test]
fn wants_the_databases_alone() {
    for path in ["var/lib/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db", "usr/share/rpm/rpmdb.sqlite"] {
        assert!(Rpm.wants(path), "{path}");
    }
    for path in ["var/lib/rpm/Name", "var/lib/rpm/rpmdb.sqlite-shm", "srv/var/lib/rpm/Packages", "Packages"] {
        assert!(!Rpm.wants(path), "{path}");
    }
}

fn cataloged(fields: &[(&str, &str)]) -> Found {
    let mut found = Found::default();
    package(&header(fields), &mut Files::default(), &mut found).unwrap();
    found
}

#[test]
fn a_package_has_its_module_and_the_epoch_of_its_source() {
    let found = cataloged(&[
        ("name", "npm"),
        ("version", "8.19.2"),
        ("release", "1.18.12.1.2.module+el8"),
        ("epoch", "1"),
        ("source", "nodejs-18.12.1-2.module+el8.src.rpm"),
        ("module", "nodejs:18:8070020221209094850:bd1311ed"),
    ]);
    let [npm] = &found.packages[..] else { panic!("{found:?}") };
    assert_eq!(npm.version, "1:8.19.2-1.18.12.1.2.module+el8");
    assert_eq!(npm.module.as_deref(), Some("nodejs:18"));
    assert_eq!(npm.source_name.as_deref(), Some("nodejs"));
    assert_eq!(npm.source_version.as_deref(), Some("1:18.12.1-2.module+el8"));
}

#[test]
fn keys_are_no_packages_and_a_package_without_a_version_is_a_problem() {
    let key = [("name", "gpg-pubkey"), ("version", "8483c65d"), ("release", "5ccc5b19")];
    assert_eq!(cataloged(&key), Found::default());
    assert_eq!(
        cataloged(&[("name", "bash"), ("release", "1")]).problems,
        ["the header of package bash has no name, version or release"]
    );
    let zero = cataloged(&[("name", "a"), ("version", "1"), ("release", "2"), ("epoch", "0")]);
    assert_eq!(zero.packages[0].version, "1-2");
}

#[test]
fn files_that_catalogers_want_have_owners() {
    let metadata = "/usr/lib/python3.9/site-packages/six-1.15.0.dist-info/METADATA";
    let found = cataloged(&[
        ("name", "python3-six"),
        ("version", "1.15.0"),
        ("release", "9"),
        ("files", &format!("/usr/share/doc/six {metadata} /etc/six")),
    ]);
    let [owned] = &found.owned[..] else { panic!("{found:?}") };
    assert_eq!(owned.package, "python3-six");
    assert_eq!(owned.files, [crate::catalogers::owner_key(&metadata[1..])]);
}

#[test]
fn source_packages_are_split_at_their_last_dashes() {
    assert_eq!(split_source("util-linux-2.32.1-42.el8_8.src.rpm"), Some(("util-linux", "2.32.1-42.el8_8")));
    assert_eq!(split_source("a-1-2.nosrc.rpm"), Some(("a", "1-2")));
    for other in ["(none)", "", "a-1.src.rpm", "-1-2.src.rpm", "a-1-2.x86_64.rpm"] {
        assert_eq!(split_source(other), None, "{other}");
    }
}

#[test]
fn a_log_with_transactions_is_a_gap() {
    let log = |salt_of_frame: u8, size: u8| {
        let mut log = vec![0; 32 + 24 + 512];
        log[8..12].copy_from_slice(&512_u32.to_be_bytes());
        log[16] = 7;
        log[32 + 7] = size;
        log[32 + 8] = salt_of_frame;
        log
    };
    let problems = |log: &[u8]| {
        let mut found = Found::default();
        Rpm.catalog("var/lib/rpm/rpmdb.sqlite-wal", &mut &*log, &mut found).unwrap();
        found.problems.len()
    };
    assert_eq!(problems(&log(7, 1)), 1);
    assert_eq!(problems(&log(6, 1)), 0, "of an earlier round");
    assert_eq!(problems(&log(7, 0)), 0, "not committed");
    assert_eq!(problems(&log(7, 1)[..400]), 0, "not whole");
    assert_eq!(problems(b""), 0);
}

fn contents() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let databases = DATABASES.map(|(image, path)| (path, read(&folder().join(image).join(path))));
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40);
    let places = prop::sample::select(vec![64_usize, 4096, 65536, usize::MAX]);
    (prop::sample::select(databases.to_vec()), damage, places, any::<prop::sample::Index>()).prop_map(
        |((path, mut contents), damage, places, end)| {
            let places = places.min(contents.len());
            for (place, byte) in damage {
                contents[place.index(places)] = byte;
            }
            contents.truncate(contents.len() - end.index(contents.len()) / 16);
            (path, contents)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn damaged_databases_end_and_give_whole_packages((path, contents) in contents()) {
        let mut found = Found::default();
        let _ = Rpm.catalog(path, &mut contents.as_slice(), &mut found);
        prop_assert!(found.packages.iter().all(|package| !package.name.is_empty() && package.version.contains('-')));
    }
}

#[test]
fn what_is_no_database_is_an_error() {
    for contents in [&b""[..], b"SQLite format 3\0", b"RpmP\x01\0\0\0\0\0\0\0\0\0\0\0", &[0; 4096]] {
        let error = Rpm.catalog("Packages", &mut &*contents, &mut Found::default()).unwrap_err();
        assert!(matches!(error, CatalogError::Damaged(_)), "{error}");
    }
}

#[test]
fn pages_that_lead_in_circles_come_to_an_end() {
    let database = |page: u32| {
        let mut file = vec![0; 1024];
        file[..16].copy_from_slice(b"SQLite format 3\0");
        file[16..18].copy_from_slice(&512_u16.to_be_bytes());
        // An interior page whose child on the right is `page`.
        file[100] = 5;
        file[108..112].copy_from_slice(&page.to_be_bytes());
        file[512] = 5;
        file[520..524].copy_from_slice(&2_u32.to_be_bytes());
        file
    };
    for page in [1, 2] {
        let error = Rpm.catalog("rpmdb.sqlite", &mut &*database(page), &mut Found::default()).unwrap_err();
        assert!(error.to_string().contains("circles") || error.to_string().contains("not one of a table"), "{error}");
    }
}
