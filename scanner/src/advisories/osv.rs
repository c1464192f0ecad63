//! The records that advisory sources publish: the OSV schema 1.7 (<https://ossf.github.io/osv-schema/>).
//!
//! Only what matching and showing need is read. Unknown fields are passed over, absent ones and `null` are empty, and
//! ecosystems are text: a source may name one that this schema version does not know.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// One advisory.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Its id in its source: `GHSA-…`, `DSA-…`, `CVE-…`.
    pub id: String,
    /// RFC 3339.
    #[serde(deserialize_with = "nullable")]
    pub modified: String,
    /// RFC 3339.
    #[serde(deserialize_with = "nullable")]
    pub published: String,
    /// RFC 3339; set when the advisory no longer holds.
    pub withdrawn: Option<String>,
    /// Other ids of the same vulnerability.
    #[serde(deserialize_with = "nullable")]
    pub aliases: Vec<String>,
    /// Ids of the vulnerabilities that this advisory is about: each is one of its own.
    #[serde(deserialize_with = "nullable")]
    pub upstream: Vec<String>,
    /// Ids that have to do with it. Distributions wrote here what it is about before there was `upstream`.
    #[serde(deserialize_with = "nullable")]
    pub related: Vec<String>,
    /// One line.
    #[serde(deserialize_with = "nullable")]
    pub summary: String,
    /// Markdown.
    #[serde(deserialize_with = "nullable")]
    pub details: String,
    /// How bad it is.
    #[serde(deserialize_with = "nullable")]
    pub severity: Vec<SeverityEntry>,
    /// Which packages it is about.
    #[serde(deserialize_with = "nullable")]
    pub affected: Vec<Affected>,
    /// Pages to read.
    #[serde(deserialize_with = "nullable")]
    pub references: Vec<Reference>,
    /// The source's own fields.
    #[serde(deserialize_with = "nullable")]
    pub database_specific: Specific,
}

/// `severity[]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SeverityEntry {
    /// `CVSS_V2`, `CVSS_V3`, `CVSS_V4`, `Ubuntu`, …
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    /// A vector, or the source's word.
    #[serde(deserialize_with = "nullable")]
    pub score: String,
}

/// `affected[]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Affected {
    /// Which package; some records are about a repository alone.
    pub package: Option<AffectedPackage>,
    /// Which versions, by order.
    #[serde(deserialize_with = "nullable")]
    pub ranges: Vec<Range>,
    /// Which versions, one by one.
    #[serde(deserialize_with = "nullable")]
    pub versions: Vec<String>,
    /// How bad it is for this package.
    #[serde(deserialize_with = "nullable")]
    pub severity: Vec<SeverityEntry>,
    /// The ecosystem's own fields.
    #[serde(deserialize_with = "nullable")]
    pub ecosystem_specific: Specific,
    /// The source's own fields.
    #[serde(deserialize_with = "nullable")]
    pub database_specific: Specific,
}

/// `affected[].package`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AffectedPackage {
    /// `PyPI`, `Debian:12`, …
    #[serde(deserialize_with = "nullable")]
    pub ecosystem: String,
    /// Name in that ecosystem.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
}

/// `affected[].ranges[]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Range {
    /// `SEMVER`, `ECOSYSTEM` or `GIT`.
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    /// Where it begins and ends.
    #[serde(deserialize_with = "nullable")]
    pub events: Vec<Event>,
}

/// `affected[].ranges[].events[]`: one of the four is set.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Event {
    /// First affected version; `0` is before all others.
    pub introduced: Option<String>,
    /// First version that is free of it again.
    pub fixed: Option<String>,
    /// Last affected version.
    pub last_affected: Option<String>,
    /// The range says nothing from here on.
    pub limit: Option<String>,
}

/// `references[]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// The page.
    #[serde(deserialize_with = "nullable")]
    pub url: String,
}

/// What sources say in their own fields. Whatever else they hold is passed over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Specific {
    /// How bad it is: `severity`, `urgency`, `ubuntu_priority` or `informational` (RustSec), if it is a text.
    pub word: Option<String>,
    /// What the vendor does about it: `status`, `state` or `fix_state`, if it is a text.
    pub state: Option<String>,
    /// Module stream of the packages, `nodejs:18`: `rpm_modularity` (AlmaLinux).
    pub module: Option<String>,
    /// `cvss_v3_score`, a score without its vector (RubyGems).
    pub score: Option<f64>,
}

impl Specific {
    /// Where the text under `key` goes, if it is kept.
    fn text(&mut self, key: &str) -> Option<&mut Option<String>> {
        match key {
            "severity" | "urgency" | "ubuntu_priority" | "informational" => Some(&mut self.word),
            "status" | "state" | "fix_state" => Some(&mut self.state),
            "rpm_modularity" => Some(&mut self.module),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Specific {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Specific;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Specific, A::Error> {
                let mut found = Specific::default();
                while let Some(key) = map.next_key::<String>()? {
                    if let Some(place) = found.text(&key) {
                        if let Scalar::Text(text) = map.next_value()? {
                            place.get_or_insert(text);
                        }
                    } else if key == "cvss_v3_score" {
                        if let Scalar::Number(score) = map.next_value()? {
                            found.score = Some(score);
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(found)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Specific, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Specific::default())
            }
        }

        deserializer.deserialize_any(Fields)
    }
}

/// A value of which only texts and numbers matter.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(f64),
    Other(IgnoredAny),
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Record {
    /// Reads one record.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        let mut record: Self = serde_json::from_slice(json)?;
        for id in record.aliases.iter_mut().chain(&mut record.upstream).chain(&mut record.related) {
            if id.trim().len() < id.len() {
                *id = id.trim().to_owned();
            }
        }
        Ok(record)
    }

    /// Whether its source withdrew it.
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn.as_deref().is_some_and(|time| !time.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_leniently_as_the_schema_allows() {
        let record = Record::from_json(
            br#"{"schema_version":null,"id":"X-1","modified":"0001-01-01T00:00:00Z","aliases":null,"upstream":["CVE-1 "],"future":[{}],
            "severity":[{"type":"CVSS_V9","score":"?"}],
            "affected":[{"package":{"ecosystem":"Moon Base:7","name":"oxygen","purl":null},
              "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2"}],"database_specific":{"a":1}}],
              "ecosystem_specific":{"urgency":"not yet assigned","severity":{"odd":true}},"database_specific":null}],
            "database_specific":{"severity":"MODERATE","cvss_v3_score":7.5,"cwe_ids":["CWE-79"]}}"#,
        )
        .unwrap();
        assert_eq!(record.modified, "0001-01-01T00:00:00Z");
        assert_eq!(record.upstream, ["CVE-1"]);
        assert_eq!(
            record.database_specific,
            Specific { word: Some("MODERATE".into()), score: Some(7.5), ..Specific::default() }
        );
        let affected = &record.affected[0];
        assert_eq!(affected.ecosystem_specific.word.as_deref(), Some("not yet assigned"));
        assert_eq!(affected.package.as_ref().unwrap().ecosystem, "Moon Base:7");
        assert_eq!(affected.ranges[0].events[1].fixed.as_deref(), Some("2"));
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for bad in ["", "[", "{\"id\":7}", "{\"affected\":{}}", &"[".repeat(10_000)] {
            assert!(Record::from_json(bad.as_bytes()).is_err(), "{bad:.20}");
        }
    }
}
