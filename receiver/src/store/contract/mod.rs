//! What any store must do. A backend says how it is opened; the rules are the same for all.

use std::future::Future;

use super::Store;

mod bases;
pub(super) mod builders;
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
            what_was_just_scanned_is_joined_but_not_by_operators,
            a_tag_is_joined_until_its_scan_starts,
            jobs_wait_until_they_are_sent,
            a_job_that_the_queue_lost_is_sent_again,
            a_job_that_is_lost_again_and_again_is_dead,
            a_scan_that_is_quicker_than_its_confirmation_was_queued_too,
            what_was_acknowledged_outlives_the_process,
            fields_of_any_size_are_taken_in,
        },
        recording::{
            a_timeline_tells_every_attempt_once,
            a_report_is_recorded_once,
            a_rescan_replaces_findings_and_keeps_when_they_were_first_seen,
            a_failed_scan_leaves_the_last_good_result,
            a_tag_points_at_what_its_scan_resolved,
            a_report_of_an_unknown_job_is_recorded,
            large_results_come_back_whole,
            a_dead_job_is_replayed_under_a_new_id,
            a_replay_joins_what_is_under_way,
            dead_letters_are_listed_and_discarded,
            a_report_revives_a_dead_job,
            a_job_whose_report_is_dead_is_dead,
        },
        bases::{
            layers_of_a_known_image_are_marked_as_base,
            the_base_that_an_image_names_comes_first,
            findings_are_told_apart_by_base,
        },
        places::{
            an_older_push_does_not_move_a_tag_back,
            a_clock_that_runs_ahead_does_not_pin_a_tag,
            a_deleted_tag_is_retired,
            a_deleted_digest_is_in_no_listing,
            a_deleted_repository_is_in_no_listing,
            events_of_one_delivery_follow_each_other,
            a_pull_moves_last_pulled,
            an_index_is_one_image_for_each_platform,
            an_index_that_fails_keeps_its_images,
            a_shared_manifest_is_listed_under_the_newest_index,
            pages_of_images_join_without_gaps,
            registries_and_repositories_are_counted,
        },
        findings::{
            every_query_finds_what_it_says_in_order,
            pages_of_findings_are_stable_under_inserts,
            a_finding_tells_all_images_that_have_it,
            names_that_were_made_up_find_nothing,
        },
        rest::{
            tokens_are_found_by_hash_until_they_are_revoked,
            events_say_what_was_done_newest_first,
            scans_are_listed_by_status,
        },
        model::{
            every_job_ends_once_and_can_then_be_asked_for_again,
        },
    }
}
