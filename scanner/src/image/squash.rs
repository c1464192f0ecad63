//! One view of an image from its layers.

use shared::image::Digest;

use crate::catalogers::{FoundPackage, OsRelease};

/// A package and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayeredPackage {
    /// As its file describes it.
    pub package: FoundPackage,
    /// File that says it is installed, relative to the root.
    pub path: String,
    /// Layer since which it is there, without a break; `None` for a folder on this machine.
    pub layer: Option<Digest>,
}

/// What is visible in an image once all layers are stacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Squashed {
    /// Ordered by path, then as in the file.
    pub packages: Vec<LayeredPackage>,
    /// Paths and contents of os-release files.
    pub os_releases: Vec<(String, OsRelease)>,
    /// Paths and what could not be read there, for people.
    pub problems: Vec<(String, String)>,
}
