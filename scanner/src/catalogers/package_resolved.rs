//! Swift's `Package.resolved`, as Swift Package Manager and Xcode write it (swiftlang/swift-package-manager,
//! `PackageResolvedStore`): format 1 has its pins in `object`, formats 2 and 3 at the top.
//!
//! OSV names a package by the address of its repository without scheme and `.git`: `github.com/apple/swift-nio`. One of a
//! package registry has its identity there, `mona.LinkedList`. Pins to a branch or a revision have no version and are left
//! out.

use std::io::BufRead;

use serde::Deserialize;

use super::json::{self, Field, LOCK_FILE_LIMIT, List};
use super::lock_files::{is_lock_file, locked};
use super::{CatalogError, Cataloger, Found};

/// Reads `Package.resolved`.
pub(super) struct PackageResolved;

impl Cataloger for PackageResolved {
    fn name(&self) -> &'static str {
        "package-resolved"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "Package.resolved")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let resolved: Resolved = json::read(file, LOCK_FILE_LIMIT)?;
        for pin in resolved.pins.0.iter().chain(&resolved.object.pins.0) {
            let Some(version) = pin.state.version.text() else { continue };
            let location = [&pin.location, &pin.repository_url].into_iter().find_map(Field::text);
            match location.map(repository).or_else(|| pin.identity.text().map(str::to_owned)) {
                Some(name) if !name.is_empty() => found.package(locked("swift", &name, version))?,
                _ => found.problem("a pin names no repository".to_owned()),
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    pins: List<Pin>,
    #[serde(default)]
    object: Pins,
}

#[derive(Default, Deserialize)]
struct Pins {
    #[serde(default)]
    pins: List<Pin>,
}

#[derive(Deserialize)]
struct Pin {
    #[serde(default)]
    identity: Field,
    #[serde(default)]
    location: Field,
    #[serde(default, rename = "repositoryURL")]
    repository_url: Field,
    #[serde(default)]
    state: State,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default)]
    version: Field,
}

/// `github.com/owner/name`, of `https://user@github.com/owner/name.git` or `git@github.com:owner/name.git`.
fn repository(url: &str) -> String {
    let (scheme, address) = url.split_once("://").unwrap_or(("", url));
    let address = match address.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => address,
    };
    let address = if scheme.is_empty() { address.replacen(':', "/", 1) } else { address.to_owned() };
    let address = address.trim_end_matches('/');
    address.strip_suffix(".git").unwrap_or(address).trim_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use shared::package::Evidence;

    use super::*;
    use crate::catalogers::fixtures::{catalog, names_and_versions};

    #[test]
    fn every_format_is_read() {
        let second = br#"{
  "originHash" : "0b1c",
  "pins" : [
    {
      "identity" : "swift-algorithms",
      "kind" : "remoteSourceControl",
      "location" : "https://github.com/apple/swift-algorithms.git",
      "state" : { "revision" : "b14b7f4c528c942f121c8b860b9410b2bf57825e", "version" : "1.0.0" }
    },
    {
      "identity" : "branch",
      "kind" : "remoteSourceControl",
      "location" : "https://github.com/example/branch",
      "state" : { "branch" : "main", "revision" : "9cfed92b026c524674ed869a4ff2dcfdeedf8a2a" }
    },
    {
      "identity" : "mona.LinkedList",
      "kind" : "registry",
      "location" : "",
      "state" : { "version" : "1.1.0" }
    }
  ],
  "version" : 3
}"#;
        let found = catalog(&PackageResolved, second);
        assert_eq!(names_and_versions(&found), ["github.com/apple/swift-algorithms 1.0.0", "mona.LinkedList 1.1.0"]);
        assert!(found.packages.iter().all(|package| package.kind == "swift" && package.evidence == Evidence::LockFile));
        let first = br#"{"object": {"pins": [{"package": "Vapor", "repositoryURL": "git@github.com:vapor/vapor.git",
            "state": {"branch": null, "revision": "aaaa", "version": "4.92.1"}}]}, "version": 1}"#;
        assert_eq!(names_and_versions(&catalog(&PackageResolved, first)), ["github.com/vapor/vapor 4.92.1"]);
        let nameless = catalog(&PackageResolved, br#"{"pins": [{"state": {"version": "1"}}, {"location": 7}]}"#);
        assert_eq!(nameless.problems, ["a pin names no repository"]);
    }

    #[test]
    fn repositories_have_one_name() {
        for url in [
            "https://github.com/apple/swift-nio.git",
            "https://github.com/apple/swift-nio/",
            "http://user:secret@github.com/apple/swift-nio",
            "ssh://git@github.com/apple/swift-nio.git",
            "git@github.com:apple/swift-nio.git",
        ] {
            assert_eq!(repository(url), "github.com/apple/swift-nio", "{url}");
        }
    }
}
