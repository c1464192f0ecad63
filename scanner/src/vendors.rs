//! Distributions that publish advisories: their package formats, and which of a package's names their advisories use.
//!
//! To add one: a row in [`VENDORS`], what its images have in os-release in `inventory/release.rs`, its ecosystem in the
//! order of its format (`versions/{apk,deb,rpm}.rs`), and the ends of its support in `matcher/end_of_life.tsv`. One that
//! installs from another's archives is a line in `inventory/distro.rs` alone.

/// A distribution, or several that share an ecosystem.
#[derive(Debug, PartialEq, Eq)]
pub struct Vendor {
    /// OSV's name, without a release.
    pub ecosystem: &'static str,
    /// Type of its packages in package URLs: `deb`, `apk`, `rpm`.
    pub format: &'static str,
    /// Whose names are in its advisories.
    pub names: Names,
}

/// Whose names are in a vendor's advisories: by the OSV schema, "Defined ecosystems", and by what the records really hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Source packages. A binary of the same name may come from another source.
    Source,
    /// Binary packages, each by its name.
    Binary,
    /// Source packages, now and then binary ones.
    Both,
}

/// All of them, by name. AlmaLinux's records list binary packages, whatever the schema says; Red Hat's list both kinds, each
/// binary included.
const VENDORS: &[Vendor] = &[
    vendor("AlmaLinux", "rpm", Names::Binary),
    vendor("Alpaquita", "apk", Names::Both),
    vendor("Alpine", "apk", Names::Both),
    vendor("Azure Linux", "rpm", Names::Source),
    vendor("BellSoft Hardened Containers", "apk", Names::Both),
    vendor("Chainguard", "apk", Names::Both),
    vendor("CleanStart", "apk", Names::Both),
    vendor("Debian", "deb", Names::Source),
    vendor("Echo", "deb", Names::Source),
    vendor("Mageia", "rpm", Names::Source),
    vendor("MinimOS", "apk", Names::Both),
    vendor("Photon OS", "rpm", Names::Both),
    vendor("Red Hat", "rpm", Names::Binary),
    vendor("Rocky Linux", "rpm", Names::Source),
    vendor("SUSE", "rpm", Names::Source),
    vendor("Ubuntu", "deb", Names::Source),
    vendor("Wolfi", "apk", Names::Both),
    vendor("openEuler", "rpm", Names::Source),
    vendor("openSUSE", "rpm", Names::Source),
];

const fn vendor(ecosystem: &'static str, format: &'static str, names: Names) -> Vendor {
    Vendor { ecosystem, format, names }
}

/// The vendor behind an ecosystem, with or without a release: `Debian:12`. `None` for those of languages and tools.
pub fn vendor_of(ecosystem: &str) -> Option<&'static Vendor> {
    let base = base_ecosystem(ecosystem);
    VENDORS.iter().find(|vendor| vendor.ecosystem == base)
}

/// Whether packages of this type of package URL are a distribution's.
pub fn is_distro_format(kind: &str) -> bool {
    VENDORS.iter().any(|vendor| vendor.format == kind)
}

/// An ecosystem without its release or repository: `Debian` of `Debian:12`.
pub fn base_ecosystem(ecosystem: &str) -> &str {
    ecosystem.split_once(':').map_or(ecosystem, |(base, _)| base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::scheme_for;

    #[test]
    fn every_vendor_has_the_order_of_its_format() {
        for vendor in VENDORS {
            assert_eq!(scheme_for(vendor.ecosystem).map(|scheme| scheme.name()), Some(vendor.format), "{vendor:?}");
        }
    }

    #[test]
    fn an_ecosystem_is_cut_at_its_release() {
        assert_eq!(base_ecosystem("Ubuntu:18.04:LTS"), "Ubuntu");
        assert_eq!(base_ecosystem("npm"), "npm");
    }
}
