//! Tables of versions, as `plimsoll versions check` reads them.

use std::cmp::Ordering;

use super::{Scheme, known_ecosystems, scheme_for};

/// What became of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// How many lines hold.
    pub held: usize,
    /// Those that do not, in their order.
    pub failed: Vec<Failure>,
}

/// A line that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// From 1.
    pub line_number: usize,
    /// The line without its comment.
    pub line: String,
    /// What is true instead, `a > b`, or why the line cannot be read.
    pub actual: String,
}

/// An ecosystem whose order of versions is not known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no order of versions for the ecosystem {ecosystem:?}; known are {known}")]
pub struct UnknownEcosystem {
    /// As it was given.
    pub ecosystem: String,
    /// Those that are known, separated by commas.
    pub known: String,
}

/// Compares the versions of every line of `table`: `A < B`, `A = B` or `A > B`, with spaces around the operator. A `#` or
/// `//` at the beginning of a line or after a space begins a comment; empty lines do not count. A line or a version that
/// cannot be read counts as one that does not hold.
pub fn check(ecosystem: &str, table: &str) -> Result<CheckReport, UnknownEcosystem> {
    let scheme = scheme_for(ecosystem).ok_or_else(|| UnknownEcosystem::new(ecosystem))?;
    let mut report = CheckReport::default();
    for (index, line) in table.lines().enumerate() {
        let line = without_comment(line);
        if line.is_empty() {
            continue;
        }
        match check_line(scheme, line) {
            Ok(()) => report.held += 1,
            Err(actual) => report.failed.push(Failure { line_number: index + 1, line: line.to_owned(), actual }),
        }
    }
    Ok(report)
}

impl UnknownEcosystem {
    fn new(ecosystem: &str) -> Self {
        Self { ecosystem: ecosystem.to_owned(), known: known_ecosystems().join(", ") }
    }
}

fn without_comment(line: &str) -> &str {
    let starts_comment = |at: usize| at == 0 || line[..at].ends_with(char::is_whitespace);
    let comment = ["#", "//"].into_iter().flat_map(|mark| line.match_indices(mark)).map(|(at, _)| at);
    comment.filter(|at| starts_comment(*at)).min().map_or(line, |at| &line[..at]).trim()
}

fn check_line(scheme: &dyn Scheme, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [a, operator, b] = words[..] else {
        return Err("cannot be read: a line is `A < B`, `A = B` or `A > B`".to_owned());
    };
    let expected = match operator {
        "<" => Ordering::Less,
        "=" => Ordering::Equal,
        ">" => Ordering::Greater,
        other => return Err(format!("cannot be read: the operator is {other:?}, not <, = or >")),
    };
    match scheme.compare(a, b) {
        Ok(actual) if actual == expected => Ok(()),
        Ok(actual) => Err(format!("{a} {} {b}", symbol(actual))),
        Err(invalid) => Err(invalid.to_string()),
    }
}

fn symbol(order: Ordering) -> &'static str {
    match order {
        Ordering::Less => "<",
        Ordering::Equal => "=",
        Ordering::Greater => ">",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_holds_and_says_why_the_rest_does_not() {
        let table = "# a comment\n\n1 < 2\n2.0 = 2 // as in PEP 440\n  1 > 2 # wrong\n1 2\n1 ! 2\n// more\n1.0#a < 2\n";
        let report = check("PyPI", table).unwrap();
        assert_eq!(report.held, 3);
        let failed: Vec<_> =
            report.failed.iter().map(|failure| (failure.line_number, failure.actual.as_str())).collect();
        assert_eq!(failed[0], (5, "1 < 2"));
        assert_eq!(report.failed[0].line, "1 > 2");
        assert_eq!(failed[1].0, 6);
        assert_eq!(failed[2].0, 7);
        assert_eq!(failed.len(), 3);
    }

    #[test]
    fn unreadable_versions_do_not_hold() {
        let report = check("Debian", "1:a:b < -1\n").unwrap();
        assert_eq!(report.held, 0);
        assert!(report.failed[0].actual.contains("upstream"), "{}", report.failed[0].actual);
    }

    #[test]
    fn unknown_ecosystems_are_named_with_the_known_ones() {
        let message = check("Nowhere", "").unwrap_err().to_string();
        assert!(message.contains("Nowhere") && message.contains("Debian"), "{message}");
    }
}
