//! Debian versions: Debian Policy 5.6.12, read as dpkg reads them.
//!
//! What `dpkg --compare-versions` refuses is an error here: nothing, spaces inside, an epoch that is not a number up to
//! 2³¹ − 1, nothing after the epoch. What dpkg only warns of (unusual characters, no digit in front) is compared.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of Debian and its descendants, and of opam.
#[derive(Debug)]
pub(super) struct Deb;

impl Scheme for Deb {
    fn name(&self) -> &'static str {
        "deb"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Debian", "Echo", "Ubuntu", "opam"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (a, b) = (Version::parse(a)?, Version::parse(b)?);
        Ok(a.epoch
            .cmp(&b.epoch)
            .then_with(|| compare_part(a.upstream, b.upstream))
            .then_with(|| compare_part(a.revision, b.revision)))
    }
}

struct Version<'a> {
    epoch: i32,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Result<Self, InvalidVersion> {
        let invalid = |why| InvalidVersion::new(text, why);
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(invalid("it is empty"));
        }
        if trimmed.contains(char::is_whitespace) {
            return Err(invalid("it has a space inside"));
        }
        let (epoch, rest) = match trimmed.split_once(':') {
            None => (0, trimmed),
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
                (epoch.parse().map_err(|_| invalid("its epoch is not a number up to 2147483647"))?, rest)
            }
            Some(_) => return Err(invalid("its epoch is not a number")),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        if upstream.is_empty() {
            return Err(invalid("it has no upstream version"));
        }
        Ok(Self { epoch, upstream, revision })
    }
}

/// Text and numbers in turn, text first.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let ((text_a, rest_a), (text_b, rest_b)) = (split_text(a), split_text(b));
        let ((number_a, after_a), (number_b, after_b)) = (split_digits(rest_a), split_digits(rest_b));
        let order = compare_text(text_a, text_b).then_with(|| Digits::new(number_a).cmp(&Digits::new(number_b)));
        if order.is_ne() {
            return order;
        }
        (a, b) = (after_a, after_b);
    }
    Ordering::Equal
}

fn split_text(part: &str) -> (&str, &str) {
    part.split_at(part.bytes().take_while(|byte| !byte.is_ascii_digit()).count())
}

fn compare_text(a: &str, b: &str) -> Ordering {
    a.bytes().map(weight).chain([END]).cmp(b.bytes().map(weight).chain([END]))
}

/// Weight of the end of a text.
const END: u16 = 1;

/// A tilde sorts before the end, the end before letters, letters before everything else.
fn weight(byte: u8) -> u16 {
    match byte {
        b'~' => 0,
        letter if letter.is_ascii_alphabetic() => u16::from(letter) + 2,
        other => u16::from(other) + 256,
    }
}
