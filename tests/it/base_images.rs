//! What comes from the base image and what the image itself added are told apart.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::image::{debian_layer, python_tar};
use crate::support::plimsoll::Installation;
use crate::support::process::run;
use crate::support::registry::Registry;

const INSTALL: &str = "RUN pip install Jinja2==2.11.2";

/// A layout with the images `base`, of one layer, and `app`, which adds another to it.
fn layout(folder: &Path) -> PathBuf {
    let layout = folder.join("layout");
    let image = |tag: &str| format!("{}:{tag}", layout.display());
    let file = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let system = file("system.tar", unpacked(&debian_layer().bytes));
    let library = file("library.tar", python_tar("Jinja2", "2.11.2"));
    let add = |tag: &str, tar: &Path, line: &str| {
        let mut add = Command::new("umoci");
        run(add.args(["raw", "add-layer", "--history.created_by", line, "--image", &image(tag)]).arg(tar));
    };
    run(Command::new("umoci").args(["init", "--layout"]).arg(&layout));
    run(Command::new("umoci").args(["new", "--image", &image("base")]));
    add("base", &system, "ADD rootfs.tar /");
    run(Command::new("umoci").args(["tag", "--image", &image("base"), "app"]));
    add("app", &library, INSTALL);
    layout
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(gzip), &mut tar).unwrap();
    tar
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_of_a_base_that_was_scanned_are_marked() {
    let installation = Installation::new("");
    let registry = Registry::start(Some(&format!("{}/webhooks/distribution", installation.url))).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let _up = installation.serve("up").await;
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(folder.path());

    let base = registry.push(&layout, "base", "library/debian:12");
    installation.ended_scan(&base).await;
    let app = registry.push(&layout, "app", "team/app:1");
    installation.ended_scan(&app).await;

    let image = &installation.list(&format!("/images/{app}")).await[0];
    assert_eq!(image["base"]["digest"].as_str(), Some(base.as_str()), "{image}");
    let layers = image["layers"].as_array().unwrap();
    let told: Vec<_> = layers.iter().map(|layer| (layer["base"].as_bool(), layer["created_by"].as_str())).collect();
    assert_eq!(told, [(Some(true), Some("ADD rootfs.tar /")), (Some(false), Some(INSTALL))]);

    let packages = async |query: &str| {
        let found = installation.list(&format!("/findings?digest={app}&limit=500&{query}")).await;
        let mut packages: Vec<_> =
            found.iter().map(|finding| finding["package"].as_str().unwrap().to_owned()).collect();
        packages.sort();
        packages.dedup();
        packages
    };
    assert_eq!(packages("base=false").await, ["Jinja2"]);
    let of_base = packages("base=true").await;
    assert!(!of_base.is_empty() && !of_base.contains(&"Jinja2".to_owned()), "{of_base:?}");
}
