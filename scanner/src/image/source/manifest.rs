//! Reading manifests, indexes and configurations: bytes in, checked values out.

use oci_distribution::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE,
    ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageIndex, OciImageManifest,
};
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use shared::image::{Digest, Platform};
use shared::report::BaseImage;

use super::origin::{self, Step, readable};
use super::{SourceError, permanent};
use crate::image::LayerDescriptor;

/// Layers of one image; container engines stop at 127.
const MAX_LAYERS: usize = 1000;
/// Largest size of a layer that is believed, in bytes: 1 TiB.
const MAX_LAYER_SIZE: u64 = 1 << 40;
/// What BuildKit calls its attestations in an index.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What a digest or a tag can point at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    Index(Vec<Entry>),
    Image(Image),
}

/// One manifest of an index. Attestations are already left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) platform: Option<Platform>,
    /// Its name in an OCI image layout.
    pub(super) name: Option<String>,
    /// What it, or else the index, says it is built on.
    pub(super) base: Option<BaseImage>,
}

/// A manifest of a container image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// Digest of the configuration.
    pub(super) config: Digest,
    pub(super) layers: Vec<LayerDescriptor>,
    /// What its annotations say it is built on.
    pub(super) base: Option<BaseImage>,
}

/// The part of a configuration that says what an image is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    pub(super) os_version: Option<String>,
    #[serde(default)]
    pub(super) rootfs: RootFs,
    #[serde(default, deserialize_with = "readable")]
    history: Vec<Step>,
    #[serde(default, deserialize_with = "readable")]
    config: Execution,
}

/// How containers of the image run, and its labels.
#[derive(Debug, Default, Deserialize)]
struct Execution {
    #[serde(default, rename = "Labels", deserialize_with = "readable")]
    labels: HashMap<String, String>,
}

/// The layers by the digests of their uncompressed bytes, from the bottom up.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RootFs {
    #[serde(default)]
    pub(super) diff_ids: Vec<Digest>,
}

/// The keys that tell the kinds of documents apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
}

/// Reads a manifest or an index. `media_type` is the transport's word, which counts where the document has none.
///
/// # Errors
/// [`SourceError::Unsupported`] for what is no container image; [`SourceError::Permanent`] for a document that
/// contradicts itself or a bound.
pub(super) fn parse(bytes: &[u8], media_type: &str) -> Result<Document, SourceError> {
    let outline: Outline = from_json(bytes, "manifest")?;
    let media_type = outline.media_type.as_deref().unwrap_or(media_type);
    let is_image = outline.layers.is_some() || outline.config.is_some();
    if outline.fs_layers.is_some() {
        let reason = "a manifest of Docker's schema 1, retired in 2017; push the image again with a current tool";
        return Err(SourceError::Unsupported(reason.to_owned()));
    }
    match (outline.manifests.is_some(), is_image) {
        (true, true) => Err(permanent("a manifest that is an index at the same time is refused as ambiguous")),
        (true, false) if is_manifest_type(media_type) => Err(contradiction(media_type)),
        (false, true) if is_index_type(media_type) => Err(contradiction(media_type)),
        (true, false) => index(from_json(bytes, "index")?),
        (false, true) => image(from_json(bytes, "manifest")?),
        (false, false) => Err(SourceError::Unsupported(format!("a document of media type {}", shown(media_type)))),
    }
}

fn is_manifest_type(media_type: &str) -> bool {
    matches!(media_type, OCI_IMAGE_MEDIA_TYPE | IMAGE_MANIFEST_MEDIA_TYPE)
}

fn is_index_type(media_type: &str) -> bool {
    matches!(media_type, OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE)
}

fn contradiction(media_type: &str) -> SourceError {
    permanent(format!("a manifest's content contradicts its media type {}", shown(media_type)))
}

fn index(index: OciImageIndex) -> Result<Document, SourceError> {
    let base = origin::annotated_base(index.annotations.as_ref());
    let images = index.manifests.into_iter().filter(|entry| !is_attestation(entry));
    Ok(Document::Index(images.map(|image| entry(image, base.as_ref())).collect::<Result<_, _>>()?))
}

fn entry(entry: ImageIndexEntry, base_of_index: Option<&BaseImage>) -> Result<Entry, SourceError> {
    let platform = entry.platform.and_then(|platform| {
        self::platform(&platform.os.to_string(), &platform.architecture.to_string(), platform.variant.as_deref())
    });
    let base = origin::annotated_base(entry.annotations.as_ref()).or_else(|| base_of_index.cloned());
    let name = entry.annotations.and_then(|mut annotations| annotations.remove(REF_NAME));
    Ok(Entry { digest: digest(&entry.digest)?, platform, name, base })
}

/// Statements about the images beside them, such as BuildKit's provenance.
fn is_attestation(entry: &ImageIndexEntry) -> bool {
    let platform = entry.platform.as_ref();
    let nowhere = platform
        .is_some_and(|platform| platform.os.to_string() == "unknown" && platform.architecture.to_string() == "unknown");
    nowhere || entry.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(REFERENCE_TYPE))
}

fn image(manifest: OciImageManifest) -> Result<Document, SourceError> {
    let config_type = manifest.config.media_type.as_str();
    if !matches!(config_type, IMAGE_CONFIG_MEDIA_TYPE | IMAGE_DOCKER_CONFIG_MEDIA_TYPE) {
        let kind = manifest.artifact_type.as_deref().unwrap_or(config_type);
        return Err(SourceError::Unsupported(format!("an artifact of type {}", shown(kind))));
    }
    if manifest.layers.len() > MAX_LAYERS {
        return Err(permanent(format!("the manifest has {} layers, more than {MAX_LAYERS}", manifest.layers.len())));
    }
    let layers = manifest.layers.iter().map(layer).collect::<Result<_, _>>()?;
    let base = origin::annotated_base(manifest.annotations.as_ref());
    Ok(Document::Image(Image { config: digest(&manifest.config.digest)?, layers, base }))
}

/// Signatures and attestations have an image's configuration, but layers of a type of their own.
fn layer(descriptor: &OciDescriptor) -> Result<LayerDescriptor, SourceError> {
    let media_type = descriptor.media_type.as_str();
    if !is_layer_type(media_type) {
        return Err(SourceError::Unsupported(format!("it has a layer of type {}", shown(media_type))));
    }
    let size = u64::try_from(descriptor.size).ok().filter(|size| *size <= MAX_LAYER_SIZE);
    let size = size.ok_or_else(|| {
        permanent(format!("layer {} cannot have a size of {} bytes", shown(&descriptor.digest), descriptor.size))
    })?;
    Ok(LayerDescriptor { digest: digest(&descriptor.digest)?, size: Some(size), media_type: media_type.to_owned() })
}

/// Whether a layer is a tar archive, in any of the compressions that there are names for.
fn is_layer_type(media_type: &str) -> bool {
    const TAR: &[&str] = &[
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];
    let compression = TAR.iter().find_map(|tar| media_type.strip_prefix(tar));
    compression.is_some_and(|suffix| matches!(suffix, "" | "+gzip" | "+zstd" | ".gzip" | ".zstd"))
}

/// Reads the configuration of an image.
pub(super) fn config(bytes: &[u8]) -> Result<Config, SourceError> {
    from_json(bytes, "image configuration")
}

impl Config {
    /// What the image runs on, if it says so.
    pub(super) fn platform(&self) -> Option<Platform> {
        platform(&self.os, &self.architecture, self.variant.as_deref())
    }

    /// The line that made each of `layers` layers; none where the history does not fit.
    pub(super) fn lines(&self, layers: usize) -> Vec<String> {
        origin::lines(&self.history, layers)
    }

    /// What its labels say the image is built on.
    pub(super) fn base(&self) -> Option<BaseImage> {
        origin::labelled_base(&self.config.labels)
    }
}

fn platform(os: &str, architecture: &str, variant: Option<&str>) -> Option<Platform> {
    let variant = variant.filter(|variant| !variant.is_empty());
    let text = format!("{os}/{architecture}{}", variant.map(|variant| format!("/{variant}")).unwrap_or_default());
    text.parse().ok()
}

fn digest(text: &str) -> Result<Digest, SourceError> {
    text.parse().map_err(|error: shared::image::InvalidName| permanent(format!("in a manifest: {error}")))
}

/// JSON with the path of what is wrong in it.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, SourceError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json);
    value.map_err(|error| permanent(format!("the {what} cannot be read: {}", cut(&error.to_string()))))
}

fn shown(text: &str) -> String {
    format!("{:?}", cut(text))
}

/// What a stranger wrote, short enough to be shown.
fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn hex(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn image_json() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE_MEDIA_TYPE,
            "config": {"mediaType": IMAGE_CONFIG_MEDIA_TYPE, "digest": hex('a'), "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": hex('b'), "size": 3}],
        })
    }

    fn read(document: &Value) -> Result<Document, SourceError> {
        parse(document.to_string().as_bytes(), "")
    }

    fn error(document: &Value) -> String {
        read(document).unwrap_err().to_string()
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut document = image_json();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Array(array) => array[key.parse::<usize>().unwrap()] = value,
            object => object[key] = value,
        }
        document
    }

    #[test]
    fn an_image_is_its_configuration_and_its_layers() {
        let layer = LayerDescriptor {
            digest: hex('b').parse().unwrap(),
            size: Some(3),
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        };
        let image = Image { config: hex('a').parse().unwrap(), layers: vec![layer], base: None };
        assert_eq!(read(&image_json()).unwrap(), Document::Image(image));
    }

    #[test]
    fn what_is_not_a_container_image_is_named() {
        let chart = with("/config/mediaType", json!("application/vnd.cncf.helm.config.v1+json"));
        let mut artifact = with("/config/mediaType", json!("application/vnd.oci.empty.v1+json"));
        artifact["artifactType"] = json!("application/vnd.example.sbom");
        let signature = with("/layers/0/mediaType", json!("application/vnd.dev.cosign.simplesigning.v1+json"));
        let schema_1 = json!({"schemaVersion": 1, "fsLayers": [], "name": "x"});
        let unknown = json!({"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []});
        for (document, named) in [
            (chart, "vnd.cncf.helm.config"),
            (artifact, "vnd.example.sbom"),
            (signature, "cosign.simplesigning"),
            (schema_1, "schema 1"),
            (unknown, "vnd.oci.artifact.manifest"),
        ] {
            let error = read(&document).unwrap_err();
            assert!(matches!(error, SourceError::Unsupported(_)), "{error}");
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn contradictions_and_absurd_values_are_refused() {
        let mut both = image_json();
        both["manifests"] = json!([]);
        assert!(error(&both).contains("ambiguous"));
        assert!(error(&with("/mediaType", json!(OCI_IMAGE_INDEX_MEDIA_TYPE))).contains("contradicts"));
        assert!(error(&with("/layers/0/size", json!(-1))).contains("size of -1"));
        assert!(error(&with("/layers/0/size", json!(1_u64 << 41))).contains("size of 2199023255552"));
        assert!(error(&with("/layers/0/digest", json!("sha256:../../etc/passwd"))).contains("digest"));
        assert!(error(&with("/config/size", json!("two"))).contains("config.size"));
        let layers = vec![image_json()["layers"][0].clone(); MAX_LAYERS + 1];
        assert!(error(&with("/layers", json!(layers))).contains("1001 layers"));
    }

    #[test]
    fn attestations_in_an_index_are_left_out() {
        let entry = |digit, platform: Value, annotations: Value| {
            json!({"mediaType": OCI_IMAGE_MEDIA_TYPE, "digest": hex(digit), "size": 1,
                   "platform": platform, "annotations": annotations})
        };
        let document = json!({"schemaVersion": 2, "manifests": [
            entry('1', json!({"os": "linux", "architecture": "arm", "variant": "v7"}), json!({REF_NAME: "v1"})),
            entry('2', json!({"os": "unknown", "architecture": "unknown"}), Value::Null),
            entry('3', Value::Null, json!({REFERENCE_TYPE: "attestation-manifest"})),
            entry('4', Value::Null, Value::Null),
        ]});
        let Document::Index(entries) = read(&document).unwrap() else { panic!("not an index") };
        let arm = Entry {
            digest: hex('1').parse().unwrap(),
            platform: Some("linux/arm/v7".parse().unwrap()),
            name: Some("v1".to_owned()),
            base: None,
        };
        assert_eq!(entries, [arm, Entry { digest: hex('4').parse().unwrap(), platform: None, name: None, base: None }]);
    }

    #[test]
    fn a_configuration_says_what_the_image_runs_on() {
        let platform = |text: &str| config(text.as_bytes()).unwrap().platform().map(|platform| platform.to_string());
        assert_eq!(platform(r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#).unwrap(), "linux/arm64/v8");
        assert_eq!(platform(r#"{"os":"linux","architecture":"amd64","variant":""}"#).unwrap(), "linux/amd64");
        assert_eq!(platform("{}"), None);
        assert!(config(b"[").is_err());
    }

    #[test]
    fn odd_histories_and_labels_are_as_good_as_none() {
        for odd in [json!(null), json!(7), json!([1]), json!({"Labels": null}), json!({"Labels": {"a": 1}}), json!([])]
        {
            let document = json!({"os": "linux", "architecture": "amd64", "history": odd, "config": odd}).to_string();
            let config = config(document.as_bytes()).unwrap();
            assert_eq!((config.lines(1), config.base()), (Vec::new(), None), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, "");
            let _ = config(&bytes);
        }

        #[test]
        fn any_value_in_any_place_is_read_without_panic(
            place in prop::sample::select(vec![
                "/schemaVersion", "/mediaType", "/config", "/config/mediaType", "/config/digest", "/config/size",
                "/layers", "/layers/0", "/layers/0/mediaType", "/layers/0/digest", "/layers/0/size",
            ]),
            value in prop_oneof![
                Just(Value::Null), any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from),
                ".{0,90}".prop_map(Value::from), Just(json!([])), Just(json!({})),
            ],
        ) {
            if let Ok(Document::Image(image)) = read(&with(place, value)) {
                prop_assert!(image.layers.iter().all(|layer| layer.size.is_some_and(|size| size <= MAX_LAYER_SIZE)));
            }
        }
    }
}
