//! What Maven leaves in an archive: `META-INF/maven/GROUP/ARTIFACT/pom.properties`, and the `pom.xml` beside it
//! (Maven Archiver Reference; POM Reference).

use std::io::BufRead;

use super::super::CatalogError;
use super::super::lines::Lines;

/// A package of Maven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pom {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
}

impl Pom {
    /// Unless a part is missing, or is a placeholder that nobody filled: `${revision}`.
    fn checked(group: &str, artifact: &str, version: &str) -> Option<Self> {
        let is_filled =
            |part: &str| !part.is_empty() && !part.contains(['$', '@', ':', '/', '\u{fffd}']) && !part.contains(' ');
        [group, artifact, version].into_iter().all(is_filled).then(|| Self {
            group: group.to_owned(),
            artifact: artifact.to_owned(),
            version: version.to_owned(),
        })
    }
}

/// Reads a `pom.properties`: `groupId`, `artifactId` and `version`.
pub(super) fn read_properties(file: &mut dyn BufRead) -> Result<Option<Pom>, CatalogError> {
    let mut lines = Lines::of(file);
    let (mut group, mut artifact, mut version) = (String::new(), String::new(), String::new());
    while let Some(line) = lines.next()? {
        let Some((key, value)) = line.text.split_once(['=', ':']) else { continue };
        let part = match key.trim() {
            "groupId" => &mut group,
            "artifactId" => &mut artifact,
            "version" => &mut version,
            _ => continue,
        };
        value.trim().clone_into(part);
    }
    Ok(Pom::checked(&group, &artifact, &version))
}

/// Reads the `pom.xml` of the package that the folder names: its version, else its parent's.
pub(super) fn read_xml(group: &str, artifact: &str, xml: &[u8]) -> Option<Pom> {
    let xml = String::from_utf8_lossy(xml);
    let version = text_at(&xml, &["project", "version"]).or_else(|| text_at(&xml, &["project", "parent", "version"]));
    Pom::checked(group, artifact, version?)
}

/// The text of the first element at `path`. Knows as much of XML as a POM has: tags, comments, instructions, CDATA.
fn text_at<'x>(xml: &'x str, path: &[&str]) -> Option<&'x str> {
    let (mut rest, mut depth, mut matched) = (xml, 0, 0);
    while let Some((text, tag)) = rest.split_once('<') {
        if matched == path.len() && depth == matched {
            return Some(text.trim());
        }
        let skipped = [("!--", "-->"), ("![CDATA[", "]]>"), ("!", ">"), ("?", "?>")];
        if let Some((_, end)) = skipped.into_iter().find(|(begin, _)| tag.starts_with(begin)) {
            rest = tag.split_once(end)?.1;
            continue;
        }
        let (tag, behind) = tag.split_once('>')?;
        rest = behind;
        if tag.starts_with('/') {
            depth = depth.checked_sub(1)?;
            matched = matched.min(depth);
        } else if !tag.ends_with('/') {
            let is_next = matched == depth && path.get(matched) == Some(&tag.split_whitespace().next()?);
            depth += 1;
            matched += usize::from(is_next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_need_all_three() {
        let read = |text: &str| read_properties(&mut text.as_bytes()).unwrap();
        let real = "#Created by Apache Maven 3.6.3\r\nversion=2.14.1\r\ngroupId=org.apache.logging.log4j\r\nartifactId = log4j-core\r\n";
        let pom = read(real).unwrap();
        assert_eq!(
            (pom.group.as_str(), pom.artifact.as_str(), pom.version.as_str()),
            ("org.apache.logging.log4j", "log4j-core", "2.14.1")
        );
        for useless in ["", "groupId=a\nartifactId=b\n", "groupId=a\nartifactId=b\nversion=${revision}\n"] {
            assert_eq!(read(useless), None, "{useless}");
        }
    }

    #[test]
    fn a_pom_has_its_version_or_its_parents() {
        let read = |xml: &str| read_xml("g", "a", xml.as_bytes()).map(|pom| pom.version);
        let own = "<?xml version=\"1.0\"?><!-- <project> --><project xmlns=\"x\">\n<dependencies><version>9</version>\
                   </dependencies><parent><version>8</version></parent><packaging/><version> 1.2 </version></project>";
        assert_eq!(read(own).as_deref(), Some("1.2"));
        assert_eq!(read("<project><parent><version>8</version></parent></project>").as_deref(), Some("8"));
        for none in [
            "",
            "<project>",
            "<project><version>${v}</version></project>",
            "<a><version>1</version></a>",
            "</project>",
            "<",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
