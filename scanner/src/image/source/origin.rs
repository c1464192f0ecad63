//! Where an image comes from, by its own word: the lines that made its layers, the image it is built on.
//!
//! Both are free text that anybody may write, so they are cut, and made safe to show.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Deserializer};
use shared::report::BaseImage;

/// Annotations and labels that name the image which this one is built on (OCI image specification 1.1, "Pre-Defined
/// Annotation Keys").
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Characters kept of a line of history.
const LONGEST_LINE: usize = 500;
/// Characters kept of a name.
const LONGEST_NAME: usize = 400;

/// A step of the build (OCI image specification 1.1, "Image Configuration", `history`).
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Step {
    #[serde(default, deserialize_with = "readable")]
    created_by: String,
    #[serde(default, deserialize_with = "readable")]
    empty_layer: bool,
}

/// The line that made each of `layers` layers, from the bottom up. Steps that made no layer say so; where those that
/// remain are not as many as the layers, it cannot be told which made which, and there is none.
pub(super) fn lines(history: &[Step], layers: usize) -> Vec<String> {
    let steps: Vec<&Step> = history.iter().filter(|step| !step.empty_layer).collect();
    if steps.len() != layers {
        return Vec::new();
    }
    steps.iter().map(|step| shown(&step.created_by, LONGEST_LINE)).collect()
}

/// The base that annotations or labels name.
pub(super) fn base<'t>(text: impl Fn(&str) -> Option<&'t String>) -> Option<BaseImage> {
    let name = text(BASE_NAME).map(|name| shown(name, LONGEST_NAME)).filter(|name| !name.is_empty());
    let digest = text(BASE_DIGEST).and_then(|digest| digest.parse().ok());
    (name.is_some() || digest.is_some()).then_some(BaseImage { name, digest })
}

/// The base that annotations name.
pub(super) fn annotated_base(annotations: Option<&BTreeMap<String, String>>) -> Option<BaseImage> {
    base(|key| annotations.and_then(|annotations| annotations.get(key)))
}

/// The base that labels name. A label is inherited: it may name the base of the base, which is less, but not wrong.
pub(super) fn labelled_base(labels: &HashMap<String, String>) -> Option<BaseImage> {
    base(|key| labels.get(key))
}

/// What cannot be read is as good as missing: no image is refused for its history or its labels.
pub(super) fn readable<'de, D: Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// One line of at most `longest` characters, without those that move a cursor or turn the direction of writing.
fn shown(text: &str, longest: usize) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut characters = text.trim().chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c });
    let mut line: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps(history: serde_json::Value) -> Vec<Step> {
        serde_json::from_value(history).unwrap()
    }

    #[test]
    fn steps_without_a_layer_are_passed_over() {
        let history = steps(json!([
            {"created": "2024-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:4b03 in / "},
            {"created_by": "/bin/sh -c #(nop)  CMD [\"bash\"]", "empty_layer": true},
            {"created_by": "RUN /bin/sh -c apt-get update &&\tapt-get install -y curl\n# \u{1b}[31mred", "comment": "buildkit"},
            {"created_by": ["no text"]},
        ]));
        let expected = [
            "/bin/sh -c #(nop) ADD file:4b03 in /",
            "RUN /bin/sh -c apt-get update && apt-get install -y curl #  [31mred",
            "",
        ];
        assert_eq!(lines(&history, 3), expected);
        for layers in [0, 2, 4] {
            assert!(lines(&history, layers).is_empty(), "{layers}");
        }
    }

    #[test]
    fn lines_are_cut() {
        let history = steps(json!([{"created_by": "é".repeat(10_000)}]));
        assert_eq!(lines(&history, 1)[0].chars().count(), LONGEST_LINE + 1);
    }

    #[test]
    fn a_base_has_a_name_or_a_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let labels = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            labelled_base(&pairs.collect::<HashMap<_, _>>())
        };
        let base = labels(&[(BASE_NAME, "docker.io/library/debian:12\n"), (BASE_DIGEST, &digest)]).unwrap();
        assert_eq!(base.name.as_deref(), Some("docker.io/library/debian:12"));
        assert_eq!(base.digest.unwrap().as_str(), digest);
        assert_eq!(labels(&[(BASE_NAME, " "), (BASE_DIGEST, "sha256:no")]), None);
        assert_eq!(labels(&[("maintainer", "nobody")]), None);
    }
}
