//! Versions that are lists of numbers, compared number by number, a list before its continuations (`1.0` < `1.0.0`):
//! R's `package_version` (<https://stat.ethz.ch/R-manual/R-devel/library/base/html/numeric_version.html>), where a hyphen
//! separates as a dot does, and Haskell's `Data.Version` and Cabal
//! (<https://hackage.haskell.org/package/Cabal-syntax/docs/Distribution-Types-Version.html>).
//!
//! Everything else has no place, as in R and Cabal.

use std::cmp::Ordering;

use super::digits::Digits;
use super::{InvalidVersion, Scheme};

/// The order of CRAN and Bioconductor.
#[derive(Debug)]
pub(super) struct Cran;

/// The order of Hackage.
#[derive(Debug)]
pub(super) struct Hackage;

impl Scheme for Cran {
    fn name(&self) -> &'static str {
        "cran"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Bioconductor", "CRAN"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        compare_lists(a, b, &['.', '-'], "it is not a list of numbers with dots or hyphens between them")
    }
}

impl Scheme for Hackage {
    fn name(&self) -> &'static str {
        "hackage"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Hackage"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        compare_lists(a, b, &['.'], "it is not a list of numbers with dots between them")
    }
}

fn compare_lists(a: &str, b: &str, separators: &[char], rule: &'static str) -> Result<Ordering, InvalidVersion> {
    for version in [a, b] {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !version.trim().split(separators).all(is_number) {
            return Err(InvalidVersion::new(version, rule));
        }
    }
    Ok(numbers(a, separators).cmp(numbers(b, separators)))
}

fn numbers<'a>(version: &'a str, separators: &'a [char]) -> impl Iterator<Item = Digits<'a>> {
    version.trim().split(separators).map(Digits::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::assert_holds;

    #[test]
    fn only_numbers_have_a_place_in_cran_and_hackage() {
        assert_holds("CRAN", "1.0-1 = 1.0.1\n1.0 < 1.0.0\n1 < 1-0\n0.18446744073709551616 > 0.18446744073709551615", 4);
        for invalid in ["", "1.", "1..2", "1.0a", "-1"] {
            assert!(Cran.compare(invalid, "1").is_err(), "{invalid:?}");
            assert!(Hackage.compare("1", invalid).is_err(), "{invalid:?}");
        }
        assert!(Hackage.compare("1-0", "1").is_err());
    }
}
