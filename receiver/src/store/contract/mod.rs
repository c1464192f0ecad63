//! What any store must do. A backend says how it is opened; the rules are the same for all.

use std::future::Future;

use super::Store;

mod builders;
mod findings;
mod intake;
mod model;
mod places;
mod recording;
mod rest;

/// A place for one store.
pub(super) trait Backend {
    type Store: Store + Clone + 'static;

    /// An empty place.
    fn new() -> Self;

    /// Opens the store that is here, with what it kept since it was last open.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;
}

/// One test for each rule.
macro_rules! rules {
    ($backend:ty: $($room:ident::{$($rule:ident),+ $(,)?}),+ $(,)?) => {
        $($(
            #[tokio::test]
            async fn $rule() {
                super::$room::$rule(&<$backend as super::Backend>::new()).await;
            }
        )+)+
    };
}

mod sled {
    use tempfile::TempDir;

    use crate::store::sled::SledStore;

    struct Folder(TempDir);

    impl super::Backend for Folder {
        type Store = SledStore;

        fn new() -> Self {
            Self(TempDir::new().unwrap())
        }

        async fn open(&self) -> SledStore {
            SledStore::open(&self.0.path().join("store")).unwrap()
        }
    }

    rules! {
        Folder:
        intake::{
            a_delivery_is_taken_in_once,
            of_many_at_once_one_is_new,
            ten_tags_on_one_digest_are_one_scan,
            a_digest_is_joined_across_repositories_but_not_registries,
            a_tag_is_joined_until_its_scan_starts,
            jobs_wait_until_they_are_sent,
            what_was_acknowledged_outlives_the_process,
            fields_of_any_size_are_taken_in,
        },
    }
}
