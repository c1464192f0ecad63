//! Which of two versions is older: one file here per order, one order per family of ecosystems.
//!
//! To add an order: write `versions/<name>.rs`, add it to [`SCHEMES`], and put its published table into
//! `testdata/versions` and into `published_tables_hold`. An ecosystem of a known order is a name in its `ecosystems`.

mod apk;
mod bitnami;
mod check;
mod deb;
mod digits;
mod echo_npm;
mod maven;
mod nuget;
mod number_lists;
mod packagist;
mod pep440;
mod pub_semver;
mod rpm;
mod rubygems;
mod semver;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::LazyLock;

pub use check::{CheckReport, Failure, UnknownEcosystem, check};

/// Every order.
pub const SCHEMES: &[&dyn Scheme] = &[
    &apk::Apk,
    &bitnami::Bitnami,
    &deb::Deb,
    &echo_npm::EchoNpm,
    &maven::Maven,
    &nuget::NuGet,
    &number_lists::Cran,
    &number_lists::Hackage,
    &packagist::Packagist,
    &pep440::Pep440,
    &pub_semver::PubSemver,
    &rpm::Rpm,
    &rubygems::RubyGems,
    &semver::Semver,
];

/// The order of each ecosystem: matching asks for it for every range.
static BY_ECOSYSTEM: LazyLock<HashMap<&str, &dyn Scheme>> = LazyLock::new(|| {
    let of = |scheme: &&'static dyn Scheme| scheme.ecosystems().iter().map(|name| (*name, *scheme)).collect::<Vec<_>>();
    SCHEMES.iter().flat_map(of).collect()
});

/// Ecosystems that rebuild the packages of the one after the colon: `Docker Hardened Images:Debian:13`.
const REPACKAGERS: &[&str] = &["Docker Hardened Images", "Echo", "Root", "TuxCare"];

/// The order of the versions of some ecosystems. It is total over the versions that it can read, but where an
/// order's file says that the ecosystem's own is not.
pub trait Scheme: Send + Sync {
    /// Name for people.
    fn name(&self) -> &'static str;

    /// Ecosystems with this order, in OSV's words, without a release.
    fn ecosystems(&self) -> &'static [&'static str];

    /// Whether OSV's ranges of type `SEMVER` follow this order in its ecosystems: it is Semantic Versioning, or what the
    /// ecosystem makes of it where its versions carry the numbers of builds.
    fn is_semver(&self) -> bool {
        false
    }

    /// Compares two versions. Fails only for text that has no place in the order; each scheme says which.
    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion>;
}

/// A version that has no place in its ecosystem's order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{version:?} is not a version: {why}")]
pub struct InvalidVersion {
    /// The text, cut to 80 characters.
    pub version: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl InvalidVersion {
    fn new(version: &str, why: &'static str) -> Self {
        Self { version: version.chars().take(80).collect(), why }
    }
}

/// The order of `ecosystem`, which is in OSV's words with or without a release: `Debian:12`, `PyPI`.
/// `None` where no order is known here.
pub fn scheme_for(ecosystem: &str) -> Option<&'static dyn Scheme> {
    let order_of = |name| BY_ECOSYSTEM.get(name).copied();
    order_of(ecosystem).or_else(|| match ecosystem.split_once(':')? {
        (name, packages_of) if REPACKAGERS.contains(&name) => scheme_for(packages_of),
        (name, _release) => order_of(name),
    })
}

/// The ecosystems with an order, in OSV's words, in alphabetical order.
pub fn known_ecosystems() -> Vec<&'static str> {
    let mut known: Vec<_> = SCHEMES.iter().flat_map(|scheme| scheme.ecosystems()).copied().collect();
    known.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    known
}

/// The order of OSV's ranges of type `SEMVER` in `ecosystem`: its own if that is Semantic Versioning, else that itself.
pub fn semver_scheme(ecosystem: &str) -> &'static dyn Scheme {
    scheme_for(ecosystem).filter(|own| own.is_semver()).unwrap_or(&semver::Semver)
}

#[cfg(test)]
mod tests;
