//! What travels in a queue: JSON in an envelope that names its type and version.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::job::ScanJob;
use crate::report::Report;

/// A type that may travel.
pub trait Payload: Serialize + DeserializeOwned {
    /// Name in the envelope.
    const KIND: &'static str;
    /// Raised when an older reader could misunderstand a newer message.
    const VERSION: u32;
}

impl Payload for ScanJob {
    const KIND: &'static str = "scan-job";
    const VERSION: u32 = 1;
}

impl Payload for Report {
    const KIND: &'static str = "scan-report";
    const VERSION: u32 = 1;
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    kind: &'static str,
    version: u32,
    payload: &'a T,
}

#[derive(Deserialize)]
struct Opened<'a> {
    kind: String,
    version: u32,
    #[serde(borrow)]
    payload: &'a serde_json::value::RawValue,
}

/// A message that cannot be read: for the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The JSON is not what this version of Plimsoll writes.
    #[error("not a readable message: {0}")]
    Json(#[from] serde_json::Error),
    /// Another type, or a version that this process does not know.
    #[error("expected {expected} of version {version} at most, found {found} of version {found_version}")]
    Type {
        /// Type that was asked for.
        expected: &'static str,
        /// Newest known version.
        version: u32,
        /// Type in the envelope.
        found: String,
        /// Version in the envelope.
        found_version: u32,
    },
}

/// Wraps `payload` in its envelope.
pub fn encode<T: Payload>(payload: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Envelope { kind: T::KIND, version: T::VERSION, payload })
}

/// Unwraps what [`encode`] wrote, here or in another version of Plimsoll.
pub fn decode<T: Payload>(body: &[u8]) -> Result<T, Unreadable> {
    let opened: Opened<'_> = serde_json::from_slice(body)?;
    if opened.kind != T::KIND || opened.version > T::VERSION {
        return Err(Unreadable::Type {
            expected: T::KIND,
            version: T::VERSION,
            found: opened.kind,
            found_version: opened.version,
        });
    }
    Ok(serde_json::from_str(opened.payload.get())?)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::job::JobKind;

    fn job() -> ScanJob {
        ScanJob {
            id: Uuid::nil(),
            kind: JobKind::Push,
            registry: "main".to_owned(),
            repository: "team/app".parse().unwrap(),
            tag: Some("1".parse().unwrap()),
            digest: None,
            accepted_at: Timestamp::UNIX_EPOCH,
            trace: "trace".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let body = encode(&job()).unwrap();
        assert_eq!(decode::<ScanJob>(&body).unwrap(), job());
        let as_report = decode::<Report>(&body).unwrap_err().to_string();
        assert_eq!(as_report, "expected scan-report of version 1 at most, found scan-job of version 1");
        let newer = String::from_utf8(body).unwrap().replace("\"version\":1", "\"version\":2");
        assert!(matches!(decode::<ScanJob>(newer.as_bytes()), Err(Unreadable::Type { found_version: 2, .. })));
        let deep = format!("{{\"kind\":\"scan-job\",\"version\":1,\"payload\":{}", "[".repeat(100_000));
        assert!(matches!(decode::<ScanJob>(deep.as_bytes()), Err(Unreadable::Json(_))));
    }

    proptest! {
        #[test]
        fn no_message_is_too_odd(body: Vec<u8>) {
            prop_assert!(decode::<ScanJob>(&body).is_err() && decode::<Report>(&body).is_err());
        }

        #[test]
        fn no_damage_is_too_much(at: prop::sample::Index, byte: u8) {
            let mut body = encode(&job()).unwrap();
            let at = at.index(body.len());
            body[at] = byte;
            let _ = decode::<ScanJob>(&body);
        }
    }
}
