//! Precision and recall for each ecosystem.

use std::collections::BTreeMap;
use std::fmt;

use super::case::{Case, Facts, Row};

#[derive(Default)]
pub(crate) struct Scores(BTreeMap<String, Score>);

#[derive(Default)]
struct Score {
    packages: Counts,
    findings: Counts,
}

#[derive(Default)]
struct Counts {
    expected: usize,
    found: usize,
    both: usize,
}

impl Scores {
    pub(crate) fn add(&mut self, case: &Case, found: &Facts) {
        let base = |row: &Row| match row[0].split(':').next() {
            Some("-") | None => "no advisories".to_owned(),
            Some(base) => base.to_owned(),
        };
        // What package URLs name is given, not found.
        if !case.is_list() {
            for row in &case.expected.packages {
                let counts = &mut self.0.entry(base(row)).or_default().packages;
                counts.expected += 1;
                counts.both += usize::from(found.packages.contains(row));
            }
            found.packages.iter().for_each(|row| self.0.entry(base(row)).or_default().packages.found += 1);
        }
        for row in &case.expected.findings {
            let counts = &mut self.0.entry(base(row)).or_default().findings;
            counts.expected += 1;
            counts.both += usize::from(found.findings.contains(row));
        }
        found.findings.iter().for_each(|row| self.0.entry(base(row)).or_default().findings.found += 1);
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = "packages precision recall   findings precision recall";
        writeln!(f, "\n{:<14} {columns}", "ecosystem")?;
        for (ecosystem, Score { packages, findings }) in &self.0 {
            writeln!(f, "{ecosystem:<14} {packages}   {findings}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} {} {}", self.expected, Ratio(self.both, self.found, 9), Ratio(self.both, self.expected, 6))
    }
}

/// A share with three digits, in some columns; a dash of nothing.
struct Ratio(usize, usize, usize);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(part, whole, width) = *self;
        match whole {
            0 => write!(f, "{:>width$}", "–"),
            _ => write!(f, "{:>width$.3}", part as f64 / whole as f64),
        }
    }
}
