//! Paths inside an image: relative to its root, parts separated by single slashes, without `.` and `..`.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

/// Symbolic links that are followed for one path, as in Linux (path_resolution(7)).
const MAX_HOPS: usize = 40;

/// The path as written in an archive, normalized; `None` if it climbs with `..` or holds a NUL byte.
/// The root itself is the empty path. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn normalize(written: &[u8]) -> Option<String> {
    let mut path = String::with_capacity(written.len());
    for part in written.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return None,
            part if part.contains(&0) => return None,
            _ if !path.is_empty() => path.push('/'),
            _ => {}
        }
        path.push_str(&String::from_utf8_lossy(part));
    }
    Some(path)
}

/// The directory that `path` is in: `""` for the root.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What stands for a path in [`LayerContents::occupied`](super::layer::LayerContents::occupied).
pub(crate) fn fingerprint(path: &str) -> u64 {
    xxh3_64(path.as_bytes())
}

/// Every directory above `path`, nearest first, without the root.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(parent(path))).skip(1).take_while(|path| !path.is_empty())
}

/// `path` with every symbolic link in its directories followed; a link at its end stays.
/// `None` for loops, and for more than [`MAX_HOPS`] links.
pub(crate) fn resolve_parent(links: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let Some((parent, name)) = path.rsplit_once('/') else { return Some(path.to_owned()) };
    let parent = resolve(links, parent)?;
    Some(if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") })
}

/// `path` with every symbolic link followed. Targets that climb above the root stay at the root, as in a container.
pub(crate) fn resolve(links: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let mut resolved = String::with_capacity(path.len());
    let mut pending: Vec<&str> = path.rsplit('/').collect();
    let mut hops = 0;
    while let Some(part) = pending.pop() {
        match part {
            "" | "." => continue,
            ".." => {
                resolved.truncate(parent(&resolved).len());
                continue;
            }
            _ => {}
        }
        let above = resolved.len();
        if above > 0 {
            resolved.push('/');
        }
        resolved.push_str(part);
        if let Some(target) = links.get(&resolved) {
            hops += 1;
            if hops > MAX_HOPS {
                return None;
            }
            resolved.truncate(if target.starts_with('/') { 0 } else { above });
            pending.extend(target.rsplit('/'));
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(path, target)| ((*path).to_owned(), (*target).to_owned())).collect()
    }

    #[test]
    fn written_paths_are_normalized_and_climbing_ones_refused() {
        for (written, path) in [("./a//b/", "a/b"), ("/etc/passwd", "etc/passwd"), ("./", ""), ("a/./b", "a/b")] {
            assert_eq!(normalize(written.as_bytes()).as_deref(), Some(path), "{written}");
        }
        for bad in ["../a", "a/../b", "a/..", "a\0b"] {
            assert_eq!(normalize(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(normalize(b"caf\xe9/x").as_deref(), Some("caf\u{fffd}/x"));
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a/b", "a"]);
    }

    #[test]
    fn links_are_followed_within_the_root_and_not_for_ever() {
        let links = links(&[
            ("lib", "usr/lib"),
            ("usr/lib/up", "../.."),
            ("abs", "/usr/./lib/"),
            ("out", "../../../etc"),
            ("loop", "pool"),
            ("pool", "loop"),
            ("self", "self/x"),
        ]);
        for (path, resolved) in [
            ("lib/apk/db/installed", Some("usr/lib/apk/db/installed")),
            ("abs/up/lib/x", Some("usr/lib/x")),
            ("out/passwd", Some("etc/passwd")),
            ("loop/x", None),
            ("self", None),
        ] {
            assert_eq!(resolve(&links, path).as_deref(), resolved, "{path}");
        }
        assert_eq!(resolve_parent(&links, "lib/up").as_deref(), Some("usr/lib/up"));
        assert_eq!(resolve_parent(&links, "lib").as_deref(), Some("lib"));
    }
}
