//! The group of a Java package whose archive does not tell it, found among those that advisories name.
//!
//! | what is known | is taken for |
//! |---|---|
//! | the group, of Maven's files | that package alone |
//! | a guess: from the manifest, or the artifact's name once more, as other tools fill the gap | that package, if advisories name it; else the artifact in the only group that shares a telling part with the guess |
//! | no group | the artifact in the only group there is, unless the artifact's name is one that anybody may use (`core`, `web-client`) |
//!
//! Advisories about an artifact of another group are nothing to the package, however alike the names: so a guess that
//! shares nothing with a group is no way to it.

use std::borrow::Cow;

use shared::package::{Evidence, Package};

use super::places::Places;
use super::subject::{Subject, subjects};
use crate::advisories::{Damaged, Database};

/// Words of which artifacts of any project are named.
const GENERIC: &[&str] = &[
    "agent",
    "all",
    "annotations",
    "api",
    "app",
    "application",
    "async",
    "auth",
    "base",
    "boot",
    "bom",
    "bootstrap",
    "bundle",
    "cache",
    "cli",
    "client",
    "cloud",
    "commons",
    "common",
    "config",
    "console",
    "core",
    "crypto",
    "data",
    "db",
    "demo",
    "domain",
    "engine",
    "example",
    "extension",
    "gateway",
    "http",
    "impl",
    "io",
    "jar",
    "java",
    "jvm",
    "kernel",
    "launcher",
    "lib",
    "library",
    "loader",
    "main",
    "manager",
    "model",
    "module",
    "parent",
    "parser",
    "plugin",
    "project",
    "proxy",
    "rest",
    "root",
    "runtime",
    "samples",
    "sdk",
    "security",
    "server",
    "service",
    "services",
    "shared",
    "spi",
    "starter",
    "support",
    "test",
    "tests",
    "tools",
    "ui",
    "util",
    "utilities",
    "utils",
    "war",
    "web",
    "webapp",
    "xml",
];

/// Parts of groups that do not tell whose they are: where projects are hosted, and words of many groups.
const UNTELLING: &[&str] = &[
    "co",
    "com",
    "de",
    "edu",
    "eu",
    "fr",
    "gitee",
    "github",
    "gitlab",
    "googlecode",
    "io",
    "me",
    "net",
    "org",
    "sf",
    "sourceforge",
];

/// A Java package's names, as far as they can be told.
pub(super) enum Coordinates {
    /// Group and artifact are what the package says.
    Own,
    /// They are those of the database.
    Placed(String),
    /// Nobody knows the group.
    Unknown,
}

impl Coordinates {
    pub(super) fn of(package: &Package, places: &Places, database: &Database) -> Result<Self, Damaged> {
        if package.ecosystem.as_deref() != Some("Maven") {
            return Ok(Self::Own);
        }
        let (group, artifact) = match package.name.split_once(':') {
            Some((group, artifact)) => (Some(group), artifact),
            None => (None, package.name.as_str()),
        };
        let is_guess = match package.evidence {
            Evidence::Manifest | Evidence::FileName => true,
            Evidence::Sbom => group == Some(artifact),
            _ => false,
        };
        if group.is_some() && (!is_guess || is_known(&package.name, package, places, database)?) {
            return Ok(Self::Own);
        }
        let groups = database.groups_of_artifact(artifact)?;
        let guess = group.filter(|group| *group != artifact);
        let mut fitting = groups.iter().filter(|group| match guess {
            Some(guess) => share_a_telling_part(guess, group),
            None => !is_generic(artifact),
        });
        Ok(match (fitting.next(), fitting.next()) {
            (Some(group), None) => Self::Placed(format!("{group}:{artifact}")),
            _ if group.is_some() => Self::Own,
            _ => Self::Unknown,
        })
    }

    /// Under which names to look the package up.
    pub(super) fn subjects<'p>(self, package: &'p Package, ecosystem: &str) -> Vec<Subject<'p>> {
        let mut subjects = subjects(package, ecosystem);
        if let Self::Placed(name) = self {
            subjects.iter_mut().for_each(|subject| subject.name = Cow::Owned(name.clone()));
        }
        subjects
    }
}

fn is_known(name: &str, package: &Package, places: &Places, database: &Database) -> Result<bool, Damaged> {
    for place in places.groups(&package.version).flatten() {
        if !database.entries(place, name)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether every word of the name is one of those that anybody uses.
fn is_generic(artifact: &str) -> bool {
    let is_generic = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.len() < 2 || GENERIC.contains(&word.as_str()) || word.bytes().all(|byte| byte.is_ascii_digit())
    };
    artifact.split(['-', '_', '.']).all(is_generic)
}

fn share_a_telling_part(guess: &str, group: &str) -> bool {
    let parts = |group: &str| -> Vec<String> {
        group.split(['.', '-']).filter(|part| !UNTELLING.contains(part)).map(str::to_ascii_lowercase).collect()
    };
    let of_guess = parts(guess);
    parts(group).iter().any(|part| part.len() > 1 && of_guess.contains(part))
}
