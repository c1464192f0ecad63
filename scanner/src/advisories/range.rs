//! Ranges of versions, and whether a version is within one: the evaluation algorithm of the OSV schema
//! (<https://ossf.github.io/osv-schema/#evaluation>).

use std::cmp::Ordering;

use super::osv;
use crate::versions::{self, Scheme};

/// Which order a range's versions follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeKind {
    /// SemVer 2.0, whatever the ecosystem.
    Semver,
    /// The ecosystem's own.
    Ecosystem,
}

/// What happens at a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The vulnerability appears; version `0` is before all others.
    Introduced,
    /// It is gone.
    Fixed,
    /// It is gone behind this version.
    LastAffected,
    /// The range says nothing from here on.
    Limit,
}

/// A point of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// What happens.
    pub kind: EventKind,
    /// Where.
    pub version: &'a str,
}

/// Versions by order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range<'a> {
    /// The order.
    pub kind: RangeKind,
    /// The points, in the record's order.
    pub events: Vec<Event<'a>>,
}

/// What a range says about a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Whether the version is within.
    pub affected: bool,
    /// The event that decided; `None` where the version is before them all.
    pub by: Option<Event<'a>>,
}

impl<'a> Range<'a> {
    /// The range of a record, or `None` for a kind or an event that this program cannot judge.
    pub(super) fn from_osv(range: &'a osv::Range) -> Option<Self> {
        let kind = match range.kind.as_str() {
            "SEMVER" => RangeKind::Semver,
            "ECOSYSTEM" => RangeKind::Ecosystem,
            _ => return None,
        };
        let events = range.events.iter().map(Event::from_osv).collect::<Option<Vec<_>>>()?;
        events.iter().any(|event| event.kind == EventKind::Introduced).then_some(Self { kind, events })
    }

    /// The order that the range follows in `ecosystem`, if this program knows it.
    pub fn scheme(&self, ecosystem: &str) -> Option<&'static dyn Scheme> {
        match self.kind {
            RangeKind::Semver => Some(versions::semver_scheme(ecosystem)),
            RangeKind::Ecosystem => versions::scheme_for(ecosystem),
        }
    }

    /// Whether `version` is within the range: the last event, in the order of versions, that it has reached decides.
    /// Events of one version count in the order in which they are written. With limits, the version must also be before
    /// one of them.
    pub fn decide<E>(
        &self,
        version: &str,
        order: &impl Fn(&str, &str) -> Result<Ordering, E>,
    ) -> Result<Decision<'a>, E> {
        let mut last: Option<Event<'a>> = None;
        for &event in self.events.iter().filter(|event| event.kind != EventKind::Limit) {
            if event.reached_by(version, order)? && !event.before(last, order)? {
                last = Some(event);
            }
        }
        let affected = last.is_some_and(|event| event.kind == EventKind::Introduced);
        match self.limit_passed(version, order)? {
            Some(limit) if affected => Ok(Decision { affected: false, by: Some(limit) }),
            _ => Ok(Decision { affected, by: last }),
        }
    }

    /// The limit that keeps `version` out, if there are limits and it is before none of them.
    fn limit_passed<E>(
        &self,
        version: &str,
        order: &impl Fn(&str, &str) -> Result<Ordering, E>,
    ) -> Result<Option<Event<'a>>, E> {
        let mut passed = None;
        for &limit in self.events.iter().filter(|event| event.kind == EventKind::Limit) {
            if limit.version == "*" || order(version, limit.version)?.is_lt() {
                return Ok(None);
            }
            passed = Some(limit);
        }
        Ok(passed)
    }
}

impl<'a> Event<'a> {
    fn from_osv(event: &'a osv::Event) -> Option<Self> {
        let osv::Event { introduced, fixed, last_affected, limit } = event;
        let (kind, version) = match (introduced, fixed, last_affected, limit) {
            (Some(version), None, None, None) => (EventKind::Introduced, version),
            (None, Some(version), None, None) => (EventKind::Fixed, version),
            (None, None, Some(version), None) => (EventKind::LastAffected, version),
            (None, None, None, Some(version)) => (EventKind::Limit, version),
            _ => return None,
        };
        Some(Self { kind, version })
    }

    fn is_beginning(&self) -> bool {
        self.kind == EventKind::Introduced && self.version == "0"
    }

    fn reached_by<E>(&self, version: &str, order: &impl Fn(&str, &str) -> Result<Ordering, E>) -> Result<bool, E> {
        // What was fixed in version 0 never was: Alpine's way to say that a package is not affected.
        if self.is_beginning() || (self.kind == EventKind::Fixed && self.version == "0") {
            return Ok(true);
        }
        let order = order(version, self.version)?;
        Ok(if self.kind == EventKind::LastAffected { order.is_gt() } else { order.is_ge() })
    }

    /// Whether this event lies before `last`.
    fn before<E>(&self, last: Option<Self>, order: &impl Fn(&str, &str) -> Result<Ordering, E>) -> Result<bool, E> {
        match last {
            None => Ok(false),
            Some(last) if last.is_beginning() => Ok(false),
            Some(_) if self.is_beginning() => Ok(true),
            Some(last) => Ok(order(self.version, last.version)?.is_lt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(a: &str, b: &str) -> Result<Ordering, std::num::ParseFloatError> {
        Ok(a.parse::<f64>()?.total_cmp(&b.parse::<f64>()?))
    }

    /// `[` introduced, `)` fixed, `]` last affected, `|` limit.
    fn range(text: &str) -> Range<'_> {
        let events = text
            .split_whitespace()
            .map(|word| {
                let (sign, version) = word.split_at(1);
                let kind = match sign {
                    "[" => EventKind::Introduced,
                    ")" => EventKind::Fixed,
                    "]" => EventKind::LastAffected,
                    "|" => EventKind::Limit,
                    other => panic!("{other} is no sign of the table"),
                };
                Event { kind, version }
            })
            .collect();
        Range { kind: RangeKind::Ecosystem, events }
    }

    #[test]
    fn ranges_are_judged_as_the_schema_says() {
        let table = [
            ("[0", "0 0.5 99", ""),
            ("[0 )2", "0 1.9", "2 3"),
            ("[1 )2", "1 1.5", "0 0.9 2 3"),
            ("[1 ]2", "1 2", "0.9 2.1"),
            ("[1 ]1", "1", "0.9 1.1"),
            ("[0 )1.5 [2 )2.5", "0 1.4 2 2.4", "1.5 1.9 2.5 9"),
            (")2.5 [2 )1.5 [0", "0 1.4 2 2.4", "1.5 1.9 2.5 9"),
            ("[1 )2 [2 )3", "1 2 2.5", "0 3"),
            ("[1 )1", "", "0 1 2"),
            ("[0 |3", "0 2.9", "3 4"),
            ("[0 |3 |5", "0 4.9", "5"),
            ("[0 |*", "0 999", ""),
            ("[1 [3 )4", "1 2 3", "0 4"),
            ("[1 )2 )3", "1", "2 2.5 3"),
            ("[0 ]2 [4", "0 2 4 5", "2.1 3.9"),
        ];
        for (text, within, without) in table {
            for (versions, expected) in [(within, true), (without, false)] {
                for version in versions.split_whitespace() {
                    let decision = range(text).decide(version, &numbers).unwrap();
                    assert_eq!(decision.affected, expected, "{version} in {text}: {decision:?}");
                }
            }
        }
    }

    #[test]
    fn the_event_that_decided_is_named() {
        let by =
            |text, version| range(text).decide(version, &numbers).unwrap().by.map(|event| event.version.to_owned());
        assert_eq!(by("[1 )2", "0"), None);
        assert_eq!(by("[1 )2", "1.5").as_deref(), Some("1"));
        assert_eq!(by("[1 )2", "7").as_deref(), Some("2"));
        assert_eq!(by("[1 |2", "7").as_deref(), Some("2"));
    }

    #[test]
    fn what_cannot_be_compared_is_an_error_unless_it_need_not_be() {
        assert!(range("[0 )x").decide("1", &numbers).is_err());
        assert!(range("[0 )1").decide("x", &numbers).is_err());
        assert!(range("[0").decide("x", &numbers).unwrap().affected);
    }
}
