//! What could not be matched: one warning for each kind of gap and ecosystem, however many packages are in it.

use std::collections::BTreeMap;

use shared::package::Package;
use shared::report::{Warning, WarningCode};

use super::coordinates::Coordinates;
use super::judge::Undecided;

/// The gaps of one image.
#[derive(Debug, Default)]
pub(super) struct Gaps<'p> {
    /// Packages of ecosystems for which the database has nothing.
    uncovered: BTreeMap<&'p str, u64>,
    /// What could not be judged, by ecosystem.
    undecided: BTreeMap<(&'p str, WarningCode), Unjudged>,
    /// Archives whose group nobody knows.
    unidentified: Option<Unidentified<'p>>,
}

/// Packages of one ecosystem that some advisories could not judge.
#[derive(Debug)]
struct Unjudged {
    packages: u64,
    advisories: u64,
    first: String,
}

/// Java archives whose names do not say whose they are.
#[derive(Debug)]
struct Unidentified<'p> {
    packages: u64,
    first: &'p str,
}

impl<'p> Gaps<'p> {
    /// Notes the ecosystem of the distribution, packages or not.
    pub(super) fn note_ecosystem(&mut self, ecosystem: &'p str, is_covered: bool) {
        if !is_covered {
            self.uncovered.entry(ecosystem).or_default();
        }
    }

    /// Notes a package that is to be matched.
    pub(super) fn note_package(&mut self, ecosystem: &'p str, is_covered: bool) {
        if !is_covered {
            *self.uncovered.entry(ecosystem).or_default() += 1;
        }
    }

    /// Notes a Java package that may be anybody's.
    pub(super) fn note_coordinates(&mut self, package: &'p Package, coordinates: &Coordinates) {
        if matches!(coordinates, Coordinates::Unknown) {
            let first = Unidentified { packages: 0, first: &package.path };
            self.unidentified.get_or_insert(first).packages += 1;
        }
    }

    /// Notes the advisories that could not judge a package.
    pub(super) fn note_undecided(&mut self, package: &Package, ecosystem: &'p str, undecided: &[(&str, Undecided)]) {
        let Some((id, why)) = undecided.first() else { return };
        let code = match why {
            Undecided::NoOrder => WarningCode::UnorderedEcosystem,
            Undecided::Invalid(_) => WarningCode::UnreadableVersion,
        };
        let unjudged = self.undecided.entry((ecosystem, code)).or_insert_with(|| Unjudged {
            packages: 0,
            advisories: 0,
            first: format!("{} {} by {id}: {why}", package.name, package.version),
        });
        unjudged.packages += 1;
        unjudged.advisories += undecided.len() as u64;
    }

    /// One for each gap.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let uncovered = self.uncovered.iter().map(|(ecosystem, packages)| {
            let message = format!(
                "the advisory database has nothing for {ecosystem}, so its packages ({packages} here) were not matched; \
                 `plimsoll advisories update` or `import` brings what there is"
            );
            Warning::new(WarningCode::NoAdvisories, message)
        });
        let undecided = self.undecided.iter().map(|((ecosystem, code), unjudged)| {
            let Unjudged { packages, advisories, first } = unjudged;
            let message = format!(
                "{packages} packages of {ecosystem} could not be judged by {advisories} advisories; the first: {first}"
            );
            Warning::new(*code, message)
        });
        let unidentified = self.unidentified.iter().map(|Unidentified { packages, first }| {
            let message = format!(
                "{packages} Java archives could not be matched: their names alone are known, which do not tell whose they \
                 are; the first: {first}"
            );
            Warning::new(WarningCode::UnidentifiedPackages, message)
        });
        uncovered.chain(undecided).chain(unidentified).collect()
    }
}
