//! From an index down to the manifests of the platforms asked for.

use std::collections::VecDeque;

use async_trait::async_trait;
use shared::image::{Digest, Platform};

use super::manifest::{self, Document, Entry, Image};
use super::permanent;
use crate::image::{Manifest, Resolved, SourceError};

/// How deep an index may lie in others.
const MAX_DEPTH: u32 = 2;
/// Manifests and indexes that are read for one reference.
const MAX_DOCUMENTS: usize = 64;

/// Where the documents of an image are read from. What it returns is verified against the digest.
#[async_trait]
pub(super) trait Documents: Sync {
    /// A manifest or an index.
    async fn manifest(&self, digest: &Digest) -> Result<RawDocument, SourceError>;
    /// An image configuration.
    async fn config(&self, digest: &Digest) -> Result<Vec<u8>, SourceError>;
}

/// A manifest or an index as it is stored.
pub(super) struct RawDocument {
    pub(super) digest: Digest,
    pub(super) bytes: Vec<u8>,
    /// The transport's word for it; empty if it has none.
    pub(super) media_type: String,
}

/// Finds the manifests behind `root` whose platform is in `platforms` (empty: all). A root that is no index is taken
/// whatever its platform. Parts of an index that are no images are passed over while any other part is one.
pub(super) async fn resolve(
    documents: &dyn Documents,
    root: RawDocument,
    platforms: &[Platform],
) -> Result<Resolved, SourceError> {
    let mut found = Found::default();
    let digest = root.digest.clone();
    let entries = match manifest::parse(&root.bytes, &root.media_type)? {
        Document::Image(image) => {
            let root = Entry { digest: root.digest, platform: None, name: None, base: None };
            let manifests = vec![read_image(documents, root, image).await?];
            return Ok(Resolved { digest, manifests });
        }
        Document::Index(entries) => entries,
    };
    let mut pending: VecDeque<(Entry, u32)> = entries.into_iter().map(|entry| (entry, 1)).collect();
    let mut read = 0;
    while let Some((entry, depth)) = pending.pop_front() {
        if !found.wants(platforms, entry.platform.as_ref()) {
            continue;
        }
        read += 1;
        if read > MAX_DOCUMENTS {
            return Err(permanent(format!("the index {digest} leads to more than {MAX_DOCUMENTS} manifests")));
        }
        let raw = documents.manifest(&entry.digest).await?;
        match manifest::parse(&raw.bytes, &raw.media_type) {
            Ok(Document::Index(_)) if depth == MAX_DEPTH => {
                return Err(permanent(format!("the index {digest} lies more than {MAX_DEPTH} indexes deep")));
            }
            Ok(Document::Index(entries)) => pending.extend(entries.into_iter().map(|entry| (entry, depth + 1))),
            Ok(Document::Image(image)) => {
                let manifest = read_image(documents, entry, image).await?;
                if found.wants(platforms, manifest.platform.as_ref()) {
                    found.manifests.push(manifest);
                }
            }
            Err(SourceError::Unsupported(reason)) => found.unsupported = Some(reason),
            Err(error) => return Err(error),
        }
    }
    found.into_resolved(digest, platforms)
}

#[derive(Default)]
struct Found {
    manifests: Vec<Manifest>,
    /// Platforms that were there but not asked for.
    others: Vec<String>,
    /// Why the last part that is no image is none.
    unsupported: Option<String>,
}

impl Found {
    /// Whether a part of an index is asked for. One that does not say what it runs on may be: its configuration knows.
    fn wants(&mut self, platforms: &[Platform], platform: Option<&Platform>) -> bool {
        let Some(platform) = platform else { return true };
        if platforms.is_empty() || platforms.iter().any(|wanted| covers(wanted, platform)) {
            return true;
        }
        self.others.push(platform.to_string());
        false
    }

    fn into_resolved(self, digest: Digest, platforms: &[Platform]) -> Result<Resolved, SourceError> {
        if !self.manifests.is_empty() {
            return Ok(Resolved { digest, manifests: self.manifests });
        }
        if let Some(reason) = self.unsupported {
            return Err(SourceError::Unsupported(reason));
        }
        if self.others.is_empty() {
            return Err(SourceError::Unsupported(format!("the index {digest} is empty")));
        }
        let wanted: Vec<String> = platforms.iter().map(ToString::to_string).collect();
        Err(permanent(format!(
            "the index {digest} has nothing for {}; it has {}",
            wanted.join(", "),
            self.others.join(", ")
        )))
    }
}

/// Whether `platform` is what `wanted` asks for. Without a variant any will do; the usual variant need not be said.
fn covers(wanted: &Platform, platform: &Platform) -> bool {
    let variant = |platform: &Platform| match (platform.variant.as_deref(), platform.architecture.as_str()) {
        (None, "arm64") => Some("v8".to_owned()),
        (None, "arm") => Some("v7".to_owned()),
        (variant, _) => variant.map(str::to_owned),
    };
    wanted.os == platform.os
        && wanted.architecture == platform.architecture
        && (wanted.variant.is_none() || variant(wanted) == variant(platform))
}

/// The nearest word about the base counts: the manifest's, the index's, then the labels, which are inherited.
async fn read_image(documents: &dyn Documents, entry: Entry, image: Image) -> Result<Manifest, SourceError> {
    let config = manifest::config(&documents.config(&image.config).await?)?;
    Ok(Manifest {
        digest: entry.digest,
        platform: config.platform().or(entry.platform),
        history: config.lines(image.layers.len()),
        base: image.base.or(entry.base).or_else(|| config.base()),
        os_version: config.os_version,
        layers: image.layers,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;

    /// Documents by their digest.
    #[derive(Default)]
    struct Shelf(HashMap<Digest, Vec<u8>>);

    impl Shelf {
        fn put(&mut self, document: &Value) -> Digest {
            let bytes = document.to_string().into_bytes();
            let digest = Digest::sha256_of(&bytes);
            self.0.insert(digest.clone(), bytes);
            digest
        }

        fn image(&mut self, platform: &str) -> Digest {
            let (os, architecture) = platform.split_once('/').unwrap();
            let config = self.put(&json!({"os": os, "architecture": architecture}));
            self.put(&json!({"schemaVersion": 2, "layers": [],
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 1}}))
        }

        fn index(&mut self, entries: &[(&Digest, Option<&str>)]) -> Digest {
            let entry = |(digest, platform): &(&Digest, Option<&str>)| {
                let platform = platform.and_then(|platform| platform.split_once('/'));
                let platform = platform.map(|(os, architecture)| json!({"os": os, "architecture": architecture}));
                json!({"mediaType": "application/x", "size": 1, "digest": digest, "platform": platform})
            };
            self.put(&json!({"schemaVersion": 2, "manifests": entries.iter().map(entry).collect::<Vec<_>>()}))
        }

        async fn resolve(&self, root: &Digest, platforms: &[&str]) -> Result<Vec<String>, SourceError> {
            let platforms: Vec<Platform> = platforms.iter().map(|platform| platform.parse().unwrap()).collect();
            let resolved = super::resolve(self, self.manifest(root).await?, &platforms).await?;
            assert_eq!(resolved.digest, *root);
            Ok(resolved.manifests.iter().map(|manifest| manifest.platform.as_ref().unwrap().to_string()).collect())
        }
    }

    #[async_trait]
    impl Documents for Shelf {
        async fn manifest(&self, digest: &Digest) -> Result<RawDocument, SourceError> {
            Ok(RawDocument { digest: digest.clone(), bytes: self.config(digest).await?, media_type: String::new() })
        }

        async fn config(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
            self.0.get(digest).cloned().ok_or_else(|| permanent("gone"))
        }
    }

    #[tokio::test]
    async fn the_platforms_asked_for_are_found() {
        let mut shelf = Shelf::default();
        let (amd, arm) = (shelf.image("linux/amd64"), shelf.image("linux/arm64"));
        let index = shelf.index(&[(&amd, Some("linux/amd64")), (&arm, None)]);
        assert_eq!(shelf.resolve(&index, &[]).await.unwrap(), ["linux/amd64", "linux/arm64"]);
        assert_eq!(shelf.resolve(&index, &["linux/amd64"]).await.unwrap(), ["linux/amd64"]);
        assert_eq!(shelf.resolve(&index, &["linux/arm64/v8"]).await.unwrap(), ["linux/arm64"]);
        let error = shelf.resolve(&index, &["linux/s390x"]).await.unwrap_err().to_string();
        assert!(error.contains("linux/s390x; it has linux/amd64, linux/arm64"), "{error}");
    }

    #[tokio::test]
    async fn a_single_manifest_is_taken_whatever_its_platform() {
        let mut shelf = Shelf::default();
        let image = shelf.image("windows/amd64");
        assert_eq!(shelf.resolve(&image, &["linux/amd64"]).await.unwrap(), ["windows/amd64"]);
    }

    #[tokio::test]
    async fn indexes_lie_in_indexes_to_a_depth() {
        let mut shelf = Shelf::default();
        let image = shelf.image("linux/amd64");
        let inner = shelf.index(&[(&image, None)]);
        let outer = shelf.index(&[(&inner, None)]);
        assert_eq!(shelf.resolve(&outer, &[]).await.unwrap(), ["linux/amd64"]);
        let too_deep = shelf.index(&[(&outer, None)]);
        assert!(shelf.resolve(&too_deep, &[]).await.unwrap_err().to_string().contains("deep"));
    }

    #[tokio::test]
    async fn the_number_of_manifests_is_bounded() {
        let mut shelf = Shelf::default();
        let image = shelf.image("linux/amd64");
        let index = shelf.index(&vec![(&image, None); MAX_DOCUMENTS + 1]);
        assert!(shelf.resolve(&index, &[]).await.unwrap_err().to_string().contains("more than 64"));
    }

    #[tokio::test]
    async fn parts_that_are_no_images_are_passed_over_unless_there_is_nothing_else() {
        let mut shelf = Shelf::default();
        let image = shelf.image("linux/amd64");
        let other = shelf.put(&json!({"mediaType": "application/vnd.example"}));
        let mixed = shelf.index(&[(&other, None), (&image, None)]);
        assert_eq!(shelf.resolve(&mixed, &[]).await.unwrap(), ["linux/amd64"]);
        for root in [shelf.index(&[(&other, None)]), shelf.index(&[])] {
            assert!(matches!(shelf.resolve(&root, &[]).await.unwrap_err(), SourceError::Unsupported(_)));
        }
    }
}
