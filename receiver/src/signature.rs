//! The ways in which a sender proves itself. Each takes an unverified delivery and, alone in this crate, can give back a
//! verified one. Every comparison takes the same time whatever was sent.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256};
use shared::event::Authenticity;
use subtle::{Choice, ConstantTimeEq};

use crate::delivery::{Delivery, Unverified, Verified};

/// Evidence that a check of this module succeeded; nobody else can make one.
#[derive(Debug)]
pub struct Proof(Authenticity);

impl Proof {
    /// What the evidence is worth.
    pub(crate) fn authenticity(&self) -> Authenticity {
        self.0
    }
}

/// Why a sender was not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A header that the proof needs was not sent, or is not text.
    #[error("header {0} is missing or not plain text")]
    Header(String),
    /// A header that the proof needs cannot be understood.
    #[error("header {header} is not valid: {why}")]
    InvalidHeader {
        /// Which one.
        header: &'static str,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// Signed too long ago, or in the future.
    #[error("the signature's timestamp is more than {tolerance_seconds} s away from this machine's clock")]
    Stale {
        /// Distance that would have been accepted.
        tolerance_seconds: u64,
    },
    /// No signature was made with an active secret over this body.
    #[error("no signature matches")]
    Signature,
    /// The shared secret is another one.
    #[error("the secret does not match")]
    Secret,
}

/// A key of HMAC-SHA256.
pub type Key = SecretSlice<u8>;

/// Begins HMAC-SHA256 with `key`.
pub(crate) fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length (RFC 2104, section 2)")]
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Believes the delivery if any of `signatures` is the HMAC-SHA256 of `prefix` and the raw body under any of `keys`.
pub fn verify_hmac(
    delivery: Delivery<Unverified>,
    keys: &[Key],
    prefix: &[u8],
    signatures: &[Vec<u8>],
) -> Result<Delivery<Verified>, Rejection> {
    for key in keys {
        let mut mac = hmac_sha256(key.expose_secret());
        mac.update(prefix);
        delivery.feed_body(&mut mac);
        if signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok()) {
            return Ok(delivery.proven(Proof(Authenticity::Signed)));
        }
    }
    Err(Rejection::Signature)
}

/// A secret that a sender repeats with every request, kept as its hash so that comparing does not tell its length.
#[derive(Clone)]
pub struct SharedSecret([u8; 32]);

impl SharedSecret {
    /// The secret as it is configured.
    pub fn new(secret: &SecretString) -> Self {
        Self(Sha256::digest(secret.expose_secret()).into())
    }

    fn equals(&self, given: &[u8]) -> Choice {
        self.0.ct_eq(&<[u8; 32]>::from(Sha256::digest(given)))
    }
}

/// Believes the delivery if any of `given`, which the sender wrote into it, is any of `secrets`.
pub fn verify_shared_secret(
    delivery: Delivery<Unverified>,
    secrets: &[SharedSecret],
    given: &[Vec<u8>],
) -> Result<Delivery<Verified>, Rejection> {
    let pairs = secrets.iter().flat_map(|secret| given.iter().map(move |given| secret.equals(given)));
    let any = pairs.fold(Choice::from(0), |any, equal| any | equal);
    if any.into() { Ok(delivery.proven(Proof(Authenticity::SharedSecret))) } else { Err(Rejection::Secret) }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderMap;
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;

    fn delivery(body: &'static [u8]) -> Delivery<Unverified> {
        Delivery::new("test", HeaderMap::new(), Bytes::from_static(body), Timestamp::UNIX_EPOCH)
    }

    /// RFC 4231, test case 2.
    #[test]
    fn hmac_follows_the_rfc() {
        let key = Key::from(b"Jefe".to_vec());
        let tag = hex::decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").unwrap();
        let check = |body, tag: &[u8]| {
            verify_hmac(delivery(body), std::slice::from_ref(&key), b"what do ya want ", &[tag.to_vec()])
        };
        let verified = check(b"for nothing?", &tag).unwrap();
        assert_eq!((verified.body(), verified.authenticity()), (&b"for nothing?"[..], Authenticity::Signed));
        assert_eq!(check(b"for nothing!", &tag).unwrap_err(), Rejection::Signature);
        assert_eq!(check(b"for nothing?", &tag[..31]).unwrap_err(), Rejection::Signature);
        assert_eq!(check(b"for nothing?", b"").unwrap_err(), Rejection::Signature);
    }

    #[test]
    fn any_active_secret_will_do_and_no_part_of_one() {
        let secrets = ["old", "new"].map(|secret| SharedSecret::new(&secret.into()));
        let check = |given: &[&str]| {
            let given: Vec<Vec<u8>> = given.iter().map(|text| text.as_bytes().to_vec()).collect();
            verify_shared_secret(delivery(b""), &secrets, &given).map(|delivery| delivery.authenticity())
        };
        assert_eq!(check(&["new"]), Ok(Authenticity::SharedSecret));
        assert_eq!(check(&["wrong", "old"]), Ok(Authenticity::SharedSecret));
        for wrong in [&["ne"][..], &["newer"], &[""], &[]] {
            assert_eq!(check(wrong), Err(Rejection::Secret), "{wrong:?}");
        }
    }
}
