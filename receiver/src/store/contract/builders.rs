//! Short ways to say what the rules are about.

use jiff::Timestamp;
use shared::event::{Authenticity, EventKind, RegistryEvent};
use shared::finding::{Finding, Severity, Vulnerability};
use shared::image::Digest;
use shared::job::{JobKind, ScanJob};
use shared::package::Package;
use shared::report::{ImageReport, Outcome, ScanReport, Timings};
use uuid::Uuid;

use crate::store::{Accepted, Action, Intake, Page, PlannedEvent, Store};

pub(in crate::store) const REGISTRY: &str = "main";

/// A moment: so many seconds after the first.
pub(in crate::store) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// One of many digests.
pub(in crate::store) fn digest(number: u8) -> Digest {
    Digest::sha256_of(&[number])
}

pub(in crate::store) fn first_page() -> Page {
    Page { limit: 100, cursor: None }
}

/// An event that something happened in the repository `team/app` of [`REGISTRY`].
pub(in crate::store) fn event(
    kind: EventKind,
    tag: Option<&str>,
    digest: Option<Digest>,
    second: i64,
) -> RegistryEvent {
    RegistryEvent {
        source: "hook".to_owned(),
        kind,
        registry: "registry.example".to_owned(),
        repository: "team/app".parse().unwrap(),
        tag: tag.map(|tag| tag.parse().unwrap()),
        digest,
        media_type: None,
        actor: None,
        time: at(second),
        delivery_id: String::new(),
        authenticity: Authenticity::Signed,
    }
}

pub(in crate::store) fn job_for(event: &RegistryEvent, registry: &str) -> ScanJob {
    ScanJob {
        id: Uuid::now_v7(),
        kind: if event.kind == EventKind::Push { JobKind::Push } else { JobKind::Import },
        registry: registry.to_owned(),
        repository: event.repository.clone(),
        tag: event.tag.clone(),
        digest: event.digest.clone(),
        accepted_at: event.time,
        trace: "trace".to_owned(),
    }
}

/// What intake makes of an event.
pub(in crate::store) fn planned(event: RegistryEvent, registry: &str) -> PlannedEvent {
    let action = match event.kind {
        EventKind::Push | EventKind::Import => Action::Scan(Box::new(job_for(&event, registry))),
        EventKind::Pull => Action::Pulled,
        EventKind::Delete => Action::Deleted,
    };
    PlannedEvent { id: Uuid::now_v7(), event, registry: Some(registry.to_owned()), action }
}

pub(in crate::store) fn push(tag: Option<&str>, digest: Option<Digest>, second: i64) -> PlannedEvent {
    planned(event(EventKind::Push, tag, digest, second), REGISTRY)
}

pub(in crate::store) fn pull(tag: Option<&str>, digest: Option<Digest>, second: i64) -> PlannedEvent {
    planned(event(EventKind::Pull, tag, digest, second), REGISTRY)
}

pub(in crate::store) fn delete(tag: Option<&str>, digest: Option<Digest>, second: i64) -> PlannedEvent {
    planned(event(EventKind::Delete, tag, digest, second), REGISTRY)
}

/// The second at which all deliveries are received: long after their events.
pub(in crate::store) const RECEIVED: i64 = 1_000_000;

/// A delivery with an id of its own.
pub(in crate::store) fn delivery(events: Vec<PlannedEvent>) -> Intake {
    Intake {
        source: "hook".to_owned(),
        delivery_id: Uuid::now_v7().to_string(),
        received_at: at(RECEIVED),
        trace: "trace".to_owned(),
        events,
    }
}

/// Takes in one delivery for each event and returns their jobs.
pub(in crate::store) async fn accept(store: &impl Store, events: Vec<PlannedEvent>) -> Vec<Option<Uuid>> {
    let mut all = Vec::new();
    for event in events {
        match store.accept(&delivery(vec![event])).await.unwrap() {
            Accepted::New { jobs, .. } => all.extend(jobs),
            Accepted::Duplicate => panic!("each delivery has an id of its own"),
        }
    }
    all
}

/// Takes in a push of a digest with a tag; returns its job.
pub(in crate::store) async fn accept_push(store: &impl Store, tag: &str, number: u8, second: i64) -> ScanJob {
    let id = accept(store, vec![push(Some(tag), Some(digest(number)), second)]).await[0].unwrap();
    store.scan(id).await.unwrap().unwrap().job
}

pub(in crate::store) fn finding(id: &str, package: &str, severity: Severity) -> Finding {
    Finding {
        id: id.to_owned(),
        package: package.to_owned(),
        version: "1.0".to_owned(),
        ecosystem: "Debian:12".to_owned(),
        purl: format!("pkg:deb/debian/{package}@1.0"),
        severity,
        score: Some(7.5),
        advisories: vec![id.to_owned()],
        path: "var/lib/dpkg/status".to_owned(),
        ..Finding::default()
    }
}

pub(in crate::store) fn vulnerability(id: &str, aliases: &[&str]) -> Vulnerability {
    Vulnerability {
        id: id.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        title: format!("about {id}"),
        description: "long".to_owned(),
        references: Vec::new(),
        published: None,
        modified: None,
    }
}

pub(in crate::store) fn package(name: &str) -> Package {
    Package {
        purl: format!("pkg:deb/debian/{name}@1.0"),
        ecosystem: Some("Debian:12".to_owned()),
        name: name.to_owned(),
        version: "1.0".to_owned(),
        path: "var/lib/dpkg/status".to_owned(),
        ..Package::default()
    }
}

/// A complete result with one package for each finding.
pub(in crate::store) fn image(digest: Digest, findings: Vec<Finding>) -> ImageReport {
    ImageReport {
        digest,
        platform: Some("linux/amd64".parse().unwrap()),
        outcome: Outcome::Complete,
        reason: None,
        warnings: Vec::new(),
        distro: None,
        advisories: None,
        base: None,
        layers: Vec::new(),
        packages: findings.iter().map(|finding| package(&finding.package)).collect(),
        vulnerabilities: findings.iter().map(|finding| vulnerability(&finding.id, &[])).collect(),
        findings,
        timings: Timings::default(),
    }
}

/// A report that the job's digest is these images.
pub(in crate::store) fn report(job: &ScanJob, images: Vec<ImageReport>) -> ScanReport {
    ScanReport {
        job: job.clone(),
        scanner: "s1".to_owned(),
        attempt: 1,
        started_at: at(50),
        finished_at: at(60),
        digest: job.digest.clone(),
        outcome: images.iter().map(|image| image.outcome).max().unwrap_or(Outcome::Failed),
        reason: None,
        images,
    }
}

/// A report that the job's digest is an image with these findings.
pub(in crate::store) fn found(job: &ScanJob, findings: Vec<Finding>) -> ScanReport {
    report(job, vec![image(job.digest.clone().unwrap(), findings)])
}

pub(in crate::store) fn failed(job: &ScanJob, reason: &str) -> ScanReport {
    ScanReport { outcome: Outcome::Failed, reason: Some(reason.to_owned()), ..report(job, Vec::new()) }
}
