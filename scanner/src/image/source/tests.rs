//! Each source on images made for it: the same two layers come out of all of them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use shared::image::{Digest, Reference};
use shared::registry::{RegistryClient, RegistryConfig};

use super::*;
use crate::image::{ImageSource, LayerDescriptor, Resolved};

const IMAGE_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Larger than one chunk of any reader in between.
fn layers() -> [Vec<u8>; 2] {
    let noise: Vec<u8> = (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    [tar(&[("big", &noise)]), tar(&[("etc/os-release", b"ID=debian\n")])]
}

fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::sha256_of(layer)).collect();
    let history =
        [json!({"created_by": "ADD big /"}), json!({"empty_layer": true}), json!({"created_by": "COPY etc /"})];
    let labels = json!({"org.opencontainers.image.base.name": "docker.io/library/debian:12"});
    json!({"os": "linux", "architecture": "amd64", "history": history, "config": {"Labels": labels},
           "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    .to_string()
    .into_bytes()
}

/// Contents by digest, and the digest of the manifest.
fn image() -> (HashMap<Digest, Vec<u8>>, Digest) {
    let stored: Vec<Vec<u8>> = layers().iter().map(|layer| gzip(layer)).collect();
    let config = config(&layers());
    let descriptor = |media_type: &str, content: &[u8]| json!({"mediaType": media_type, "digest": Digest::sha256_of(content), "size": content.len()});
    let layer = |content: &Vec<u8>| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", content);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE_TYPE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": stored.iter().map(layer).collect::<Vec<Value>>(),
    });
    let manifest = manifest.to_string().into_bytes();
    let digest = Digest::sha256_of(&manifest);
    let contents = stored.into_iter().chain([config, manifest]);
    (contents.map(|content| (Digest::sha256_of(&content), content)).collect(), digest)
}

/// What the image says of itself.
fn assert_origin(resolved: &Resolved) {
    let manifest = &resolved.manifests[0];
    assert_eq!(manifest.history, ["ADD big /", "COPY etc /"]);
    let name = manifest.base.as_ref().and_then(|base| base.name.as_deref());
    assert_eq!(name, Some("docker.io/library/debian:12"));
}

/// The layers as the source delivers them, each compared with its digest.
async fn read_layers(source: &dyn ImageSource, resolved: &Resolved) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for layer in &resolved.manifests[0].layers {
        let mut reader = source.open_layer(layer).await.unwrap();
        let content = tokio::task::spawn_blocking(move || {
            let mut content = Vec::new();
            reader.read_to_end(&mut content).map(|_| content)
        });
        let content = content.await.unwrap().unwrap();
        assert_eq!(Digest::sha256_of(&content), layer.digest);
        assert!(layer.size.is_none_or(|size| size == content.len() as u64));
        all.push(content);
    }
    all
}

/// A registry with one repository, `app`, whose tag `v1` is the manifest.
fn serve(contents: HashMap<Digest, Vec<u8>>, tagged: Digest) -> RegistrySource {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let contents = Arc::new(contents);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (contents, tagged) = (contents.clone(), tagged.clone());
            std::thread::spawn(move || answer(stream.unwrap(), &contents, &tagged));
        }
    });
    let config = RegistryConfig { plain_http: true, ..RegistryConfig::anonymous(&host) };
    RegistrySource::new(RegistryClient::new("local", &config).unwrap(), "app".parse().unwrap())
}

fn answer(stream: TcpStream, contents: &HashMap<Digest, Vec<u8>>, tagged: &Digest) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
    let reference = request.split(['/', ' ']).nth(5).unwrap_or_default();
    let digest = if reference == "v1" { Some(tagged.clone()) } else { reference.parse().ok() };
    let content = digest.and_then(|digest| contents.get(&digest));
    let status = if content.is_some() { "200 OK" } else { "404 Not Found" };
    let content = content.map(Vec::as_slice).unwrap_or_default();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", content.len());
    // A reader that has gone away is part of some tests.
    let _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(content));
}

fn tag(text: &str) -> Reference {
    Reference::Tag(text.parse().unwrap())
}

#[tokio::test]
async fn an_image_is_read_from_a_registry() {
    let (contents, digest) = image();
    let source = serve(contents, digest.clone());
    let resolved = source.resolve(Some(&tag("v1")), &[]).await.unwrap();
    assert_eq!(resolved.digest, digest);
    assert_eq!(resolved.manifests[0].platform, Some("linux/amd64".parse().unwrap()));
    assert_origin(&resolved);
    assert_eq!(read_layers(&source, &resolved).await, layers().map(|layer| gzip(&layer)));
    let again = source.resolve(Some(&Reference::Digest(digest)), &[]).await.unwrap();
    assert_eq!(again.manifests[0].layers, resolved.manifests[0].layers);
}

#[tokio::test]
async fn a_missing_tag_may_come_and_a_missing_digest_will_not() {
    let (contents, digest) = image();
    let source = serve(contents, digest);
    let error = source.resolve(Some(&tag("v2")), &[]).await.unwrap_err();
    assert!(matches!(error, SourceError::Missing(_)), "{error}");
    let missing = Digest::sha256_of(b"missing");
    let error = source.resolve(Some(&Reference::Digest(missing.clone())), &[]).await.unwrap_err();
    assert!(matches!(error, SourceError::Permanent(_)), "{error}");

    let foreign = LayerDescriptor {
        digest: missing,
        size: Some(1),
        media_type: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".to_owned(),
    };
    let error = source.open_layer(&foreign).await.err().unwrap();
    assert!(error.to_string().contains("URLs are not followed"), "{error}");
}

#[tokio::test]
async fn a_wrong_manifest_is_a_mismatch_that_names_both_digests() {
    let (mut contents, digest) = image();
    let other = Digest::sha256_of(b"{}");
    contents.insert(digest.clone(), b"{}".to_vec());
    let source = serve(contents, digest.clone());
    let error = source.resolve(Some(&Reference::Digest(digest.clone())), &[]).await.unwrap_err();
    assert!(matches!(error, SourceError::Permanent(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains(digest.as_str()) && text.contains(other.as_str()), "{text}");
}

#[tokio::test]
async fn a_reader_that_stops_early_stops_the_transfer() {
    let (contents, digest) = image();
    let source = serve(contents, digest);
    let resolved = source.resolve(Some(&tag("v1")), &[]).await.unwrap();
    let mut reader = source.open_layer(&resolved.manifests[0].layers[0]).await.unwrap();
    let first = tokio::task::spawn_blocking(move || reader.read(&mut [0; 10])).await.unwrap();
    assert_eq!(first.unwrap(), 10);
}

fn layout(dir: &Path, names: &[&str]) -> Digest {
    let (contents, digest) = image();
    std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    for (digest, content) in &contents {
        std::fs::write(dir.join("blobs/sha256").join(digest.hex()), content).unwrap();
    }
    let entry = |name: &&str| {
        json!({"mediaType": IMAGE_TYPE, "digest": digest, "size": contents[&digest].len(),
               "annotations": {"org.opencontainers.image.ref.name": name}})
    };
    let index = json!({"schemaVersion": 2, "manifests": names.iter().map(entry).collect::<Vec<_>>()});
    std::fs::write(dir.join("index.json"), index.to_string()).unwrap();
    digest
}

#[tokio::test]
async fn an_image_is_read_from_an_oci_layout() {
    let dir = tempfile::tempdir().unwrap();
    let digest = layout(dir.path(), &["v1"]);
    let source = OciLayout::new(dir.path(), None);
    let resolved = source.resolve(None, &[]).await.unwrap();
    assert_eq!(resolved.digest, digest);
    assert_origin(&resolved);
    assert_eq!(read_layers(&source, &resolved).await, layers().map(|layer| gzip(&layer)));
    for name in ["v1", digest.as_str()] {
        let named = OciLayout::new(dir.path(), Some(name.to_owned()));
        assert_eq!(named.resolve(None, &[]).await.unwrap().digest, digest);
    }
}

#[tokio::test]
async fn an_oci_layout_with_several_images_wants_a_name() {
    let dir = tempfile::tempdir().unwrap();
    layout(dir.path(), &["v1", "docker.io/library/app:v2"]);
    for name in [None, Some("v3".to_owned())] {
        let error = OciLayout::new(dir.path(), name).resolve(None, &[]).await.unwrap_err().to_string();
        assert!(error.contains("v1, docker.io/library/app:v2"), "{error}");
    }
    let named = OciLayout::new(dir.path(), Some("docker.io/library/app:v2".to_owned()));
    assert!(named.resolve(None, &[]).await.is_ok());
}

#[tokio::test]
async fn a_damaged_oci_layout_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let missing = OciLayout::new(dir.path().join("nowhere"), None).resolve(None, &[]).await.unwrap_err().to_string();
    assert!(missing.contains("index.json"), "{missing}");

    let digest = layout(dir.path(), &["v1"]);
    let blob = dir.path().join("blobs/sha256").join(digest.hex());
    std::fs::write(&blob, "{}").unwrap();
    let error = OciLayout::new(dir.path(), None).resolve(None, &[]).await.unwrap_err().to_string();
    assert!(error.contains(digest.hex()) && error.contains(Digest::sha256_of(b"{}").as_str()), "{error}");

    std::fs::remove_file(&blob).unwrap();
    std::fs::create_dir(&blob).unwrap();
    let error = OciLayout::new(dir.path(), None).resolve(None, &[]).await.unwrap_err().to_string();
    assert!(error.contains("is not a file"), "{error}");
}

/// What `docker save` writes, its layers stored as `store` does.
fn archive(store: fn(&[u8]) -> Vec<u8>) -> (Vec<u8>, Digest) {
    let config = config(&layers());
    let id = Digest::sha256_of(&config);
    let [base, top] = layers().map(|layer| store(&layer));
    let items = json!([
        {"Config": "config.json", "RepoTags": ["app:v1", "app:latest"], "Layers": ["base/layer.tar", "top/layer.tar"]},
    ]);
    let archive = tar(&[
        ("base/layer.tar", &base),
        ("config.json", &config),
        ("./top/layer.tar", &top),
        ("manifest.json", items.to_string().as_bytes()),
    ]);
    (archive, id)
}

async fn read_archive(bytes: &[u8], name: Option<&str>) -> Result<(Resolved, Vec<Vec<u8>>), SourceError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.tar");
    std::fs::write(&file, bytes).unwrap();
    let source = DockerArchive::new(file, name.map(str::to_owned));
    let resolved = source.resolve(None, &[]).await?;
    let layers = read_layers(&source, &resolved).await;
    Ok((resolved, layers))
}

#[tokio::test]
async fn a_docker_archive_delivers_its_layers_uncompressed_however_they_are_stored() {
    for store in [<[u8]>::to_vec, gzip, |layer: &[u8]| zstd::encode_all(layer, 1).unwrap()] {
        let (archive, id) = archive(store);
        for bytes in [archive.clone(), gzip(&archive)] {
            let (resolved, read) = read_archive(&bytes, None).await.unwrap();
            assert_origin(&resolved);
            assert_eq!(resolved.digest, id);
            assert_eq!(read, layers());
        }
    }
}

#[tokio::test]
async fn an_image_of_a_docker_archive_is_chosen_by_name() {
    let (archive, _) = archive(<[u8]>::to_vec);
    for name in ["app:v1", "app", "docker.io/library/app:v1"] {
        assert!(read_archive(&archive, Some(name)).await.is_ok());
    }
    let error = read_archive(&archive, Some("app:v2")).await.unwrap_err().to_string();
    assert!(error.contains("app:v1, app:latest"), "{error}");
}

/// A tar archive with one link, `link` to `target`, of each kind.
fn with_link(kind: tar::EntryType, link: &str, target: &str, layer: &str) -> Vec<u8> {
    let [base, _] = layers();
    let config = config(std::slice::from_ref(&base));
    let items = json!([{"Config": "config.json", "RepoTags": null, "Layers": [layer]}]).to_string();
    let mut builder = tar::Builder::new(tar(&[]));
    builder.get_mut().clear();
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(0);
    builder.append_link(&mut header, link, target).unwrap();
    for (path, content) in
        [("base/layer.tar", base.as_slice()), ("config.json", &config), ("manifest.json", items.as_bytes())]
    {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn links_in_a_docker_archive_lead_to_layers_and_nowhere_else() {
    let (symbolic, hard) = (tar::EntryType::Symlink, tar::EntryType::Link);
    for (kind, target) in [(symbolic, "../base/layer.tar"), (hard, "base/layer.tar")] {
        let archive = with_link(kind, "same/layer.tar", target, "same/layer.tar");
        assert_eq!(read_archive(&archive, None).await.unwrap().1, [layers()[0].clone()]);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    for target in ["loop/layer.tar", "/etc/passwd", "../../../../etc/passwd"] {
        let archive = with_link(symbolic, "loop/layer.tar", &format!("../{target}"), "loop/layer.tar");
        std::fs::write(file.path(), archive).unwrap();
        let source = DockerArchive::new(file.path(), None);
        let resolved = source.resolve(None, &[]).await.unwrap();
        let error = source.open_layer(&resolved.manifests[0].layers[0]).await.err().unwrap();
        assert!(matches!(error, SourceError::Permanent(_)), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_docker_archive_is_refused() {
    let (archive, _) = archive(<[u8]>::to_vec);
    let no_manifest = tar(&[("config.json", b"{}")]);
    let two_stated = json!([{"Config": "config.json", "Layers": ["a"]}]).to_string();
    let miscounted = tar(&[("config.json", b"{}"), ("manifest.json", two_stated.as_bytes())]);
    for (bytes, said) in [
        (&b""[..], "manifest.json"),
        (&no_manifest, "manifest.json"),
        (&miscounted, "states 0 layers and holds 1"),
        (&archive[..700], "manifest.json"),
        (b"not a tar archive at all", "archive of docker save"),
    ] {
        let error = read_archive(bytes, None).await.unwrap_err();
        assert!(matches!(error, SourceError::Permanent(_)), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}
