//! Layers that mean harm, or were harmed.

use std::io::{self, Read};

use proptest::prelude::*;
use shared::shutdown::Shutdown;
use tar::EntryType;

use crate::image::LayerDescriptor;
use crate::image::decompress::LayerError;
use crate::image::layer::{LayerContents, LayerReader};
use crate::image::limits::Limits;
use crate::image::testing::{LINES, Tar, describe, gzip, read_blob, zstd};

fn read(blob: &[u8], limits: &Limits) -> Result<LayerContents, LayerError> {
    read_blob(blob, &describe(blob), LINES, limits)
}

fn limit_named(result: Result<LayerContents, LayerError>) -> &'static str {
    match result {
        Err(LayerError::Limit(exceeded)) => exceeded.limit,
        other => panic!("not stopped by a limit: {other:?}"),
    }
}

#[test]
fn bombs_end_at_a_limit() {
    let zeros = Tar::new().file("zeros", &"\0".repeat(4 << 20)).end();
    let many_members: Vec<u8> = gzip(&zeros[..1 << 20]).repeat(8);
    let limits = Limits { unpacked_bytes: 1 << 20, ..Limits::default() };
    for bomb in [gzip(&zeros), zstd(&zeros), many_members] {
        assert_eq!(limit_named(read(&bomb, &limits)), "unpacked_bytes");
    }
}

#[test]
fn a_ratio_beyond_the_limit_counts_once_the_layer_is_large() {
    let zeros = gzip(&Tar::new().file("zeros", &"\0".repeat(4 << 20)).end());
    let limits = Limits { ratio: 100, ratio_floor: 1 << 20, ..Limits::default() };
    assert_eq!(limit_named(read(&zeros, &limits)), "ratio");
    assert!(read(&zeros, &Limits { ratio: 2000, ..limits.clone() }).is_ok());
    assert!(read(&zeros, &Limits { ratio_floor: 8 << 20, ..limits }).is_ok());
}

#[test]
fn a_file_that_is_too_large_is_a_gap_with_the_limit_named() {
    let limits = Limits { file_bytes: 5, ..Limits::default() };
    let contents = read(&Tar::new().file("b/status", "b 2\nc 3\n").file("a/status", "a 1\n").end(), &limits).unwrap();
    let [(path, why)] = &contents.problems[..] else { panic!("{:?}", contents.problems) };
    assert_eq!(path, "b/status");
    assert!(why.contains("8 bytes") && why.contains("scanner.limits.file_bytes = 5"), "{why}");
    assert_eq!(contents.files.len(), 1);
}

#[test]
fn every_count_and_length_is_bounded() {
    let limits = Limits {
        entries: 3,
        files: 1,
        packages: 2,
        path_bytes: 60,
        path_depth: 3,
        name_bytes: 50,
        header_bytes: 100,
        layer_bytes: 8192,
        ..Limits::default()
    };
    let name = "n".repeat(55);
    for (limit, tar) in [
        ("entries", Tar::new().dir("a").dir("b").dir("c").dir("d")),
        ("files", Tar::new().file("a/status", "").file("b/status", "")),
        ("packages", Tar::new().file("a/status", "a 1\nb 2\nc 3\n")),
        ("path_bytes", Tar::new().file(&"p".repeat(61), "")),
        ("path_bytes", Tar::new().symlink("a", &"p".repeat(61))),
        ("path_depth", Tar::new().file("a/b/c/d", "")),
        ("name_bytes", Tar::new().file(&format!(".wh.{name}"), "")),
        ("header_bytes", Tar::new().pax(&[("comment", &"c".repeat(101))]).file("a", "")),
        ("header_bytes", Tar::new().header(EntryType::GNULongName, b"", b"", 1 << 40)),
        ("layer_bytes", Tar::new().file("large", &"l".repeat(9000))),
    ] {
        assert_eq!(limit_named(read(&tar.end(), &limits)), limit);
    }
    let links = Tar::new().symlink("a", &name).dir("b").end();
    let contents = read(&links, &limits).unwrap();
    assert!(contents.links.is_empty());
    assert!(contents.problems[0].1.contains("1 more symbolic links"), "{:?}", contents.problems);
}

#[test]
fn paths_that_lead_out_are_left_out_and_absolute_ones_are_taken_from_the_root() {
    let tar = Tar::new()
        .file("../etc/status", "evil 1\n")
        .file("a/../../status", "evil 1\n")
        .file("/abs/status", "good 1\n")
        .entry(EntryType::Regular, b"caf\xe9/status", b"", b"good 2\n")
        .hardlink("h/status", "../../etc/status");
    let contents = read(&tar.end(), &Limits::default()).unwrap();
    let paths: Vec<&str> = contents.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["abs/status", "caf\u{fffd}/status"]);
    assert_eq!(contents.problems.len(), 3);
}

#[test]
fn other_bytes_than_the_manifest_names_are_refused() {
    let good = gzip(&Tar::new().file("status", "a 1\n").end());
    let layer = describe(&good);
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut garbled = good.clone();
    garbled[20] ^= 0xff;
    let longer = [good.as_slice(), b"x"].concat();
    for (bytes, says) in [
        (flipped.as_slice(), "its digest is sha256:"),
        (&garbled, "its digest is sha256:"),
        (&good[..good.len() - 9], "bytes and not"),
        (&longer, "it is larger than"),
        (b"", "it has 0 bytes and not"),
    ] {
        match read_blob(bytes, &layer, LINES, &Limits::default()) {
            Err(LayerError::Mismatch { layer: name, why }) => {
                assert!(why.contains(says), "{why}");
                assert_eq!(name, format!("layer {}", layer.digest));
            }
            other => panic!("{says}: {other:?}"),
        }
    }
}

#[test]
fn sha512_is_compared_like_sha256() {
    use sha2::Digest as _;
    let blob = Tar::new().file("status", "a 1\n").end();
    let of = |bytes: &[u8]| format!("sha512:{}", hex::encode(sha2::Sha512::digest(bytes))).parse().unwrap();
    let layer = LayerDescriptor { digest: of(&blob), ..describe(&blob) };
    assert_eq!(read_blob(&blob, &layer, LINES, &Limits::default()).unwrap().files.len(), 1);
    let layer = LayerDescriptor { digest: of(b"other"), ..describe(&blob) };
    assert!(matches!(read_blob(&blob, &layer, LINES, &Limits::default()), Err(LayerError::Mismatch { .. })));
}

#[test]
fn layers_that_were_cut_before_they_were_named_are_damaged() {
    let tar = Tar::new().file("status", &"a 1\n".repeat(1000)).end();
    let packed = gzip(&tar);
    let packed_zstd = zstd(&tar);
    for blob in [
        &tar[..1000],
        &packed[..packed.len() / 2],
        &packed_zstd[..packed_zstd.len() - 8],
        &[tar.as_slice(), &tar].concat()[1..],
    ] {
        assert!(matches!(read(blob, &Limits::default()), Err(LayerError::Damaged { .. })));
    }
}

#[test]
fn what_follows_the_end_of_the_archive_is_verified_and_not_read() {
    let hidden = Tar::new().file("hidden/status", "evil 1\n").end();
    let tar = [Tar::new().file("status", "a 1\n").end(), hidden].concat();
    for blob in [tar.clone(), gzip(&tar), [gzip(&tar).as_slice(), b"garbage"].concat()] {
        assert_eq!(read(&blob, &Limits::default()).unwrap().files.len(), 1);
    }
}

#[test]
fn a_source_that_fails_and_a_scan_that_stops_are_told_from_damage() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read(into)? {
                0 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset")),
                read => Ok(read),
            }
        }
    }
    let blob = gzip(&Tar::new().file("status", "a 1\n").end());
    let layer = describe(&blob);
    let stop = Shutdown::new();
    let reader = LayerReader { layer: &layer, catalogers: LINES, limits: &Limits::default(), stop: &stop };
    let cut = reader.read(Failing(&blob[..blob.len() / 2]));
    assert!(matches!(cut, Err(LayerError::Interrupted { why, .. }) if why == "connection reset"));
    stop.cancel();
    assert_eq!(reader.read(blob.as_slice()).unwrap_err(), LayerError::Stopped);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        for blob in [bytes.clone(), gzip(&bytes), zstd(&bytes), [&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat()] {
            let _ = read(&blob, &Limits::default());
        }
    }

    #[test]
    fn damaged_archives_never_panic(damage in proptest::collection::vec((0usize..5000, any::<u8>()), 1..6)) {
        let mut blob = Tar::new()
            .pax(&[("path", "x/status"), ("size", "4")])
            .file("x", "a 1\n")
            .entry(EntryType::GNULongName, b"", b"", b"long/status")
            .file("l", "b 2\n")
            .symlink("s/status", "../l")
            .hardlink("h/status", "l")
            .end();
        for (position, byte) in damage {
            let position = position % blob.len();
            blob[position] = byte;
            let block = position / 512 * 512;
            // Some damage passes as well-formed.
            if byte % 2 == 0 {
                let mut header = tar::Header::from_byte_slice(&blob[block..block + 512]).clone();
                header.set_cksum();
                blob[block..block + 512].copy_from_slice(header.as_bytes());
            }
        }
        let _ = read(&blob, &Limits::default());
    }
}
