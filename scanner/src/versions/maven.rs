//! Maven's versions: `ComparableVersion` of Maven 3.9, which implements the
//! [order of the POM reference](https://maven.apache.org/pom.html#version-order-specification).
//!
//! Any text is a version for Maven; only empty text has no place. Where Maven 3.9 departs from the POM reference, with a
//! release within hyphens (`1-1` = `1-ga-1`), the reference is followed, as Maven 4 does. As in Maven itself, the order is not transitive where
//! qualifiers behind dots and behind hyphens meet: `1.0.alpha` < `1` < `1-1` < `1.0.alpha`.

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::{InvalidVersion, Scheme};

/// The order of Maven.
#[derive(Debug)]
pub(super) struct Maven;

impl Scheme for Maven {
    fn name(&self) -> &'static str {
        "maven"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Maven"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        if let Some(empty) = [a, b].into_iter().find(|version| version.trim().is_empty()) {
            return Err(InvalidVersion::new(empty, "it is empty"));
        }
        let (a, b) = (a.trim().to_lowercase(), b.trim().to_lowercase());
        Ok(compare_items(&items(&a), &items(&b)))
    }
}

/// A version is a list of numbers and qualifiers that may end in another such list, and so on: the lists stand here one
/// behind the other, each after its `List`.
#[derive(Debug, PartialEq, Eq)]
enum Item<'a> {
    Qualifier(Qualifier<'a>),
    List,
    Number(Digits<'a>),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Qualifier<'a> {
    Alpha,
    Beta,
    Milestone,
    Candidate,
    Snapshot,
    Release,
    ServicePack,
    Unknown(&'a str),
}

impl Item<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Qualifier(a), Self::Qualifier(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// `1.any` < `1-1` < `1.1`
    fn rank(&self) -> u8 {
        match self {
            Self::Qualifier(_) => 0,
            Self::List => 1,
            Self::Number(_) => 2,
        }
    }

    /// Compares with nothing at all.
    fn cmp_nothing(&self) -> Ordering {
        match self {
            Self::Qualifier(qualifier) => qualifier.cmp(&Qualifier::Release),
            Self::List => Ordering::Equal,
            Self::Number(digits) => digits.cmp(&Digits::ZERO),
        }
    }

    fn is_nothing(&self) -> bool {
        *self != Self::List && self.cmp_nothing().is_eq()
    }
}

fn compare_items(a: &[Item<'_>], b: &[Item<'_>]) -> Ordering {
    let both = a.len().min(b.len());
    let first_difference = |items: &[Item<'_>]| items.iter().map(Item::cmp_nothing).find(|order| order.is_ne());
    a.iter()
        .zip(b)
        .map(|(a, b)| a.cmp(b))
        .find(|order| order.is_ne())
        .or_else(|| first_difference(&a[both..]))
        .or_else(|| first_difference(&b[both..]).map(Ordering::reverse))
        .unwrap_or(Ordering::Equal)
}

fn items(lower_case: &str) -> Vec<Item<'_>> {
    let mut lists = Lists::default();
    let mut rest = lower_case;
    // Whether a separator, or the beginning, stands in front of the rest.
    let mut separated = true;
    while let Some(first) = rest.bytes().next() {
        match first {
            b'.' | b'-' => {
                if separated {
                    lists.push(Item::Number(Digits::ZERO));
                }
                rest = &rest[1..];
                if first == b'-' {
                    lists.begin_before(rest);
                }
                separated = true;
            }
            b'0'..=b'9' => {
                let (digits, after) = split_digits(rest);
                lists.push(Item::Number(Digits::new(digits)));
                rest = after;
                if !rest.is_empty() && !rest.starts_with(['.', '-']) {
                    lists.begin();
                }
                separated = false;
            }
            _ => {
                let end = rest.find(|char: char| char.is_ascii_digit() || matches!(char, '.' | '-'));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                let before_digit = starts_with_digit(after);
                // `.x1` counts as `-x1`, and `.x` at the end as `-x`.
                if (before_digit || after.is_empty()) && !lists.is_at_beginning() {
                    lists.begin();
                }
                lists.push(Item::Qualifier(qualifier(word, before_digit)));
                if before_digit {
                    lists.begin_before(after);
                }
                rest = after;
                separated = false;
            }
        }
    }
    lists.finish()
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// The lists of a version while it is read. A list that has ended has no zeros and no releases at its end.
#[derive(Default)]
struct Lists<'a> {
    items: Vec<Item<'a>>,
}

impl<'a> Lists<'a> {
    fn push(&mut self, item: Item<'a>) {
        self.items.push(item);
    }

    fn is_at_beginning(&self) -> bool {
        self.items.last().is_none_or(|last| *last == Item::List)
    }

    /// Ends the list and begins one within it.
    fn begin(&mut self) {
        self.end();
        self.items.push(Item::List);
    }

    /// The same before `rest`: where that is a number, a list of nothing but a release is passed over (`1-ga-1` = `1-1`).
    fn begin_before(&mut self, rest: &str) {
        match self.items[..] {
            [.., Item::List, Item::Qualifier(Qualifier::Release)] if starts_with_digit(rest) => {
                self.items.pop();
            }
            _ => self.begin(),
        }
    }

    fn end(&mut self) {
        while self.items.last().is_some_and(Item::is_nothing) {
            self.items.pop();
        }
    }

    fn finish(mut self) -> Vec<Item<'a>> {
        self.end();
        while self.items.last() == Some(&Item::List) {
            self.items.pop();
        }
        self.items
    }
}

fn qualifier(word: &str, before_digit: bool) -> Qualifier<'_> {
    match word {
        "alpha" => Qualifier::Alpha,
        "a" if before_digit => Qualifier::Alpha,
        "beta" => Qualifier::Beta,
        "b" if before_digit => Qualifier::Beta,
        "milestone" => Qualifier::Milestone,
        "m" if before_digit => Qualifier::Milestone,
        "rc" | "cr" => Qualifier::Candidate,
        "snapshot" => Qualifier::Snapshot,
        "ga" | "final" | "release" => Qualifier::Release,
        "sp" => Qualifier::ServicePack,
        unknown => Qualifier::Unknown(unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::{assert_holds, assert_rising};

    /// The lists of Maven's `ComparableVersionTest`.
    #[test]
    fn maven_in_the_order_of_its_own_tests() {
        assert_rising(
            &Maven,
            &[
                "1-alpha2snapshot",
                "1-alpha2",
                "1-alpha-123",
                "1-beta-2",
                "1-beta123",
                "1-m2",
                "1-m11",
                "1-rc",
                "1-cr2",
                "1-rc123",
                "1-SNAPSHOT",
                "1",
                "1-sp",
                "1-sp2",
                "1-sp123",
                "1-abc",
                "1-def",
                "1-pom-1",
                "1-1-snapshot",
                "1-1",
                "1-2",
                "1-123",
            ],
        );
        assert_rising(
            &Maven,
            &[
                "2.0", "2.0.a", "2-1", "2.0.2", "2.0.123", "2.1.0", "2.1-a", "2.1b", "2.1-c", "2.1-1", "2.1.0.1",
                "2.2", "2.123", "11.a2", "11.a11", "11.b2", "11.b11", "11.m2", "11.m11", "11", "11.a", "11b", "11c",
                "11m",
            ],
        );
        assert_holds("Maven", "1-0.alpha < 1\n1-0.beta < 1\n1-0.alpha < 1-0.beta\n1.2.3-é = 1.2.3-É", 4);
    }

    /// A version of many lists is compared without going deeper for each.
    #[test]
    fn no_version_of_maven_is_too_deep() {
        let deep = "1-".repeat(200_000);
        assert_eq!(Maven.compare(&format!("{deep}1"), &format!("{deep}2")), Ok(Ordering::Less));
    }
}
