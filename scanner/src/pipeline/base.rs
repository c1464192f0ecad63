//! The image that an image says it is built on, looked up where a configured registry has it.
//!
//! Layers are the base's if the base's manifest has the same digests at its bottom. A registry that compressed them anew has
//! other digests for the same contents; then nothing is marked here. Nor is it a gap if the base cannot be read.

use std::time::Duration;

use shared::image::{Digest, ImageRef, Reference};
use shared::report::{BaseImage, ImageReport};

use super::Scanner;
use crate::image::source::RegistrySource;
use crate::image::{ImageSource, Manifest};

/// Time for the base's manifest: a scan does not wait longer for what it can do without.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of an image's base.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Base {
    image: Option<BaseImage>,
    /// How many of the lowest layers are its.
    layers: usize,
}

impl Scanner {
    /// What an image from `source` says it is built on, and which layers are that image's.
    ///
    /// The name is a stranger's: its host can only select a configured registry, and only manifests are read there.
    pub(super) async fn base_of(&self, source: &dyn ImageSource, manifest: &Manifest) -> Base {
        let Some(stated) = &manifest.base else { return Base::default() };
        let unmarked = Base { image: Some(stated.clone()), layers: 0 };
        let name = stated.name.as_deref().and_then(|name| name.parse::<ImageRef>().ok());
        let Some(name) = name.filter(|_| source.is_remote()) else { return unmarked };
        let Some(client) = self.0.registries.select(&name.host) else { return unmarked };
        let registry = RegistrySource::new(client.clone(), name.repository.clone());
        let reference = stated.digest.clone().map_or_else(|| name.reference(), Reference::Digest);
        match tokio::time::timeout(PATIENCE, shared_layers(&registry, &reference, manifest)).await {
            Ok(Some((digest, layers))) => {
                Base { image: Some(BaseImage { name: stated.name.clone(), digest: Some(digest) }), layers }
            }
            _ => unmarked,
        }
    }
}

impl Base {
    /// Writes down what is known.
    pub(super) fn mark(self, report: &mut ImageReport) {
        report.base = self.image;
        report.layers.iter_mut().take(self.layers).for_each(|layer| layer.base = true);
    }
}

/// How many of the lowest layers of `manifest` are those of the image at `reference`, if they are all of that image's; and
/// that image's digest.
async fn shared_layers(
    registry: &dyn ImageSource,
    reference: &Reference,
    manifest: &Manifest,
) -> Option<(Digest, usize)> {
    let platforms: Vec<_> = manifest.platform.iter().cloned().collect();
    let resolved = registry.resolve(Some(reference), &platforms).await.ok()?;
    let digests =
        |manifest: &Manifest| -> Vec<Digest> { manifest.layers.iter().map(|layer| layer.digest.clone()).collect() };
    let own = digests(manifest);
    let bases = resolved.manifests.iter().map(digests);
    let shared = bases.filter(|base| own.starts_with(base)).map(|base| base.len()).max()?;
    Some((resolved.digest, shared))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use async_trait::async_trait;
    use shared::image::Platform;

    use super::*;
    use crate::image::{LayerDescriptor, Resolved, SourceError};

    /// A registry that has an image of the layers named here for any platform.
    struct Registry(&'static str);

    #[async_trait]
    impl ImageSource for Registry {
        async fn resolve(&self, reference: Option<&Reference>, _: &[Platform]) -> Result<Resolved, SourceError> {
            match reference {
                Some(Reference::Tag(_)) => Ok(Resolved { digest: digest('x'), manifests: vec![image(self.0)] }),
                _ => Err(SourceError::Missing("gone".to_owned())),
            }
        }

        async fn open_layer(&self, _: &LayerDescriptor) -> Result<Box<dyn Read + Send>, SourceError> {
            Err(SourceError::Missing("no layer is needed".to_owned()))
        }
    }

    fn digest(name: char) -> Digest {
        Digest::sha256_of(name.to_string().as_bytes())
    }

    fn image(layers: &str) -> Manifest {
        let layer = |name| LayerDescriptor { digest: digest(name), size: None, media_type: String::new() };
        let layers = layers.chars().map(layer).collect();
        Manifest { digest: digest('i'), platform: None, os_version: None, layers, history: Vec::new(), base: None }
    }

    #[tokio::test]
    async fn layers_are_shared_if_all_of_the_base_are_at_the_bottom() {
        let tag = Reference::Tag("12".parse().unwrap());
        for (base, expected) in [("ab", Some(2)), ("abc", Some(3)), ("", Some(0)), ("b", None), ("abcd", None)] {
            let shared = shared_layers(&Registry(base), &tag, &image("abc")).await;
            assert_eq!(shared, expected.map(|layers| (digest('x'), layers)), "{base}");
        }
        let gone = Reference::Digest(digest('y'));
        assert_eq!(shared_layers(&Registry("ab"), &gone, &image("abc")).await, None);
    }
}
