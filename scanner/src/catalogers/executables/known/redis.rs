//! Redis tells its version in no sentence, and beside it stand the versions since which there are its commands. But its
//! build id begins with it (`redisBuildIdRaw` in its `release.c`): version, host and time of the build, whether the source
//! was changed, and its commit, without anything between them: `7.0.15builder-1790282056000000000`.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};
use std::slice;

use super::search::search;
use super::{numbers_of, token};

/// Versions that are tried. A real one has some thirty.
const VERSION_LIMIT: usize = 200;

/// Hexadecimal digits of a commit.
const COMMIT: usize = 8;

pub(super) fn version(file: &mut (impl Read + Seek)) -> io::Result<Option<String>> {
    let mut versions: Vec<String> = versions(file)?.into_iter().collect();
    // The id of `7.0.15` begins with `7.0.1` as well.
    versions.sort_by_key(|version| std::cmp::Reverse(version.len()));
    for version in versions {
        file.rewind()?;
        let is_in_id = search(file, slice::from_ref(&version), |rest| is_rest_of_build_id(rest).then_some(()))?;
        if is_in_id.is_some() {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// Texts that are nothing but a version.
fn versions(file: &mut impl Read) -> io::Result<BTreeSet<String>> {
    let mut versions = BTreeSet::new();
    search(file, &["\0".to_owned()], |rest| {
        let version = token(rest);
        let is_version = numbers_of(version) == 3 && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if is_version && rest.get(version.len()) == Some(&0) {
            versions.insert(version.to_owned());
        }
        (versions.len() >= VERSION_LIMIT).then_some(())
    })?;
    Ok(versions)
}

/// Host and time, how many changes, commit.
fn is_rest_of_build_id(rest: &[u8]) -> bool {
    let Some(end) = rest.iter().position(|byte| *byte == 0) else { return false };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    match rest[..end].split_last_chunk::<COMMIT>() {
        Some((build, commit)) => {
            build.len() > COMMIT && build.iter().all(is_name) && commit.iter().all(u8::is_ascii_hexdigit)
        }
        None => false,
    }
}
