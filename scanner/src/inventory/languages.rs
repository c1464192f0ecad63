//! Ecosystems of languages and tools: what package URLs and OSV call them.
//!
//! To add one: a row in [`LANGUAGES`], its order in [`versions`](crate::versions), and in `advisories/name.rs` what of its
//! names makes no difference.

/// An ecosystem whose packages are the same on every distribution.
pub(super) struct Language {
    /// Type in package URLs.
    pub(super) kind: &'static str,
    /// OSV's name.
    pub(super) ecosystem: &'static str,
    /// What stands between namespace and name in OSV's name of a package.
    pub(super) joint: char,
}

const LANGUAGES: &[Language] = &[
    language("bioconductor", "Bioconductor"),
    language("bitnami", "Bitnami"),
    language("cargo", "crates.io"),
    language("composer", "Packagist"),
    language("conan", "ConanCenter"),
    language("cran", "CRAN"),
    language("dhi", "DHI"),
    language("gem", "RubyGems"),
    language("golang", "Go"),
    language("hackage", "Hackage"),
    language("hex", "Hex"),
    language("julia", "Julia"),
    Language { joint: ':', ..language("maven", "Maven") },
    language("npm", "npm"),
    language("nuget", "NuGet"),
    language("pub", "Pub"),
    language("pypi", "PyPI"),
    language("swift", "SwiftURL"),
];

const fn language(kind: &'static str, ecosystem: &'static str) -> Language {
    Language { kind, ecosystem, joint: '/' }
}

/// The ecosystem of a type of package URL.
pub(super) fn language_of(kind: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.kind == kind)
}

impl Language {
    /// OSV's name of a package.
    pub(super) fn join(&self, namespace: &[String], name: &str) -> String {
        namespace.iter().chain([&name.to_owned()]).map(String::as_str).collect::<Vec<_>>().join(&self.joint.to_string())
    }

    /// Namespace and name, of OSV's name of a package.
    pub(super) fn split<'n>(&self, name: &'n str) -> (Option<&'n str>, &'n str) {
        name.rsplit_once(self.joint).map_or((None, name), |(namespace, name)| (Some(namespace), name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::scheme_for;

    #[test]
    fn every_ecosystem_has_an_order() {
        // DHI has none: advisories of it are gaps.
        for language in LANGUAGES.iter().filter(|language| language.ecosystem != "DHI") {
            assert!(scheme_for(language.ecosystem).is_some(), "{}", language.ecosystem);
        }
    }
}
