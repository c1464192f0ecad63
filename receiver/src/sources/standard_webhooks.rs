//! Our own generic format, signed as [Standard Webhooks](https://www.standardwebhooks.com) says: for senders that we
//! control, and for registries that need a small translator.
//!
//! | Header | |
//! |---|---|
//! | `webhook-id` | identity of the delivery, the same each time it is sent; 1 to 255 characters |
//! | `webhook-timestamp` | when it was signed: Unix seconds, decimal |
//! | `webhook-signature` | `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`; several are separated by spaces, other schemes are skipped |
//!
//! The body, of which unknown keys are skipped:
//!
//! ```json
//! {
//!   "type": "image.pushed",
//!   "timestamp": "2026-03-04T10:15:30Z",
//!   "data": {
//!     "registry": "registry.example.com",
//!     "repository": "team/app",
//!     "tag": "1.4.2",
//!     "digest": "sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6",
//!     "mediaType": "application/vnd.oci.image.index.v1+json",
//!     "actor": "ci-bot"
//!   }
//! }
//! ```
//!
//! | Key | |
//! |---|---|
//! | `type` | `image.pushed` or `image.imported`; everything else is answered with success and ignored |
//! | `timestamp` | when it happened, RFC 3339; when it came in if absent |
//! | `data.registry` | host of the registry; may be absent where the source's setting `registry` names it |
//! | `data.repository` | required |
//! | `data.tag`, `data.digest` | at least one |
//! | `data.mediaType`, `data.actor` | optional |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::Mac as _;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::event::{EventKind, RegistryEvent};
use shared::image::{Digest, Repository, Tag};
use shared::secret::Secret;

use super::{Kind, MAX_TEXT, Malformed, Normalized, SettingError, Source, below, resolve, settings, short};
use crate::delivery::{Delivery, Unverified, Verified};
use crate::signature::{Key, Rejection, hmac_sha256, verify_hmac};

/// `kind = "standard-webhooks"`
pub const KIND: Kind = Kind {
    name: "standard-webhooks",
    build: |section| {
        let Settings { secrets, tolerance_seconds } = settings(section)?;
        let decode = |secret: &SecretString| decode(secret).map_err(|error| SettingError::new("secrets", error));
        let keys = resolve(&secrets)?.iter().map(decode).collect::<Result<_, _>>()?;
        Ok(Box::new(StandardWebhooks { keys, tolerance_seconds }))
    },
    setup,
};

/// For whoever signs: any library of standardwebhooks.com takes the secret as it is.
fn setup(url: &str, secret: &str) -> String {
    format!(
        "POST {url}\nsigned with {secret} as standardwebhooks.com describes; the body:\n\
         {{\"type\": \"image.pushed\", \"timestamp\": \"2026-03-04T10:15:30Z\",\n \
         \"data\": {{\"registry\": \"HOST\", \"repository\": \"team/app\", \"tag\": \"1.4\", \"digest\": \"sha256:…\"}}}}\n"
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// `whsec_` and the base64 of 24 to 64 random bytes; several while one is being replaced.
    secrets: Vec<Secret>,
    /// How far a signature's timestamp may be from our clock.
    #[serde(default = "five_minutes")]
    tolerance_seconds: u64,
}

fn five_minutes() -> u64 {
    300
}

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// A secret that does not follow the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret must be whsec_ and the base64 of 24 to 64 random bytes")]
pub struct BadSecret;

/// The value of `webhook-signature` for a delivery of our own.
pub fn sign(secret: &SecretString, id: &str, timestamp: i64, body: &[u8]) -> Result<String, BadSecret> {
    let mut mac = hmac_sha256(decode(secret)?.expose_secret());
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

/// The key in a secret. As in the reference libraries, `whsec_` may be left out.
fn decode(secret: &SecretString) -> Result<Key, BadSecret> {
    let text = secret.expose_secret();
    let key = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| BadSecret)?;
    if (24..=64).contains(&key.len()) { Ok(key.into()) } else { Err(BadSecret) }
}

struct StandardWebhooks {
    keys: Vec<Key>,
    tolerance_seconds: u64,
}

impl Source for StandardWebhooks {
    fn verify(&self, delivery: Delivery<Unverified>, now: Timestamp) -> Result<Delivery<Verified>, Rejection> {
        let header = |name: &str| delivery.header_text(name).ok_or_else(|| Rejection::Header(name.to_owned()));
        let (id, timestamp, signatures) = (header(ID)?, header(TIMESTAMP)?, header(SIGNATURE)?);
        if id.is_empty() || id.len() > MAX_TEXT {
            return Err(Rejection::InvalidHeader { header: ID, why: "it must have 1 to 255 characters" });
        }
        let Ok(seconds) = timestamp.parse::<i64>() else {
            return Err(Rejection::InvalidHeader { header: TIMESTAMP, why: "it must be Unix seconds" });
        };
        if seconds.abs_diff(now.as_second()) > self.tolerance_seconds {
            return Err(Rejection::Stale { tolerance_seconds: self.tolerance_seconds });
        }
        let symmetric = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
        let signatures: Vec<Vec<u8>> = symmetric.filter_map(|base64| BASE64.decode(base64).ok()).collect();
        let prefix = format!("{id}.{timestamp}.");
        verify_hmac(delivery, &self.keys, prefix.as_bytes(), &signatures)
    }

    fn normalize(&self, delivery: &Delivery<Verified>) -> Result<Normalized, Malformed> {
        let delivery_id = delivery.header_text(ID).unwrap_or_default().to_owned();
        let message: Message<'_> = read(delivery.body(), "body")?;
        let kind = match message.kind.as_str() {
            "image.pushed" => EventKind::Push,
            "image.imported" => EventKind::Import,
            _ => return Ok(Normalized { delivery_id, events: vec![], uninteresting: 1, problems: vec![] }),
        };
        let image: Image = read(message.data.map_or("null", RawValue::get).as_bytes(), "body.data")?;
        if image.tag.is_none() && image.digest.is_none() {
            return Err(Malformed("body.data: needs a tag or a digest".to_owned()));
        }
        let event = RegistryEvent {
            source: delivery.source().to_owned(),
            kind,
            registry: short(image.registry).unwrap_or_default(),
            repository: image.repository,
            tag: image.tag,
            digest: image.digest,
            media_type: short(image.media_type),
            actor: short(image.actor),
            time: message.timestamp.unwrap_or(delivery.received_at()),
            delivery_id: delivery_id.clone(),
            authenticity: delivery.authenticity(),
        };
        Ok(Normalized { delivery_id, events: vec![event], uninteresting: 0, problems: vec![] })
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    timestamp: Option<Timestamp>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    registry: Option<String>,
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
    media_type: Option<String>,
    actor: Option<String>,
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8], place: &str) -> Result<T, Malformed> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Malformed(format!("{}: {}", below(place, &error.path().to_string()), error.inner())))
        .and_then(|value| reader.end().map(|()| value).map_err(|error| Malformed(format!("{place}: {error}"))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::sources::testing::{deliver, source, unverified};

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const NOW: i64 = 1_772_619_330;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn settings(secrets: &[&str]) -> String {
        format!("kind = 'standard-webhooks'\nsecrets = {secrets:?}")
    }

    fn signed(body: &[u8]) -> Result<Normalized, Malformed> {
        let signature = sign(&SECRET.into(), "msg_1", NOW, body).unwrap();
        let headers = [(ID, "msg_1"), (TIMESTAMP, &NOW.to_string()), (SIGNATURE, &signature)];
        deliver(&settings(&[SECRET]), &headers, body, at(NOW)).unwrap()
    }

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        valid: bool,
        secret: String,
        now: i64,
        headers: BTreeMap<String, String>,
        body: String,
    }

    fn verifies(vector: &Vector, secrets: &[&str]) -> bool {
        let headers: Vec<(&str, &str)> = vector.headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        source(&settings(secrets)).source.verify(unverified(&headers, vector.body.as_bytes()), at(vector.now)).is_ok()
    }

    #[test]
    fn every_vector_gets_its_verdict() {
        let json = include_str!("../../testdata/standard-webhooks/vectors.json");
        let Vectors { vectors } = serde_json::from_str(json).unwrap();
        assert!(vectors.len() >= 16);
        for vector in &vectors {
            assert_eq!(verifies(vector, &[&vector.secret]), vector.valid, "{}", vector.name);
        }
        let rotated = vectors.iter().find(|vector| vector.name == "signed-with-previous-secret").unwrap();
        let previous = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert!(verifies(rotated, &[&rotated.secret, previous]), "both secrets are active while one is replaced");
    }

    #[test]
    fn the_recorded_delivery_is_a_push() {
        let body = include_bytes!("../../testdata/standard-webhooks/generic-image-pushed.json");
        let headers = include_str!("../../testdata/standard-webhooks/generic-image-pushed.headers.json");
        let headers: serde_json::Value = serde_json::from_str(headers).unwrap();
        let header = |name: &'static str| (name, headers["headers"][name].as_str().unwrap());
        let headers = [header(ID), header(TIMESTAMP), header(SIGNATURE)];
        let normalized = deliver(&settings(&[SECRET]), &headers, body, at(NOW)).unwrap().unwrap();
        let [event] = normalized.events.as_slice() else { panic!("{normalized:?}") };
        assert_eq!(normalized.delivery_id, "msg_2b8f7a0e0f4b4d0a9f0e000000000001");
        assert_eq!((event.kind, event.registry.as_str()), (EventKind::Push, "registry.example.com"));
        assert_eq!((event.repository.as_str(), event.tag.as_ref().unwrap().as_str()), ("team/app", "1.4.2"));
        assert_eq!(event.digest.as_ref().unwrap().short(), "1bc04b5291c2");
        assert_eq!(event.time, "2026-03-04T10:15:30Z".parse().unwrap());
        assert_eq!(event.authenticity, shared::event::Authenticity::Signed);
    }

    #[test]
    fn an_import_and_the_least_that_is_enough() {
        let body = br#"{"type":"image.imported","data":{"repository":"a","tag":"1"}}"#;
        let Normalized { events, .. } = signed(body).unwrap();
        assert_eq!((events[0].kind, events[0].registry.as_str(), events[0].time), (EventKind::Import, "", at(NOW)));
    }

    #[test]
    fn other_types_are_of_no_interest_whatever_their_data() {
        for body in [r#"{"type":"image.scanned","data":[1]}"#, r#"{"type":"ping"}"#] {
            let normalized = signed(body.as_bytes()).unwrap();
            assert_eq!((normalized.events.len(), normalized.uninteresting), (0, 1), "{body}");
        }
    }

    #[test]
    fn a_malformed_body_is_told_where() {
        let check = |body: &str, told: &str| {
            let Malformed(why) = signed(body.as_bytes()).unwrap_err();
            assert!(why.starts_with(told), "{body}: {why}");
        };
        check("", "body: EOF");
        check("[]", "body: ");
        check("{}", "body: missing field `type`");
        check(r#"{"type":"image.pushed"}"#, "body.data: ");
        check(r#"{"type":"image.pushed","timestamp":"today"}"#, "body.timestamp: ");
        check(r#"{"type":"image.pushed","data":{"repository":"a"}}"#, "body.data: needs a tag or a digest");
        check(r#"{"type":"image.pushed","data":{"repository":"A","tag":"1"}}"#, "body.data.repository: ");
        check(r#"{"type":"image.pushed","data":{"repository":"a","digest":"sha256:1"}}"#, "body.data.digest: ");
        check(r#"{"type":"image.pushed","data":{"repository":"a","tag":"1"}} x"#, "body: trailing");
    }

    #[test]
    fn secrets_have_24_to_64_bytes() {
        for (bytes, good) in [(23, false), (24, true), (64, true), (65, false)] {
            let secret = format!("whsec_{}", BASE64.encode(vec![7; bytes]));
            assert_eq!(decode(&secret.into()).is_ok(), good, "{bytes}");
        }
        assert!(decode(&"whsec_not base64".into()).is_err());
    }

    proptest! {
        #[test]
        fn no_body_is_too_much(body: Vec<u8>) {
            let _ = signed(&body);
        }

        #[test]
        fn no_damage_is_too_much(at in 0usize..300, byte: u8) {
            let mut body = include_bytes!("../../testdata/standard-webhooks/generic-image-pushed.json").to_vec();
            let at = at % body.len();
            body[at] = byte;
            let _ = signed(&body);
        }

        #[test]
        fn no_header_is_believed(id in ".{0,20}", timestamp in "[0-9+-]{0,20}", signature in "(v1,)?[A-Za-z0-9+/= ]{0,60}") {
            let headers = [(ID, &id[..]), (TIMESTAMP, &timestamp), (SIGNATURE, &signature)];
            let rejected = deliver(&settings(&[SECRET]), &headers, b"{}", at(NOW)).is_err();
            prop_assert!(rejected);
        }
    }
}
