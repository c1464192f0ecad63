//! Programs and libraries that tell their version in a string, where nothing else does: built from source, or copied from
//! another image. The name of the file says what to look for.
//!
//! Those that Bitnami's advisories in OSV are about, by upstream's versions, are listed as Bitnami's. The others are of no
//! ecosystem: nobody publishes advisories that could be matched.

mod redis;
mod search;

use std::io::{self, Read, Seek};

use shared::package::Evidence;

use self::search::search;
use super::elf::Elf;
use super::file_name;
use crate::catalogers::{CatalogError, Found, FoundPackage};

/// A program, and how it tells its version.
struct Known {
    /// Type in package URLs.
    kind: &'static str,
    name: &'static str,
    /// What its files are called: a whole name; a beginning, if it ends in `*`; a shared library, if it ends in `.so`.
    files: &'static [&'static str],
    tells: Tells,
}

/// How a program tells its version.
enum Tells {
    /// Between one of `before` and one of `after`, in at least so many numbers.
    Between { before: &'static [&'static str], after: &'static [&'static str], numbers: usize },
    /// The same, and the version begins with the number in the name of the file: `3.11` of `python3.11`.
    AsNamed { before: &'static [&'static str], after: &'static [&'static str] },
    /// As Redis does.
    Redis,
}

const KNOWN: &[Known] = &[
    bitnami("apache", &["apache2", "httpd"], between(&["Apache/"], &["\0", " "])),
    generic("busybox", &["busybox"], between(&["BusyBox v"], &["\0", " "])),
    bitnami("haproxy", &["haproxy"], between(&[" version "], &[", released "])),
    bitnami("memcached", &["memcached"], between(&["memcached "], &["\0", "\n"])),
    bitnami("nginx", &["nginx", "nginx-debug"], between(&["nginx version: nginx/"], &["\0", "\n", " "])),
    bitnami("node", &["libnode.so", "node", "nodejs"], between(&["node.js/v"], &["\0"])),
    // BoringSSL names it too, but no day.
    generic("openssl", &["libcrypto.so", "libssl.so", "openssl"], between(&["OpenSSL "], DAYS)),
    bitnami("php", &["libphp*", "php*"], between(&["X-Powered-By: PHP/"], &["\0"])),
    bitnami(
        "postgresql",
        &["postgres"],
        Tells::Between { before: &["postgres (PostgreSQL) "], after: &["\n", " "], numbers: 2 },
    ),
    // Linkers merge it with the end of a path.
    bitnami("python", &["libpython*", "python*"], Tells::AsNamed { before: &["\0", "/"], after: &["\0"] }),
    bitnami("redis", &["redis-check-rdb", "redis-server"], Tells::Redis),
];

const DAYS: &[&str] = &["  ", " 1", " 2", " 3", " 4", " 5", " 6", " 7", " 8", " 9"];

const fn generic(name: &'static str, files: &'static [&'static str], tells: Tells) -> Known {
    Known { kind: "generic", name, files, tells }
}

const fn bitnami(name: &'static str, files: &'static [&'static str], tells: Tells) -> Known {
    Known { kind: "bitnami", name, files, tells }
}

const fn between(before: &'static [&'static str], after: &'static [&'static str]) -> Tells {
    Tells::Between { before, after, numbers: 3 }
}

/// Whether the file is, by its name, a shared library that tells its version.
pub(super) fn is_library(name: &str) -> bool {
    name.starts_with("lib") && name.contains(".so") && known(name).is_some()
}

pub(super) fn catalog(path: &str, elf: &mut Elf<impl Read + Seek>, found: &mut Found) -> Result<(), CatalogError> {
    let name = file_name(path);
    let Some(Known { kind, name: package, tells, .. }) = known(name) else { return Ok(()) };
    let Some(version) = tells.version(elf.whole()?, name)? else { return Ok(()) };
    found.package(FoundPackage {
        kind: (*kind).to_owned(),
        name: (*package).to_owned(),
        version,
        evidence: Evidence::VersionString,
        ..FoundPackage::default()
    })
}

fn known(name: &str) -> Option<&'static Known> {
    let is_called = |pattern: &&str| match (pattern.strip_suffix('*'), name.strip_prefix(*pattern)) {
        (Some(beginning), _) => name.starts_with(beginning),
        (None, Some(rest)) => rest.is_empty() || pattern.ends_with(".so") && rest.starts_with('.'),
        (None, None) => false,
    };
    KNOWN.iter().find(|known| known.files.iter().any(is_called))
}

impl Tells {
    fn version(&self, file: &mut (impl Read + Seek), name: &str) -> io::Result<Option<String>> {
        match self {
            Self::Between { before, after, numbers } => version_between(file, before, after, *numbers, ""),
            Self::AsNamed { before, after } => match release_in(name) {
                Some(release) => version_between(file, before, after, 3, &format!("{release}.")),
                None => Ok(None),
            },
            Self::Redis => redis::version(file),
        }
    }
}

/// The first version that begins with `release` and stands between `before` and `after`.
fn version_between(
    file: &mut impl Read,
    before: &[&str],
    after: &[&str],
    numbers: usize,
    release: &str,
) -> io::Result<Option<String>> {
    let needles: Vec<String> = before.iter().map(|before| format!("{before}{release}")).collect();
    search(file, &needles, |rest| {
        let token = format!("{release}{}", token(rest));
        let follows = &rest[token.len() - release.len()..];
        let is_followed = after.iter().any(|after| follows.starts_with(after.as_bytes()));
        (is_followed && numbers_of(&token) >= numbers).then(|| of_upstream(&token).to_owned())
    })
}

/// What could be a version, from its beginning.
fn token(text: &[u8]) -> &str {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".+~-".contains(byte);
    let end = text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len());
    str::from_utf8(&text[..end]).unwrap_or_default()
}

/// How many numbers a version begins with.
fn numbers_of(version: &str) -> usize {
    let is_number = |part: &&str| part.starts_with(|first: char| first.is_ascii_digit());
    version.split('.').take_while(is_number).count()
}

/// The version without what distributions and builders add: `2.6.12` of `2.6.12-1+deb12u4`, `1.0.2k` of `1.0.2k-fips`.
fn of_upstream(token: &str) -> &str {
    const PRE_RELEASES: [&str; 6] = ["alpha", "beta", "dev", "nightly", "pre", "rc"];
    let end = token.find(['+', '~']).unwrap_or(token.len());
    match token[..end].split_once('-') {
        Some((version, rest)) if !PRE_RELEASES.iter().any(|pre_release| rest.starts_with(pre_release)) => version,
        _ => &token[..end],
    }
}

/// `3.11` of `python3.11` and `libpython3.11.so.1.0`.
fn release_in(name: &str) -> Option<&str> {
    let release = &name[name.find(|character: char| character.is_ascii_digit())?..];
    let (major, rest) = release.split_once('.')?;
    let minor = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let is_number = !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit()) && minor > 0;
    is_number.then(|| &release[..=major.len() + minor])
}

#[cfg(test)]
mod tests;
