//! Ruby's versions, `Gem::Version` (<https://docs.ruby-lang.org/en/master/Gem/Version.html>): numbers and words in turn,
//! with or without dots between them. A word makes a pre-release, a hyphen counts as the word `pre`, and zeros at the end
//! of the numbers in front do not count. What `Gem::Version.correct?` refuses has no place, but for
//! a word directly behind the first number (`1beta`), nor has nothing at all.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of RubyGems.
#[derive(Debug)]
pub(super) struct RubyGems;

impl Scheme for RubyGems {
    fn name(&self) -> &'static str {
        "rubygems"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["RubyGems"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (mut a, mut b) = (segments(a)?, segments(b)?);
        loop {
            let (of_a, of_b) = (a.next(), b.next());
            if of_a.is_none() && of_b.is_none() {
                return Ok(Ordering::Equal);
            }
            let order = of_a.unwrap_or(Segment::ZERO).cmp(&of_b.unwrap_or(Segment::ZERO));
            if order.is_ne() {
                return Ok(order);
            }
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Word(&'a str),
    Number(Digits<'a>),
}

impl Segment<'_> {
    /// What stands behind the end.
    const ZERO: Self = Self::Number(Digits::ZERO);
}

fn segments(version: &str) -> Result<impl Iterator<Item = Segment<'_>>, InvalidVersion> {
    let trimmed = version.trim();
    if !is_correct(trimmed) {
        return Err(InvalidVersion::new(version, "it is not made of numbers and words with dots between them"));
    }
    let in_numbers = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let (numbers, rest) = trimmed.split_at(trimmed.bytes().take_while(in_numbers).count());
    Ok(split_segments(without_zeros_at_end(numbers)).chain(split_segments(rest)))
}

/// `[0-9][0-9a-zA-Z]*(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?`
fn is_correct(version: &str) -> bool {
    let (release, pre_release) =
        version.split_once('-').map_or((version, None), |(release, pre_release)| (release, Some(pre_release)));
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_pre_release_word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    version.starts_with(|first: char| first.is_ascii_digit())
        && release.split('.').all(is_word)
        && pre_release.is_none_or(|text| text.split('.').all(is_pre_release_word))
}

fn without_zeros_at_end(mut numbers: &str) -> &str {
    loop {
        let (rest, last) = numbers.rsplit_once('.').unwrap_or(("", numbers));
        if numbers.is_empty() || !Digits::new(last).is_zero() {
            return numbers;
        }
        numbers = rest;
    }
}

fn split_segments(text: &str) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('.');
        let first = rest.bytes().next()?;
        let (segment, after) = if first == b'-' {
            (Segment::Word("pre"), &rest[1..])
        } else if first.is_ascii_digit() {
            let (digits, after) = split_digits(rest);
            (Segment::Number(Digits::new(digits)), after)
        } else {
            let (word, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_alphabetic).count());
            (Segment::Word(word), after)
        };
        rest = after;
        Some(segment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::assert_holds;

    /// From `test_gem_version.rb` of RubyGems.
    #[test]
    fn rubygems_in_the_order_of_its_own_tests() {
        assert_holds(
            "RubyGems",
            "1.0 = 1.0.0\n1.0 > 1.0.a\n1.8.2 > 0.0.0\n1.8.2 > 1.8.2.a\n1.8.2.b > 1.8.2.a\n1.8.2.a10 > 1.8.2.a9\n
             0.beta.1 = 0.0.beta.1\n0.0.beta < 0.0.beta.1\n0.0.beta < 0.beta.1\n5.a < 5.0.0.rc2\n5.x > 5.0.0.rc2\n
             1.9.3 > 1.9.2.99\n1.9.3 < 1.9.3.1\n1.0.0-alpha < 1.0.0-alpha.1\n1.0.0-alpha.1 < 1.0.0-beta.2\n
             1.0.0-beta.2 < 1.0.0-beta.11\n1.0.0-beta.11 < 1.0.0-rc.1\n1.0.0-rc1 < 1.0.0\n1.0.0-1 < 1\n
             1.2.pre.1 = 1.2.0.pre.1.0\n0.0.1.20220404083012 < 1.0.0",
            21,
        );
        for invalid in
            ["", "junk", "v1.0", "1..2", "1.2 3.4", "2.3422222.222.222222222.22222.ads0as.dasd0.ddd2222.2.qd3e."]
        {
            assert!(RubyGems.compare(invalid, "1").is_err(), "{invalid:?}");
        }
    }
}
