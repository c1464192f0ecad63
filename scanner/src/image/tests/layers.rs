//! What one pass finds in one layer.

use tar::EntryType;

use crate::image::layer::LayerContents;
use crate::image::limits::Limits;
use crate::image::testing::{LINES, Lines, Sizes, Tar, contents, describe, gzip, read_blob, zstd};

fn found(contents: &LayerContents) -> Vec<(&str, Vec<&str>)> {
    contents
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.found.packages.iter().map(|p| p.name.as_str()).collect()))
        .collect()
}

#[test]
fn every_compression_gives_the_same() {
    let tar = Tar::new().dir("./var/").file("./var/status", "a 1\nb 2\n").file("other", "x").end();
    let two_members = [gzip(&tar[..700]), gzip(&tar[700..])].concat();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2], zstd(&tar).as_slice()].concat();
    for blob in [tar.clone(), gzip(&tar), two_members, zstd(&tar), skippable] {
        let contents = read_blob(&blob, &describe(&blob), LINES, &Limits::default()).unwrap();
        assert_eq!(found(&contents), [("var/status", vec!["a", "b"])]);
        assert_eq!((contents.occupied.len(), contents.directories.len()), (2, 1));
        assert!(contents.problems.is_empty());
    }
}

#[test]
fn a_file_that_several_catalogers_want_reaches_each_of_them() {
    let blob = Tar::new().file("status", "a 1\n").end();
    let contents = read_blob(&blob, &describe(&blob), &[&Lines, &Sizes], &Limits::default()).unwrap();
    assert_eq!(found(&contents), [("status", vec!["a"]), ("status", vec!["4"])]);
}

#[test]
fn an_unreadable_file_is_a_problem_of_that_file_and_the_rest_is_read() {
    let contents = contents(Tar::new().file("a/status", "a 1\nbroken\nc 3").file("b/status", "b 2\n"));
    assert_eq!(found(&contents), [("a/status", vec!["a"]), ("b/status", vec!["b"])]);
    assert_eq!(contents.files[0].found.problems, ["line 1: no version"]);
}

#[test]
fn hard_links_have_the_contents_of_their_target_wherever_it_was_read() {
    let contents = contents(
        Tar::new()
            .file("read/status", "a 1\n")
            .file("unread", "b 2\n")
            .hardlink("one/status", "./read/status")
            .hardlink("two/status", "unread")
            .hardlink("three/status", "elsewhere")
            .hardlink("unwanted", "unread"),
    );
    assert_eq!(found(&contents), [("read/status", vec!["a"]), ("one/status", vec!["a"]), ("two/status", vec!["b"])]);
    assert_eq!(contents.links, [("three/status".to_owned(), "/elsewhere".to_owned())]);
}

#[test]
fn links_that_can_matter_are_kept() {
    let contents = contents(
        Tar::new()
            .file("usr/lib/libz.so.1.2", "")
            .symlink("usr/lib/libz.so.1", "libz.so.1.2")
            .symlink("usr/lib/libz.so", "/usr/lib/libz.so.1.2")
            .symlink("lib", "usr/lib")
            .symlink("etc/status", "../usr/lib/libz.so.1.2"),
    );
    let kept: Vec<&str> = contents.links.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(kept, ["lib", "etc/status"]);
}

#[test]
fn whiteouts_are_told_from_files() {
    let contents = contents(
        Tar::new().file("a/.wh.status", "").file("b/.wh..wh..opq", "").file(".wh..wh.plnk/1.2", "").file(".wh.", ""),
    );
    assert_eq!((contents.removed, contents.opaque), (vec!["a/status".to_owned()], vec!["b".to_owned()]));
    assert_eq!(contents.problems.len(), 1);
    assert!(contents.occupied.is_empty());
}

#[test]
fn long_names_reach_their_entry_in_every_dialect() {
    let long = format!("{}/status", "d".repeat(200));
    let target = format!("{}/x", "t".repeat(150));
    let with_nul = |text: &str| [text.as_bytes(), b"\0"].concat();
    let gnu = Tar::new()
        .entry(EntryType::GNULongName, b"././@LongLink", b"", &with_nul(&long))
        .file("short", "a 1\n")
        .entry(EntryType::GNULongLink, b"././@LongLink", b"", &with_nul(&target))
        .symlink("l/status", "short");
    let pax = Tar::new()
        .pax(&[("comment", "a\nb=c"), ("path", &long), ("size", "4")])
        .header(EntryType::Regular, b"short", b"", 0)
        .content(b"a 1\n")
        .pax(&[("linkpath", &target)])
        .symlink("l/status", "short");
    for tar in [gnu, pax] {
        let contents = contents(tar);
        assert_eq!(found(&contents), [(long.as_str(), vec!["a"])]);
        assert_eq!(contents.links, [("l/status".to_owned(), target.clone())]);
    }
}

#[test]
fn odd_entries_do_no_harm() {
    let global = b"20 path=evil/status\n";
    let contents = contents(
        Tar::new()
            .entry(EntryType::XGlobalHeader, b"pax_global_header", b"", global)
            .entry(EntryType::Char, b"dev/status", b"", b"")
            .header(EntryType::Fifo, b"run/status", b"", 4096)
            .header(EntryType::Directory, b"d/status", b"", 4096)
            .entry(EntryType::new(b'Z'), b"what/status", b"", b"a 1\n")
            .entry(EntryType::Regular, b"v7-directory/status/", b"", b"")
            .entry(EntryType::GNUSparse, b"sparse/status", b"", b"xxxx")
            .file("good/status", "b 2\n"),
    );
    assert_eq!(found(&contents), [("good/status", vec!["b"])]);
    assert_eq!(contents.problems.len(), 1);
    assert_eq!((contents.occupied.len(), contents.directories.len()), (5, 2));
}
