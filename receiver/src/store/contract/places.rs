//! Rules of where images are.

use shared::event::EventKind;
use shared::finding::Severity;
use shared::image::{Digest, Repository};
use shared::report::ScanReport;

use super::Backend;
use super::builders::{
    REGISTRY, accept, accept_push, at, delete, digest, event, failed, finding, first_page, found, image, planned, pull,
    push, report,
};
use crate::store::{FindingQuery, ImageSummary, Page, Store};

async fn listed(store: &impl Store) -> Vec<ImageSummary> {
    let repository: Repository = "team/app".parse().unwrap();
    store.images(REGISTRY, &repository, &first_page()).await.unwrap().items
}

async fn digests(store: &impl Store) -> Vec<Digest> {
    listed(store).await.into_iter().map(|image| image.digest).collect()
}

/// Where the tag points now.
async fn target(store: &impl Store, tag: &str) -> Option<Digest> {
    let tag = tag.parse().unwrap();
    listed(store).await.into_iter().find(|image| image.tags.contains(&tag)).map(|image| image.digest)
}

pub(super) async fn an_older_push_does_not_move_a_tag_back(backend: &impl Backend) {
    let store = backend.open().await;
    accept_push(&store, "1", 1, 10).await;
    accept_push(&store, "1", 2, 20).await;
    accept_push(&store, "1", 3, 15).await;
    assert_eq!(target(&store, "1").await, Some(digest(2)));
    accept_push(&store, "1", 4, 20).await;
    assert_eq!(target(&store, "1").await, Some(digest(4)), "of the same moment, the one we hear of last");
    assert_eq!(digests(&store).await.len(), 4, "all of them were pushed");
    let repositories = store.repositories(REGISTRY, &first_page()).await.unwrap().items;
    assert_eq!((repositories[0].tags, repositories[0].images), (1, 4));
    assert_eq!(repositories[0].last_pushed_at, Some(at(20)));
}

pub(super) async fn a_clock_that_runs_ahead_does_not_pin_a_tag(backend: &impl Backend) {
    let store = backend.open().await;
    accept_push(&store, "1", 1, 9_000_000_000).await;
    accept_push(&store, "1", 2, 9_000_000_000).await;
    assert_eq!(target(&store, "1").await, Some(digest(2)));
    assert!(listed(&store).await[0].pushed_at < Some(at(9_000_000_000)));
}

pub(super) async fn a_deleted_tag_is_retired(backend: &impl Backend) {
    let store = backend.open().await;
    accept_push(&store, "1", 1, 10).await;
    accept_push(&store, "2", 1, 10).await;
    accept(&store, vec![delete(Some("1"), None, 20), delete(Some("2"), None, 5)]).await;
    accept_push(&store, "1", 1, 15).await;
    assert_eq!(target(&store, "1").await, None);
    assert_eq!(target(&store, "2").await, Some(digest(1)), "it was pushed after the delete");
    accept(&store, vec![delete(Some("2"), Some(digest(9)), 20)]).await;
    assert_eq!(target(&store, "2").await, Some(digest(1)), "the delete was of another digest");
    accept(&store, vec![delete(Some("2"), Some(digest(1)), 20)]).await;
    assert_eq!(target(&store, "2").await, None);
    assert_eq!(digests(&store).await, [digest(1)], "the image is still there");
}

pub(super) async fn a_deleted_digest_is_in_no_listing(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 10).await;
    store.record(&found(&job, vec![finding("CVE-1", "a", Severity::High)]), at(70)).await.unwrap();
    accept(&store, vec![delete(None, Some(digest(1)), 20)]).await;
    assert!(listed(&store).await.is_empty());
    let query = FindingQuery::default();
    assert!(store.findings(&query, &first_page()).await.unwrap().items.is_empty());
    assert!(store.image(&digest(1)).await.unwrap()[0].locations.is_empty(), "what was found is still known");

    accept_push(&store, "1", 1, 15).await;
    assert!(listed(&store).await.is_empty(), "that push was before the delete");
    accept_push(&store, "1", 1, 30).await;
    assert_eq!(target(&store, "1").await, Some(digest(1)));
    assert_eq!(store.findings(&query, &first_page()).await.unwrap().items.len(), 1);
}

pub(super) async fn a_deleted_repository_is_in_no_listing(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 10).await;
    accept_push(&store, "2", 2, 30).await;
    accept(&store, vec![delete(None, None, 20)]).await;
    assert_eq!(digests(&store).await, [digest(2)], "the other was pushed after the delete");
    accept(&store, vec![delete(None, None, 40)]).await;
    assert!(listed(&store).await.is_empty());
    assert!(store.repositories(REGISTRY, &first_page()).await.unwrap().items.is_empty());
    store.record(&found(&job, Vec::new()), at(70)).await.unwrap();
    accept_push(&store, "3", 3, 35).await;
    assert!(listed(&store).await.is_empty(), "neither a report nor an older push brings it back");
    accept_push(&store, "1", 1, 50).await;
    assert_eq!(digests(&store).await, [digest(1)]);
}

pub(super) async fn events_of_one_delivery_follow_each_other(backend: &impl Backend) {
    let store = backend.open().await;
    let together = super::builders::delivery(vec![
        push(Some("1"), Some(digest(1)), 10),
        delete(None, None, 10),
        push(Some("1"), Some(digest(2)), 10),
    ]);
    store.accept(&together).await.unwrap();
    assert_eq!(digests(&store).await, [digest(2)]);
    assert_eq!(target(&store, "1").await, Some(digest(2)));
}

pub(super) async fn a_pull_moves_last_pulled(backend: &impl Backend) {
    let store = backend.open().await;
    accept_push(&store, "1", 1, 10).await;
    accept(&store, vec![pull(Some("1"), None, 30), pull(None, Some(digest(1)), 20)]).await;
    accept(&store, vec![pull(Some("9"), None, 30), pull(None, Some(digest(9)), 20)]).await;
    let images = listed(&store).await;
    assert_eq!(images.len(), 1, "a pull alone makes no image");
    assert_eq!((images[0].last_pulled_at, images[0].pushed_at), (Some(at(30)), Some(at(10))));
    assert_eq!(store.image(&digest(1)).await.unwrap()[0].summary.last_pulled_at, Some(at(30)));
}

/// An index (10) that was scanned as two manifests (11 and 12).
async fn scanned_index(store: &impl Store) -> ScanReport {
    let job = accept_push(store, "1", 10, 10).await;
    let mut arm = image(digest(12), vec![finding("CVE-2", "b", Severity::Low)]);
    arm.platform = Some("linux/arm64".parse().unwrap());
    let report = report(&job, vec![image(digest(11), vec![finding("CVE-1", "a", Severity::High)]), arm]);
    store.record(&report, at(70)).await.unwrap();
    report
}

pub(super) async fn an_index_is_one_image_for_each_platform(backend: &impl Backend) {
    let store = backend.open().await;
    accept(&store, vec![push(None, Some(digest(11)), 9)]).await;
    scanned_index(&store).await;
    let images = listed(&store).await;
    assert_eq!(images.len(), 2, "the manifest that was also pushed by itself is listed once: {images:?}");
    for image in &images {
        assert_eq!((image.index.as_ref(), image.pushed_at), (Some(&digest(10)), Some(at(10))));
        assert_eq!(image.tags, ["1".parse().unwrap()]);
    }
    assert_eq!(store.image(&digest(10)).await.unwrap().len(), 2);
    let one = &store.image(&digest(12)).await.unwrap()[0];
    assert_eq!((one.locations.len(), one.summary.tags.len()), (1, 1));

    let query = |number| FindingQuery { digest: Some(digest(number)), ..FindingQuery::default() };
    for (number, count) in [(10, 2), (11, 1), (12, 1), (13, 0)] {
        assert_eq!(store.findings(&query(number), &first_page()).await.unwrap().items.len(), count, "{number}");
    }
}

pub(super) async fn an_index_that_fails_keeps_its_images(backend: &impl Backend) {
    let store = backend.open().await;
    let first = accept_push(&store, "1", 10, 5).await;
    store.record(&failed(&first, "gone"), at(60)).await.unwrap();
    assert_eq!(store.image(&digest(10)).await.unwrap()[0].reason.as_deref(), Some("gone"));

    scanned_index(&store).await;
    let again = accept_push(&store, "1", 10, 11).await;
    store.record(&failed(&again, "gone again"), at(80)).await.unwrap();
    let images = store.image(&digest(10)).await.unwrap();
    assert_eq!(images.len(), 2);
    assert!(images.iter().all(|image| image.failed_scan.as_ref().is_some_and(|scan| scan.job.id == again.id)));
}

pub(super) async fn a_shared_manifest_is_listed_under_the_newest_index(backend: &impl Backend) {
    let store = backend.open().await;
    scanned_index(&store).await;
    let job = accept_push(&store, "2", 20, 20).await;
    let shared = image(digest(12), Vec::new());
    store.record(&report(&job, vec![image(digest(21), Vec::new()), shared]), at(80)).await.unwrap();
    let mut told: Vec<_> = listed(&store).await.into_iter().map(|image| (image.digest, image.index)).collect();
    told.sort();
    let mut expected =
        [(11, 10), (12, 20), (21, 20)].map(|(manifest, index)| (digest(manifest), Some(digest(index)))).to_vec();
    expected.sort();
    assert_eq!(told, expected);
}

pub(super) async fn pages_of_images_join_without_gaps(backend: &impl Backend) {
    let store = backend.open().await;
    scanned_index(&store).await;
    for number in 30..36 {
        accept_push(&store, "n", number, i64::from(number)).await;
    }
    let whole = digests(&store).await;
    assert_eq!((whole.len(), &whole[0]), (8, &digest(35)), "the most recently pushed comes first");
    let repository: Repository = "team/app".parse().unwrap();
    for limit in 1..=9 {
        let (mut paged, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.images(REGISTRY, &repository, &Page { limit, cursor }).await.unwrap();
            assert!(page.items.len() <= limit);
            paged.extend(page.items.into_iter().map(|image| image.digest));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(paged, whole, "pages of {limit}");
    }
}

pub(super) async fn registries_and_repositories_are_counted(backend: &impl Backend) {
    let store = backend.open().await;
    for name in ["b/x", "a/x", "c/x"] {
        let mut pushed = event(EventKind::Push, Some("1"), Some(digest(1)), 1);
        pushed.repository = name.parse().unwrap();
        accept(&store, vec![planned(pushed.clone(), REGISTRY), planned(pushed, "another")]).await;
    }
    let registries = store.registries().await.unwrap();
    let told: Vec<_> = registries.iter().map(|r| (r.name.as_str(), r.repositories, r.images)).collect();
    assert_eq!(told, [("another", 3, 1), (REGISTRY, 3, 1)]);
    assert!(registries[0].last_event_at.is_some());

    let first = store.repositories(REGISTRY, &Page { limit: 2, cursor: None }).await.unwrap();
    let rest = store.repositories(REGISTRY, &Page { limit: 2, cursor: first.next.clone() }).await.unwrap();
    let names: Vec<_> = first.items.iter().chain(&rest.items).map(|r| r.repository.as_str()).collect();
    assert_eq!((names, rest.next), (vec!["a/x", "b/x", "c/x"], None));
}
