//! Packages that a package of the distribution brought: a Python module from a .deb, say.
//!
//! Its vendor builds it, patches it without changing its version, and answers for it by advisories of its own. So such a
//! package is listed with its owner, and [matched](crate::matcher) by the distribution's advisories alone.

use std::collections::HashMap;

use shared::package::Package;

use crate::catalogers::{OwnedFiles, owner_key};

/// Gives every package whose file is owned its owner. The distribution's own packages have none.
pub(super) fn assign(packages: &mut [Package], owned: &[OwnedFiles], is_of_distro: impl Fn(&Package) -> bool) {
    let mut by_file: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, package) in packages.iter().enumerate().filter(|(_, package)| !is_of_distro(package)) {
        let file = package.path.split("!/").next().unwrap_or_default();
        by_file.entry(owner_key(file)).or_default().push(index);
    }
    for OwnedFiles { package: owner, files } in owned {
        for index in files.iter().filter_map(|file| by_file.get(file)).flatten() {
            packages[*index].owner = Some(owner.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use shared::shutdown::Shutdown;

    use crate::catalogers::CATALOGERS;
    use crate::image::limits::Limits;
    use crate::image::rootfs;
    use crate::image::squash::{Layer, squash};
    use crate::inventory::assemble;

    #[test]
    fn modules_of_the_distribution_have_owners_and_those_of_pip_have_none() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/packagedb/dpkg-python-modules");
        let contents = rootfs::read(&root, CATALOGERS, &Limits::default(), &Shutdown::new()).unwrap();
        let inventory = assemble(squash(&[Layer { digest: None, contents: Arc::new(contents) }], CATALOGERS));
        let rows: Vec<_> = inventory
            .packages
            .iter()
            .map(|package| (package.name.as_str(), package.version.as_str(), package.owner.as_deref()))
            .collect();
        assert_eq!(
            rows,
            [
                ("python3-six", "1.16.0-4", None),
                ("python3-yaml", "6.0-3+b2", None),
                ("PyYAML", "6.0", Some("python3-yaml")),
                ("six", "1.16.0", Some("python3-six")),
                ("six", "1.16.0", None),
            ]
        );
        assert!(inventory.warnings.is_empty(), "{:?}", inventory.warnings);
    }
}
