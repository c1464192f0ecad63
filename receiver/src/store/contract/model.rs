//! Random lives of jobs, held against what is simply true: every scan that was asked for ends, once, and then the same
//! may be asked for again.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use shared::report::{Outcome, ScanReport};
use uuid::Uuid;

use super::Backend;
use super::builders::{at, delivery, digest, first_page, found, push, report};
use crate::store::{Accepted, DeadLetter, Recorded, ScanStatus, Store};
use shared::job::{JobKind, ScanJob};
use shared::queue::Topic;

/// What may happen next. Numbers choose among what is there.
#[derive(Debug, Clone)]
enum Move {
    /// A push of one of four digests, or of one of two tags alone.
    Push(u8),
    RepeatDelivery(usize),
    Send(usize),
    Start(usize),
    Record(usize, bool),
    Die(usize),
    Replay(usize),
    /// The queue loses everything that it holds.
    Lose,
    Reopen,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let any_job = 0_usize..50;
    let one = prop_oneof![
        6 => (0_u8..6).prop_map(Move::Push),
        1 => any_job.clone().prop_map(Move::RepeatDelivery),
        2 => (1_usize..4).prop_map(Move::Send),
        3 => any_job.clone().prop_map(Move::Start),
        4 => (any_job.clone(), any::<bool>()).prop_map(|(job, good)| Move::Record(job, good)),
        1 => any_job.clone().prop_map(Move::Die),
        1 => any_job.prop_map(Move::Replay),
        1 => Just(Move::Lose),
        1 => Just(Move::Reopen),
    ];
    prop::collection::vec(one, 1..40)
}

/// What must be true.
#[derive(Default)]
struct Model {
    jobs: Vec<ScanJob>,
    deliveries: Vec<crate::store::Intake>,
    /// By digest, or by tag where there is no digest: the job that others join.
    joinable: HashMap<String, Uuid>,
    dead: HashSet<Uuid>,
    recorded: HashSet<Uuid>,
    dropped: HashSet<Uuid>,
}

fn goal(job: &ScanJob) -> String {
    job.reference().unwrap().to_string()
}

impl Model {
    fn pick(&self, number: usize) -> Option<&ScanJob> {
        self.jobs.get(number % self.jobs.len().max(1))
    }

    fn has_ended(&self, id: Uuid) -> bool {
        self.recorded.contains(&id) || self.dead.contains(&id) || self.dropped.contains(&id)
    }

    fn leave(&mut self, job: &ScanJob) {
        self.joinable.retain(|_, id| *id != job.id);
    }
}

fn end_of(job: &ScanJob, is_good: bool) -> ScanReport {
    let resolved = ScanJob { digest: job.digest.clone().or(Some(digest(1))), ..job.clone() };
    let mut end = if is_good { found(&resolved, Vec::new()) } else { report(&resolved, Vec::new()) };
    end.job = job.clone();
    end
}

async fn step<B: Backend>(backend: &B, store: B::Store, model: &mut Model, next: Move) -> B::Store {
    match next {
        Move::Push(choice) => {
            let event = match choice {
                0..4 => push(Some("t"), Some(digest(choice)), 0),
                _ => push(Some(["a", "b"][usize::from(choice) % 2]), None, 0),
            };
            let delivery = delivery(vec![event]);
            let Accepted::New { jobs, queued } = store.accept(&delivery).await.unwrap() else { panic!("it is new") };
            let id = jobs[0].unwrap();
            let job = store.scan(id).await.unwrap().unwrap().job;
            let running = model.joinable.get(&goal(&job)).copied();
            assert_eq!((running.unwrap_or(id), queued), (id, usize::from(running.is_none())));
            if running.is_none() {
                model.joinable.insert(goal(&job), id);
                model.jobs.push(job);
            }
            model.deliveries.push(delivery);
        }
        Move::RepeatDelivery(number) if !model.deliveries.is_empty() => {
            let delivery = &model.deliveries[number % model.deliveries.len()];
            assert_eq!(store.accept(delivery).await.unwrap(), Accepted::Duplicate);
        }
        Move::Send(count) => {
            let ids: Vec<_> = store.outgoing(count).await.unwrap().iter().map(|job| job.id).collect();
            store.mark_sent(&ids, at(1)).await.unwrap();
        }
        Move::Start(number) => {
            let Some(job) = model.pick(number).cloned() else { return store };
            store.record_started(job.id, "s1", 1, at(2)).await.unwrap();
            if job.digest.is_none() {
                model.leave(&job);
            }
        }
        Move::Record(number, is_good) => {
            let Some(job) = model.pick(number).cloned() else { return store };
            let expected = if model.recorded.contains(&job.id) { Recorded::Duplicate } else { Recorded::New };
            assert_eq!(store.record(&end_of(&job, is_good), at(3)).await.unwrap(), expected);
            model.leave(&job);
            model.dead.remove(&job.id);
            model.dropped.remove(&job.id);
            model.recorded.insert(job.id);
        }
        Move::Die(number) => {
            let Some(job) = model.pick(number).cloned() else { return store };
            let topic = Topic::Jobs(job.kind);
            let reason = "poison".to_owned();
            let letter = DeadLetter { id: job.id, topic, job: Some(job.clone()), body: None, reason, died_at: at(4) };
            store.record_dead(&letter).await.unwrap();
            if !model.has_ended(job.id) {
                model.leave(&job);
                model.dead.insert(job.id);
            }
        }
        Move::Replay(number) => {
            let Some(job) = model.pick(number).cloned() else { return store };
            let again = store.replay(job.id, at(5)).await.unwrap();
            assert_eq!(again.is_some(), model.dead.remove(&job.id));
            let Some(again) = again else { return store };
            model.dropped.insert(job.id);
            let running = *model.joinable.entry(goal(&job)).or_insert(again);
            assert_eq!(running, again);
            if !model.jobs.iter().any(|job| job.id == again) {
                model.jobs.push(store.scan(again).await.unwrap().unwrap().job);
            }
        }
        Move::Lose => {
            let (since, now) = (Timestamp::MAX, at(6));
            store.resend_lost(JobKind::Push, since, now).await.unwrap();
            let waiting: HashSet<_> = store.outgoing(1000).await.unwrap().iter().map(|job| job.id).collect();
            for job in model.jobs.clone().iter().filter(|job| !waiting.contains(&job.id)) {
                if !model.has_ended(job.id) {
                    model.leave(job);
                    model.dead.insert(job.id);
                }
            }
        }
        Move::Reopen => {
            drop(store);
            return backend.open().await;
        }
        Move::RepeatDelivery(_) => {}
    }
    store
}

async fn check(store: &impl Store, model: &Model) {
    let waiting: HashSet<_> = store.outgoing(1000).await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(store.dead_count().await.unwrap(), model.dead.len() as u64);
    assert_eq!(store.scans(None, &first_page()).await.unwrap().items.len(), model.jobs.len());
    for job in &model.jobs {
        let scan = store.scan(job.id).await.unwrap().unwrap();
        let ends = scan.timeline.iter().filter(|step| ["complete", "failed"].contains(&step.step.as_str())).count();
        assert_eq!(ends, usize::from(model.recorded.contains(&job.id)), "{scan:?}");
        assert_eq!(scan.status == ScanStatus::Dead, model.dead.contains(&job.id));
        let outcomes = [Outcome::Complete, Outcome::Failed].map(ScanStatus::from);
        assert_eq!(outcomes.contains(&scan.status), model.recorded.contains(&job.id));
        assert!(!(waiting.contains(&job.id) && model.has_ended(job.id)), "an ended job is not sent");
    }
}

pub(super) async fn every_job_ends_once_and_can_then_be_asked_for_again<B: Backend>(_: &B) {
    let runtime = tokio::runtime::Handle::current();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) };
    let lives = move || {
        TestRunner::new(config).run(&moves(), |moves| {
            runtime.block_on(async {
                let backend = B::new();
                let mut store = backend.open().await;
                let mut model = Model::default();
                for next in moves {
                    store = step(&backend, store, &mut model, next).await;
                }
                check(&store, &model).await;
                for number in 0..model.jobs.len() {
                    store = step(&backend, store, &mut model, Move::Record(number, true)).await;
                }
                check(&store, &model).await;
                let lost = store.resend_lost(JobKind::Push, Timestamp::MAX, at(7)).await.unwrap();
                assert_eq!(lost, 0, "what has ended cannot be lost");
                for choice in 0..6 {
                    assert!(model.joinable.is_empty(), "nothing is under way any more");
                    store = step(&backend, store, &mut model, Move::Push(choice)).await;
                    let last = model.jobs.len() - 1;
                    store = step(&backend, store, &mut model, Move::Record(last, true)).await;
                }
            });
            Ok(())
        })
    };
    tokio::task::spawn_blocking(lives).await.unwrap().unwrap();
}
