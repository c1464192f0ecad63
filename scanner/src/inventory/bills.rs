//! Bills of materials in an image list what is installed beside what nothing else tells of.

use std::collections::HashSet;

use shared::package::{Evidence, Package};

use crate::advisories::normalize_name;

/// Removes what bills of materials list and better evidence shows too.
pub(super) fn drop_what_is_installed(packages: &mut Vec<Package>) {
    let key = |package: &Package| {
        let ecosystem = package.ecosystem.clone().unwrap_or_default();
        let name = normalize_name(&ecosystem, &package.name).into_owned();
        (ecosystem, name, package.version.clone())
    };
    let seen: HashSet<_> = packages.iter().filter(|package| package.evidence < Evidence::Sbom).map(key).collect();
    packages.retain(|package| package.evidence != Evidence::Sbom || !seen.contains(&key(package)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_listed_once() {
        let package = |name: &str, version: &str, evidence| Package {
            ecosystem: Some("PyPI".into()),
            name: name.into(),
            version: version.into(),
            evidence,
            ..Package::default()
        };
        let mut packages = vec![
            package("flask", "2.0", Evidence::Sbom),
            package("flask", "1.0", Evidence::Sbom),
            package("Flask", "2.0", Evidence::Installed),
            package("six", "1.16", Evidence::Sbom),
            package("six", "1.16", Evidence::LockFile),
        ];
        drop_what_is_installed(&mut packages);
        let left: Vec<_> = packages.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect();
        assert_eq!(left, [("flask", "1.0"), ("Flask", "2.0"), ("six", "1.16"), ("six", "1.16")]);
    }
}
