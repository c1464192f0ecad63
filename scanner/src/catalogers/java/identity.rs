//! What an archive is, from everything that speaks of it.
//!
//! 1. **Maven's files.** Every `pom.properties` counts, and every `pom.xml` that has none beside it: of several, one is
//!    the archive's own, and the others are of what was shaded into it.
//! 2. **The manifest**, where none of those is the archive's own: none has the artifact that the file's name or the
//!    manifest gives. Archives of Gradle and Ant have such alone.
//! 3. **The file's name**, where the manifest has no version. This is marked as such.
//!
//! The manifest's version comes before that of the file's name, except where one begins with the other: then the name
//! has it as Maven spells it (`1.60`, not `1.60.0`). Its own Maven coordinates beat both.
//!
//! The group is not in the file's name, and seldom in the manifest. Where the artifact is one that advisories name and
//! the classes or the bundle's name lie where that group's do, it is that group; else the one that the manifest's bundle
//! or vendor gives; else there is none, and the package is listed by its artifact alone. Of the last two the evidence is
//! [`Evidence::Manifest`]: the matcher looks for the group among those that its advisories name.

use shared::package::Evidence;

use super::super::FoundPackage;
use super::file_name;
use super::groups::{Roots, known_group};
use super::manifest::Manifest;
use super::pom::Pom;

/// What was read of one archive.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) poms: Vec<Pom>,
    pub(super) manifest: Manifest,
    pub(super) roots: Roots,
}

impl Described {
    /// The packages in the archive whose file's name is `stem` and an ending.
    pub(super) fn packages(mut self, stem: &str) -> Vec<FoundPackage> {
        self.poms.sort();
        self.poms.dedup();
        let own = if self.poms.iter().any(|pom| self.is_own(pom, stem)) { None } else { self.without_pom(stem) };
        let of_poms = self
            .poms
            .iter()
            .map(|pom| package(format!("{}:{}", pom.group, pom.artifact), pom.version.clone(), Evidence::Installed));
        of_poms.chain(own).collect()
    }

    /// File names may have the group in front of the artifact, or anything behind it.
    fn is_own(&self, pom: &Pom, stem: &str) -> bool {
        stem.contains(&pom.artifact) || self.manifest.artifacts().any(|artifact| artifact == pom.artifact)
    }

    fn without_pom(&mut self, stem: &str) -> Option<FoundPackage> {
        let (of_file, version_of_file) = file_name::split(stem);
        let (version, evidence) = match (self.manifest.versions().next(), version_of_file) {
            (Some(manifest), Some(file)) if manifest.starts_with(file) || file.starts_with(manifest) => {
                (file, Evidence::Installed)
            }
            (Some(manifest), _) => (manifest, Evidence::Installed),
            (None, Some(file)) => (file, Evidence::FileName),
            (None, None) => return None,
        };
        self.manifest.bundle().into_iter().for_each(|bundle| self.roots.note_bundle(bundle));
        let artifacts =
            || version_of_file.map(|_| of_file).into_iter().chain(self.manifest.artifacts()).chain([of_file]);
        let known = artifacts().find_map(|artifact| known_group(artifact, &self.roots).map(|group| (group, artifact)));
        let artifact = artifacts().find(|artifact| !artifact.is_empty())?;
        let (name, surest) = match (known, self.manifest.group()) {
            (Some((group, artifact)), _) => (format!("{group}:{artifact}"), Evidence::Installed),
            (None, Some(group)) => (format!("{group}:{artifact}"), Evidence::Installed),
            (None, None) => match self.manifest.guessed_group(artifact) {
                Some(group) => (format!("{group}:{artifact}"), Evidence::Manifest),
                None => (artifact.to_owned(), Evidence::Manifest),
            },
        };
        Some(package(name, version.to_owned(), evidence.max(surest)))
    }
}

fn package(name: String, version: String, evidence: Evidence) -> FoundPackage {
    FoundPackage { kind: "maven".to_owned(), name, version, evidence, ..FoundPackage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(stem: &str, poms: &[(&str, &str, &str)], manifest: &str, class: &str) -> Vec<String> {
        let pom = |(group, artifact, version): &(&str, &str, &str)| Pom {
            group: (*group).to_owned(),
            artifact: (*artifact).to_owned(),
            version: (*version).to_owned(),
        };
        let manifest = Manifest::read(&mut manifest.as_bytes()).unwrap();
        let mut described = Described { poms: poms.iter().map(pom).collect(), manifest, ..Described::default() };
        described.roots.note(class);
        let packages = described.packages(stem).into_iter();
        packages.map(|package| format!("{} {} {:?}", package.name, package.version, package.evidence)).collect()
    }

    #[test]
    fn maven_coordinates_beat_manifest_and_name() {
        let pom = [("com.google.guava", "guava", "29.0-jre")];
        let manifest = "Bundle-Version: 29.0.0.jre\nBundle-SymbolicName: com.google.guava\n";
        for stem in ["guava-29.0-jre", "guava", "com.google.guava.guava-28.0", "lib-7"] {
            assert_eq!(packages(stem, &pom, manifest, "")[0], "com.google.guava:guava 29.0-jre Installed", "{stem}");
        }
        assert_eq!(packages("com.google.guava.guava-28.0", &pom, manifest, "").len(), 1);
    }

    #[test]
    fn what_was_shaded_counts_beside_the_archive_itself() {
        let scram = ("com.ongres.scram", "client", "1.0.0-beta.2");
        let own = ("org.postgresql", "postgresql", "42.2.5");
        let manifest = "Implementation-Title: PostgreSQL JDBC Driver\nImplementation-Version: 42.2.5\n";
        assert_eq!(
            packages("postgresql-42.2.5", &[own, scram], manifest, "org/postgresql/Driver.class"),
            ["com.ongres.scram:client 1.0.0-beta.2 Installed", "org.postgresql:postgresql 42.2.5 Installed"]
        );
        assert_eq!(
            packages("postgresql-42.2.5", &[scram], manifest, "org/postgresql/Driver.class"),
            ["com.ongres.scram:client 1.0.0-beta.2 Installed", "org.postgresql:postgresql 42.2.5 Installed"]
        );
    }

    #[test]
    fn archives_without_maven_are_what_manifest_and_name_say() {
        for (stem, manifest, class, expected) in [
            (
                "spring-core-5.3.13",
                "Implementation-Title: spring-core\nAutomatic-Module-Name: spring.core\nImplementation-Version: 5.3.13\n",
                "org/springframework/core/io/A.class",
                "org.springframework:spring-core 5.3.13 Installed",
            ),
            (
                "catalina",
                "Bundle-SymbolicName: org.apache.tomcat-catalina\nImplementation-Title: Apache Tomcat\n\
                 Implementation-Version: 9.0.55\n",
                "org/apache/catalina/A.class",
                "org.apache.tomcat:tomcat-catalina 9.0.55 Installed",
            ),
            (
                "bcprov-jdk15on-1.60",
                "Implementation-Version: 1.60.0\nImplementation-Vendor-Id: org.bouncycastle\n",
                "org/bouncycastle/A.class",
                "org.bouncycastle:bcprov-jdk15on 1.60 Installed",
            ),
            (
                "hibernate-core-5.4.0.Final",
                "Implementation-Title: hibernate-core\nImplementation-Version: 5.4.0.Final\n",
                "org/hibernate/A.class",
                "org.hibernate:hibernate-core 5.4.0.Final Installed",
            ),
            (
                "tomcat-embed-core-9.0.30",
                "Bundle-SymbolicName: org.apache.tomcat-embed-core\nImplementation-Version: 9.0.30\n",
                "javax/servlet/A.class",
                "org.apache.tomcat.embed:tomcat-embed-core 9.0.30 Installed",
            ),
            ("kafka-clients-2.8.0", "", "org/apache/kafka/A.class", "org.apache.kafka:kafka-clients 2.8.0 FileName"),
            ("renamed-1.0", "Implementation-Version: 2.0\n", "", "renamed 2.0 Manifest"),
            (
                "lib",
                "Implementation-Title: thing\nImplementation-Version: 2.0\nImplementation-Vendor-Id: com.example\n",
                "",
                "com.example:thing 2.0 Manifest",
            ),
            ("nobody-knows-3.1", "", "", "nobody-knows 3.1 FileName"),
        ] {
            assert_eq!(packages(stem, &[], manifest, class), [expected]);
        }
        assert!(packages("app", &[], "Main-Class: a.B\n", "").is_empty());
    }
}
