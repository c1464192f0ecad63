//! Packages that a package of the distribution brought: a Python module from a .deb, say.
//!
//! Its vendor builds it, patches it without changing its version, and answers for it by advisories of its own. So such a
//! package is listed with its owner, and [matched](crate::matcher) by the distribution's advisories alone.
//!
//! A file that a layer above the owner's brings again with another package in it is no longer the owner's: `npm install -g
//! npm` writes over the npm of the distribution, whose database does not notice.

use std::collections::HashMap;

use shared::image::Digest;
use shared::package::Package;

use crate::catalogers::{OwnedFiles, owner_key};
use crate::image::squash::Problem;

/// Gives every package whose file is owned its owner, and drops the problems of such files: what they hold is the vendor's
/// to answer for. The distribution's own packages have no owner. `layers` are those of the image, the lowest first.
pub(super) fn assign(
    packages: &mut [Package],
    problems: &mut Vec<Problem>,
    owned: &[OwnedFiles],
    layers: &[Digest],
    is_of_distro: impl Fn(&Package) -> bool,
) {
    let height = |layer: &Option<Digest>| layers.iter().position(|other| Some(other) == layer.as_ref());
    let paths = packages.iter().map(|package| &package.path).chain(problems.iter().map(|problem| &problem.path));
    let mut by_file: HashMap<u64, Option<&str>> = paths.map(|path| (owner_key(outer(path)), None)).collect();
    for OwnedFiles { package, files } in owned {
        for file in files {
            by_file.entry(*file).and_modify(|owner| *owner = Some(package));
        }
    }
    let mut since: HashMap<String, Option<usize>> = HashMap::new();
    for package in packages.iter().filter(|package| is_of_distro(package)) {
        let highest = since.entry(package.name.clone()).or_default();
        *highest = (*highest).max(height(&package.layer));
    }
    let owner_of = |path: &str, layer: &Option<Digest>| {
        let owner = by_file.get(&owner_key(outer(path))).copied().flatten()?;
        // Where the owner is recorded under another name, nobody can tell since when it is there.
        since.get(owner).is_none_or(|since| height(layer) <= *since).then_some(owner)
    };
    for package in packages.iter_mut().filter(|package| !is_of_distro(package)) {
        package.owner = owner_of(&package.path, &package.layer).map(str::to_owned);
    }
    problems.retain(|problem| owner_of(&problem.path, &problem.layer).is_none());
}

/// The file of the image, where the path goes on into an archive.
fn outer(path: &str) -> &str {
    path.split("!/").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use shared::shutdown::Shutdown;

    use super::*;
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

    /// Name, version and owner of what is in `packages`, each with its path and the number of its layer.
    fn owners(packages: &[(&str, &str, &str, &str, u8)], owned: &[&str]) -> Vec<(String, Option<String>)> {
        let layer = |number: u8| Digest::sha256_of(&[number]);
        let mut packages: Vec<Package> = packages
            .iter()
            .map(|(kind, name, version, path, number)| Package {
                purl: format!("pkg:{kind}/{name}@{version}"),
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                path: (*path).to_owned(),
                layer: Some(layer(*number)),
                ..Package::default()
            })
            .collect();
        let files = owned.iter().map(|path| owner_key(path)).collect();
        let owned = [OwnedFiles { package: "npm".to_owned(), files }];
        let layers = [layer(0), layer(1), layer(2)];
        assign(&mut packages, &mut Vec::new(), &owned, &layers, |package| package.purl.starts_with("pkg:apk/"));
        packages.into_iter().map(|package| (format!("{} {}", package.name, package.version), package.owner)).collect()
    }

    #[test]
    fn a_layer_above_that_writes_over_an_owned_file_takes_it_from_its_owner() {
        let (npm, tar, new) = (
            "usr/lib/node_modules/npm/package.json",
            "usr/lib/node_modules/npm/node_modules/tar/package.json",
            "usr/lib/node_modules/npm/node_modules/new/package.json",
        );
        let all = owners(
            &[
                ("apk", "npm", "10.2.5-r0", "lib/apk/db/installed", 1),
                ("npm", "npm", "10.9.0", npm, 2),
                ("npm", "tar", "6.1.0", tar, 1),
                ("npm", "new", "1.0.0", new, 2),
            ],
            &[npm, tar],
        );
        let owned: Vec<_> = all.iter().filter(|(_, owner)| owner.is_some()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(owned, ["tar 6.1.0"]);
    }

    #[test]
    fn what_an_owner_brought_is_no_problem_until_it_is_written_over() {
        let layers = [Digest::sha256_of(b"0"), Digest::sha256_of(b"1")];
        let problem = |layer: &Digest| Problem {
            path: "bin/packed".to_owned(),
            why: "it is packed".to_owned(),
            layer: Some(layer.clone()),
        };
        let owner = Package {
            purl: "pkg:deb/debian/tool@1".to_owned(),
            name: "tool".to_owned(),
            layer: Some(layers[0].clone()),
            ..Package::default()
        };
        let owned = [OwnedFiles { package: "tool".to_owned(), files: vec![owner_key("usr/bin/packed")] }];
        let mut problems = vec![problem(&layers[0]), problem(&layers[1])];
        assign(&mut [owner], &mut problems, &owned, &layers, |_| true);
        assert_eq!(problems, [problem(&layers[1])]);
    }

    #[test]
    fn an_upgraded_owner_keeps_what_it_did_not_change() {
        let (old, new) =
            ("usr/lib/node_modules/npm/package.json", "usr/lib/node_modules/npm/node_modules/a/package.json");
        let packages = [
            ("apk", "npm", "10.9.0-r0", "lib/apk/db/installed", 2),
            ("npm", "a", "1.0.0", old, 0),
            ("npm", "b", "1.0.0", new, 2),
        ];
        let all = owners(&packages, &[old, new]);
        assert!(all[1..].iter().all(|(_, owner)| owner.as_deref() == Some("npm")), "{all:?}");
        let all = owners(&packages[1..], &[old, new]);
        assert!(all.iter().all(|(_, owner)| owner.as_deref() == Some("npm")), "{all:?}");
    }
}
