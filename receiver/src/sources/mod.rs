//! What registries send. One file per kind of source; a source proves a delivery's sender and puts what it says into our
//! words. Sources do no I/O.
//!
//! To add one: write `sources/NAME.rs` with its settings, its [`Source`] and its `KIND`; add the `mod` line and the entry
//! in [`SOURCES`]; put payloads as the registry really sends them into `testdata/NAME/`.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use actix_web::http::StatusCode;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, SeqAccess, Visitor};
use shared::config::without_text;
use shared::event::RegistryEvent;
use shared::registry::RegistryConfig;
use shared::secret::Secret;

use crate::delivery::{Delivery, Unverified, Verified};
use crate::signature::Rejection;

pub mod distribution;
pub mod standard_webhooks;

/// Every kind of source, by name.
pub const SOURCES: &[Kind] = &[distribution::KIND, standard_webhooks::KIND];

/// Most events that one delivery may hold.
pub const MAX_EVENTS: usize = 1000;

/// Longest text that is kept of what a sender may choose freely, in bytes.
pub const MAX_TEXT: usize = 255;

/// A kind of source and how to build one from its section of the configuration.
pub struct Kind {
    /// Value of the key `kind`.
    pub name: &'static str,
    /// Builds it from the settings that are left once `kind` and `registry` are taken out.
    pub build: fn(toml::Table) -> Result<Box<dyn Source>, SettingError>,
    /// What to paste into the sender's configuration, for a source at this URL with this secret.
    pub setup: fn(url: &str, secret: &str) -> String,
}

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SOURCES.iter().find(|kind| kind.name == name)
    }
}

/// What differs between registries.
pub trait Source: Send + Sync {
    /// Believes the sender, or says why not. `now` is this machine's clock.
    fn verify(&self, delivery: Delivery<Unverified>, now: Timestamp) -> Result<Delivery<Verified>, Rejection>;

    /// What a proven sender says, in our words.
    fn normalize(&self, delivery: &Delivery<Verified>) -> Result<Normalized, Malformed>;

    /// The answer to a proven sender whose body is unusable. Success for senders that would repeat it for ever.
    fn malformed_answer(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}

/// A delivery in our words.
#[derive(Debug, PartialEq, Eq)]
pub struct Normalized {
    /// Identity of the delivery: the same each time it is sent.
    pub delivery_id: String,
    /// What happened, in the sender's order.
    pub events: Vec<RegistryEvent>,
    /// How many events were of no interest.
    pub uninteresting: usize,
    /// Events that were left out because they break a rule: which and why.
    pub problems: Vec<String>,
}

/// A body that is not what the source sends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// A setting of a source that cannot be used.
#[derive(Debug)]
pub struct SettingError {
    /// Key within the source's section; empty where it is the section itself.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl SettingError {
    fn new(key: &str, why: impl fmt::Display) -> Self {
        Self { key: key.to_owned(), why: why.to_string() }
    }
}

/// A setting that cannot be used, for people.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {why}")]
pub struct SourceError {
    /// Key from the top of the configuration: `sources.NAME.KEY`.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

/// A source of the configuration.
pub struct Configured {
    /// Name of its section, and last part of its URL.
    pub name: String,
    /// Name of its kind.
    pub kind: &'static str,
    /// Registry to which all its events belong, whatever host they name.
    pub registry: Option<String>,
    /// What its kind does.
    pub source: Box<dyn Source>,
}

/// All sources of the configuration, by name.
#[derive(Default)]
pub struct Sources(BTreeMap<String, Configured>);

impl Sources {
    /// Builds every section of `[sources]` and reads their secrets.
    pub fn build(
        sections: &BTreeMap<String, toml::Table>,
        registries: &BTreeMap<String, RegistryConfig>,
    ) -> Result<Self, SourceError> {
        let build = |(name, section): (&String, &toml::Table)| {
            let configured = configure(name, section.clone(), registries).map_err(|SettingError { key, why }| {
                SourceError { key: below(&format!("sources.{name}"), &key), why }
            })?;
            Ok((name.clone(), configured))
        };
        sections.iter().map(build).collect::<Result<_, _>>().map(Self)
    }

    /// The source of this name.
    pub fn get(&self, name: &str) -> Option<&Configured> {
        self.0.get(name)
    }

    /// Every source, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Configured> {
        self.0.values()
    }
}

fn configure(
    name: &str,
    mut section: toml::Table,
    registries: &BTreeMap<String, RegistryConfig>,
) -> Result<Configured, SettingError> {
    let fits_a_url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits_a_url) {
        return Err(SettingError::new("kind", "a source's name must be 1 to 64 letters, digits, - or _"));
    }
    let known = || SOURCES.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    let Some(wanted) = take_text(&mut section, "kind")? else {
        return Err(SettingError::new("kind", format_args!("missing; one of {}", known())));
    };
    let Some(kind) = Kind::named(&wanted) else {
        return Err(SettingError::new("kind", format_args!("there is no kind {wanted:?}; one of {}", known())));
    };
    let registry = take_text(&mut section, "registry")?;
    if let Some(registry) = registry.as_ref().filter(|registry| !registries.contains_key(*registry)) {
        return Err(SettingError::new("registry", format_args!("there is no section [registries.{registry}]")));
    }
    Ok(Configured { name: name.to_owned(), kind: kind.name, registry, source: (kind.build)(section)? })
}

fn take_text(section: &mut toml::Table, key: &str) -> Result<Option<String>, SettingError> {
    match section.remove(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(SettingError::new(key, "must be a string")),
    }
}

/// Reads a source's own settings.
fn settings<T: DeserializeOwned>(section: toml::Table) -> Result<T, SettingError> {
    serde_path_to_error::deserialize(toml::Value::Table(section)).map_err(|error| {
        let why = without_text(error.inner().message());
        SettingError { key: below("", &error.path().to_string()), why }
    })
}

/// The path of `key` below `section`. `serde_path_to_error` calls the section itself `.`.
fn below(section: &str, key: &str) -> String {
    match (section, key) {
        (section, "" | ".") => section.to_owned(),
        ("", key) => key.to_owned(),
        (section, key) => format!("{section}.{key}"),
    }
}

/// Reads the secrets of the key `secrets`: at least one, more while one is being replaced.
fn resolve(secrets: &[Secret]) -> Result<Vec<SecretString>, SettingError> {
    if secrets.is_empty() {
        return Err(SettingError::new("secrets", "needs at least one secret"));
    }
    let resolved = secrets.iter().map(|secret| secret.resolve().map_err(|error| SettingError::new("secrets", error)));
    resolved.collect()
}

/// Media types of manifests and indexes: everything else that is pushed is a blob.
pub(crate) fn is_manifest(media_type: &str) -> bool {
    matches!(
        media_type.split(';').next().unwrap_or_default().trim(),
        "application/vnd.oci.image.manifest.v1+json"
            | "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.v2+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json"
            | "application/vnd.docker.distribution.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v1+prettyjws"
    )
}

/// Text that a sender chose, cut to [`MAX_TEXT`] bytes; `None` if it is empty.
fn short(text: Option<String>) -> Option<String> {
    let mut text = text.filter(|text| !text.is_empty())?;
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    Some(text)
}

/// Reads a JSON list of events, of which there may be [`MAX_EVENTS`]; `null` is an empty one.
fn event_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of events")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                if list.len() == MAX_EVENTS {
                    return Err(A::Error::custom(format_args!("more than {MAX_EVENTS} events")));
                }
                list.push(item);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

#[cfg(test)]
mod testing {
    //! Deliveries to a source that is built from its section of the configuration.

    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
    use bytes::Bytes;

    use super::*;

    pub(super) fn source(section: &str) -> Configured {
        configure("test", section.parse().unwrap(), &BTreeMap::new()).unwrap()
    }

    pub(super) fn unverified(headers: &[(&str, &str)], body: &[u8]) -> Delivery<Unverified> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                map.insert(HeaderName::try_from(*name).unwrap(), value);
            }
        }
        Delivery::new("test", map, Bytes::copy_from_slice(body), Timestamp::from_second(1_772_619_330).unwrap())
    }

    pub(super) fn deliver(
        section: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        now: Timestamp,
    ) -> Result<Result<Normalized, Malformed>, Rejection> {
        let Configured { source, .. } = source(section);
        Ok(source.normalize(&source.verify(unverified(headers, body), now)?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own_and_recorded_payloads() {
        let names: std::collections::BTreeSet<_> = SOURCES.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), SOURCES.len());
        for name in names {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name).is_dir(), "{name}");
        }
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_named() {
        let check = |section: &str, told: &str| {
            let sections = BTreeMap::from([("hub".to_owned(), section.parse().unwrap())]);
            let registries = BTreeMap::new();
            let error = Sources::build(&sections, &registries).err().unwrap().to_string();
            assert!(error.starts_with(told), "{section}: {error}");
        };
        check("", "sources.hub.kind: missing; one of distribution, standard-webhooks");
        check("kind = 'ghost'", "sources.hub.kind: there is no kind \"ghost\"");
        check("kind = 7", "sources.hub.kind: must be a string");
        check("kind = 'distribution'\nregistry = 'r'", "sources.hub.registry: there is no section [registries.r]");
        check("kind = 'distribution'", "sources.hub: missing field `secrets`");
        check("kind = 'distribution'\nsecrets = 'x'", "sources.hub.secrets: invalid type: string, expected a sequence");
        check("kind = 'distribution'\nsecrets = []", "sources.hub.secrets: needs at least one");
        check("kind = 'distribution'\nsecrets = ['x']\nheader = 'a b'", "sources.hub.header: not the name");
        check("kind = 'distribution'\nsecrets = ['x']\nsekret = 1", "sources.hub.sekret: unknown field");
        let unset = "secrets = [{ env = 'PLIMSOLL_TEST_UNSET' }]";
        let told = "sources.hub.secrets: environment variable PLIMSOLL_TEST_UNSET is not set";
        check(&format!("kind = 'distribution'\n{unset}"), told);
        check(&format!("kind = 'standard-webhooks'\n{unset}"), told);
        check("kind = 'standard-webhooks'\nsecrets = ['whsec_short']", "sources.hub.secrets: a secret must be whsec_");
    }

    #[test]
    fn media_types_of_manifests_may_have_parameters() {
        assert!(is_manifest("application/vnd.oci.image.index.v1+json; charset=utf-8"));
        assert!(!is_manifest("application/octet-stream") && !is_manifest(""));
    }
}
