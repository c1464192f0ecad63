//! rpm versions, `epoch:version-release`, compared as rpm does (`rpmvercmp` and `rpmverCmp`, described in the manual of
//! rpm under "Version comparison").
//!
//! rpm takes any text: what stands before a colon is an epoch only if it is a number, and the release begins behind the
//! last hyphen. A version without a release sorts below the same one with a release. Only empty text has no place.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of Red Hat, SUSE and everything else that is built of rpm packages.
#[derive(Debug)]
pub(super) struct Rpm;

impl Scheme for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &[
            "AlmaLinux",
            "Amazon Linux",
            "Azure Linux",
            "Fedora",
            "Mageia",
            "Oracle Linux",
            "Photon OS",
            "Red Hat",
            "Rocky Linux",
            "SUSE",
            "openEuler",
            "openSUSE",
        ]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (a, b) = (Version::parse(a)?, Version::parse(b)?);
        Ok(a.epoch
            .cmp(&b.epoch)
            .then_with(|| segments(a.version).cmp(segments(b.version)))
            .then_with(|| a.release.is_some().cmp(&b.release.is_some()))
            .then_with(|| segments(a.release.unwrap_or("")).cmp(segments(b.release.unwrap_or("")))))
    }
}

struct Version<'a> {
    epoch: Digits<'a>,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Result<Self, InvalidVersion> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(InvalidVersion::new(text, "it is empty"));
        }
        let (digits, behind) = split_digits(trimmed);
        let (epoch, rest) = behind.strip_prefix(':').map_or(("", trimmed), |rest| (digits, rest));
        let (version, release) =
            rest.rsplit_once('-').map_or((rest, None), |(version, release)| (version, Some(release)));
        Ok(Self { epoch: Digits::new(epoch), version, release })
    }
}

/// The variants stand in the order in which they sort when they meet at the same place: `1~rc` < `1` < `1^git` < `1a` <
/// `1.0`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Caret,
    Letters(&'a str),
    Number(Digits<'a>),
}

/// The segments of a version or a release; `End` is the last one. Everything that is not in a segment only separates.
fn segments(text: &str) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let text = text.trim_start_matches(|char: char| !char.is_ascii_alphanumeric() && char != '~' && char != '^');
        let (segment, after) = match text.as_bytes().first() {
            None => (Segment::End, None),
            Some(b'~') => (Segment::Tilde, Some(&text[1..])),
            Some(b'^') => (Segment::Caret, Some(&text[1..])),
            Some(b'0'..=b'9') => {
                let (digits, after) = split_digits(text);
                (Segment::Number(Digits::new(digits)), Some(after))
            }
            Some(_) => {
                let (letters, after) = text.split_at(text.bytes().take_while(u8::is_ascii_alphabetic).count());
                (Segment::Letters(letters), Some(after))
            }
        };
        rest = after;
        Some(segment)
    })
}

#[cfg(test)]
mod tests {
    use crate::versions::tests::assert_holds;

    #[test]
    fn rpm_takes_any_text() {
        assert_holds(
            "Red Hat",
            "0:1.0 = 1.0\n:1 = 1\n1.0 < 1.0-1\n1-2-3 < 1-3-2\n4294967296:1 > 4294967295:2\n1.0^ < 1.0a\n1.0^ < 1.0.1\n
             1.0~rc1^git1 > 1.0~rc1\n1.0^git1~pre < 1.0^git1\n1.1.α = 1.1.β\n1.900 < 1.8000000000000000000000a",
            10,
        );
    }
}
