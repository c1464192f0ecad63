//! What an image contains, once its layers are squashed: packages with their ecosystems and package URLs.

use shared::package::{Distro, Package};
use shared::report::Warning;

/// Packages of one image.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// From os-release, if there is one.
    pub distro: Option<Distro>,
    /// Sorted by ecosystem, name, version, path.
    pub packages: Vec<Package>,
    /// What could not be read or placed.
    pub warnings: Vec<Warning>,
}
