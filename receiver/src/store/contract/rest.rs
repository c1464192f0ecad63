//! Rules of tokens and of listings by time.

use shared::event::EventKind;
use uuid::Uuid;

use super::Backend;
use super::builders::{accept, accept_push, at, digest, event, failed, first_page, found, planned, pull, push};
use crate::store::{Action, Page, Role, ScanStatus, Store, TokenRecord};

pub(super) async fn tokens_are_found_by_hash_until_they_are_revoked(backend: &impl Backend) {
    let store = backend.open().await;
    let token = |name: &str, byte| TokenRecord {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        role: Role::Viewer,
        hash: [byte; 32],
        created_at: at(0),
        expires_at: None,
    };
    let (b, a) = (token("b", 1), token("a", 2));
    store.put_token(&b).await.unwrap();
    store.put_token(&a).await.unwrap();
    assert_eq!(store.tokens().await.unwrap(), [a.clone(), b.clone()]);
    assert_eq!(store.token_by_hash(&[1; 32]).await.unwrap(), Some(b.clone()));
    assert_eq!(store.token_by_hash(&[3; 32]).await.unwrap(), None);

    let replaced = TokenRecord { hash: [9; 32], role: Role::Admin, ..b.clone() };
    store.put_token(&replaced).await.unwrap();
    assert_eq!(store.token_by_hash(&[1; 32]).await.unwrap(), None, "the old hash no longer opens");
    assert_eq!(store.token_by_hash(&[9; 32]).await.unwrap(), Some(replaced));

    assert!(store.revoke_token(b.id).await.unwrap());
    assert!(!store.revoke_token(b.id).await.unwrap());
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.token_by_hash(&[9; 32]).await.unwrap(), None);
    assert_eq!(store.tokens().await.unwrap(), [a]);
}

pub(super) async fn events_say_what_was_done_newest_first(backend: &impl Backend) {
    let store = backend.open().await;
    accept(&store, vec![push(Some("1"), Some(digest(1)), 0), pull(Some("1"), None, 1)]).await;
    let mut ignored = planned(event(EventKind::Push, None, Some(digest(2)), 0), "main");
    (ignored.action, ignored.registry) = (Action::Ignored("no such registry".to_owned()), None);
    accept(&store, vec![ignored]).await;
    let events = store.events(&first_page()).await.unwrap().items;
    let told: Vec<_> = events.iter().map(|event| event.timeline[0].step.as_str()).collect();
    assert_eq!(told, ["ignored", "pulled", "accepted"]);
    assert_eq!(events[0].timeline[0].detail.as_deref(), Some("no such registry"));
    assert_eq!(store.event(Uuid::now_v7()).await.unwrap().map(|event| event.id), None);

    let first = store.events(&Page { limit: 2, cursor: None }).await.unwrap();
    accept(&store, vec![pull(Some("1"), None, 1)]).await;
    let rest = store.events(&Page { limit: 2, cursor: first.next }).await.unwrap();
    assert_eq!((rest.items[0].id, rest.items.len(), rest.next), (events[2].id, 1, None));
}

pub(super) async fn scans_are_listed_by_status(backend: &impl Backend) {
    let store = backend.open().await;
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.push(accept_push(&store, "1", number, 0).await);
    }
    store.record(&failed(&jobs[1], "gone"), at(70)).await.unwrap();
    store.record(&failed(&jobs[3], "gone"), at(70)).await.unwrap();
    store.record(&found(&jobs[4], Vec::new()), at(70)).await.unwrap();
    let mut ids = Vec::new();
    let mut page = Page { limit: 1, cursor: None };
    loop {
        let listing = store.scans(Some(ScanStatus::Failed), &page).await.unwrap();
        ids.extend(listing.items.iter().map(|scan| scan.job.id));
        page.cursor = listing.next;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(ids, [jobs[3].id, jobs[1].id]);
    assert_eq!(store.scans(None, &first_page()).await.unwrap().items.len(), 5);
    store.ready().await.unwrap();
}
