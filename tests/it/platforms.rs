//! Images for several platforms, tags without digests, images of other kinds.

use std::process::Command;

use serde_json::json;

use crate::support::eventually;
use crate::support::image::{Layer, Layout, debian_layer, python_layer, python_tar};
use crate::support::plimsoll::Installation;
use crate::support::process::run;
use crate::support::registry::Registry;

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_of_an_index_is_an_image() {
    let installation = Installation::new("[scanner]\nplatforms = []\n");
    let registry = Registry::start(Some(&format!("{}/webhooks/distribution", installation.url))).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let _up = installation.serve("up").await;
    let mut layout = Layout::new();
    let amd64 = layout.add("amd64", &[debian_layer(), python_layer("Jinja2", "2.11.2")]);
    let arm64 = layout.add("arm64", &[debian_layer(), python_layer("Jinja2", "2.10")]);
    let attestation = layout.add("attestation", &[python_layer("none", "1")]);
    let index = layout.add_index("multi", &[(&amd64, "amd64"), (&arm64, "arm64"), (&attestation, "unknown")]);
    let digest = registry.push(layout.path(), "multi", "team/multi:1");
    assert_eq!(digest, index);
    let scan = installation.ended_scan(&index).await;
    assert_eq!(scan["status"], "complete", "{scan}");
    assert_eq!(scan["images"], json!([amd64, arm64]), "the attestation is no image");
    let images = installation.list("/registries/local/repositories/team/multi/images").await;
    let through_index: Vec<_> = images.iter().filter(|image| image["index"] == index.as_str()).collect();
    assert_eq!(through_index.len(), 2, "{images:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_without_a_digest_is_resolved() {
    let installation = Installation::new("");
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let mut layout = Layout::new();
    layout.add("app", &[debian_layer()]);
    let digest = registry.push(layout.path(), "app", "team/app:1");
    let _up = installation.serve("up").await;
    let now = jiff::Timestamp::now();
    let data = json!({ "registry": registry.host, "repository": "team/app", "tag": "1" });
    let body = json!({ "type": "image.imported", "timestamp": now.to_string(), "data": data });
    assert_eq!(installation.deliver("msg_1", now.as_second(), body.to_string().into_bytes()).await, 202);
    let scan = installation.ended_scan(&digest).await;
    assert_eq!((scan["status"].as_str(), scan["job"]["kind"].as_str()), (Some("complete"), Some("import")));
    let images = installation.list("/registries/local/repositories/team/app/images").await;
    assert_eq!((images[0]["digest"].as_str(), &images[0]["tags"]), (Some(digest.as_str()), &json!(["1"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_manifests_zstd_layers_and_passwords_work() {
    let installation = Installation::new("");
    let registry = Registry::start_with_password(None, "plimsoll", "s3cret-for-tests").await;
    let mut layout = Layout::new();
    layout.add("docker", &[debian_layer(), python_layer("Jinja2", "2.11.2")]);
    layout.add("zstd", &[debian_layer(), Layer::zstd(&python_tar("Jinja2", "2.11.2"))]);
    for (name, format) in [("docker", "v2s2"), ("zstd", "oci")] {
        let source = format!("oci:{}:{name}", layout.path().display());
        let target = format!("docker://{}/team/{name}:1", registry.host);
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "-q", "--insecure-policy", "--dest-tls-verify=false", "--format", format]);
        run(skopeo.args(["--dest-creds", "plimsoll:s3cret-for-tests", &source, &target]));
    }
    let refused = installation.run(&["scan", &format!("{}/team/docker:1", registry.host)]);
    assert_eq!(refused.status.code(), Some(3));
    installation.configure(&format!(
        "[registries.local]\nhost = \"{}\"\nplain_http = true\nusername = \"plimsoll\"\npassword = \"s3cret-for-tests\"\n",
        registry.host
    ));
    for name in ["docker", "zstd"] {
        let target = format!("{}/team/{name}:1", registry.host);
        let output = installation.run(&["scan", &target, "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            document["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == "CVE-2020-28493"),
            "{name}"
        );
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_never_comes_is_recorded_as_gone() {
    let installation = Installation::new("[scanner]\nmax_attempts = 1\n");
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let _up = installation.serve("up").await;
    let now = jiff::Timestamp::now();
    let data = json!({ "registry": registry.host, "repository": "team/app", "tag": "never" });
    let body = json!({ "type": "image.pushed", "timestamp": now.to_string(), "data": data });
    assert_eq!(installation.deliver("msg_1", now.as_second(), body.to_string().into_bytes()).await, 202);
    let scan = eventually("the scan fails", async || {
        let scans = installation.list("/scans").await;
        scans.into_iter().find(|scan| scan["status"] == "failed")
    })
    .await;
    assert!(scan["reason"].as_str().unwrap().contains("gone"), "{scan}");
    assert!(installation.list("/dead-jobs").await.is_empty());
}
