//! Semantic Versioning in which build metadata decides between versions that are equal otherwise, the version without
//! any first: Dart's `pub_semver` (<https://pub.dev/packages/pub_semver>) and Julia's `VersionNumber`
//! (<https://docs.julialang.org/en/v1/manual/strings/#man-version-number-literals>).

use std::cmp::Ordering;

use super::semver::{Version, compare_identifiers};
use super::{InvalidVersion, Scheme};

/// The order of Pub and Julia.
#[derive(Debug)]
pub(super) struct PubSemver;

impl Scheme for PubSemver {
    fn name(&self) -> &'static str {
        "pub"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Julia", "Pub"]
    }

    fn is_semver(&self) -> bool {
        true
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (a, b) = (Version::parse(a)?, Version::parse(b)?);
        Ok(a.precedence(&b, str::cmp)
            .then_with(|| b.build.is_empty().cmp(&a.build.is_empty()))
            .then_with(|| compare_identifiers(a.build, b.build, str::cmp)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::{assert_holds, assert_rising};

    /// From `version_test.dart` of pub_semver, and what Julia's packages of binaries are called.
    #[test]
    fn build_metadata_decides_for_pub_and_julia() {
        assert_rising(
            &PubSemver,
            &[
                "1.0.0-alpha",
                "1.0.0-alpha.1",
                "1.0.0-beta.2",
                "1.0.0-beta.11",
                "1.0.0-rc.1",
                "1.0.0-rc.1+build.1",
                "1.0.0",
                "1.0.0+0.3.7",
                "1.3.7+build",
                "1.3.7+build.2.b8f12d7",
                "1.3.7+build.11.e0f985a",
                "2.0.0",
                "2.1.0",
                "2.11.1",
                "8.5.0+0",
                "8.5.0+1",
                "8.5.0+10",
            ],
        );
        assert_holds("Pub", "1.2.3-01 = 1.2.3-1\n1.2.3+01 = 1.2.3+1\n1.0.0-10 < 1.0.0-0xA\n2.0.0-0 < 2.0.0--1", 4);
    }
}
