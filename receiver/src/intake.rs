//! From what a registry said to what is to be done about it.

use std::collections::HashSet;
use std::sync::Mutex;

use jiff::Timestamp;
use shared::event::{EventKind, RegistryEvent};
use shared::image::Tag;
use shared::job::{JobKind, ScanJob};
use shared::registry::RegistrySelector;
use tracing::warn;
use uuid::Uuid;

use crate::sources::is_manifest;
use crate::store::{Action, PlannedEvent};

/// Most hosts of which is remembered that a warning was given; behind them there are no more warnings.
const MAX_UNKNOWN_HOSTS: usize = 1000;

/// Decides what follows from events.
pub struct Planner {
    registries: RegistrySelector,
    warned: Mutex<HashSet<String>>,
}

impl Planner {
    /// A planner for the configured registries.
    pub fn new(registries: RegistrySelector) -> Self {
        Self { registries, warned: Mutex::default() }
    }

    /// Plans one event. It belongs to the registry `pinned` if that is given, else to the one that its host selects.
    /// A time in the future becomes `received_at`: otherwise one push by a wrong clock would hold its tag for long.
    pub fn plan(
        &self,
        mut event: RegistryEvent,
        pinned: Option<&str>,
        received_at: Timestamp,
        trace: &str,
    ) -> PlannedEvent {
        event.time = event.time.min(received_at);
        let registry = pinned.or_else(|| self.registries.select(&event.registry)).map(str::to_owned);
        let action = match &registry {
            None => self.unknown_registry(&event.registry),
            Some(registry) => action(&event, registry, received_at, trace),
        };
        PlannedEvent { id: Uuid::now_v7(), event, registry, action }
    }

    fn unknown_registry(&self, host: &str) -> Action {
        let reason = if host.is_empty() {
            "the event names no registry: set registry = \"NAME\" in the source's section".to_owned()
        } else {
            format!("registry {host} is not configured: add a section [registries.NAME] with host = {host:?}")
        };
        let mut warned = self.warned.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if warned.len() < MAX_UNKNOWN_HOSTS && warned.insert(host.to_owned()) {
            warn!(registry = host, reason, "event ignored; the next ones of this registry are not logged");
        }
        Action::Ignored(reason)
    }
}

fn action(event: &RegistryEvent, registry: &str, accepted_at: Timestamp, trace: &str) -> Action {
    if event.kind == EventKind::Delete {
        return Action::Deleted;
    }
    if event.tag.as_ref().is_some_and(Tag::names_a_referrer) {
        return Action::Ignored("the tag names a signature, an attestation or an SBOM of another image".to_owned());
    }
    let kind = match event.kind {
        EventKind::Push => JobKind::Push,
        EventKind::Import => JobKind::Import,
        EventKind::Pull | EventKind::Delete => return Action::Pulled,
    };
    match &event.media_type {
        Some(media_type) if !is_manifest(media_type) => {
            return Action::Ignored(format!("media type {media_type} is not that of a manifest or an index"));
        }
        _ => {}
    }
    Action::Scan(Box::new(ScanJob {
        id: Uuid::now_v7(),
        kind,
        registry: registry.to_owned(),
        repository: event.repository.clone(),
        tag: event.tag.clone(),
        digest: event.digest.clone(),
        accepted_at,
        trace: trace.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::ToSpan;
    use shared::event::Authenticity;
    use shared::registry::RegistryConfig;

    use super::*;

    fn planner() -> Planner {
        let registries = BTreeMap::from([("main".to_owned(), RegistryConfig::anonymous("r.example"))]);
        Planner::new(RegistrySelector::new(&registries))
    }

    fn event(kind: EventKind, host: &str, tag: Option<&str>) -> RegistryEvent {
        RegistryEvent {
            source: "hub".to_owned(),
            kind,
            registry: host.to_owned(),
            repository: "team/app".parse().unwrap(),
            tag: tag.map(|tag| tag.parse().unwrap()),
            digest: None,
            media_type: None,
            actor: None,
            time: Timestamp::UNIX_EPOCH,
            delivery_id: "1".to_owned(),
            authenticity: Authenticity::Signed,
        }
    }

    fn plan(event: RegistryEvent, pinned: Option<&str>) -> PlannedEvent {
        planner().plan(event, pinned, Timestamp::UNIX_EPOCH, "trace")
    }

    fn ignored(event: RegistryEvent, pinned: Option<&str>) -> String {
        match plan(event, pinned).action {
            Action::Ignored(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pushes_and_imports_are_scanned() {
        for (kind, job_kind) in [(EventKind::Push, JobKind::Push), (EventKind::Import, JobKind::Import)] {
            let planned = plan(event(kind, "R.example:443", Some("1")), None);
            let Action::Scan(job) = planned.action else { panic!("{:?}", planned.action) };
            assert_eq!((job.kind, job.registry.as_str(), job.trace.as_str()), (job_kind, "main", "trace"));
            assert_eq!((job.repository, job.tag), (planned.event.repository, planned.event.tag));
            assert_eq!(planned.registry.as_deref(), Some("main"));
        }
    }

    #[test]
    fn pulls_and_deletes_are_noted() {
        assert!(matches!(plan(event(EventKind::Pull, "r.example", Some("1")), None).action, Action::Pulled));
        assert!(matches!(plan(event(EventKind::Delete, "r.example", None), None).action, Action::Deleted));
    }

    #[test]
    fn a_host_selects_a_registry_and_never_introduces_one() {
        let reason = ignored(event(EventKind::Push, "evil.example", Some("1")), None);
        assert!(reason.contains("[registries.NAME] with host = \"evil.example\""), "{reason}");
        let reason = ignored(event(EventKind::Delete, "", None), None);
        assert!(reason.contains("set registry = "), "{reason}");
        let pinned = plan(event(EventKind::Push, "registry:5000", Some("1")), Some("main"));
        assert_eq!(pinned.registry.as_deref(), Some("main"), "whatever an inner host is called");
    }

    #[test]
    fn what_is_no_image_is_ignored_with_the_reason() {
        let signature = format!("sha256-{}.sig", "0".repeat(64));
        let reason = ignored(event(EventKind::Push, "r.example", Some(&signature)), None);
        assert!(reason.contains("signature"), "{reason}");
        let chart = Some("application/vnd.cncf.helm.config.v1+json".to_owned());
        let reason =
            ignored(RegistryEvent { media_type: chart, ..event(EventKind::Push, "r.example", Some("1")) }, None);
        assert!(reason.contains("helm"), "{reason}");
    }

    #[test]
    fn no_event_is_later_than_its_delivery() {
        let now = Timestamp::now();
        let at =
            |time| planner().plan(RegistryEvent { time, ..event(EventKind::Pull, "", None) }, None, now, "").event.time;
        assert_eq!((at(now + 1.hour()), at(now - 1.hour())), (now, now - 1.hour()));
    }

    #[test]
    fn warnings_do_not_fill_the_memory() {
        let planner = planner();
        for number in 0..2 * MAX_UNKNOWN_HOSTS {
            let stranger = event(EventKind::Pull, &format!("{number}.example"), None);
            planner.plan(stranger, None, Timestamp::UNIX_EPOCH, "");
        }
        assert_eq!(planner.warned.lock().unwrap().len(), MAX_UNKNOWN_HOSTS);
    }
}
