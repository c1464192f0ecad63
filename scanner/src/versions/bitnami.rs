//! Bitnami's versions: Semantic Versioning, but that a number alone behind the hyphen is the revision of a build
//! (`1.24.4-2`), as in Bitnami's [go-version](https://github.com/bitnami/go-version), and no pre-release.
//!
//! Bitnami's advisories name versions of the software and packages name builds of it: a version without a revision means
//! every build, `1.24.4-0` = `1.24.4` = `1.24.4-2`. So the order is not transitive there.

use std::cmp::Ordering;

use super::digits::Digits;
use super::semver::{Version, is_number};
use super::{InvalidVersion, Scheme};

/// The order of Bitnami.
#[derive(Debug)]
pub(super) struct Bitnami;

impl Scheme for Bitnami {
    fn name(&self) -> &'static str {
        "bitnami"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["Bitnami"]
    }

    fn is_semver(&self) -> bool {
        true
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        let (mut a, mut b) = (Version::parse(a)?, Version::parse(b)?);
        let (revision_a, revision_b) = (take_revision(&mut a), take_revision(&mut b));
        Ok(a.precedence(&b, str::cmp).then_with(|| match (revision_a, revision_b) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        }))
    }
}

fn take_revision<'a>(version: &mut Version<'a>) -> Option<Digits<'a>> {
    let revision = is_number(version.pre_release).then(|| Digits::new(version.pre_release))?;
    version.pre_release = "";
    Some(revision)
}

#[cfg(test)]
mod tests {
    use crate::versions::tests::assert_holds;

    #[test]
    fn a_number_behind_the_hyphen_is_a_revision() {
        assert_holds(
            "Bitnami",
            "1.24.4-0 < 1.24.4-2\n1.24.4-2 < 1.24.4-10\n1.24.4-10 < 1.24.5-0\n1.24.4-2 = 1.24.4\n1.24.3-9 < 1.24.4\n
             2.6.0-rc1 < 2.6.0\n2.6.0-rc1 < 2.6.0-0\n0.0.0-20250806193153-183891f8d535 < 0.0.0-20250806193240-9b0b5d4f345f",
            8,
        );
    }
}
