//! Notifications of CNCF Distribution (`registry:2`, `registry:3`), and of registries built on it.
//!
//! The registry proves itself by a header that its operator configures; nothing is signed. It sends an envelope of
//! events as JSON (`application/vnd.docker.distribution.events.v1+json` from 2.x, `….v2+json` from 3.x), and repeats
//! whatever is not answered with success for ever, delivering nothing behind it. So a body that cannot be used is
//! answered with success all the same. 3.x sends empty strings where 2.x leaves keys out.
//!
//! | Action | Meaning |
//! |---|---|
//! | `push` of a manifest or an index | a push |
//! | `pull` of one (also sent for HEAD) | a pull, unless it was our own scanner's |
//! | `delete` | of a manifest (digest), a tag, or with neither of the whole repository |
//! | `push` and `pull` of blobs, `mount` | of no interest |

use actix_web::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::event::{EventKind, RegistryEvent};
use shared::image::{Digest, InvalidName};
use shared::secret::Secret;

use super::{
    Kind, MAX_TEXT, Malformed, Normalized, SettingError, Source, event_list, is_manifest, resolve, settings, short,
};
use crate::delivery::{Delivery, Unverified, Verified};
use crate::signature::{Rejection, SharedSecret, verify_shared_secret};

/// `kind = "distribution"`
pub const KIND: Kind = Kind {
    name: "distribution",
    build: |section| {
        let Settings { secrets, header } = settings(section)?;
        if actix_web::http::header::HeaderName::try_from(&header).is_err() {
            return Err(SettingError::new("header", "not the name of a header"));
        }
        let secrets = resolve(&secrets)?.iter().map(SharedSecret::new).collect();
        Ok(Box::new(Distribution { secrets, header }))
    },
    setup,
};

/// For the registry's `config.yml`.
fn setup(url: &str, secret: &str) -> String {
    format!(
        "notifications:\n  endpoints:\n    - name: plimsoll\n      url: {url}\n      headers:\n        \
         Authorization: [\"Bearer {secret}\"]\n      timeout: 1s\n      threshold: 5\n      backoff: 1s\n      \
         ignore:\n        mediatypes: [application/octet-stream]\n"
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What the header says, with or without `Bearer ` before it; several while one is being replaced.
    secrets: Vec<Secret>,
    /// The header that carries the secret.
    #[serde(default = "authorization")]
    header: String,
}

fn authorization() -> String {
    "Authorization".to_owned()
}

/// How the scanner introduces itself to registries.
const OWN_USER_AGENT: &str = "plimsoll/";

struct Distribution {
    secrets: Vec<SharedSecret>,
    header: String,
}

impl Source for Distribution {
    fn verify(&self, delivery: Delivery<Unverified>, _now: Timestamp) -> Result<Delivery<Verified>, Rejection> {
        let Some(value) = delivery.header(&self.header) else {
            return Err(Rejection::Header(self.header.clone()));
        };
        let mut given = vec![value.to_vec()];
        given.extend(bearer_token(value).map(<[u8]>::to_vec));
        verify_shared_secret(delivery, &self.secrets, &given)
    }

    fn normalize(&self, delivery: &Delivery<Verified>) -> Result<Normalized, Malformed> {
        let envelope: Envelope<'_> =
            serde_json::from_slice(delivery.body()).map_err(|error| Malformed(error.to_string()))?;
        let notifications: Vec<_> = envelope.events.into_iter().map(Notification::read).collect();
        let delivery_id = match notifications.as_slice() {
            [Ok(Notification { id, .. })] if fits(id) => id.clone(),
            _ => Digest::sha256_of(delivery.body()).into(),
        };
        let mut normalized = Normalized { delivery_id, events: vec![], uninteresting: 0, problems: vec![] };
        for (index, notification) in notifications.into_iter().enumerate() {
            match notification.and_then(|notification| notification.event(delivery, &normalized.delivery_id)) {
                Ok(event) => normalized.events.push(event),
                Err(LeftOut::Uninteresting) => normalized.uninteresting += 1,
                Err(LeftOut::Problem(why)) => normalized.problems.push(format!("events[{index}]: {why}")),
            }
        }
        Ok(normalized)
    }

    fn malformed_answer(&self) -> StatusCode {
        StatusCode::ACCEPTED
    }
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

fn fits(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_TEXT
}

#[derive(Deserialize)]
struct Envelope<'a> {
    /// Read one by one, so that a bad one does not spoil the others.
    #[serde(borrow, deserialize_with = "event_list")]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Notification {
    id: String,
    timestamp: String,
    action: String,
    target: Target,
    request: Request,
    actor: Actor,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Target {
    media_type: String,
    digest: String,
    repository: String,
    tag: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Request {
    host: String,
    useragent: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Actor {
    name: String,
}

/// Why a notification gives no event.
enum LeftOut {
    Uninteresting,
    Problem(String),
}

impl From<InvalidName> for LeftOut {
    fn from(invalid: InvalidName) -> Self {
        Self::Problem(format!("target: {invalid}"))
    }
}

impl Notification {
    fn read(json: &RawValue) -> Result<Self, LeftOut> {
        serde_json::from_str(json.get()).map_err(|error| LeftOut::Problem(error.to_string()))
    }

    fn event(self, delivery: &Delivery<Verified>, delivery_id: &str) -> Result<RegistryEvent, LeftOut> {
        let kind = self.kind()?;
        let Self { id, timestamp, target, request, actor, .. } = self;
        let event = RegistryEvent {
            source: delivery.source().to_owned(),
            kind,
            registry: short(Some(request.host)).unwrap_or_default(),
            repository: target.repository.try_into()?,
            tag: given(target.tag)?,
            digest: given(target.digest)?,
            media_type: short(Some(target.media_type)),
            actor: short(Some(actor.name)),
            time: timestamp.parse().unwrap_or(delivery.received_at()),
            delivery_id: if fits(&id) { id } else { delivery_id.to_owned() },
            authenticity: delivery.authenticity(),
        };
        if kind != EventKind::Delete && event.tag.is_none() && event.digest.is_none() {
            return Err(LeftOut::Problem("target: neither a tag nor a digest".to_owned()));
        }
        Ok(event)
    }

    fn kind(&self) -> Result<EventKind, LeftOut> {
        let kind = match self.action.as_str() {
            "push" => EventKind::Push,
            "pull" if self.request.useragent.starts_with(OWN_USER_AGENT) => return Err(LeftOut::Uninteresting),
            "pull" => EventKind::Pull,
            "delete" => EventKind::Delete,
            "mount" => return Err(LeftOut::Uninteresting),
            "" => return Err(LeftOut::Problem("action is missing".to_owned())),
            _ => return Err(LeftOut::Problem("action is none of push, pull, delete, mount".to_owned())),
        };
        let of_a_manifest = match self.target.media_type.as_str() {
            "" => kind == EventKind::Delete || !self.target.tag.is_empty(),
            media_type => is_manifest(media_type),
        };
        if of_a_manifest { Ok(kind) } else { Err(LeftOut::Uninteresting) }
    }
}

/// Reads a name that may be empty.
fn given<T: TryFrom<String, Error = InvalidName>>(text: String) -> Result<Option<T>, InvalidName> {
    if text.is_empty() { Ok(None) } else { T::try_from(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::sources::testing::{deliver, source, unverified};

    const SETTINGS: &str = "kind = 'distribution'\nsecrets = ['test-token', 'Basic dXNlcjpvbmU=']";

    fn normalize(body: &[u8]) -> Result<Normalized, Malformed> {
        deliver(SETTINGS, &[("Authorization", "Bearer test-token")], body, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn recorded(file: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(file)).unwrap()
    }

    /// `KIND HOST/REPOSITORY[:TAG][@DIGEST] [by ACTOR]`
    fn in_words(event: &RegistryEvent) -> String {
        let kind = serde_json::to_value(event.kind).unwrap();
        let mut words = format!("{} {}/{}", kind.as_str().unwrap(), event.registry, event.repository);
        words.extend(event.tag.iter().map(|tag| format!(":{tag}")));
        words.extend(event.digest.iter().map(|digest| format!("@sha256:{}", digest.short())));
        words.extend(event.actor.iter().map(|actor| format!(" by {actor}")));
        words
    }

    #[test]
    fn every_recorded_body_gives_the_events_of_the_table() {
        let table = String::from_utf8(recorded("distribution/events.txt")).unwrap();
        assert_eq!(table.lines().count(), 84);
        for line in table.lines() {
            let (file, expected) = line.split_once(": ").unwrap();
            let normalized = normalize(&recorded(file)).unwrap();
            let words: Vec<String> = normalized.events.iter().map(in_words).collect();
            let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
            assert_eq!(words, expected, "{file}");
        }
    }

    #[test]
    fn one_bad_event_does_not_spoil_the_others() {
        let normalized = normalize(&recorded("distribution/envelope-format-test.json")).unwrap();
        assert_eq!((normalized.events.len(), normalized.uninteresting), (0, 2));
        assert!(normalized.problems[0].starts_with("events[0]: target: digest "), "{:?}", normalized.problems);
        let normalized = normalize(
            br#"{"events":[7, {"action":"push","target":{"repository":"a","tag":"1"}}, {"action":"push","target":{"repository":"../a","tag":"1"}}]}"#,
        );
        let normalized = normalized.unwrap();
        assert_eq!((normalized.events.len(), normalized.problems.len()), (1, 2), "{normalized:?}");
    }

    #[test]
    fn a_delivery_is_known_by_its_event_or_by_its_body() {
        let id = |file| normalize(&recorded(file)).unwrap().delivery_id;
        assert_eq!(id("distribution/push-index-tagged.json"), "6d1f0c1e-0000-4000-8000-000000000005");
        assert!(id("distribution/batch-mixed.json").starts_with("sha256:"));
        assert_eq!(id("distribution/batch-mixed.json"), id("distribution/batch-mixed.json"));
        let repeated = |sequence| format!("distribution-2.8-recorded/16-endpoint-500-0{sequence}.body.json");
        assert_eq!(id(&repeated(42)), id(&repeated(49)), "a retry has the id of the first attempt");
        assert!(normalize(br#"{"events":[{"id":""}]}"#).unwrap().delivery_id.starts_with("sha256:"));
    }

    #[test]
    fn our_own_pulls_are_of_no_interest() {
        let pull = |agent: &str| {
            let media_type = "application/vnd.oci.image.index.v1+json";
            let event = format!(
                r#"{{"events":[{{"action":"pull","target":{{"mediaType":"{media_type}","repository":"a","tag":"1"}},"request":{{"useragent":"{agent}"}}}}]}}"#
            );
            normalize(event.as_bytes()).unwrap().events.len()
        };
        assert_eq!((pull("plimsoll/0.1.0"), pull("docker/27.3.1")), (0, 1));
    }

    #[test]
    fn an_unusable_body_is_answered_with_success() {
        assert_eq!(source(SETTINGS).source.malformed_answer(), StatusCode::ACCEPTED);
        for body in [&b""[..], b"{}", b"[]", br#"{"events":7}"#] {
            assert!(normalize(body).is_err(), "{body:?}");
        }
        let events = |count| format!(r#"{{"events":[{}]}}"#, vec!["{}"; count].join(","));
        assert_eq!(normalize(events(1000).as_bytes()).unwrap().problems.len(), 1000);
        let Malformed(why) = normalize(events(1001).as_bytes()).unwrap_err();
        assert!(why.starts_with("more than 1000 events"), "{why}");
        assert!(normalize(br#"{"events":null}"#).unwrap().events.is_empty());
    }

    #[test]
    fn text_of_the_senders_choice_is_cut() {
        let long = "é".repeat(500);
        let body = format!(
            r#"{{"events":[{{"id":"{long}","action":"delete","target":{{"repository":"a"}},"actor":{{"name":"{long}"}},"request":{{"host":"{long}"}}}}]}}"#
        );
        let normalized = normalize(body.as_bytes()).unwrap();
        let event = &normalized.events[0];
        assert!(normalized.delivery_id.starts_with("sha256:") && event.delivery_id == normalized.delivery_id);
        assert_eq!((event.actor.as_ref().unwrap().len(), event.registry.len()), (254, 254));
    }

    #[test]
    fn the_secret_is_the_value_of_the_header_or_its_bearer_token() {
        let verifies = |settings: &str, name: &str, value: &str| {
            source(settings).source.verify(unverified(&[(name, value)], b"{}"), Timestamp::UNIX_EPOCH).map(drop)
        };
        for good in ["Bearer test-token", "bearer test-token", "test-token", "Basic dXNlcjpvbmU="] {
            assert_eq!(verifies(SETTINGS, "Authorization", good), Ok(()), "{good}");
        }
        for bad in ["", "Bearer", "Bearer ", "Bearer test-toke", "Bearer test-token2", "Basic test-token"] {
            assert_eq!(verifies(SETTINGS, "Authorization", bad), Err(Rejection::Secret), "{bad}");
        }
        let missing = verifies(SETTINGS, "X-Other", "test-token");
        assert_eq!(missing, Err(Rejection::Header("Authorization".to_owned())));
        let own_header = "kind = 'distribution'\nsecrets = ['Bearer one']\nheader = 'X-Plimsoll'";
        assert_eq!(verifies(own_header, "x-plimsoll", "Bearer one"), Ok(()));
        assert_eq!(verifies(own_header, "x-plimsoll", "one"), Err(Rejection::Secret));
    }

    proptest! {
        #[test]
        fn no_body_is_too_much(body: Vec<u8>) {
            let _ = normalize(&body);
        }

        #[test]
        fn no_damage_is_too_much(at: proptest::sample::Index, byte: u8) {
            let mut body = include_bytes!("../../testdata/distribution/batch-mixed.json").to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            let _ = normalize(&body);
        }
    }
}
