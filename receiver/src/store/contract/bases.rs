//! Rules of images that are built on other images.

use shared::finding::Severity;
use shared::image::{Digest, Platform};
use shared::report::{BaseImage, ImageReport, LayerUse};

use super::Backend;
use super::builders::{accept_push, at, digest, finding, first_page, image, report};
use crate::store::{FindingQuery, ImageDetail, Store};

fn layer_digest(name: char) -> Digest {
    Digest::sha256_of(name.to_string().as_bytes())
}

fn layers(names: &str) -> Vec<LayerUse> {
    let layer = |name| LayerUse { digest: layer_digest(name), size: 1, cached: false, created_by: None, base: false };
    names.chars().map(layer).collect()
}

/// Records that the image `number`, with the tag of that number, has the layers named here.
async fn record(store: &impl Store, number: u8, names: &str, change: impl FnOnce(&mut ImageReport)) -> ImageDetail {
    let job = accept_push(store, &number.to_string(), number, i64::from(number)).await;
    let mut image = ImageReport { layers: layers(names), ..image(digest(number), Vec::new()) };
    change(&mut image);
    store.record(&report(&job, vec![image]), at(100)).await.unwrap();
    store.image(&digest(number)).await.unwrap().remove(0)
}

fn base_layers(image: &ImageDetail) -> usize {
    assert!(image.layers.iter().is_sorted_by_key(|layer| !layer.base), "they are at the bottom");
    image.layers.iter().filter(|layer| layer.base).count()
}

fn known(number: u8) -> Option<BaseImage> {
    Some(BaseImage { name: Some(format!("main/team/app:{number}")), digest: Some(digest(number)) })
}

pub(super) async fn layers_of_a_known_image_are_marked_as_base(backend: &impl Backend) {
    let store = backend.open().await;
    let base = record(&store, 1, "ab", |_| {}).await;
    assert_eq!((base_layers(&base), base.base), (0, None));

    let app = record(&store, 2, "abc", |_| {}).await;
    assert_eq!((base_layers(&app), app.base), (2, known(1)));
    let on_app = record(&store, 3, "abcd", |_| {}).await;
    assert_eq!((base_layers(&on_app), on_app.base), (3, known(2)), "the longest wins");

    let same = record(&store, 4, "ab", |_| {}).await;
    assert_eq!((base_layers(&same), same.base), (0, None), "no image is the base of its like");
    let unlike = record(&store, 5, "xab", |_| {}).await;
    assert_eq!((base_layers(&unlike), unlike.base), (0, None), "a base is at the bottom");
    let arm: Platform = "linux/arm64".parse().unwrap();
    let elsewhere = record(&store, 6, "abc", |image| image.platform = Some(arm)).await;
    assert_eq!((base_layers(&elsewhere), elsewhere.base), (0, None), "of another platform");

    drop(store);
    let store = backend.open().await;
    let again = record(&store, 2, "abc", |_| {}).await;
    assert_eq!(base_layers(&again), 2, "found again when it is scanned again");
}

pub(super) async fn the_base_that_an_image_names_comes_first(backend: &impl Backend) {
    let store = backend.open().await;
    record(&store, 1, "ab", |_| {}).await;
    record(&store, 2, "abc", |_| {}).await;
    let stated = |name: Option<&str>, digest| Some(BaseImage { name: name.map(str::to_owned), digest });

    let by_digest = record(&store, 3, "abcd", |image| image.base = stated(None, Some(digest(1)))).await;
    assert_eq!((base_layers(&by_digest), by_digest.base), (2, known(1)));
    let by_name = stated(Some("docker.io/library/debian:12"), None);
    let named = record(&store, 4, "abcd", |image| image.base = by_name.clone()).await;
    assert_eq!((base_layers(&named), named.base), (3, by_name), "what it says of its base stands");
    let unlike = record(&store, 5, "xab", |image| image.base = stated(None, Some(digest(1)))).await;
    assert_eq!(base_layers(&unlike), 0, "its word alone marks nothing");
    let marked = record(&store, 6, "abcd", |image| image.layers[0].base = true).await;
    assert_eq!((base_layers(&marked), marked.base), (1, None), "the scanner knows better");
}

pub(super) async fn findings_are_told_apart_by_base(backend: &impl Backend) {
    let store = backend.open().await;
    record(&store, 1, "ab", |_| {}).await;
    record(&store, 2, "abc", |image| {
        for (id, layer) in [("CVE-1", Some('a')), ("CVE-2", Some('c')), ("CVE-3", None)] {
            let layer = layer.map(layer_digest);
            image.findings.push(shared::finding::Finding { layer, ..finding(id, "p", Severity::High) });
        }
    })
    .await;
    for (base, expected) in
        [(Some(true), &["CVE-1"][..]), (Some(false), &["CVE-2", "CVE-3"]), (None, &["CVE-1", "CVE-2", "CVE-3"])]
    {
        let query = FindingQuery { base, ..FindingQuery::default() };
        let rows = store.findings(&query, &first_page()).await.unwrap().items;
        assert_eq!(rows.iter().map(|row| row.finding.id.as_str()).collect::<Vec<_>>(), expected);
        assert!(rows.iter().all(|row| row.base == (row.finding.id == "CVE-1")));
    }
}
