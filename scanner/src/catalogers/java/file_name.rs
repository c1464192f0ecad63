//! What the name of an archive says: `artifact-version[-classifier].jar`, as Maven repositories name them.

/// Endings of archives of Java, in lower case.
const ENDINGS: &[&str] = &["aar", "ear", "hpi", "jar", "jpi", "kar", "lpkg", "nar", "par", "sar", "war"];

/// What a build adds behind the version to tell archives of one artifact apart.
const CLASSIFIERS: &[&str] = &[
    "-all",
    "-boot",
    "-exec",
    "-fat",
    "-jar-with-dependencies",
    "-javadoc",
    "-shaded",
    "-sources",
    "-standalone",
    "-test-sources",
    "-tests",
    "-uber",
];

/// Classifiers that name a platform: `-linux-x86_64`.
const PLATFORMS: &[&str] = &["-android", "-freebsd", "-linux", "-osx", "-windows"];

/// Words inside a version.
const QUALIFIERS: &[&str] =
    &["alpha", "beta", "cr", "ga", "final", "m", "milestone", "pre", "preview", "rc", "release", "snapshot", "sp"];

/// Whether a file of this name is an archive of Java.
pub(super) fn is_archive(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty() && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// The name of the file without its ending.
pub(super) fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Artifact and version in the stem of a file's name. The version begins at a hyphen and a digit: at the first such
/// where the rest is one version, so in `log4j-1.2-api-2.14.1` at the second.
pub(super) fn split(stem: &str) -> (&str, Option<&str>) {
    let begins = stem.match_indices('-').map(|(at, _)| at).filter(|at| begins_with_digit(&stem[at + 1..]));
    for at in begins {
        let version = without_classifier(&stem[at + 1..]);
        if at > 0 && is_one_version(version) {
            return (&stem[..at], Some(version));
        }
    }
    (stem, None)
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// Not of two versions, with a word between that belongs into neither.
fn is_one_version(text: &str) -> bool {
    let mut word_before = false;
    for part in text.split('-').skip(1) {
        if word_before && begins_with_digit(part) && part.contains('.') {
            return false;
        }
        let word = part.trim_end_matches(|last: char| last.is_ascii_digit()).to_ascii_lowercase();
        word_before = !begins_with_digit(part) && !QUALIFIERS.contains(&word.as_str());
    }
    true
}

fn without_classifier(version: &str) -> &str {
    let version = CLASSIFIERS.iter().find_map(|ending| version.strip_suffix(ending)).unwrap_or(version);
    PLATFORMS.iter().find_map(|platform| version.find(platform)).map_or(version, |at| &version[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_archives() {
        for path in ["app/a.jar", "a.WAR", "x/y.hpi", "usr/share/java/a-1.jar"] {
            assert!(is_archive(path), "{path}");
        }
        for path in ["jar", ".jar", "a/.jar", "a.jar.sha1", "a.zip", "a.class", "a.jar/b"] {
            assert!(!is_archive(path), "{path}");
        }
    }

    #[test]
    fn names_split_where_the_version_begins() {
        for (stem, artifact, version) in [
            ("log4j-core-2.14.1", "log4j-core", Some("2.14.1")),
            ("log4j-1.2-api-2.14.1", "log4j-1.2-api", Some("2.14.1")),
            ("guava-29.0-jre", "guava", Some("29.0-jre")),
            ("bcprov-jdk15on-1.60", "bcprov-jdk15on", Some("1.60")),
            ("spring-core-4.3.9.RELEASE", "spring-core", Some("4.3.9.RELEASE")),
            ("htrace-core4-4.1.0-incubating", "htrace-core4", Some("4.1.0-incubating")),
            ("scala-library_2.13-3.0.1", "scala-library_2.13", Some("3.0.1")),
            ("app-1.0-20210101.123456-7", "app", Some("1.0-20210101.123456-7")),
            ("app-1.0-rc-2.1", "app", Some("1.0-rc-2.1")),
            (
                "netty-transport-native-epoll-4.1.50.Final-linux-x86_64",
                "netty-transport-native-epoll",
                Some("4.1.50.Final"),
            ),
            ("shop-1.2-jar-with-dependencies", "shop", Some("1.2")),
            ("geronimo-jta_1.1_spec-1.1.1", "geronimo-jta_1.1_spec", Some("1.1.1")),
            ("catalina", "catalina", None),
            ("-1.0", "-1.0", None),
            ("a-", "a-", None),
            ("", "", None),
        ] {
            assert_eq!(split(stem), (artifact, version), "{stem}");
        }
    }
}
