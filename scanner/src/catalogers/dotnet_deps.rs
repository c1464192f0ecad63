//! Packages that .NET programs bring along: `*.deps.json`, which the SDK writes beside a program
//! (dotnet/sdk, "Runtime configuration files", part `deps.json`).
//!
//! Its `libraries` are named `NAME/VERSION`. Those of type `package` are NuGet packages; a `runtimepack` is the package of
//! the runtime that a self-contained program carries. Shared runtimes list their own runtime pack in the same form, as
//! `Microsoft.NETCore.App.Runtime.linux-x64`, under which advisories name it. Projects are the program itself and are left
//! out. So are packages that bring no file along in any target: they were there only while it was built, or the runtime
//! has the same files newer.

use std::collections::HashSet;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::{self, Entries, Field};
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Bytes read of one file; those of large programs have some hundred thousand.
const SIZE_LIMIT: u64 = 16 << 20;

/// Reads the dependencies of .NET programs.
pub(super) struct DotnetDeps;

impl Cataloger for DotnetDeps {
    fn name(&self) -> &'static str {
        "dotnet-deps"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        path.ends_with(".deps.json")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let dependencies: Dependencies = json::read(file, SIZE_LIMIT)?;
        let absent = dependencies.without_files();
        for (id, library) in &dependencies.libraries.0 {
            let id = match library.kind.text() {
                Some("package") if !absent.contains(id) => id,
                Some("runtimepack") => id.strip_prefix("runtimepack.").unwrap_or(id),
                _ => continue,
            };
            match id.split_once('/').filter(|(name, version)| !name.is_empty() && !version.is_empty()) {
                Some((name, version)) => found.package(FoundPackage {
                    kind: "nuget".to_owned(),
                    name: name.to_owned(),
                    version: version.to_owned(),
                    ..FoundPackage::default()
                })?,
                None => found.problem(format!("the library {id:.100} has no version")),
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Dependencies {
    #[serde(default)]
    targets: Entries<Entries<Target>>,
    #[serde(default)]
    libraries: Entries<Library>,
}

/// A library in one target; files by their kinds.
#[derive(Deserialize)]
struct Target {
    runtime: Option<IgnoredAny>,
    #[serde(rename = "runtimeTargets")]
    runtime_targets: Option<IgnoredAny>,
    native: Option<IgnoredAny>,
    resources: Option<IgnoredAny>,
}

impl Target {
    fn has_files(&self) -> bool {
        self.runtime.is_some() || self.runtime_targets.is_some() || self.native.is_some() || self.resources.is_some()
    }
}

#[derive(Deserialize)]
struct Library {
    #[serde(default, rename = "type")]
    kind: Field,
}

impl Dependencies {
    /// The libraries that are in targets, but in none with a file.
    fn without_files(&self) -> HashSet<&String> {
        let (with, without): (Vec<_>, Vec<_>) =
            self.targets.0.iter().flat_map(|(_, target)| &target.0).partition(|(_, target)| target.has_files());
        let with: HashSet<_> = with.into_iter().map(|(id, _)| id).collect();
        without.into_iter().map(|(id, _)| id).filter(|id| !with.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::catalog;

    fn listed(found: &Found) -> Vec<(&str, &str)> {
        found.packages.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect()
    }

    #[test]
    fn packages_with_files_and_the_runtime_count() {
        let file = br#"{
            "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64", "signature": ""},
            "compilationOptions": {},
            "targets": {".NETCoreApp,Version=v8.0": {}, ".NETCoreApp,Version=v8.0/linux-x64": {
                "shop/1.0.0": {"dependencies": {"Newtonsoft.Json": "12.0.1"}, "runtime": {"shop.dll": {}}},
                "Newtonsoft.Json/12.0.1": {"runtime": {"lib/netstandard2.0/Newtonsoft.Json.dll": {"fileVersion": "12.0.1.22727"}}},
                "System.Net.Http/4.3.0": {"dependencies": {"System.IO": "4.3.0"}},
                "Microsoft.CodeAnalysis/4.0.1": {"compile": {"lib/a.dll": {}}, "compileOnly": true},
                "SQLitePCLRaw.lib.e_sqlite3/2.1.4": {"runtimeTargets": {"runtimes/linux-x64/native/libe_sqlite3.so": {}}}
            }},
            "libraries": {
                "shop/1.0.0": {"type": "project", "serviceable": false, "sha512": ""},
                "Newtonsoft.Json/12.0.1": {"type": "package", "serviceable": true, "path": "newtonsoft.json/12.0.1"},
                "System.Net.Http/4.3.0": {"type": "package"},
                "Microsoft.CodeAnalysis/4.0.1": {"type": "package"},
                "SQLitePCLRaw.lib.e_sqlite3/2.1.4": {"type": "package"},
                "Not.In.Targets/1.0.0": {"type": "package"},
                "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.0": {"type": "runtimepack"}
            }
        }"#;
        let found = catalog(&DotnetDeps, file);
        assert_eq!(
            listed(&found),
            [
                ("Newtonsoft.Json", "12.0.1"),
                ("SQLitePCLRaw.lib.e_sqlite3", "2.1.4"),
                ("Not.In.Targets", "1.0.0"),
                ("Microsoft.NETCore.App.Runtime.linux-x64", "8.0.0"),
            ]
        );
    }

    #[test]
    fn a_shared_runtime_is_its_own_package() {
        let file = br#"{"targets": {".NETCoreApp,Version=v8.0/linux-x64": {
            "Microsoft.NETCore.App.Runtime.linux-x64/8.0.3": {"runtime": {"System.Runtime.dll": {}}}}},
            "libraries": {"Microsoft.NETCore.App.Runtime.linux-x64/8.0.3": {"type": "package"}}}"#;
        assert!(
            DotnetDeps.wants("usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.3/Microsoft.NETCore.App.deps.json")
        );
        assert_eq!(listed(&catalog(&DotnetDeps, file)), [("Microsoft.NETCore.App.Runtime.linux-x64", "8.0.3")]);
    }

    #[test]
    fn odd_files_are_told() {
        let found = catalog(
            &DotnetDeps,
            br#"{"libraries": {"a": {"type": "package"}, "/1": {"type": "package"}, "b/1": {"type": 7}}}"#,
        );
        assert_eq!((found.packages.len(), found.problems.len()), (0, 2));
        let error = DotnetDeps.catalog("", &mut &b"{\"libraries\": 7}"[..], &mut Found::default()).unwrap_err();
        assert!(matches!(error, CatalogError::Malformed { .. }), "{error}");
    }
}
