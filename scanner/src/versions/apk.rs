//! Versions of Alpine and its descendants: `digit{.digit}…{letter}{_suffix{number}}…{~hash}{-r#}`, in the order of
//! apk-tools 3 (`src/version.c`).
//!
//! apk compares what it calls invalid, too, and advisories have such versions. Up to its first strange character such a
//! version is an ordinary one; there it sorts below the version that ends in that place (`1-ruff` < `1`), and what
//! follows does not count. As in apk-tools 2, a letter may be followed by a number, and a component may be missing. So
//! every text that is not empty has its place.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of apk.
#[derive(Debug)]
pub(super) struct Apk;

impl Scheme for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Alpine", "Alpaquita", "BellSoft Hardened Containers", "Chainguard", "CleanStart", "MinimOS", "Wolfi"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        Ok(parts(a)?.cmp(parts(b)?))
    }
}

/// One part of a version. The variants stand in the order in which they sort when they meet at the same place:
/// `1_rc` < `1` < `1-r0` < `1~ab` < `1_p` < `1a` < `1.0`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    PreSuffix(Earlier),
    Strange,
    /// A component without digits.
    Missing,
    End,
    Revision(Digits<'a>),
    Hash(&'a str),
    SuffixNumber(Digits<'a>),
    PostSuffix(Later),
    Letter(u8),
    /// Components after the first that begin with 0 sort as text, below those that do not (`1.010` < `1.09` < `1.1`).
    ZeroLed(&'a str),
    Number(Digits<'a>),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Earlier {
    Alpha,
    Beta,
    Pre,
    Rc,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    Cvs,
    Svn,
    Git,
    Hg,
    Patch,
}

/// The parts of `version`; the last one is `End` or `Strange`.
fn parts(version: &str) -> Result<Parts<'_>, InvalidVersion> {
    if version.is_empty() {
        return Err(InvalidVersion::new(version, "it is empty"));
    }
    Ok(Parts { rest: version, before: Before::Start })
}

struct Parts<'a> {
    rest: &'a str,
    before: Before,
}

/// What was read last: it says what may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    Start,
    Number,
    Letter,
    Suffix,
    SuffixNumber,
    Hash,
    Revision,
    Last,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.before == Before::Last {
            return None;
        }
        let (part, before) = self.read().unwrap_or((Part::Strange, Before::Last));
        self.before = before;
        Some(part)
    }
}

impl<'a> Parts<'a> {
    fn read(&mut self) -> Option<(Part<'a>, Before)> {
        let before = self.before;
        if before == Before::Start {
            return Some((Part::Number(self.digits()), Before::Number));
        }
        let Some(&first) = self.rest.as_bytes().first() else { return Some((Part::End, Before::Last)) };
        match first {
            b'a'..=b'z' if before <= Before::Number => {
                self.skip(1);
                Some((Part::Letter(first), Before::Letter))
            }
            b'.' if before <= Before::Number => {
                self.skip(1);
                Some((self.component(), Before::Number))
            }
            b'0'..=b'9' if before == Before::Letter => Some((Part::Number(self.digits()), Before::Number)),
            b'0'..=b'9' if before == Before::Suffix => Some((Part::SuffixNumber(self.digits()), Before::SuffixNumber)),
            b'_' if before <= Before::SuffixNumber => {
                self.skip(1);
                let part = suffix(self.take_while(u8::is_ascii_lowercase))?;
                Some((part, Before::Suffix))
            }
            b'~' if before < Before::Hash => {
                self.skip(1);
                let hash = self.take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                (!hash.is_empty()).then_some((Part::Hash(hash), Before::Hash))
            }
            b'-' if before < Before::Revision && self.rest.starts_with("-r") => {
                self.skip(2);
                let is_word = self.rest.starts_with(|next: char| next.is_ascii_lowercase());
                (!is_word).then(|| (Part::Revision(self.digits()), Before::Revision))
            }
            _ => None,
        }
    }

    fn component(&mut self) -> Part<'a> {
        let (digits, rest) = split_digits(self.rest);
        self.rest = rest;
        match digits.as_bytes().first() {
            Some(b'0') => Part::ZeroLed(digits),
            None => Part::Missing,
            Some(_) => Part::Number(Digits::new(digits)),
        }
    }

    fn digits(&mut self) -> Digits<'a> {
        let (digits, rest) = split_digits(self.rest);
        self.rest = rest;
        Digits::new(digits)
    }

    fn skip(&mut self, ascii: usize) {
        self.rest = &self.rest[ascii..];
    }

    fn take_while(&mut self, wanted: fn(&u8) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.bytes().take_while(wanted).count());
        self.rest = rest;
        taken
    }
}

fn suffix(word: &str) -> Option<Part<'static>> {
    match word {
        "alpha" => Some(Part::PreSuffix(Earlier::Alpha)),
        "beta" => Some(Part::PreSuffix(Earlier::Beta)),
        "pre" => Some(Part::PreSuffix(Earlier::Pre)),
        "rc" => Some(Part::PreSuffix(Earlier::Rc)),
        "cvs" => Some(Part::PostSuffix(Later::Cvs)),
        "svn" => Some(Part::PostSuffix(Later::Svn)),
        "git" => Some(Part::PostSuffix(Later::Git)),
        "hg" => Some(Part::PostSuffix(Later::Hg)),
        "p" => Some(Part::PostSuffix(Later::Patch)),
        _ => None,
    }
}
