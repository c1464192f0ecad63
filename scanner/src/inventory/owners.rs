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
