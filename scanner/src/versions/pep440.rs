//! Python versions: PEP 440 with the normalizations of its appendix B, and numbers of any length.
//!
//! Text that is no PEP 440 version sorts below every version that is, in the order of setuptools before release 66
//! (`LegacyVersion`), which is also OSV's.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of PyPI.
#[derive(Debug)]
pub(super) struct Pep440;

impl Scheme for Pep440 {
    fn name(&self) -> &'static str {
        "pep440"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["PyPI"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        if let Some(empty) = [a, b].into_iter().find(|version| version.trim().is_empty()) {
            return Err(InvalidVersion::new(empty, "it is empty"));
        }
        let (a, b) = (a.trim().to_ascii_lowercase(), b.trim().to_ascii_lowercase());
        Ok(Key::of(&a).cmp(&Key::of(&b)))
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Legacy(Vec<String>),
    Version(Version<'a>),
}

impl<'a> Key<'a> {
    fn of(lower_case: &'a str) -> Self {
        Version::parse(lower_case).map_or_else(|| Self::Legacy(legacy(lower_case)), Self::Version)
    }
}

/// The fields stand in the order in which they decide.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Version<'a> {
    epoch: Digits<'a>,
    /// Without zeros at its end.
    release: Vec<Digits<'a>>,
    pre: Pre<'a>,
    post: Option<Digits<'a>>,
    dev: Dev<'a>,
    local: Option<Vec<Local<'a>>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Pre<'a> {
    /// A development release of the release itself sorts before its pre-releases.
    DevelopmentOnly,
    Alpha(Digits<'a>),
    Beta(Digits<'a>),
    Candidate(Digits<'a>),
    No,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Dev<'a> {
    Of(Digits<'a>),
    No,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Local<'a> {
    Text(&'a str),
    Number(Digits<'a>),
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (public, local) = match text.split_once('+') {
            Some((public, local)) => (public, Some(local_segments(local)?)),
            None => (text, None),
        };
        let (epoch, rest) = match public.split_once('!') {
            Some((epoch, rest)) => (whole_number(epoch)?, rest),
            None => (Digits::new(""), public),
        };
        let (release, rest) = release(rest)?;
        let (pre, rest) = pre_release(rest);
        let (post, rest) = post_release(rest);
        let (dev, rest) = labelled(rest, &["dev"]).map_or((Dev::No, rest), |(_, number, rest)| (Dev::Of(number), rest));
        let pre = match pre {
            Pre::No if post.is_none() && dev != Dev::No => Pre::DevelopmentOnly,
            pre => pre,
        };
        rest.is_empty().then_some(Self { epoch, release, pre, post, dev, local })
    }
}

fn whole_number(text: &str) -> Option<Digits<'_>> {
    let (digits, rest) = split_digits(text);
    (!digits.is_empty() && rest.is_empty()).then(|| Digits::new(digits))
}

fn release(text: &str) -> Option<(Vec<Digits<'_>>, &str)> {
    let (first, mut rest) = split_digits(text);
    if first.is_empty() {
        return None;
    }
    let mut numbers = vec![Digits::new(first)];
    while let Some((digits, after)) = rest.strip_prefix('.').map(split_digits).filter(|(digits, _)| !digits.is_empty())
    {
        numbers.push(Digits::new(digits));
        rest = after;
    }
    while numbers.last().is_some_and(|number| number.is_zero()) {
        numbers.pop();
    }
    Some((numbers, rest))
}

fn pre_release(text: &str) -> (Pre<'_>, &str) {
    let Some((label, number, rest)) = labelled(text, &["alpha", "a", "beta", "b", "preview", "pre", "c", "rc"]) else {
        return (Pre::No, text);
    };
    let pre = match label {
        "alpha" | "a" => Pre::Alpha(number),
        "beta" | "b" => Pre::Beta(number),
        _ => Pre::Candidate(number),
    };
    (pre, rest)
}

fn post_release(text: &str) -> (Option<Digits<'_>>, &str) {
    if let Some((digits, rest)) = text.strip_prefix('-').map(split_digits).filter(|(digits, _)| !digits.is_empty()) {
        return (Some(Digits::new(digits)), rest);
    }
    labelled(text, &["post", "rev", "r"]).map_or((None, text), |(_, number, rest)| (Some(number), rest))
}

/// `[-_.]? label [-_.]? number?`, the first label that fits: label, number and what follows.
fn labelled<'a>(text: &'a str, labels: &[&'static str]) -> Option<(&'static str, Digits<'a>, &'a str)> {
    let text = skip_separator(text);
    let label = labels.iter().find(|label| text.starts_with(**label))?;
    let (digits, rest) = split_digits(skip_separator(&text[label.len()..]));
    Some((label, Digits::new(digits), rest))
}

fn skip_separator(text: &str) -> &str {
    text.strip_prefix(['-', '_', '.']).unwrap_or(text)
}

fn local_segments(text: &str) -> Option<Vec<Local<'_>>> {
    text.split(['-', '_', '.']).map(local_segment).collect()
}

fn local_segment(text: &str) -> Option<Local<'_>> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    Some(whole_number(text).map_or(Local::Text(text), Local::Number))
}

/// The sort key of setuptools' `LegacyVersion` (`_legacy_cmpkey`).
fn legacy(lower_case: &str) -> Vec<String> {
    let mut key: Vec<String> = Vec::new();
    for part in legacy_parts(lower_case).map(legacy_part).chain(["*final".to_owned()]) {
        if part.starts_with('*') {
            if part.as_str() < "*final" {
                drop_last(&mut key, "*final-");
            }
            drop_last(&mut key, "00000000");
        }
        key.push(part);
    }
    key
}

fn drop_last(key: &mut Vec<String>, unwanted: &str) {
    while key.last().is_some_and(|part| part == unwanted) {
        key.pop();
    }
}

/// Runs of digits, runs of letters, hyphens, and runs of what is between them; dots only separate.
fn legacy_parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let class = legacy_class(rest.chars().next()?);
        let end = match class {
            Class::Dot | Class::Hyphen => 1,
            _ => rest.find(|char| legacy_class(char) != class).unwrap_or(rest.len()),
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
    .filter(|part| *part != ".")
}

#[derive(PartialEq, Eq)]
enum Class {
    Digit,
    Letter,
    Dot,
    Hyphen,
    Other,
}

fn legacy_class(char: char) -> Class {
    match char {
        '0'..='9' => Class::Digit,
        'a'..='z' => Class::Letter,
        '.' => Class::Dot,
        '-' => Class::Hyphen,
        _ => Class::Other,
    }
}

fn legacy_part(part: &str) -> String {
    match part {
        "pre" | "preview" | "rc" => "*c".to_owned(),
        "-" => "*final-".to_owned(),
        "dev" => "*@".to_owned(),
        digits if digits.starts_with(|first: char| first.is_ascii_digit()) => format!("{digits:0>8}"),
        other => format!("*{other}"),
    }
}
