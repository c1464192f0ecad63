//! Julia's `Manifest.toml` and `Manifest-vVERSION.toml`: what an environment was resolved to, in the one form of TOML in
//! which Pkg writes it (pkgdocs.julialang.org, "Project.toml and Manifest.toml").
//!
//! ```text
//! manifest_format = "2.0"
//!
//! [[deps.JSON]]
//! deps = ["Dates", "Mmap", "Parsers", "Unicode"]
//! git-tree-sha1 = "b34d7cef7b337321e97d22242c3c2b91f476748e"
//! uuid = "682c06a0-de6a-54ab-a142-c8b1cf79cde6"
//! version = "0.21.0"
//! ```
//!
//! Before format 2.0 the tables are `[[JSON]]`. Entries without a version (the standard library of old, which is Julia's
//! own) and those with a `path` on the developer's machine are left out.

use std::io::BufRead;

use super::lines::Lines;
use super::lock_files::locked;
use super::{CatalogError, Cataloger, Found};

/// Reads Julia's manifests.
pub(super) struct JuliaManifest;

impl Cataloger for JuliaManifest {
    fn name(&self) -> &'static str {
        "julia-manifest"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        let file = path.rsplit('/').next().unwrap_or(path);
        let file = file.strip_prefix("Julia").unwrap_or(file);
        file.strip_prefix("Manifest").and_then(|rest| rest.strip_suffix(".toml")).is_some_and(|version| {
            version.is_empty() || version.strip_prefix("-v").is_some_and(|version| !version.is_empty())
        })
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let mut entry = Entry::default();
        while let Some(line) = lines.next()? {
            let text = line.text.trim();
            if let Some(table) = text.strip_prefix('[') {
                if let Some(next) = Entry::of_table(table) {
                    std::mem::replace(&mut entry, next).finish(found)?;
                }
                continue;
            }
            let Some((key, value)) = text.split_once('=') else { continue };
            match key.trim() {
                "version" => value.trim().trim_matches(['"', '\'']).clone_into(&mut entry.version),
                "path" => entry.is_local = true,
                _ => {}
            }
        }
        entry.finish(found)
    }
}

/// A package of the manifest.
#[derive(Default)]
struct Entry {
    name: String,
    version: String,
    is_local: bool,
}

impl Entry {
    /// The package that a line `[[deps.NAME]]` or `[[NAME]]` begins, without its first bracket. Tables in a package are
    /// `[deps.NAME.deps]`.
    fn of_table(line: &str) -> Option<Self> {
        let name = line.strip_prefix('[')?.split("]]").next()?;
        let name = name.strip_prefix("deps.").unwrap_or(name).trim_matches('"');
        Some(Self { name: name.to_owned(), ..Self::default() })
    }

    fn finish(self, found: &mut Found) -> Result<(), CatalogError> {
        let is_julia = |text: &str| !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER);
        if self.is_local || !is_julia(&self.name) || !is_julia(&self.version) {
            return Ok(());
        }
        found.package(locked("julia", &self.name, &self.version))
    }
}

#[cfg(test)]
mod tests {
    use shared::package::Evidence;

    use super::*;
    use crate::catalogers::fixtures::{catalog, names_and_versions};

    #[test]
    fn wants_manifests() {
        for path in ["Manifest.toml", "app/Manifest.toml", "app/Manifest-v1.11.toml", "app/JuliaManifest.toml"] {
            assert!(JuliaManifest.wants(path), "{path}");
        }
        for path in ["app/Project.toml", "app/Manifest-v.toml", "app/MyManifest.toml", "Manifest.toml/x"] {
            assert!(!JuliaManifest.wants(path), "{path}");
        }
    }

    #[test]
    fn both_formats_are_read() {
        let second = br#"# This file is machine-generated - editing it directly is not advised

julia_version = "1.9.3"
manifest_format = "2.0"
project_hash = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

[[deps.Dates]]
deps = ["Printf"]
uuid = "ade2ca70-3891-5945-98fb-dc099432e06a"

[[deps.HTTP]]
deps = ["Base64", "URIs"]
git-tree-sha1 = "cb56ccdd481c0dd7f975ad2b3b62d9eda088f7e2"
uuid = "cd3eb016-35fb-5094-929b-558a96fad6f3"
version = "1.9.14"

    [deps.HTTP.extensions]
    HTTPExt = "Other"

[[deps.LibCURL_jll]]
deps = ["Artifacts", "LibSSH2_jll"]
uuid = "deac9b47-8bc7-5906-a0fe-35ac56dc84c0"
version = "7.84.0+0"

[[deps.Mine]]
path = "../Mine"
uuid = "cd3eb016-35fb-5094-929b-558a96fad6f4"
version = "0.1.0"
"#;
        let found = catalog(&JuliaManifest, second);
        assert_eq!(names_and_versions(&found), ["HTTP 1.9.14", "LibCURL_jll 7.84.0+0"]);
        assert!(found.packages.iter().all(|package| package.kind == "julia" && package.evidence == Evidence::LockFile));
        let first = b"[[Base64]]\nuuid = \"2a0f44e3\"\n\n[[JSON]]\ndeps = [\"Dates\"]\nversion = \"0.21.0\"\n";
        assert_eq!(names_and_versions(&catalog(&JuliaManifest, first)), ["JSON 0.21.0"]);
    }
}
