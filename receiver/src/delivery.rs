//! One request of a sender, before and after it is verified.
//!
//! The order *verify, then parse* is kept by the types: the body of a [`Delivery<Unverified>`] can be hashed but not
//! read, and only the helpers of [`crate::signature`] turn it into a [`Delivery<Verified>`].

use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use hmac::Mac;
use jiff::Timestamp;
use shared::event::Authenticity;

use crate::signature::Proof;

/// Nothing is known about the sender.
#[derive(Debug)]
pub struct Unverified(());

/// The sender is proven as far as the source allows.
#[derive(Debug)]
pub struct Verified(Proof);

/// Headers and raw body of one request, both already limited in size.
#[derive(Debug)]
pub struct Delivery<State> {
    source: String,
    headers: HeaderMap,
    body: Bytes,
    received_at: Timestamp,
    state: State,
}

impl<State> Delivery<State> {
    /// Configured name of the source that the request was sent to.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// When the request came in.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// The first value of a header, as it was sent.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(|value| value.as_bytes())
    }

    /// The first value of a header, if it is plain visible ASCII.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Delivery<Unverified> {
    /// What `source` was sent at `received_at`.
    pub fn new(source: &str, headers: HeaderMap, body: Bytes, received_at: Timestamp) -> Self {
        Self { source: source.to_owned(), headers, body, received_at, state: Unverified(()) }
    }

    /// Feeds the raw body to a message authentication code. There is no other way to it before it is verified.
    pub(crate) fn feed_body(&self, mac: &mut impl Mac) {
        mac.update(&self.body);
    }

    /// The same delivery, proven.
    pub(crate) fn proven(self, proof: Proof) -> Delivery<Verified> {
        let Self { source, headers, body, received_at, state: Unverified(()) } = self;
        Delivery { source, headers, body, received_at, state: Verified(proof) }
    }
}

impl Delivery<Verified> {
    /// The raw body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How far the sender was proven.
    pub fn authenticity(&self) -> Authenticity {
        self.state.0.authenticity()
    }
}
