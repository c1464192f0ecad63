//! The main section of `META-INF/MANIFEST.MF` (JAR File Specification, "JAR Manifest").

use std::io::BufRead;

use super::super::CatalogError;
use super::super::lines::Lines;

/// Attributes that say what an archive is, in lower case.
const ATTRIBUTES: &[&str] = &[
    "automatic-module-name",
    "bundle-symbolicname",
    "bundle-version",
    "extension-name",
    "group-id",
    "implementation-title",
    "implementation-vendor-id",
    "implementation-version",
    "plugin-version",
    "short-name",
    "specification-version",
];

/// What the main section says of the archive.
#[derive(Debug, Default)]
pub(super) struct Manifest(Vec<(&'static str, String)>);

impl Manifest {
    /// Reads the main section: up to the first empty line. A line that begins with a space continues the one before.
    pub(super) fn read(file: &mut dyn BufRead) -> Result<Self, CatalogError> {
        let mut lines = Lines::of(file);
        let (mut manifest, mut continues) = (Self::default(), false);
        while let Some(line) = lines.next()?.filter(|line| !line.text.is_empty()) {
            if let Some(rest) = line.text.strip_prefix(' ') {
                if let Some((_, value)) = manifest.0.last_mut().filter(|_| continues) {
                    value.push_str(rest);
                }
                continue;
            }
            let (name, value) = line.text.split_once(':').unwrap_or_default();
            let name = name.trim_start_matches('\u{feff}');
            let attribute = ATTRIBUTES.iter().find(|attribute| attribute.eq_ignore_ascii_case(name));
            continues = attribute.is_some();
            manifest.0.extend(attribute.map(|attribute| (*attribute, value.trim_start().to_owned())));
        }
        Ok(manifest)
    }

    /// Names that may be the artifact's, the likeliest first.
    pub(super) fn artifacts(&self) -> impl Iterator<Item = &str> {
        let is_plugin = self.value("plugin-version").is_some();
        let plugin = ["short-name", "extension-name"].into_iter().filter(move |_| is_plugin);
        let names = plugin.filter_map(|name| self.value(name));
        let bundle = self.bundle().and_then(|name| name.rsplit('.').next());
        names.chain(self.value("implementation-title")).chain(bundle).filter(|name| is_identifier(name))
    }

    /// Versions, the likeliest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = &str> {
        let names = ["plugin-version", "implementation-version", "bundle-version", "specification-version"];
        let versions = names.into_iter().filter_map(|name| self.value(name)?.split_whitespace().next());
        versions.filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    }

    /// The group, where the manifest names it as such: Jenkins plugins do.
    pub(super) fn group(&self) -> Option<&str> {
        self.value("group-id").filter(|group| is_identifier(group))
    }

    /// What may be the group of the artifact. The tools that make bundles join group and artifact by a dot, and leave out
    /// what the artifact repeats of the group.
    pub(super) fn guessed_group(&self, artifact: &str) -> Option<&str> {
        let of_bundle = || {
            let (group, rest) = self.bundle()?.rsplit_once('.')?;
            let last = group.rsplit('.').next()?;
            let is_of_group = rest == artifact || artifact.strip_prefix(last)?.strip_prefix('-')? == rest;
            (is_of_group && group.contains('.')).then_some(group)
        };
        let vendor = || self.value("implementation-vendor-id");
        of_bundle().or_else(vendor).filter(|group| is_identifier(group))
    }

    /// The name of the OSGi bundle.
    pub(super) fn bundle(&self) -> Option<&str> {
        self.value("bundle-symbolicname")?.split(';').next().map(str::trim)
    }

    fn value(&self, attribute: &str) -> Option<&str> {
        let value = self.0.iter().find(|(name, _)| *name == attribute)?.1.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// Whether Maven takes it as a group or an artifact.
fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        Manifest::read(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn the_main_section_is_read_with_its_continued_lines() {
        let manifest = manifest(
            "\u{feff}Implementation-Title: spring-co\r\n re\r\nX-Long: a\r\n b\r\nIMPLEMENTATION-VERSION: 5.3.13 (r7)\r\n\r\n\
             Name: a\r\nBundle-Version: 9\r\n",
        );
        assert_eq!(manifest.artifacts().collect::<Vec<_>>(), ["spring-core"]);
        assert_eq!(manifest.versions().collect::<Vec<_>>(), ["5.3.13"]);
        assert_eq!(manifest.guessed_group("spring-core"), None);
    }

    #[test]
    fn bundles_name_their_groups() {
        for (bundle, artifact, group) in [
            ("org.yaml.snakeyaml", "snakeyaml", Some("org.yaml")),
            ("com.fasterxml.jackson.core.jackson-databind", "jackson-databind", Some("com.fasterxml.jackson.core")),
            ("org.apache.logging.log4j.core;singleton:=true", "log4j-core", Some("org.apache.logging.log4j")),
            ("org.hibernate.orm.core", "hibernate-core", None),
            ("org.h2", "h2", None),
        ] {
            assert_eq!(
                manifest(&format!("Bundle-SymbolicName: {bundle}\n")).guessed_group(artifact),
                group,
                "{bundle}"
            );
        }
    }

    #[test]
    fn jenkins_plugins_say_what_they_are() {
        let plugin = manifest(
            "Group-Id: org.jenkins-ci.plugins\nShort-Name: script-security\nPlugin-Version: 1.78\nImplementation-Title: x\n",
        );
        assert_eq!(plugin.artifacts().next(), Some("script-security"));
        assert_eq!(plugin.versions().next(), Some("1.78"));
        assert_eq!(plugin.group(), Some("org.jenkins-ci.plugins"));
    }

    #[test]
    fn titles_for_people_are_no_artifacts() {
        let manifest = manifest("Implementation-Title: Apache Tomcat\nImplementation-Version: unknown\n");
        assert_eq!((manifest.artifacts().next(), manifest.versions().next()), (None, None));
    }
}
