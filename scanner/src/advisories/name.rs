//! The one spelling of a package's name under which advisories are stored and looked up.
//!
//! | ecosystem | names that are one |
//! |---|---|
//! | PyPI | [PEP 503](https://peps.python.org/pep-0503/#normalized-names): case, and runs of `-`, `_` and `.` |
//! | crates.io | case, and `-` and `_`: the registry lets no two crates differ by them alone |
//! | GitHub Actions, NuGet, Packagist, VSCode | case |
//! | Go | case, as package URLs write module paths without it; `!x`, a module cache's way to write `X` |
//! | SwiftURL | case, `https://`, `git@host:`, `.git` and a slash at the end |
//! | all others | none |

use std::borrow::Cow;

use crate::vendors::base_ecosystem;

/// The one spelling of `name`.
pub fn normalize_name<'n>(ecosystem: &str, name: &'n str) -> Cow<'n, str> {
    match base_ecosystem(ecosystem) {
        "PyPI" => pep_503(name).into(),
        "crates.io" => name.to_lowercase().replace('_', "-").into(),
        "GitHub Actions" | "NuGet" | "Packagist" | "VSCode" => name.to_lowercase().into(),
        "Go" => name.to_lowercase().replace('!', "").into(),
        "SwiftURL" => repository(name).into(),
        _ => name.into(),
    }
}

/// Lower case, with each run of `-`, `_` and `.` one `-`.
fn pep_503(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normalized.ends_with('-') => {}
            '-' | '_' | '.' => normalized.push('-'),
            _ => normalized.extend(c.to_lowercase()),
        }
    }
    normalized
}

/// `github.com/vapor/vapor` of any address of that repository.
fn repository(address: &str) -> String {
    let address = address.trim().to_lowercase();
    let address = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    let address = address.split_once('@').filter(|(user, _)| !user.contains('/')).map_or(address, |(_, rest)| rest);
    let address = address.trim_end_matches('/');
    let address = address.strip_suffix(".git").unwrap_or(address);
    match address.split_once(':') {
        Some((host, path)) if !host.contains('/') && !path.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{host}/{}", path.trim_start_matches('/'))
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_package_has_one_name() {
        for (ecosystem, names, normalized) in [
            ("PyPI", &["Zope.Interface", "zope_interface", "zope-._interface"][..], "zope-interface"),
            ("crates.io", &["proc_macro2", "Proc-Macro2"], "proc-macro2"),
            ("NuGet", &["Newtonsoft.Json", "newtonsoft.json"], "newtonsoft.json"),
            ("Packagist:https://packages.drupal.org/8", &["drupal/Core"], "drupal/core"),
            ("Go", &["github.com/Azure/go-autorest", "github.com/!azure/go-autorest"], "github.com/azure/go-autorest"),
            (
                "SwiftURL",
                &[
                    "https://github.com/vapor/vapor",
                    "github.com/Vapor/vapor.git",
                    "git@github.com:vapor/vapor.git",
                    "ssh://git@github.com/vapor/vapor/",
                ],
                "github.com/vapor/vapor",
            ),
            ("SwiftURL", &["https://git.example:8443/a/b.git"], "git.example:8443/a/b"),
            ("npm", &["@Scope/JSONStream"], "@Scope/JSONStream"),
            ("Maven", &["Org.Example:Lib"], "Org.Example:Lib"),
            ("Debian:12", &["libX.y_z"], "libX.y_z"),
        ] {
            for name in names {
                assert_eq!(normalize_name(ecosystem, name), normalized, "{ecosystem} {name}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_name_is_normalized_once_and_for_all(name in "[A-Za-z0-9!:/@._-]{0,30}|\\PC{0,20}") {
            for ecosystem in ["PyPI", "crates.io", "Go", "NuGet", "npm"] {
                let once = normalize_name(ecosystem, &name).into_owned();
                prop_assert_eq!(normalize_name(ecosystem, &once), once.as_str());
            }
            let _ = normalize_name("SwiftURL", &name);
        }
    }
}
