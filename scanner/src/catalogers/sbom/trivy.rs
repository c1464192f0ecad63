//! The source package of a distribution's package, as Trivy has it in the properties of its CycloneDX components
//! (`aquasecurity:trivy:SrcName` and its kin). Its package URLs do not name it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::super::json::Field;
use crate::inventory::Purl;
use crate::vendors::is_distro_format;

/// What Trivy calls its properties.
const PREFIX: &str = "aquasecurity:trivy:";

/// A source package.
#[derive(Debug, Default)]
pub(super) struct TrivySource {
    name: Option<String>,
    epoch: Option<String>,
    version: Option<String>,
    release: Option<String>,
}

impl TrivySource {
    /// The package URL with the source package, which the qualifier `upstream` names, unless it has one.
    pub(super) fn qualify(&self, text: &str) -> String {
        let (Some(name), Ok(mut purl)) = (&self.name, text.parse::<Purl>()) else { return text.to_owned() };
        if !is_distro_format(&purl.kind) || purl.qualifiers.contains_key("upstream") {
            return text.to_owned();
        }
        let upstream = self.full_version().map_or_else(|| name.clone(), |version| format!("{name}@{version}"));
        purl.qualifiers.insert("upstream".to_owned(), upstream);
        purl.to_string()
    }

    fn full_version(&self) -> Option<String> {
        let epoch = self.epoch.as_deref().filter(|epoch| *epoch != "0").map(|epoch| format!("{epoch}:"));
        let release = self.release.as_deref().map(|release| format!("-{release}"));
        let version = self.version.as_deref()?;
        Some(format!("{}{version}{}", epoch.unwrap_or_default(), release.unwrap_or_default()))
    }

    fn note(&mut self, name: &str, value: &str) {
        let place = match name.strip_prefix(PREFIX) {
            Some("SrcName") => &mut self.name,
            Some("SrcEpoch") => &mut self.epoch,
            Some("SrcVersion") => &mut self.version,
            Some("SrcRelease") => &mut self.release,
            _ => return,
        };
        *place = Some(value.to_owned()).filter(|value| !value.is_empty());
    }
}

#[derive(serde::Deserialize)]
struct Property {
    #[serde(default)]
    name: Field,
    #[serde(default)]
    value: Field,
}

impl<'de> Deserialize<'de> for TrivySource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Properties;

        impl<'de> Visitor<'de> for Properties {
            type Value = TrivySource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of properties")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TrivySource, A::Error> {
                let mut source = TrivySource::default();
                while let Some(property) = seq.next_element::<Property>()? {
                    if let (Some(name), Some(value)) = (property.name.text(), property.value.text()) {
                        source.note(name, value);
                    }
                }
                Ok(source)
            }
        }

        deserializer.deserialize_seq(Properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_package_is_in_the_properties() {
        let properties = r#"[{"name": "aquasecurity:trivy:PkgType", "value": "debian"}, {"name": "other"},
            {"name": "aquasecurity:trivy:SrcName", "value": "openssl"}, {"name": "aquasecurity:trivy:SrcEpoch", "value": "1"},
            {"name": "aquasecurity:trivy:SrcVersion", "value": "3.0.11"},
            {"name": "aquasecurity:trivy:SrcRelease", "value": "1~deb12u2"}]"#;
        let source: TrivySource = serde_json::from_str(properties).unwrap();
        let qualified: Purl = source.qualify("pkg:deb/debian/libssl3@3.0.11-1?arch=amd64").parse().unwrap();
        assert_eq!(qualified.qualifiers["upstream"], "openssl@1:3.0.11-1~deb12u2");
        for kept in ["pkg:deb/debian/libssl3@3?upstream=other", "pkg:npm/express@4.0.0", "no package URL"] {
            assert_eq!(source.qualify(kept), kept);
        }
        assert_eq!(TrivySource::default().qualify("pkg:deb/debian/a@1"), "pkg:deb/debian/a@1");
        assert!(serde_json::from_str::<TrivySource>("7").is_err());
    }
}
