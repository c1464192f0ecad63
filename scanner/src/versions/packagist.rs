//! PHP's versions as `version_compare` orders them (<https://www.php.net/manual/function.version-compare.php>), which
//! Composer's `Comparator` and OSV ask, without Composer's `v` in front.
//!
//! Everything that is no letter and no digit separates, and so does the change from letters to digits and back. Words
//! are known by how they begin: anything < `dev` < `alpha` = `a` < `beta` = `b` < `RC` = `rc` < a number < `pl` = `p`.
//! `#` stands for any number, so that the order is not transitive where a version has one. Only empty text has no place.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of Packagist.
#[derive(Debug)]
pub(super) struct Packagist;

impl Scheme for Packagist {
    fn name(&self) -> &'static str {
        "packagist"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Packagist"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (mut a, mut b) = (parts(a)?, parts(b)?);
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ok(Ordering::Equal),
                (a, b) => a.unwrap_or(Part::End).against(&b.unwrap_or(Part::End)),
            };
            if order.is_ne() {
                return Ok(order);
            }
        }
    }
}

/// The variants stand in the order in which they sort when they meet at the same place: `1.0dev` < `1.0` < `1.0.0` <
/// `1.0pl1`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// A separator at the end.
    Nothing,
    Unknown,
    Dev,
    Alpha,
    Beta,
    Candidate,
    End,
    Number(Digits<'a>),
    AnyNumber,
    Patch,
}

impl Part<'_> {
    fn against(&self, other: &Self) -> Ordering {
        let is_neutral = |part: &Self| matches!(part, Self::End | Self::Number(_) | Self::AnyNumber);
        let is_any = |part: &Self| *part == Self::AnyNumber;
        if is_any(self) && is_neutral(other) || is_any(other) && is_neutral(self) {
            return Ordering::Equal;
        }
        self.cmp(other)
    }
}

fn parts(version: &str) -> Result<impl Iterator<Item = Part<'_>>, InvalidVersion> {
    let trimmed = version.trim();
    let mut rest = trimmed.strip_prefix(['v', 'V']).unwrap_or(trimmed);
    if rest.is_empty() {
        return Err(InvalidVersion::new(version, "it is empty"));
    }
    Ok(std::iter::from_fn(move || {
        let at_separator = rest;
        rest = rest.trim_start_matches(is_separator);
        let Some(first) = rest.bytes().next() else {
            return (!at_separator.is_empty()).then_some(Part::Nothing);
        };
        let (part, after) = match first {
            b'#' => (Part::AnyNumber, &rest[1..]),
            b'0'..=b'9' => {
                let (digits, after) = split_digits(rest);
                (Part::Number(Digits::new(digits)), after)
            }
            _ => {
                let (word, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_alphabetic).count());
                (known(word), after)
            }
        };
        rest = after;
        Some(part)
    }))
}

fn is_separator(char: char) -> bool {
    !char.is_ascii_alphanumeric() && char != '#'
}

fn known(word: &str) -> Part<'static> {
    match word.as_bytes() {
        [b'd', b'e', b'v', ..] => Part::Dev,
        [b'a', ..] => Part::Alpha,
        [b'b', ..] => Part::Beta,
        [b'r', b'c', ..] | [b'R', b'C', ..] => Part::Candidate,
        [b'p', ..] => Part::Patch,
        _ => Part::Unknown,
    }
}
