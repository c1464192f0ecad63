//! Semantic Versioning 2.0.0, section 11, with numbers of any length and a lenient front.
//!
//! As OSV and npm's loose mode do, a leading `v` or `=` is passed over, missing components are 0, leading zeros do not
//! count, and a pre-release may follow without its hyphen (`1.2.3beta`). Build metadata (`+…`) is ignored. Further
//! numeric components (`1.2.3.4`) are compared as numbers.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of npm and of OSV's ranges of type SEMVER.
#[derive(Debug)]
pub(super) struct Semver;

impl Scheme for Semver {
    fn name(&self) -> &'static str {
        "semver"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["npm", "Bitnami", "crates.io", "Go", "Hex", "Julia", "SwiftURL"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (a, b) = (Version::parse(a)?, Version::parse(b)?);
        Ok(a.core.cmp(&b.core).then_with(|| a.pre_release.cmp(&b.pre_release)))
    }
}

struct Version<'a> {
    /// Without zeros at its end.
    core: Vec<Digits<'a>>,
    pre_release: PreRelease<'a>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum PreRelease<'a> {
    Of(Vec<Identifier<'a>>),
    /// A release sorts after its pre-releases.
    No,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(Digits<'a>),
    Text(&'a str),
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Result<Self, InvalidVersion> {
        let trimmed = text.trim().trim_start_matches(['v', 'V', '=', ' ']);
        if !trimmed.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(InvalidVersion::new(text, "it does not begin with a number"));
        }
        if trimmed.contains(char::is_whitespace) {
            return Err(InvalidVersion::new(text, "it has a space inside"));
        }
        let without_build = trimmed.split_once('+').map_or(trimmed, |(version, _)| version);
        let (core, rest) = split_core(without_build);
        Ok(Self { core, pre_release: pre_release(rest) })
    }
}

fn split_core(text: &str) -> (Vec<Digits<'_>>, &str) {
    let (first, mut rest) = split_digits(text);
    let mut core = vec![Digits::new(first)];
    while let Some((digits, after)) = rest.strip_prefix('.').map(split_digits).filter(|(digits, _)| !digits.is_empty())
    {
        core.push(Digits::new(digits));
        rest = after;
    }
    while core.last().is_some_and(|number| number.is_zero()) {
        core.pop();
    }
    (core, rest)
}

fn pre_release(rest: &str) -> PreRelease<'_> {
    let text = rest.strip_prefix(['-', '.']).unwrap_or(rest);
    if text.is_empty() {
        return PreRelease::No;
    }
    PreRelease::Of(text.split('.').map(identifier).collect())
}

fn identifier(text: &str) -> Identifier<'_> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Identifier::Number(Digits::new(text))
    } else {
        Identifier::Text(text)
    }
}
