//! NuGet versions: Semantic Versioning 2.0.0 with a fourth number and with labels in any case
//! (<https://learn.microsoft.com/nuget/concepts/package-versioning>, `VersionComparer.VersionRelease` of NuGet.Client).

use std::cmp::Ordering;

use super::semver::Version;
use super::{InvalidVersion, Scheme};

/// The order of NuGet.
#[derive(Debug)]
pub(super) struct NuGet;

impl Scheme for NuGet {
    fn name(&self) -> &'static str {
        "nuget"
    }

    fn ecosystems(&self) -> &'static [&'static str] {
        &["NuGet"]
    }

    fn compare(&self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        Ok(Version::parse(a)?.precedence(&Version::parse(b)?, compare_ignoring_case))
    }
}

fn compare_ignoring_case(a: &str, b: &str) -> Ordering {
    a.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}
