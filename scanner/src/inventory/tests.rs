//! From what was found in an image to its inventory.

use super::*;

fn found(kind: &str, name: &str, version: &str, source: Option<(&str, &str)>) -> LayeredPackage {
    let package = FoundPackage {
        kind: kind.into(),
        name: name.into(),
        version: version.into(),
        architecture: source.map(|_| "amd64".into()),
        source_name: source.map(|(name, _)| name.into()),
        source_version: source.map(|(_, version)| version.into()),
        ..FoundPackage::default()
    };
    LayeredPackage { package, path: "some/file".into(), layer: None }
}

fn release(path: &str, id: &str, version: &str) -> (String, OsRelease) {
    let release = OsRelease { id: id.into(), version_id: Some(version.into()), ..OsRelease::default() };
    (path.into(), release)
}

#[test]
fn packages_have_ecosystems_and_package_urls() {
    let inventory = assemble(Squashed {
        packages: vec![
            found("pypi", "Flask_Login", "0.6", None),
            found("npm", "@npmcli/fs", "3.1.0", None),
            found("deb", "libssl3", "1:3.0.1-1+b1", Some(("openssl", "1:3.0.1-1"))),
            found("deb", "tar", "1.34", Some(("tar", "1.34"))),
            found("deb", "tar", "1.34", Some(("tar", "1.34"))),
        ],
        os_releases: vec![release("usr/lib/os-release", "debian", "11"), release("etc/os-release", "debian", "12")],
        problems: vec![Problem { path: "a/package.json".into(), why: "line 1: EOF".into(), layer: None }],
        ..Squashed::default()
    });
    let rows: Vec<_> = inventory
        .packages
        .iter()
        .map(|package| (package.ecosystem.as_deref().unwrap(), package.name.as_str(), package.purl.as_str()))
        .collect();
    assert_eq!(
        rows,
        [
            (
                "Debian:12",
                "libssl3",
                "pkg:deb/debian/libssl3@1:3.0.1-1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%401:3.0.1-1"
            ),
            ("Debian:12", "tar", "pkg:deb/debian/tar@1.34?arch=amd64&distro=debian-12"),
            ("PyPI", "Flask_Login", "pkg:pypi/flask-login@0.6"),
            ("npm", "@npmcli/fs", "pkg:npm/%40npmcli/fs@3.1.0"),
        ]
    );
    assert_eq!(inventory.warnings.len(), 1);
    assert_eq!(inventory.warnings[0].code, "unreadable-file");
    assert_eq!(inventory.warnings[0].message, "a/package.json: line 1: EOF");
}

#[test]
fn a_package_url_leads_back_to_the_package() {
    let inventory = assemble(Squashed {
        packages: vec![found("deb", "libssl3", "1:3.0.1-1+b1", Some(("openssl", "1:3.0.1-1")))],
        os_releases: vec![release("etc/os-release", "debian", "12")],
        problems: Vec::new(),
        ..Squashed::default()
    });
    let package = &inventory.packages[0];
    let again = package_from_purl(&package.purl).unwrap();
    assert_eq!(Package { path: package.path.clone(), ..again }, *package);
}

#[test]
fn packages_without_a_known_distribution_are_warned_of() {
    for (os_releases, what) in [
        (Vec::new(), "no os-release"),
        (vec![release("etc/os-release", "raspbian", "12")], "those of Debian do not know its changes"),
        (vec![release("etc/os-release", "amzn", "2023")], "amzn 2023"),
        (vec![release("etc/os-release", "moonos", "7")], "moonos 7"),
        (vec![release("etc/os-release", "alpine", "3.18.4")], "alpine 3.18.4"),
    ] {
        let inventory = assemble(Squashed {
            packages: vec![found("deb", "tar", "1.34", Some(("tar", "1.34"))), found("npm", "a", "1", None)],
            os_releases,
            problems: Vec::new(),
            ..Squashed::default()
        });
        let [warning] = &inventory.warnings[..] else { panic!("{:?}", inventory.warnings) };
        assert_eq!(warning.code, "unknown-distro");
        assert!(warning.message.starts_with("1 packages") && warning.message.contains(what), "{}", warning.message);
    }
}

#[test]
fn an_image_without_a_package_is_a_gap_beside_those_of_its_distribution() {
    let gaps = |os_releases| {
        let inventory = assemble(Squashed { os_releases, ..Squashed::default() });
        inventory.warnings.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
    };
    assert_eq!(gaps(vec![release("etc/os-release", "fedora", "43")]), ["unknown-distro", "no-packages"]);
    assert_eq!(
        gaps(vec![release("etc/os-release", "alpine", "3.21_alpha20240807")]),
        ["rolling-release", "no-packages"]
    );
    assert_eq!(gaps(vec![release("etc/os-release", "debian", "12")]), ["no-packages"]);
    assert_eq!(gaps(Vec::new()), ["no-packages"], "nothing but a program");
}

#[test]
fn what_is_of_no_ecosystem_is_a_gap() {
    let packages = vec![found("generic", "openssl", "3.0.1", None), found("generic", "nginx", "1.25", None)];
    let inventory = assemble(Squashed { packages, ..Squashed::default() });
    let [warning] = &inventory.warnings[..] else { panic!("{:?}", inventory.warnings) };
    assert_eq!(warning.code, "unknown-ecosystem");
    assert!(warning.message.starts_with("2 packages") && warning.message.contains("nginx"), "{}", warning.message);
}

#[test]
fn a_program_that_a_package_of_the_distribution_brought_is_no_gap() {
    let program = Package { purl: "pkg:generic/openssl@3.0.1".into(), ..Package::default() };
    assert!(unknown_kinds(std::slice::from_ref(&program)).is_some());
    assert_eq!(unknown_kinds(&[Package { owner: Some("openssl".into()), ..program }]), None);
}

#[test]
fn windows_is_known_by_its_build() {
    let mut inventory = assemble(Squashed { packages: vec![found("npm", "a", "1", None)], ..Squashed::default() });
    inventory.set_windows(Some("10.0.20348.2031".to_owned()));
    let distro = inventory.distro.unwrap();
    assert_eq!((distro.id.as_str(), distro.name.as_deref()), ("windows", Some("Windows Server 2022")));
    let [warning] = &inventory.warnings[..] else { panic!("{:?}", inventory.warnings) };
    assert_eq!(warning.code, "unknown-distro");
    assert!(warning.message.contains("windows 10.0.20348.2031"), "{}", warning.message);
}
