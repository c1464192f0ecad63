//! Conan's `conan.lock` (docs.conan.io, "Lockfiles").
//!
//! Conan 2 lists references, `zlib/1.2.13#REVISION%TIME`, under `requires`. Conan 1 has a graph of nodes, each with a
//! `ref`, `zlib/1.2.13@user/channel#REVISION`; the node with a `path` is the project itself.
//!
//! Left out is what only building needs: `build_requires` and `python_requires`, and nodes of the context `build`.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::{self, Entries, Field, LOCK_FILE_LIMIT, List};
use super::lock_files::{is_lock_file, locked};
use super::{CatalogError, Cataloger, Found};

/// Reads `conan.lock`.
pub(super) struct ConanLock;

impl Cataloger for ConanLock {
    fn name(&self) -> &'static str {
        "conan-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "conan.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let lock: Lock = json::read(file, LOCK_FILE_LIMIT)?;
        let required = lock.requires.0.iter().map(Requirement::reference);
        let nodes = lock.graph_lock.nodes.0.iter().map(|(_, node)| node);
        let nodes = nodes.filter(|node| node.path.text().is_none() && node.context.text() != Some("build"));
        for reference in required.chain(nodes.filter_map(|node| node.reference.text())) {
            match name_and_version(reference) {
                Some((name, version)) => found.package(locked("conan", name, version))?,
                None => found.problem("a reference is not NAME/VERSION".to_owned()),
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    requires: List<Requirement>,
    #[serde(default)]
    graph_lock: Graph,
}

/// `conan lock create --lockfile-packages` adds the packages of each reference.
#[derive(Deserialize)]
#[serde(untagged)]
enum Requirement {
    Reference(String),
    WithPackages(String, IgnoredAny),
}

impl Requirement {
    fn reference(&self) -> &str {
        let (Self::Reference(reference) | Self::WithPackages(reference, _)) = self;
        reference
    }
}

#[derive(Default, Deserialize)]
struct Graph {
    #[serde(default)]
    nodes: Entries<Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default, rename = "ref")]
    reference: Field,
    #[serde(default)]
    path: Field,
    #[serde(default)]
    context: Field,
}

/// Of `NAME/VERSION[@USER/CHANNEL][#REVISION][%TIME]`.
fn name_and_version(reference: &str) -> Option<(&str, &str)> {
    let (name, rest) = reference.split_once('/')?;
    let version = rest.split(['@', '#', '%', ':']).next()?;
    (!name.is_empty() && !version.is_empty()).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use shared::package::Evidence;

    use super::*;
    use crate::catalogers::fixtures::{catalog, names_and_versions};

    #[test]
    fn locks_of_conan_2_list_references() {
        let found = catalog(
            &ConanLock,
            br#"{
    "version": "0.5",
    "requires": [
        "zlib/1.2.13#13c96f538b52e1600c40b88994de240f%1667396813.733",
        ["libpng/1.6.39#7927e8ce5b2576a6ea497c6ca70e9751%1669038072.946", {"d5b3dc27": "3e3b7f79"}],
        "mine/0.1@team/stable",
        "odd"
    ],
    "build_requires": ["cmake/3.25.0#13c96f53%1667396813.733"],
    "python_requires": ["tools/2.0"]
}"#,
        );
        assert_eq!(names_and_versions(&found), ["zlib 1.2.13", "libpng 1.6.39", "mine 0.1"]);
        assert!(found.packages.iter().all(|package| package.kind == "conan" && package.evidence == Evidence::LockFile));
        assert_eq!(found.problems, ["a reference is not NAME/VERSION"]);
    }

    #[test]
    fn locks_of_conan_1_have_a_graph() {
        let found = catalog(
            &ConanLock,
            br#"{
 "graph_lock": {
  "nodes": {
   "0": {"ref": "test/1.0", "options": "fPIC=True", "requires": ["1"], "path": "conanfile.py", "context": "host"},
   "1": {"ref": "freetype/2.12.1#7e1b67634f54f38a979bbad44fd09a2c", "requires": ["2"], "context": "host"},
   "2": {"ref": "bzip2/1.0.8", "package_id": "91a8b22c", "context": "host"},
   "3": {"ref": "cmake/3.25.0", "context": "build"},
   "4": {"options": ""}
  },
  "revisions_enabled": true
 },
 "version": "0.4"
}"#,
        );
        assert_eq!(names_and_versions(&found), ["freetype 2.12.1", "bzip2 1.0.8"]);
        assert_eq!(found.problems, Vec::<String>::new());
    }
}
