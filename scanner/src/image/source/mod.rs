//! Where images come from: a registry ([`RegistrySource`]), an OCI image layout ([`OciLayout`]), an archive written by
//! `docker save` ([`DockerArchive`]). [`Target`] is how people name one of them.
//!
//! All of it is hostile input: documents are bounded in size, counts and depth, digests are compared with the bytes,
//! and the URLs that a manifest may name for its layers are never followed.

mod docker_archive;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod manifest;
mod oci_layout;
mod origin;
mod registry;
mod tarball;
mod target;
#[cfg(test)]
mod tests;
mod walk;

pub use docker_archive::DockerArchive;
pub use oci_layout::OciLayout;
pub use registry::RegistrySource;
pub use target::{InvalidTarget, Target};

use super::SourceError;

/// Longest manifest, index or image configuration that is read, in bytes: what registries themselves accept at most.
const MAX_DOCUMENT: usize = 4 * 1024 * 1024;

fn permanent(reason: impl Into<String>) -> SourceError {
    SourceError::Permanent(reason.into())
}
