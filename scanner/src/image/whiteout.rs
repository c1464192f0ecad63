//! How a layer says that something of the layers below is gone (OCI image specification 1.1, "Whiteouts").

use super::path::parent;

/// What the name of an entry means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// An entry like any other.
    Plain,
    /// `.wh.NAME`: whatever lower layers have at this path is gone.
    Removed(String),
    /// `.wh..wh..opq`: whatever lower layers have below this directory is gone.
    Opaque(String),
    /// `.wh..wh.…`: bookkeeping of the aufs driver, not part of the image.
    Bookkeeping,
    /// A whiteout of nothing: `.wh.`, `.wh..`, `.wh...`.
    Odd,
}

/// Reads a normalized path.
pub(crate) fn read(path: &str) -> Name {
    let directory = parent(path);
    if path.split('/').any(|part| part.starts_with(".wh..wh.") && part != ".wh..wh..opq") {
        return Name::Bookkeeping;
    }
    match path[directory.len()..].trim_start_matches('/').strip_prefix(".wh.") {
        None => Name::Plain,
        Some(".wh..opq") => Name::Opaque(directory.to_owned()),
        Some("" | "." | "..") => Name::Odd,
        Some(name) if directory.is_empty() => Name::Removed(name.to_owned()),
        Some(name) => Name::Removed(format!("{directory}/{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_the_specification_says() {
        for (path, name) in [
            ("a/b", Name::Plain),
            ("a/.whx", Name::Plain),
            ("a/.wh.b", Name::Removed("a/b".into())),
            (".wh.b", Name::Removed("b".into())),
            ("a/b/.wh..wh..opq", Name::Opaque("a/b".into())),
            (".wh..wh..opq", Name::Opaque(String::new())),
            (".wh..wh.plnk/12.3", Name::Bookkeeping),
            (".wh..wh.aufs", Name::Bookkeeping),
            ("a/.wh.", Name::Odd),
            ("a/.wh...", Name::Odd),
        ] {
            assert_eq!(read(path), name, "{path}");
        }
    }
}
