//! Which group an artifact is of, where its archive does not say.

use std::collections::BTreeSet;

/// Artifacts and groups, sorted, with a tab between.
const GROUPS: &str = include_str!("groups.tsv");

/// Places of classes that are kept of one archive.
const ROOT_LIMIT: usize = 256;

/// Folders around the classes of an application, and around those for one version of Java (`META-INF/versions/9`).
const AROUND: &[&str] = &["BOOT-INF/classes/", "WEB-INF/classes/", "META-INF/versions/"];

/// Where the classes of an archive are: up to three folders each, `org/springframework/core`.
#[derive(Debug, Default)]
pub(super) struct Roots(BTreeSet<String>);

impl Roots {
    /// Notes an entry of the archive, if it is a class.
    pub(super) fn note(&mut self, entry: &str) {
        if !entry.ends_with(".class") || self.0.len() >= ROOT_LIMIT {
            return;
        }
        let entry = match AROUND.iter().find_map(|around| entry.strip_prefix(around)) {
            Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('/'),
            None => entry,
        };
        let folders = entry.rsplit_once('/').map_or("", |(folders, _)| folders);
        let end = folders.match_indices('/').nth(2).map_or(folders.len(), |(at, _)| at);
        if !self.0.contains(&folders[..end]) {
            self.0.insert(folders[..end].to_owned());
        }
    }

    /// Notes the name of the archive's bundle, `org.apache.tomcat-catalina`, which is below a folder of its classes even
    /// where those are of an API alone (`javax`).
    pub(super) fn note_bundle(&mut self, name: &str) {
        self.0.insert(name.split('.').take(3).collect::<Vec<_>>().join("/"));
    }

    /// Whether classes are where those of the group may be: below its first two parts, or below a folder of its only one.
    /// Or below the artifact: `org/h2` is of `com.h2database:h2`.
    fn agree_with(&self, group: &str, artifact: &str) -> bool {
        let mut parts = group.split('.');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        self.0.iter().any(|root| {
            let mut folders = root.split('/');
            if root.split('/').take(2).any(|folder| folder == artifact) {
                return true;
            }
            match second {
                Some(second) => folders.next() == Some(first) && folders.next() == Some(second),
                None => folders.any(|folder| folder == first),
            }
        })
    }
}

/// The group of `artifact`: one called like it, as of old, else one where the classes are.
pub(super) fn known_group(artifact: &str, roots: &Roots) -> Option<&'static str> {
    let groups = || GROUPS.lines().filter_map(|line| line.split_once('\t')).filter(|(name, _)| *name == artifact);
    let mut groups = groups().map(|(_, group)| group);
    groups.clone().find(|group| *group == artifact).or_else(|| groups.find(|group| roots.agree_with(group, artifact)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(classes: &[&str]) -> Roots {
        let mut roots = Roots::default();
        classes.iter().for_each(|class| roots.note(class));
        roots
    }

    #[test]
    fn groups_are_known_where_the_classes_agree() {
        for (artifact, class, group) in [
            ("spring-core", "org/springframework/core/io/Resource.class", Some("org.springframework")),
            ("spring-core", "com/example/App.class", None),
            ("tomcat-embed-core", "org/apache/catalina/A.class", Some("org.apache.tomcat.embed")),
            ("mysql-connector-java", "com/mysql/jdbc/Driver.class", Some("mysql")),
            ("xercesImpl", "org/apache/xerces/dom/A.class", Some("xerces")),
            ("dom4j", "org/dom4j/Node.class", Some("dom4j")),
            ("log4j", "org/apache/log4j/Logger.class", Some("log4j")),
            ("netty", "org/jboss/netty/A.class", Some("org.jboss.netty")),
            ("netty", "io/netty/A.class", Some("io.netty")),
            ("h2", "org/h2/Driver.class", Some("com.h2database")),
            ("spring-core", "META-INF/versions/21/org/springframework/core/A.class", Some("org.springframework")),
            ("spring-core", "BOOT-INF/classes/org/springframework/A.class", Some("org.springframework")),
            ("nobody-knows", "org/a/B.class", None),
        ] {
            assert_eq!(known_group(artifact, &roots(&[class])), group, "{artifact} {class}");
        }
    }

    #[test]
    fn places_of_classes_are_bounded() {
        let classes: Vec<_> = (0..1000).map(|n| format!("a/b{n}/c/d/E.class")).collect();
        assert_eq!(roots(&classes.iter().map(String::as_str).collect::<Vec<_>>()).0.len(), ROOT_LIMIT);
        assert!(roots(&["META-INF/MANIFEST.MF", "module-info.class", "é/A.class"]).agree_with("é", ""));
    }
}
