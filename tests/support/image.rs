//! Images made of a few files: OCI layouts written by hand, so that a test can make them wrong too.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::Digest;

/// An OCI layout in a folder of its own.
pub(crate) struct Layout {
    folder: tempfile::TempDir,
    manifests: Vec<Value>,
}

/// A layer as it stands in a manifest.
#[derive(Clone)]
pub(crate) struct Layer {
    /// Bytes as stored.
    pub(crate) bytes: Vec<u8>,
    /// What the manifest says of them, right or wrong.
    pub(crate) media_type: String,
    /// Digest of the uncompressed tar.
    pub(crate) diff_id: String,
    /// Digest in the manifest.
    pub(crate) digest: String,
    /// Size in the manifest.
    pub(crate) size: u64,
}

/// `sha256:` and the hash of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

/// A tar of files, by path.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

impl Layer {
    /// A gzip layer of `tar`, truthfully described.
    pub(crate) fn gzip(tar: &[u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(tar).unwrap();
        let bytes = encoder.finish().unwrap();
        Self::stored(bytes, "application/vnd.oci.image.layer.v1.tar+gzip", sha256(tar))
    }

    /// A zstd layer of `tar`, truthfully described.
    pub(crate) fn zstd(tar: &[u8]) -> Self {
        let bytes = zstd::encode_all(tar, 3).unwrap();
        Self::stored(bytes, "application/vnd.oci.image.layer.v1.tar+zstd", sha256(tar))
    }

    /// Bytes that are stored as they are.
    pub(crate) fn stored(bytes: Vec<u8>, media_type: &str, diff_id: String) -> Self {
        let (digest, size) = (sha256(&bytes), bytes.len() as u64);
        Self { bytes, media_type: media_type.to_owned(), diff_id, digest, size }
    }
}

impl Layout {
    /// An empty layout.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
        std::fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { folder, manifests: Vec::new() }
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the blob of `digest` is.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        self.folder.path().join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    /// Adds an image under a name; gives its manifest's digest.
    pub(crate) fn add(&mut self, name: &str, layers: &[Layer]) -> String {
        for layer in layers {
            std::fs::write(self.blob(&layer.digest), &layer.bytes).unwrap();
        }
        let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.diff_id).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {}, "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let (config, config_size) = self.write(&config);
        let described =
            |layer: &Layer| json!({ "mediaType": layer.media_type, "digest": layer.digest, "size": layer.size });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size },
            "layers": layers.iter().map(described).collect::<Vec<_>>(),
        });
        self.name(name, "application/vnd.oci.image.manifest.v1+json", &manifest)
    }

    /// Adds an index of images that are there, by digest and architecture, under a name; gives its digest.
    pub(crate) fn add_index(&mut self, name: &str, images: &[(&str, &str)]) -> String {
        let entry = |(digest, architecture): &(&str, &str)| {
            let os = if *architecture == "unknown" { "unknown" } else { "linux" };
            json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest, "size": std::fs::metadata(self.blob(digest)).unwrap().len(),
                "platform": { "os": os, "architecture": architecture },
            })
        };
        let entries: Vec<_> = images.iter().map(entry).collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries });
        self.name(name, media_type, &index)
    }

    /// Writes a document and names it in the layout's index; gives its digest.
    fn name(&mut self, name: &str, media_type: &str, document: &Value) -> String {
        let (digest, size) = self.write(document);
        self.manifests.push(json!({
            "mediaType": media_type, "digest": digest, "size": size,
            "annotations": { "org.opencontainers.image.ref.name": name },
        }));
        let index = json!({ "schemaVersion": 2, "manifests": self.manifests });
        std::fs::write(self.folder.path().join("index.json"), index.to_string()).unwrap();
        digest
    }

    fn write(&self, value: &Value) -> (String, usize) {
        let bytes = value.to_string().into_bytes();
        let digest = sha256(&bytes);
        std::fs::write(self.blob(&digest), &bytes).unwrap();
        (digest, bytes.len())
    }
}

/// A Debian 12 base layer with the real package list of a minimal bootstrap.
pub(crate) fn debian_layer() -> Layer {
    let status = include_bytes!("../fixtures/debian12/status");
    let os_release = include_bytes!("../fixtures/debian12/os-release");
    Layer::gzip(&tar(&[
        ("usr/lib/os-release", os_release),
        ("etc/os-release", os_release),
        ("var/lib/dpkg/status", status),
    ]))
}

/// A layer with one installed Python package.
pub(crate) fn python_layer(name: &str, version: &str) -> Layer {
    Layer::gzip(&python_tar(name, version))
}

/// The tar of such a layer.
pub(crate) fn python_tar(name: &str, version: &str) -> Vec<u8> {
    let path = format!("opt/app/{name}-{version}.dist-info/METADATA");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    tar(&[(path.as_str(), metadata.as_bytes())])
}
