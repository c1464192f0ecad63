//! Images made to do harm: each ends as failed (or partial) with a reason, and nothing else is harmed.

use std::process::Output;

use serde_json::Value;

use crate::support::image::{Layer, Layout, debian_layer, sha256, tar};
use crate::support::plimsoll::Installation;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

fn scan(layers: &[Layer]) -> (Option<i32>, Value, String) {
    let mut layout = Layout::new();
    layout.add("hostile", layers);
    let output = scan_layout(&layout);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), error)
}

fn scan_layout(layout: &Layout) -> Output {
    let installation = Installation::new("");
    installation.run(&["scan", "--format", "json", &format!("oci:{}", layout.path().display())])
}

/// The scan fails with status 3 and a reason that holds each of `words`.
fn fails(layers: &[Layer], words: &[&str]) {
    let (status, document, error) = scan(layers);
    assert_eq!(status, Some(3), "{error}");
    let reason = document["reason"].as_str().unwrap_or(&error).to_lowercase();
    for word in words {
        assert!(reason.contains(word), "{word} is not in: {reason}");
    }
}

/// `stored` bytes that say to be a layer.
fn layer(stored: Vec<u8>, media_type: &str) -> Layer {
    let diff_id = sha256(b"");
    Layer::stored(stored, media_type, diff_id)
}

/// A gzip stream of `megabytes` of zeros.
fn gzip_of_zeros(megabytes: usize) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![0_u8; 1 << 20];
    for _ in 0..megabytes {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

/// A tar whose only file begins, and whose content never ends.
fn header_of(path: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(path).unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn bombs_are_stopped_by_their_ratio() {
    let mut bomb = Layer::gzip(&header_of("big", 4 << 30)).bytes;
    bomb.extend(gzip_of_zeros(1200));
    fails(&[layer(bomb, GZIP)], &["ratio"]);
    let zeros = header_of("big", 4 << 30).into_iter().chain(std::iter::repeat_n(0, 1200 << 20));
    let zeros: Vec<u8> = zeros.collect();
    fails(&[layer(zstd::encode_all(zeros.as_slice(), 1).unwrap(), ZSTD)], &["ratio"]);
}

#[test]
fn what_the_manifest_says_must_be_true() {
    let mut wrong_digest = debian_layer();
    wrong_digest.digest = sha256(b"something else");
    fails(&[wrong_digest], &["digest"]);
    let mut too_small = debian_layer();
    too_small.size -= 1;
    fails(&[too_small], &["manifest says", "larger"]);
    let mut too_large = debian_layer();
    too_large.size += 1;
    fails(&[too_large], &["manifest says"]);
}

#[test]
fn cut_off_layers_fail() {
    let whole = debian_layer().bytes;
    let cut = whole[..whole.len() / 2].to_vec();
    fails(&[layer(cut, GZIP)], &["layer"]);
    fails(&[Layer::gzip(&header_of("var/lib/dpkg/status", 1 << 20))], &["layer"]);
}

#[test]
fn a_file_beyond_its_limit_is_named_as_a_gap() {
    let status = b"Package: a\nStatus: install ok installed\nVersion: 1\n".repeat(30);
    let mut layout = Layout::new();
    layout.add("hostile", &[debian_layer(), Layer::gzip(&tar(&[("var/lib/dpkg/status", &status)]))]);
    let installation = Installation::new("[scanner.limits]\nfile_bytes = 1000\n");
    let output = installation.run(&["scan", "--format", "json", &format!("oci:{}", layout.path().display())]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), document["outcome"].as_str()), (Some(0), Some("partial")));
    let warnings = document["warnings"].to_string();
    assert!(warnings.contains("var/lib/dpkg/status") && warnings.contains("file_bytes"), "{warnings}");
}

#[test]
fn a_million_entries_are_read_and_one_too_many_is_not() {
    let mut tar_of_many = Vec::with_capacity(512 << 20);
    for n in 0..1_000_000_u32 {
        tar_of_many.extend_from_slice(&header_of(&format!("d/{n}"), 0));
    }
    tar_of_many.extend_from_slice(&[0; 1024]);
    let layer = Layer::gzip(&tar_of_many);
    drop(tar_of_many);
    let (status, document, error) = scan(&[debian_layer(), layer.clone()]);
    assert_eq!((status, document["outcome"].as_str()), (Some(0), Some("complete")), "{error}");
    let mut layout = Layout::new();
    layout.add("hostile", &[layer]);
    let installation = Installation::new("[scanner.limits]\nentries = 999999\n");
    let output = installation.run(&["scan", "--format", "json", &format!("oci:{}", layout.path().display())]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("entries"), "{output:?}");
}

#[test]
fn odd_names_and_link_loops_do_no_harm() {
    let mut builder = tar::Builder::new(Vec::new());
    let link = |builder: &mut tar::Builder<Vec<u8>>, kind, path: &str, target: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, path, target).unwrap();
    };
    link(&mut builder, tar::EntryType::Symlink, "a", "b");
    link(&mut builder, tar::EntryType::Symlink, "b", "a");
    link(&mut builder, tar::EntryType::Symlink, "etc/os-release", "/etc/os-release");
    link(&mut builder, tar::EntryType::Symlink, "outside", "../../../../../../etc");
    link(&mut builder, tar::EntryType::Link, "var/lib/dpkg/status.d/x", "nowhere");
    let mut raw = builder.into_inner().unwrap();
    raw.truncate(raw.len() - 1024);
    for name in [&b"/absolute/etc/passwd"[..], b"../../escape", b"a/../../escape", b"bad\xff\xfename"] {
        let mut header = tar::Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(0);
        header.set_cksum();
        raw.extend_from_slice(header.as_bytes());
    }
    raw.extend_from_slice(&[0; 1024]);
    let (status, document, error) = scan(&[debian_layer(), Layer::gzip(&raw)]);
    assert_eq!(status, Some(0), "{error}");
    assert!(document["packages"].as_array().unwrap().len() > 70, "{}", document["outcome"]);
    assert!(!std::path::Path::new("/escape").exists() && !std::path::Path::new("../../escape").exists());
}

#[test]
fn broken_text_loses_one_record_and_not_the_scan() {
    let status = b"Package: good\nStatus: install ok installed\nVersion: 1\n\nPackage: b\xff\xfed\nStatus: install ok installed\nVersion: 2\n\n";
    let (status, document, error) = scan(&[debian_layer(), Layer::gzip(&tar(&[("var/lib/dpkg/status.d/x", status)]))]);
    assert_eq!(status, Some(0), "{error}");
    let names: Vec<_> = document["packages"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert!(names.contains(&"libc6"), "{names:?}");
}
