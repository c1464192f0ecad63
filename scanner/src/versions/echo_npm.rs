//! Echo's rebuilds of npm packages: Semantic Versioning, and between versions that are equal in it the number of Echo's
//! build, `1.2.3` < `1.2.3+echo.1` < `1.2.3+echo.2` (<https://github.com/google/osv-scalibr>, `semantic/version-echo.go`).

use std::cmp::Ordering;

use super::digits::{Digits, split_digits};
use super::semver::Version;
use super::{InvalidVersion, Scheme};

/// The order of `Echo:npm`.
#[derive(Debug)]
pub(super) struct EchoNpm;

impl Scheme for EchoNpm {
    fn name(&self) -> &'static str {
        "echo-npm"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Echo:npm"]
    }

    fn is_semver(&self) -> bool {
        true
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (a, b) = (Version::parse(a)?, Version::parse(b)?);
        Ok(a.precedence(&b, str::cmp).then_with(|| build_number(&a).cmp(&build_number(&b))))
    }
}

fn build_number<'a>(version: &Version<'a>) -> Digits<'a> {
    version.build.strip_prefix("echo.").map_or(Digits::ZERO, |number| Digits::new(split_digits(number).0))
}

#[cfg(test)]
mod tests {
    use crate::versions::tests::assert_holds;

    #[test]
    fn echos_builds_are_counted() {
        assert_holds(
            "Echo:npm",
            "1.2.3 < 1.2.3+echo.1\n1.2.3+echo.9 < 1.2.3+echo.10\n1.2.3+echo.2 < 1.2.4\n1.2.3+echo.1 = 1.2.3+echo.1\n
             2.0.0 > 1.9.9+echo.5\n1.2.3-rc.1+echo.1 < 1.2.3\n1.2.3-rc.1 < 1.2.3-rc.1+echo.1\n
             1.2.3+build.1 = 1.2.3+build.2",
            8,
        );
    }
}
