//! The main job: a push becomes recorded findings, on real parts.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::image::{Layout, debian_layer, python_layer};
use crate::support::plimsoll::Installation;
use crate::support::process::run;
use crate::support::registry::Registry;

/// A Debian system as its own bootstrap makes it, as an OCI layout with one image, `base`.
fn debian_image(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    run(Command::new("debootstrap").args(["--variant=minbase", "bookworm"]).arg(&root));
    let tar = folder.join("root.tar");
    let mut pack = Command::new("tar");
    pack.args(["--numeric-owner", "--exclude=./dev/*", "--exclude=./var/cache/apt/archives/*.deb", "-C"]);
    run(pack.arg(&root).arg("-cf").arg(&tar).arg("."));
    let layout = folder.join("layout");
    let image = format!("{}:base", layout.display());
    run(Command::new("umoci").args(["init", "--layout"]).arg(&layout));
    run(Command::new("umoci").args(["new", "--image", &image]));
    run(Command::new("umoci").args(["raw", "add-layer", "--image", &image]).arg(&tar));
    layout
}

async fn findings_of(installation: &Installation, digest: &str) -> Vec<Value> {
    installation.list(&format!("/findings?digest={digest}&limit=500")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_debian_image_is_scanned_through_the_broker() {
    let broker = Broker::start().await;
    let queue = format!("[queue]\nkind = \"rabbitmq\"\nurl = \"{}\"\n", broker.url());
    let installation = Installation::new(&queue);
    let registry = Registry::start(Some(&format!("{}/webhooks/distribution", installation.url))).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let _receiver = installation.serve("receiver").await;
    let _scanner = installation.scanner("first");

    let folder = tempfile::tempdir().unwrap();
    let digest = registry.push(&debian_image(folder.path()), "base", "team/debian:12");
    let scan = installation.ended_scan(&digest).await;
    assert_eq!(scan["status"], "complete", "{scan}");

    let found = findings_of(&installation, &digest).await;
    assert!(found.iter().any(|finding| finding["ecosystem"] == "Debian:12"), "{found:?}");
    let packages = installation.list(&format!("/images/{digest}/packages")).await;
    assert!(packages.len() > 70, "{}", packages.len());
    assert!(packages.iter().any(|package| package["name"] == "libc6" && package["source_name"] == "glibc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_scanned_on_the_embedded_default() {
    let installation = Installation::new("");
    let registry = Registry::start(Some(&format!("{}/webhooks/distribution", installation.url))).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let _up = installation.serve("up").await;

    let mut layout = Layout::new();
    layout.add("app", &[debian_layer(), python_layer("Jinja2", "2.11.2")]);
    let digest = registry.push(layout.path(), "app", "team/app:1");
    let scan = installation.ended_scan(&digest).await;
    assert_eq!(scan["status"], "complete", "{scan}");
    let steps: Vec<_> =
        scan["timeline"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["accepted", "queued", "started", "complete"]);

    let found = findings_of(&installation, &digest).await;
    let jinja: Vec<_> = found.iter().filter(|finding| finding["package"] == "Jinja2").collect();
    assert!(jinja.iter().any(|finding| finding["id"] == "CVE-2020-28493"), "{jinja:?}");
    let locations = &jinja[0]["locations"][0];
    assert_eq!((locations["repository"].as_str(), locations["tags"][0].as_str()), (Some("team/app"), Some("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_tags_on_one_digest_are_one_scan() {
    let installation = Installation::new("");
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let mut layout = Layout::new();
    layout.add("app", &[debian_layer()]);
    let digest = registry.push(layout.path(), "app", "team/app:0");
    let _up = installation.serve("up").await;
    let statuses =
        futures_util::future::join_all((0..10).map(|n| {
            let (installation, registry, digest) = (&installation, &registry, &digest);
            async move {
                installation.announce(&format!("msg_{n}"), &registry.host, "team/app", &format!("t{n}"), digest).await
            }
        }));
    assert_eq!(statuses.await, [202; 10]);
    installation.ended_scan(&digest).await;
    let events = installation.list("/events?limit=500").await;
    let scans: std::collections::HashSet<_> = events.iter().map(|event| event["scan_id"].to_string()).collect();
    assert_eq!((events.len(), scans.len()), (10, 1), "{events:?}");
    let images = installation.list("/registries/local/repositories/team/app/images").await;
    assert_eq!(images.len(), 1);
    assert_eq!(images[0]["tags"].as_array().unwrap().len(), 10, "{images:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_scanners_share_the_work() {
    let broker = Broker::start().await;
    let queue = format!("[queue]\nkind = \"rabbitmq\"\nurl = \"{}\"\n[scanner]\nconcurrency = 1\n", broker.url());
    let installation = Installation::new(&queue);
    let registry = Registry::start(Some(&format!("{}/webhooks/distribution", installation.url))).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let _receiver = installation.serve("receiver").await;
    let mut layout = Layout::new();
    let digests: Vec<_> = (0..20)
        .map(|n| layout.add(&format!("v{n}"), &[debian_layer(), python_layer("Jinja2", &format!("2.{n}"))]))
        .collect();
    for n in 0..20 {
        registry.push(layout.path(), &format!("v{n}"), &format!("team/app:v{n}"));
    }
    let _scanners = [installation.scanner("one"), installation.scanner("two")];
    let mut workers = std::collections::BTreeMap::<String, usize>::new();
    for digest in &digests {
        let scan = installation.ended_scan(digest).await;
        assert_eq!(scan["status"], "complete", "{scan}");
        let started = scan["timeline"].as_array().unwrap().iter().find(|step| step["step"] == "started").unwrap();
        let detail = started["detail"].as_str().unwrap();
        let worker = ["one", "two"].into_iter().find(|name| detail.contains(name)).unwrap();
        *workers.entry(worker.to_owned()).or_default() += 1;
    }
    assert_eq!(workers.len(), 2, "{workers:?}");
}
