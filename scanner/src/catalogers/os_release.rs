//! Which distribution an image is: `etc/os-release` and `usr/lib/os-release` (os-release(5)).

use std::io::BufRead;

use super::lines::Lines;
use super::{CatalogError, Cataloger, Found, OsRelease};

/// Reads os-release files.
pub(super) struct OsReleaseFile;

impl Cataloger for OsReleaseFile {
    fn name(&self) -> &'static str {
        "os-release"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &str) -> bool {
        path == "etc/os-release" || path == "usr/lib/os-release"
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        // The id of a file that names none is `linux`.
        let mut release = OsRelease { id: "linux".to_owned(), ..OsRelease::default() };
        let mut lines = Lines::of(file);
        while let Some(line) = lines.next()? {
            let Some((key, value)) = line.text.trim().split_once('=') else { continue };
            let value = unquoted(value);
            if value.is_empty() {
                continue;
            }
            match key {
                "ID" => release.id = value,
                "ID_LIKE" => release.id_like = value.split_whitespace().map(str::to_owned).collect(),
                "VERSION_ID" => release.version_id = Some(value),
                "VERSION_CODENAME" => release.version_codename = Some(value),
                "PRETTY_NAME" => release.pretty_name = Some(value),
                "UBUNTU_CODENAME" => release.ubuntu_codename = Some(value),
                "DEBIAN_CODENAME" => release.debian_codename = Some(value),
                _ => continue,
            }
            if let Some(damage) = line.damage() {
                found.problem(format!("line {} {damage}", line.number));
            }
        }
        found.os_release = Some(release);
        Ok(())
    }
}

/// A shell word: bare, in single quotes, or in double quotes, where a backslash escapes `$`, `"`, `\` and `` ` ``.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'') {
        return inner.split('\'').next().unwrap_or_default().to_owned();
    }
    let (inner, is_quoted) = value.strip_prefix('"').map_or((value, false), |inner| (inner, true));
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' if is_quoted => break,
            '\\' => match chars.next() {
                Some(escaped) if !is_quoted || "$\"\\`".contains(escaped) => text.push(escaped),
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::catalog;

    #[test]
    fn quotes_are_those_of_a_shell() {
        for (written, meant) in [
            ("debian", "debian"),
            ("\"12\"", "12"),
            ("'a \"b\" \\c'", "a \"b\" \\c"),
            ("\"a \\\"b\\\" \\$c \\d\"", "a \"b\" $c \\d"),
            ("\"open", "open"),
            ("\"", ""),
            ("a\\ b", "a b"),
        ] {
            assert_eq!(unquoted(written), meant, "{written}");
        }
    }

    #[test]
    fn reads_what_debian_writes() {
        let found = catalog(
            &OsReleaseFile,
            b"# comment\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\nID_LIKE=\"a b\"\n",
        );
        let release = found.os_release.unwrap();
        assert_eq!(release.id, "debian");
        assert_eq!(release.id_like, ["a", "b"]);
        assert_eq!(release.version_id.as_deref(), Some("12"));
        assert_eq!(release.version_codename.as_deref(), Some("bookworm"));
        assert_eq!(release.pretty_name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    }
}
