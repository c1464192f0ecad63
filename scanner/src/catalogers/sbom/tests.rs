//! The three formats, as their tools write them.

use proptest::prelude::*;

use super::*;
use crate::catalogers::fixtures::catalog;

const CYCLONE_DX: &str = r#"{"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
    "metadata": {"timestamp": "2026-01-01T00:00:00Z", "tools": {"components": [{"type": "application", "name": "tool"}]},
        "component": {"type": "container", "name": "shop", "purl": "pkg:oci/shop@sha256:00"}},
    "components": [
        {"type": "operating-system", "name": "debian", "version": "12.5"},
        {"type": "library", "name": "libc6", "version": "2.36-9", "purl": "pkg:deb/debian/libc6@2.36-9?distro=debian-12.5"},
        {"type": "library", "name": "express", "version": "4.16.0", "purl": "pkg:npm/express@4.16.0", "components": [
            {"type": "library", "group": "@scope", "name": "inner", "version": "1.0.0", "purl": "pkg:npm/%40scope/inner@1.0.0"}]},
        {"type": "library", "name": "nobody", "version": "1.0"},
        {"type": "file", "name": "/etc/passwd"}],
    "dependencies": []}"#;

const SPDX: &str = r#"{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": [
    {"SPDXID": "SPDXRef-redis", "name": "redis", "versionInfo": "7.4.1", "externalRefs": [
        {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:*:redis:redis:7.4.1:*:*:*:*:*:*:*"},
        {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:bitnami/redis@7.4.1-0?arch=amd64&distro=debian-12"}]},
    {"SPDXID": "SPDXRef-none", "name": "geos", "versionInfo": "3.8.3"},
    {"SPDXID": "SPDXRef-image", "name": "shop", "primaryPackagePurpose": "CONTAINER"}], "files": [], "relationships": []}"#;

const SPDX3: &str = r#"{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
    {"type": "CreationInfo", "specVersion": "3.0.1"},
    {"type": "software_Package", "name": "requests", "software_packageVersion": "2.19.0", "software_packageUrl": "pkg:pypi/requests@2.19.0"},
    {"type": "software_Package", "name": "yaml", "externalIdentifier": [
        {"type": "ExternalIdentifier", "externalIdentifierType": "packageUrl", "identifier": "pkg:pypi/pyyaml@5.3"}]},
    {"type": "Relationship", "from": "a", "to": ["b"]}]}"#;

const SYFT: &str = r#"{"artifacts": [
    {"id": "1", "name": "musl", "version": "1.2.3-r4", "type": "apk", "purl": "pkg:apk/alpine/musl@1.2.3-r4?arch=x86_64&distro=alpine-3.18.9"},
    {"id": "2", "name": "log4j-core", "version": "2.14.1", "type": "java-archive", "purl": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
    {"id": "3", "name": "busybox", "version": "1.36", "type": "binary", "purl": ""}],
    "source": {"type": "image"}, "distro": {"id": "alpine", "versionID": "3.18.9", "prettyName": "Alpine Linux v3.18", "idLike": []},
    "schema": {"version": "16.0.0"}}"#;

fn bill(text: &str) -> Bill {
    Bill::read(&mut text.as_bytes()).unwrap()
}

fn listed(text: &str) -> Vec<String> {
    let packages = catalog(&Sbom, text.as_bytes()).packages.into_iter();
    packages
        .map(|package| format!("{} {} {} {:?}", package.kind, package.name, package.version, package.evidence))
        .collect()
}

#[test]
fn wants_what_vendors_ship() {
    for path in [
        "usr/share/sbom/base/image.json",
        "var/lib/db/sbom/glibc-2.38-r1.spdx.json",
        "opt/bitnami/redis/.spdx-redis.spdx",
        "usr/lib/python3.13/site-packages/x-1.dist-info/sboms/x.cdx.json",
    ] {
        assert!(Sbom.wants(path), "{path}");
    }
    for path in ["opt/bitnami/redis/redis.spdx", "usr/share/sbom/readme.txt", "app/package.json", "app/cdx.json"] {
        assert!(!Sbom.wants(path), "{path}");
    }
}

#[test]
fn packages_of_languages_are_read_and_nested_ones_too() {
    assert_eq!(listed(CYCLONE_DX), ["npm @scope/inner 1.0.0 Sbom", "npm express 4.16.0 Sbom"]);
    assert_eq!(listed(SPDX), ["bitnami redis 7.4.1 Sbom"]);
    assert_eq!(listed(SPDX3), ["pypi requests 2.19.0 Sbom", "pypi pyyaml 5.3 Sbom"]);
    assert_eq!(listed(SYFT), ["maven org.apache.logging.log4j:log4j-core 2.14.1 Sbom"]);
}

#[test]
fn distributions_and_what_has_no_package_url_are_known() {
    let (cyclone_dx, syft) = (bill(CYCLONE_DX), bill(SYFT));
    let distro = cyclone_dx.distro.unwrap();
    assert_eq!((distro.id.as_str(), distro.version_id.as_deref()), ("debian", Some("12.5")));
    assert_eq!((cyclone_dx.nameless, cyclone_dx.examples), (1, vec!["nobody 1.0".to_owned()]));
    assert_eq!((bill(SPDX).nameless, bill(SPDX).examples), (1, vec!["geos 3.8.3".to_owned()]));
    assert_eq!(bill(SPDX3).nameless, 0);
    assert_eq!((syft.nameless, syft.distro.unwrap().pretty_name.as_deref()), (1, Some("Alpine Linux v3.18")));
}

#[test]
fn what_is_no_bill_of_materials_is_an_error() {
    let deep = format!("{}{}", r#"{"bomFormat": "CycloneDX", "components": "#, r#"[{"components": "#.repeat(1000));
    let many = format!(r#"{{"artifacts": [{}{{}}]}}"#, "{},".repeat(200_000));
    for other in ["{}", "[]", "", r#"{"packages": {}}"#, r#"{"bomFormat": "CycloneDX", "components": 7}"#, &deep, &many]
    {
        let error = Bill::read(&mut other.as_bytes()).unwrap_err();
        assert!(matches!(error, CatalogError::Malformed { .. }), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_documents_are_read_without_panic(
        which in 0..4_usize, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = [CYCLONE_DX, SPDX, SPDX3, SYFT][which].as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for end in [bytes.len(), cut.index(bytes.len())] {
            let mut found = Found::default();
            let _ = Sbom.catalog("a.cdx.json", &mut &bytes[..end], &mut found);
            prop_assert!(found.packages.iter().all(|package| !package.name.is_empty() && !package.version.is_empty()));
        }
    }
}
