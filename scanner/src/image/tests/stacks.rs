//! What several layers show together.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use shared::image::Digest;

use crate::image::squash::{Layer, Problem, Squashed, squash};
use crate::image::testing::{LINES, Tar, contents};

fn layer_digest(index: usize) -> Digest {
    Digest::sha256_of(&[index as u8])
}

fn stack(tars: Vec<Tar>) -> Squashed {
    let layers: Vec<Layer> = tars
        .into_iter()
        .enumerate()
        .map(|(index, tar)| Layer { digest: Some(layer_digest(index)), contents: Arc::new(contents(tar)) })
        .collect();
    squash(&layers, LINES)
}

/// (path, package, version, index of its layer)
fn shown(squashed: &Squashed) -> Vec<(String, String, usize)> {
    let index = |digest: &Digest| (0..100).find(|index| layer_digest(*index) == *digest).unwrap();
    squashed
        .packages
        .iter()
        .map(|one| {
            let package = format!("{} {}", one.package.name, one.package.version);
            (one.path.clone(), package, index(one.layer.as_ref().unwrap()))
        })
        .collect()
}

#[track_caller]
fn check(tars: Vec<Tar>, expected: &[(&str, &str, usize)]) {
    let squashed = stack(tars);
    let shown = shown(&squashed);
    let shown: Vec<(&str, &str, usize)> = shown.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), *c)).collect();
    assert_eq!(shown, expected);
}

fn base() -> Tar {
    Tar::new().dir("d").file("d/status", "a 1\n").file("d/e/status", "b 1\n").file("status", "c 1\n")
}

#[test]
fn whiteouts_remove_from_below_only() {
    check(vec![base(), Tar::new().file("d/.wh.status", "")], &[("d/e/status", "b 1", 0), ("status", "c 1", 0)]);
    check(vec![base(), Tar::new().file(".wh.d", "")], &[("status", "c 1", 0)]);
    let again = Tar::new().file("d/status", "a 2\n").file(".wh.d", "").file("nowhere/.wh.nothing", "");
    check(vec![base(), again], &[("d/status", "a 2", 1), ("status", "c 1", 0)]);
    check(
        vec![base(), Tar::new().file(".wh.d", ""), base()],
        &[("d/e/status", "b 1", 2), ("d/status", "a 1", 2), ("status", "c 1", 0)],
    );
    // `d.x` is no part of `d`.
    check(vec![Tar::new().file("d.x/status", "a 1\n"), Tar::new().file(".wh.d", "")], &[("d.x/status", "a 1", 0)]);
}

#[test]
fn opaque_directories_hide_what_is_below_them_in_lower_layers() {
    let opaque = Tar::new().file("d/new/status", "n 1\n").file("d/.wh..wh..opq", "");
    check(vec![base(), opaque], &[("d/new/status", "n 1", 1), ("status", "c 1", 0)]);
    check(vec![base(), Tar::new().file(".wh..wh..opq", "").file("x/status", "x 1\n")], &[("x/status", "x 1", 1)]);
}

#[test]
fn what_takes_a_place_removes_what_was_there() {
    check(vec![base(), Tar::new().file("d", "now a file")], &[("status", "c 1", 0)]);
    check(vec![base(), Tar::new().symlink("d", "elsewhere")], &[("status", "c 1", 0)]);
    check(vec![base(), Tar::new().dir("d/status")], &[("d/e/status", "b 1", 0), ("status", "c 1", 0)]);
    check(
        vec![base(), Tar::new().dir("d").dir("d/e")],
        &[("d/e/status", "b 1", 0), ("d/status", "a 1", 0), ("status", "c 1", 0)],
    );
}

#[test]
fn a_package_belongs_to_the_layer_since_which_it_is_there() {
    let path = "var/lib/dpkg/status";
    let layers = |tops: &[&str]| tops.iter().map(|content| Tar::new().file(path, content)).collect::<Vec<_>>();
    check(
        layers(&["libc6 1\n", "libc6 1\ncurl 7\n", "libc6 1\ncurl 8\n"]),
        &[(path, "libc6 1", 0), (path, "curl 8", 2)],
    );
    // Removed in between, so it came back with the last layer.
    check(layers(&["libc6 1\nvim 9\n", "libc6 1\n", "vim 9\nlibc6 1\n"]), &[(path, "vim 9", 2), (path, "libc6 1", 0)]);
    // Rewritten in the layer that removes the old file.
    let rewritten = Tar::new().file("var/lib/.wh.dpkg", "").file(path, "libc6 1\n");
    check(vec![Tar::new().file(path, "libc6 1\n"), rewritten], &[(path, "libc6 1", 0)]);
}

#[test]
fn files_written_through_links_land_where_the_links_lead() {
    let below = || Tar::new().symlink("lib", "usr/lib").file("usr/lib/apk/status", "musl 1\n");
    let through = Tar::new().file("lib/apk/status", "musl 1\ncurl 8\n");
    check(vec![below(), through], &[("usr/lib/apk/status", "musl 1", 0), ("usr/lib/apk/status", "curl 8", 1)]);
    check(vec![below(), Tar::new().file("lib/apk/.wh.status", "")], &[]);
    check(vec![below(), Tar::new().file("lib/apk/.wh..wh..opq", "")], &[]);
    // A directory takes the place of the link.
    let directory = Tar::new().dir("lib").file("lib/apk/status", "curl 8\n");
    check(vec![below(), directory], &[("lib/apk/status", "curl 8", 1), ("usr/lib/apk/status", "musl 1", 0)]);
    // Loops and links out of the image lead nowhere, or to the root.
    let odd = Tar::new().symlink("x", "y").symlink("y", "x").symlink("out", "../../etc");
    check(vec![odd, Tar::new().file("x/status", "a 1\n").file("out/status", "b 1\n")], &[("etc/status", "b 1", 1)]);
}

#[test]
fn a_wanted_link_to_a_file_that_nobody_read_is_a_problem() {
    let squashed = stack(vec![
        Tar::new().file("opt/database", "a 1\n").file("good/status", "b 1\n"),
        Tar::new()
            .symlink("x/status", "/opt/database")
            .symlink("y/status", "../good/status")
            .symlink("z/status", "gone"),
    ]);
    let why = "it is a link to opt/database, which was not read".to_owned();
    let expected = Problem { path: "x/status".to_owned(), why, layer: None };
    assert_eq!(squashed.problems, [expected]);
}

#[test]
fn problems_of_hidden_files_are_hidden_with_them() {
    let broken = Tar::new().file("status", "broken\n");
    assert_eq!(stack(vec![broken.clone()]).problems.len(), 1);
    assert!(stack(vec![broken, Tar::new().file(".wh.status", "")]).problems.is_empty());
}

/// A file system, simply.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Directory,
    File(&'static str),
    Symlink(&'static str),
}

type Tree = BTreeMap<String, Node>;

fn tree() -> impl Strategy<Value = Tree> {
    let name = prop::sample::select(vec!["a", "b", "status"]);
    let path = prop::collection::vec(name, 1..4).prop_map(|parts| parts.join("/"));
    let node = prop_oneof![
        2 => Just(Node::Directory),
        6 => prop::sample::select(vec!["p 1\n", "p 2\n", "p 1\nq 1\n", ""]).prop_map(Node::File),
        1 => prop::sample::select(vec!["a", "/b", "../b"]).prop_map(Node::Symlink),
    ];
    prop::collection::vec((path, node), 0..14).prop_map(|nodes| {
        let mut tree = Tree::new();
        for (path, node) in nodes {
            let above: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
            let fits = above.iter().all(|above| tree.get(*above).is_none_or(|node| *node == Node::Directory));
            if fits && !tree.contains_key(&path) {
                tree.extend(above.iter().map(|above| ((*above).to_owned(), Node::Directory)));
                tree.insert(path, node);
            }
        }
        tree
    })
}

/// The layer that makes `next` of `before`, as image builders write it. Directories that are there before and after are
/// made opaque where `opaque` says so.
fn difference(before: &Tree, next: &Tree, opaque: bool) -> Tar {
    let is_directory = |tree: &Tree, path: &str| path.is_empty() || tree.get(path) == Some(&Node::Directory);
    let parent = |path: &str| path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
    let is_opaque = |path: &str| opaque && !path.is_empty() && is_directory(before, path) && is_directory(next, path);
    let mut tar = Tar::new();
    for (path, node) in next {
        let hidden = path.match_indices('/').any(|(at, _)| is_opaque(&path[..at]));
        match node {
            Node::Directory => tar = tar.dir(path),
            _ if before.get(path) == Some(node) && !hidden => continue,
            Node::File(content) => tar = tar.file(path, content),
            Node::Symlink(target) => tar = tar.symlink(path, target),
        }
        if is_opaque(path) {
            tar = tar.file(&format!("{path}/.wh..wh..opq"), "");
        }
    }
    for path in before.keys().filter(|path| !next.contains_key(*path)) {
        let above = parent(path);
        if is_directory(next, &above) && is_directory(before, &above) && !is_opaque(&above) {
            let name = path.rsplit('/').next().unwrap_or(path);
            tar = tar.file(format!("{above}/.wh.{name}").trim_start_matches('/'), "");
        }
    }
    tar
}

/// What the last of `trees` shows, found without layers.
fn model(trees: &[Tree]) -> Vec<(String, String, usize)> {
    let has = |tree: &Tree, path: &str, package: &str| match tree.get(path) {
        Some(Node::File(content)) => content.lines().any(|line| line == package),
        _ => false,
    };
    let mut shown = Vec::new();
    for (path, node) in trees.last().unwrap() {
        let Node::File(content) = node else { continue };
        if path.rsplit('/').next() != Some("status") {
            continue;
        }
        for package in content.lines() {
            let since = trees.iter().rposition(|tree| !has(tree, path, package)).map_or(0, |missing| missing + 1);
            shown.push((path.clone(), package.to_owned(), since));
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn stacks_show_what_a_file_system_would(trees in prop::collection::vec((tree(), any::<bool>()), 1..6)) {
        let mut before = Tree::new();
        let mut tars = Vec::new();
        for (next, opaque) in &trees {
            tars.push(difference(&before, next, *opaque));
            before.clone_from(next);
        }
        let trees: Vec<Tree> = trees.into_iter().map(|(tree, _)| tree).collect();
        prop_assert_eq!(shown(&stack(tars)), model(&trees));
    }
}
