//! Semantic Versioning 2.0.0, section 11, with numbers of any length and a lenient front.
//!
//! As OSV and npm's loose mode do, a leading `v` or `=` is passed over, missing components are 0, leading zeros do not
//! count, and a pre-release may follow without its hyphen (`1.2.3beta`). Build metadata (`+…`, Go's `+incompatible`) is
//! ignored. Further numeric components (`1.2.3.4`) are compared as numbers. What does not begin with a number, or has a
//! space inside, has no place.

use std::cmp::Ordering;

use super::digits::Digits;
use super::{InvalidVersion, Scheme};

/// The order of npm and of OSV's ranges of type SEMVER.
#[derive(Debug)]
pub(super) struct Semver;

impl Scheme for Semver {
    fn name(&self) -> &'static str {
        "semver"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["ConanCenter", "GHC", "GitHub Actions", "Go", "Hex", "Kubernetes", "SwiftURL", "VSCode", "crates.io", "npm"]
    }

    fn is_semver(&self) -> bool {
        true
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        Ok(Version::parse(a)?.precedence(&Version::parse(b)?, str::cmp))
    }
}

/// A version in its three parts, for this order and those that differ from it in one point.
pub(super) struct Version<'a> {
    /// Numbers and dots.
    core: &'a str,
    pub(super) pre_release: &'a str,
    pub(super) build: &'a str,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, InvalidVersion> {
        let trimmed = text.trim().trim_start_matches(['v', 'V', '=', ' ']);
        if !trimmed.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(InvalidVersion::new(text, "it does not begin with a number"));
        }
        if trimmed.contains(char::is_whitespace) {
            return Err(InvalidVersion::new(text, "it has a space inside"));
        }
        let (without_build, build) = trimmed.split_once('+').unwrap_or((trimmed, ""));
        let is_core = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let (core, rest) = without_build.split_at(without_build.bytes().take_while(is_core).count());
        Ok(Self { core: core.trim_end_matches('.'), pre_release: rest.strip_prefix('-').unwrap_or(rest), build })
    }

    /// The order of section 11. `text` compares identifiers that are no numbers.
    pub(super) fn precedence(&self, other: &Self, text: fn(&str, &str) -> Ordering) -> Ordering {
        compare_cores(self.core, other.core)
            .then_with(|| self.pre_release.is_empty().cmp(&other.pre_release.is_empty()))
            .then_with(|| compare_identifiers(self.pre_release, other.pre_release, text))
    }
}

fn compare_cores(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (number_a, number_b) = (a.next(), b.next());
        if number_a.is_none() && number_b.is_none() {
            return Ordering::Equal;
        }
        let order = Digits::new(number_a.unwrap_or("")).cmp(&Digits::new(number_b.unwrap_or("")));
        if order.is_ne() {
            return order;
        }
    }
}

/// Compares identifiers between dots, one by one; where all are equal, the longer list is higher.
pub(super) fn compare_identifiers(a: &str, b: &str, text: fn(&str, &str) -> Ordering) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => compare_identifier(a, b, text),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_identifier(a: &str, b: &str, text: fn(&str, &str) -> Ordering) -> Ordering {
    match (is_number(a), is_number(b)) {
        (true, true) => Digits::new(a).cmp(&Digits::new(b)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => text(a, b),
    }
}

pub(super) fn is_number(identifier: &str) -> bool {
    !identifier.is_empty() && identifier.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::assert_rising;

    #[test]
    fn semver_org_precedence() {
        assert_rising(
            &Semver,
            &[
                "0.9.9",
                "1.0.0-alpha",
                "1.0.0-alpha.1",
                "1.0.0-alpha.beta",
                "1.0.0-beta",
                "1.0.0-beta.2",
                "1.0.0-beta.11",
                "1.0.0-rc.1",
                "1.0.0",
                "2.0.0",
                "2.1.0",
                "2.1.1",
                "2.1.99999999999999999999999998",
                "2.1.99999999999999999999999999",
            ],
        );
        for (a, b) in [("1.0", "v1.0.0"), ("=1", "1.0.0+build.5"), ("1.02.3", "1.2.3"), ("1.2.3beta", "1.2.3-beta")] {
            assert_eq!(Semver.compare(a, b), Ok(Ordering::Equal), "{a} {b}");
        }
        for invalid in ["", "latest", "1.0 beta", "-1"] {
            assert!(Semver.compare(invalid, "1.0.0").is_err(), "{invalid}");
        }
    }

    #[test]
    fn semver_ranges_take_what_advisories_write() {
        for (a, b) in
            [("1.2", "1.2.0"), ("v1.2.3", "1.2.3"), ("20.10.9+incompatible", "20.10.9"), ("1.21rc2", "1.21.0-rc2")]
        {
            assert_eq!(Semver.compare(a, b), Ok(Ordering::Equal), "{a} {b}");
        }
        assert_rising(
            &Semver,
            &[
                "0.0.0-20190101000000-abcdef012345",
                "0.0.0-20211202192323-5770296d904e",
                "1.3.6-0.20230324145555-bb6fb30bd3eb",
                "1.21.0-0",
                "1.21rc2",
                "1.21.0",
                "1.21.1",
                "25.0.0+incompatible",
            ],
        );
    }
}
