//! Bills of materials instead of images: what other tools write is scanned as their image would be.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::plimsoll::Installation;

/// As Trivy writes it: the source package is in the properties.
fn trivy() -> Value {
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5",
        "metadata": {"component": {"type": "container", "name": "shop", "purl": "pkg:oci/shop@sha256:0"}},
        "components": [
            {"type": "operating-system", "name": "debian", "version": "12.4"},
            {"type": "library", "name": "libc6", "version": "2.36-9+deb12u1",
             "purl": "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=debian-12.4",
             "properties": [{"name": "aquasecurity:trivy:SrcName", "value": "glibc"},
                {"name": "aquasecurity:trivy:SrcRelease", "value": "9+deb12u1"},
                {"name": "aquasecurity:trivy:SrcVersion", "value": "2.36"}]},
            {"type": "library", "name": "Jinja2", "version": "2.11.2", "purl": "pkg:pypi/jinja2@2.11.2"}]
    })
}

/// As Syft writes SPDX: the source package is a qualifier of the package URL.
fn spdx() -> Value {
    let package = |name: &str, purl: &str| {
        json!({"SPDXID": format!("SPDXRef-{name}"), "name": name, "externalRefs": [
            {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x:x:*:*:*:*:*:*:*:*"},
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]})
    };
    let libc6 = "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&upstream=glibc&distro=debian-12";
    json!({
        "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "shop",
        "packages": [package("libc6", libc6), package("Jinja2", "pkg:pypi/Jinja2@2.11.2"),
            {"SPDXID": "SPDXRef-Image", "name": "shop", "primaryPackagePurpose": "CONTAINER"}]
    })
}

/// Syft's own format.
fn syft() -> Value {
    json!({
        "artifacts": [
            {"name": "libc6", "version": "2.36-9+deb12u1", "type": "deb",
             "purl": "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&upstream=glibc&distro=debian-12"},
            {"name": "Jinja2", "version": "2.11.2", "type": "python", "purl": "pkg:pypi/Jinja2@2.11.2"}],
        "distro": {"id": "debian", "versionID": "12", "prettyName": "Debian GNU/Linux 12 (bookworm)"},
        "schema": {"version": "16.0.0"}
    })
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    format!("sbom:{}", path.display())
}

#[test]
fn every_format_gives_the_same_findings() {
    let (installation, folder) = (Installation::new(""), tempfile::tempdir().unwrap());
    let mut answers = Vec::new();
    for (name, document) in [("trivy.cdx.json", trivy()), ("shop.spdx.json", spdx()), ("shop.syft.json", syft())] {
        let target = write(folder.path(), name, &document.to_string());
        let output = installation.run(&["scan", &target, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["outcome"], "complete", "{name}: {}", answer["warnings"]);
        assert_eq!((&answer["target"], &answer["digest"]), (&Value::from(target), &Value::Null));
        assert_eq!(answer["distro"]["ecosystem"], "Debian:12", "{name}");
        let findings = answer["findings"].as_array().unwrap().iter();
        let mut found: Vec<_> = findings.map(|finding| (finding["id"].clone(), finding["package"].clone())).collect();
        found.sort_by_key(|(id, package)| (id.to_string(), package.to_string()));
        answers.push(found);
    }
    for finding in [("CVE-2020-28493", "jinja2"), ("CVE-2023-4911", "libc6")] {
        assert!(answers[0].contains(&(finding.0.into(), finding.1.into())), "{finding:?} in {:?}", answers[0]);
    }
    let lower = |found: &[(Value, Value)]| -> Vec<String> {
        found.iter().map(|(id, package)| format!("{id} {package}").to_lowercase()).collect()
    };
    assert_eq!(lower(&answers[0]), lower(&answers[1]));
    assert_eq!(answers[1], answers[2]);
}

#[test]
fn a_pipeline_can_stop_at_a_bill_of_materials() {
    let (installation, folder) = (Installation::new(""), tempfile::tempdir().unwrap());
    let target = write(folder.path(), "shop.syft.json", &syft().to_string());
    assert_eq!(installation.run(&["scan", &target, "--fail-on", "low"]).status.code(), Some(1));
    let shown = installation.run(&["scan", &target]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("CVE-2020-28493") && shown.contains("2 packages"), "{shown}");
}

#[test]
fn what_is_no_bill_of_materials_is_refused_with_its_reason() {
    let (installation, folder) = (Installation::new(""), tempfile::tempdir().unwrap());
    let whole = trivy().to_string();
    for (text, why) in [
        (&whole[..whole.len() / 2], "shop.json"),
        ("{}", "neither CycloneDX nor SPDX nor Syft JSON"),
        ("", "shop.json"),
        ("<bom/>", "shop.json"),
    ] {
        let target = write(folder.path(), "shop.json", text);
        let output = installation.run(&["scan", &target]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}: {said}");
        assert!(said.contains(why), "{text}: {said}");
    }
    assert_eq!(installation.run(&["scan", "sbom:/nowhere.json"]).status.code(), Some(3));
}
