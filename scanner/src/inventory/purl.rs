//! Package URLs: `pkg:type/namespace/name@version?qualifiers#subpath` (ECMA-427, package-url/purl-spec).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A package URL, in its parts. Parts hold plain text; the URL is percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purl {
    /// Type, in lower case: `deb`, `npm`.
    pub kind: String,
    /// Segments before the name, such as a distribution or a scope; none may be empty.
    pub namespace: Vec<String>,
    /// Name, never empty.
    pub name: String,
    /// Version, as the ecosystem writes it.
    pub version: Option<String>,
    /// Further facts; keys in lower case, no value empty.
    pub qualifiers: BTreeMap<String, String>,
    /// Path inside the package, without slashes around it.
    pub subpath: Option<String>,
}

/// Text that is not a package URL, or not one of a package that can be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{purl:?} is not a usable package URL: {why}")]
pub struct PurlError {
    /// The text, cut to 200 characters.
    pub purl: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl PurlError {
    pub(super) fn new(purl: &str, why: &'static str) -> Self {
        Self { purl: purl.chars().take(200).collect(), why }
    }
}

impl Purl {
    /// A package URL of a name and its namespace, whose segments have slashes between them; normalized as its type wants it.
    pub(super) fn new(kind: &str, namespace: Option<&str>, name: &str, version: &str) -> Self {
        let mut purl = Self {
            kind: kind.to_owned(),
            namespace: namespace.into_iter().flat_map(|path| path.split('/')).map(str::to_owned).collect(),
            name: name.to_owned(),
            version: Some(version.to_owned()),
            qualifiers: BTreeMap::new(),
            subpath: None,
        };
        purl.normalize();
        purl
    }

    /// Adds a qualifier, unless it has no value.
    pub(super) fn qualify(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.qualifiers.insert(key.to_owned(), value.to_owned());
        }
    }

    fn normalize(&mut self) {
        match self.kind.as_str() {
            "pypi" => self.name = pep503(&self.name),
            "apk" | "bitbucket" | "composer" | "deb" | "github" | "hex" => {
                self.name = self.name.to_lowercase();
                self.namespace.iter_mut().for_each(|segment| *segment = segment.to_lowercase());
            }
            _ => {}
        }
    }
}

/// Lower case, and one hyphen for each run of `-`, `_` and `.` (PEP 503).
fn pep503(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '-' | '_' | '.' if normalized.ends_with('-') => {}
            '-' | '_' | '.' => normalized.push('-'),
            char => normalized.extend(char.to_lowercase()),
        }
    }
    normalized
}

impl FromStr for Purl {
    type Err = PurlError;

    fn from_str(text: &str) -> Result<Self, PurlError> {
        let invalid = |why| PurlError::new(text, why);
        let (scheme, rest) = text.trim().split_once(':').ok_or_else(|| invalid("it does not begin with pkg:"))?;
        if !scheme.eq_ignore_ascii_case("pkg") {
            return Err(invalid("it does not begin with pkg:"));
        }
        let (rest, subpath) = rest.split_once('#').map_or((rest, None), |(rest, subpath)| (rest, Some(subpath)));
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.trim_matches('/').split_once('/').ok_or_else(|| invalid("it has no name"))?;
        let (path, version) = split_version(rest);
        let decoded = |part: &str| decode(part).ok_or_else(|| invalid("its percent-encoding is broken"));

        let mut namespace: Vec<String> =
            path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect::<Result<_, _>>()?;
        let name = namespace.pop().filter(|_| !path.ends_with('/')).ok_or_else(|| invalid("it has no name"))?;
        if !is_kind(kind) {
            return Err(invalid("its type is not letters, digits, '.' and '-', with a letter in front"));
        }
        let mut purl = Self {
            kind: kind.to_ascii_lowercase(),
            namespace,
            name,
            version: version.map(decoded).transpose()?.filter(|version| !version.is_empty()),
            qualifiers: parse_qualifiers(qualifiers).map_err(invalid)?,
            subpath: subpath.map(decoded).transpose()?.and_then(|subpath| clean_subpath(&subpath)),
        };
        purl.normalize();
        Ok(purl)
    }
}

/// The version begins at the last `@`, except where that begins a segment before the last: an npm scope that nobody
/// encoded.
fn split_version(rest: &str) -> (&str, Option<&str>) {
    let is_scope = |path: &str, version: &str| (path.is_empty() || path.ends_with('/')) && version.contains('/');
    match rest.rsplit_once('@') {
        Some((path, version)) if !is_scope(path, version) => (path, Some(version)),
        _ => (rest, None),
    }
}

fn is_kind(kind: &str) -> bool {
    kind.starts_with(|first: char| first.is_ascii_alphabetic())
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn parse_qualifiers(text: &str) -> Result<BTreeMap<String, String>, &'static str> {
    let mut qualifiers = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("a qualifier has no value")?;
        let is_key = key.starts_with(|first: char| first.is_ascii_alphabetic())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !is_key {
            return Err("the key of a qualifier is not letters, digits, '.', '-' and '_', with a letter in front");
        }
        let value = decode(value).ok_or("its percent-encoding is broken")?;
        if !value.is_empty() && qualifiers.insert(key.to_ascii_lowercase(), value).is_some() {
            return Err("a qualifier is given twice");
        }
    }
    Ok(qualifiers)
}

fn clean_subpath(subpath: &str) -> Option<String> {
    let segments: Vec<_> = subpath.split('/').filter(|segment| !["", ".", ".."].contains(segment)).collect();
    (!segments.is_empty()).then(|| segments.join("/"))
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        for segment in &self.namespace {
            write!(f, "{}/", Encoded(segment))?;
        }
        write!(f, "{}", Encoded(&self.name))?;
        if let Some(version) = &self.version {
            write!(f, "@{}", Encoded(version))?;
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            write!(f, "{separator}{key}={}", Encoded(value))?;
        }
        if let Some(subpath) = &self.subpath {
            for (index, segment) in subpath.split('/').enumerate() {
                let separator = if index == 0 { '#' } else { '/' };
                write!(f, "{separator}{}", Encoded(segment))?;
            }
        }
        Ok(())
    }
}

/// Percent-encodes everything but letters, digits, `.`, `-`, `_`, `~` and `:`.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'.' | b'-' | b'_' | b'~' | b':' => write!(f, "{}", char::from(byte))?,
                byte if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(byte))?,
                byte => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines of the public test suite: what is written, a tab, and its canonical form or nothing where it is invalid.
    #[test]
    fn the_public_test_suite_holds() {
        let table = include_str!("../../testdata/purl/suite.tsv");
        let rows = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
        let mut count = 0;
        for (written, canonical) in rows {
            let actual = written.parse::<Purl>().map(|purl| purl.to_string());
            if canonical.is_empty() {
                assert!(actual.is_err(), "{written}: {actual:?}");
            } else {
                assert_eq!(actual.as_deref(), Ok(canonical), "{written}");
                assert_eq!(canonical.parse::<Purl>().unwrap().to_string(), canonical);
            }
            count += 1;
        }
        assert!(count >= 40, "{count}");
    }

    #[test]
    fn scopes_are_namespaces_encoded_or_not() {
        for text in ["pkg:npm/%40angular/core@12.3.1", "pkg:npm/@angular/core@12.3.1"] {
            let purl: Purl = text.parse().unwrap();
            assert_eq!((purl.namespace[0].as_str(), purl.version.as_deref()), ("@angular", Some("12.3.1")));
        }
        let purl: Purl = "pkg:npm/@angular/core".parse().unwrap();
        assert_eq!((purl.name.as_str(), purl.version), ("core", None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_written_can_be_read_again(
            name in "[^/\\s][^/]{0,12}", version in "\\S{1,12}", arch in ".{0,6}", namespace in prop::option::of("[^/]{1,8}")
        ) {
            let mut purl = Purl::new("generic", namespace.as_deref(), &name, &version);
            purl.qualify("arch", Some(&arch));
            prop_assert_eq!(purl.to_string().parse::<Purl>(), Ok(purl));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "(pkg:)?[a-z/@%é?#=&0-9]{0,40}", noise in ".{0,40}") {
            let _ = (text.parse::<Purl>(), noise.parse::<Purl>());
        }
    }
}
