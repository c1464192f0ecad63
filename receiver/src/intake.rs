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
