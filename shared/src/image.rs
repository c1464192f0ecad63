//! Names of images, checked when they are built: [`Repository`], [`Tag`], [`Digest`], [`Platform`].
//!
//! The grammars are those of the OCI distribution specification 1.1, section "Pulling manifests".

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that does not follow its grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: {why}")]
pub struct InvalidName {
    /// What was being read: `digest`, `tag`, `repository`, `platform`.
    pub what: &'static str,
    /// The offending text, cut to 80 characters.
    pub value: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl InvalidName {
    fn new(what: &'static str, value: &str, why: &'static str) -> Self {
        Self { what, value: value.chars().take(80).collect(), why }
    }
}

/// A text newtype whose only way in is `FromStr`.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

checked_name!(
    /// Content address of a manifest, an index or a layer: `sha256:` and 64, or `sha512:` and 128, lower-case hex digits.
    Digest,
    check_digest
);
checked_name!(
    /// Repository within a registry, such as `team/app`: at most 255 characters.
    Repository,
    check_repository
);
checked_name!(
    /// A tag: at most 128 characters.
    Tag,
    check_tag
);

impl Digest {
    /// `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }

    /// The hex digits behind the algorithm.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The SHA-256 digest of `bytes`.
    pub fn sha256_of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self::from_sha256(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of a finished SHA-256 computation.
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        Self(format!("sha256:{}", hex::encode(hash)))
    }

    /// The digest of `bytes` by the algorithm of `self`: equal to it if the bytes are what it names.
    pub fn recompute(&self, bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        match self.algorithm() {
            "sha512" => Self(format!("sha512:{}", hex::encode(sha2::Sha512::digest(bytes)))),
            _ => Self::sha256_of(bytes),
        }
    }

    /// The first twelve hex digits, for people.
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or(self.hex())
    }
}

impl Tag {
    /// Whether the tag names a signature, attestation or SBOM of another image (cosign's `sha256-<hex>.sig`)
    /// or a referrers index (OCI distribution specification, "Referrers Tag Schema"): nothing that can be scanned.
    pub fn names_a_referrer(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("sha256-") else { return false };
        let (hex, suffix) = rest.split_at(rest.len().min(64));
        hex.len() == 64
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
            && (suffix.is_empty() || matches!(suffix, ".sig" | ".att" | ".sbom"))
    }
}

fn check_digest(text: &str) -> Result<(), InvalidName> {
    let invalid = |why| Err(InvalidName::new("digest", text, why));
    let length = match text.split_once(':') {
        Some(("sha256", _)) => 64,
        Some(("sha512", _)) => 128,
        _ => return invalid("it must begin with sha256: or sha512:"),
    };
    let hex = &text[7..];
    if hex.len() != length || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return invalid("it needs 64 (sha256) or 128 (sha512) lower-case hex digits");
    }
    Ok(())
}

fn check_repository(text: &str) -> Result<(), InvalidName> {
    let invalid = |why| Err(InvalidName::new("repository", text, why));
    if text.is_empty() || text.len() > 255 {
        return invalid("it must have 1 to 255 characters");
    }
    if text.split('/').all(is_path_component) {
        return Ok(());
    }
    invalid("each part between slashes must be lower-case letters and digits, separated by one of . _ __ or dashes")
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_well = |byte: Option<&u8>| byte.copied().is_some_and(alphanumeric);
    ends_well(part.as_bytes().first())
        && ends_well(part.as_bytes().last())
        && part
            .split(|c: char| c.is_ascii() && alphanumeric(c as u8))
            .filter(|run| !run.is_empty())
            .all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

fn check_tag(text: &str) -> Result<(), InvalidName> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = text.bytes();
    let valid = text.len() <= 128
        && bytes.next().is_some_and(word)
        && bytes.all(|byte| word(byte) || byte == b'.' || byte == b'-');
    if valid {
        return Ok(());
    }
    Err(InvalidName::new("tag", text, "it must be 1 to 128 of [A-Za-z0-9_.-], and not begin with . or -"))
}

/// What an image runs on, such as `linux/amd64` or `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    /// Operating system in Go's words: `linux`, `windows`.
    pub os: String,
    /// Processor in Go's words: `amd64`, `arm64`.
    pub architecture: String,
    /// Variant of the processor: `v7`.
    pub variant: Option<String>,
}

impl FromStr for Platform {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let word = |part: &&str| {
            !part.is_empty()
                && part.len() <= 32
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture, variant @ ..] if variant.len() < 2 && parts.iter().all(word) => Ok(Self {
                os: (*os).to_owned(),
                architecture: (*architecture).to_owned(),
                variant: variant.first().map(|v| (*v).to_owned()),
            }),
            _ => Err(InvalidName::new("platform", text, "it must be OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT")),
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> String {
        platform.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl utoipa::PartialSchema for Platform {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

impl utoipa::ToSchema for Platform {}

/// A tag or a digest: what a client puts behind `/manifests/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By name, which may point elsewhere tomorrow.
    Tag(Tag),
    /// By content.
    Digest(Digest),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// `HOST/REPOSITORY[:TAG][@DIGEST]` as people write it. `docker.io` and `library/` are filled in as Docker does;
/// with neither tag nor digest the tag is `latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageRef {
    /// Host, with its port if one was written.
    pub host: String,
    /// Repository on that host.
    pub repository: Repository,
    /// The tag that was written.
    pub tag: Option<Tag>,
    /// The digest that was written.
    pub digest: Option<Digest>,
}

impl ImageRef {
    /// The digest if there is one, else the tag, else `latest`.
    pub fn reference(&self) -> Reference {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Reference::Digest(digest.clone()),
            (None, Some(tag)) => Reference::Tag(tag.clone()),
            (None, None) => Reference::Tag(Tag("latest".to_owned())),
        }
    }
}

impl FromStr for ImageRef {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (text, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let last_slash = text.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match text[last_slash..].split_once(':') {
            Some((name, tag)) => (&text[..last_slash + name.len()], Some(tag.parse()?)),
            None => (text, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        Ok(Self { host: host.to_owned(), repository: path.try_into()?, tag, digest })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_is_refused_or_comes_back_as_it_was(text in "\\PC{0,40}|[a-z0-9._/-]{1,12}|sha(256|512)[:-][0-9a-fg.]{0,130}") {
            if let Ok(name) = text.parse::<Repository>() {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert!(text.split('/').all(|part| !part.is_empty() && part != ".." && part != "."));
            }
            if let Ok(name) = text.parse::<Tag>() {
                prop_assert_eq!(name.as_str(), &text);
                name.names_a_referrer();
            }
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.short().len(), 12);
                prop_assert_eq!(digest.recompute(b"").hex().len(), digest.hex().len());
            }
            if let Ok(platform) = text.parse::<Platform>() {
                prop_assert_eq!(platform.to_string(), text);
            }
        }

        #[test]
        fn a_reference_says_what_was_read(text in "\\PC{0,40}|([a-z.]{1,9}(:[0-9]{1,4})?/)?[a-z/]{1,9}(:[a-z0-9]{1,4})?(@sha256:[0-9a-f]{64})?") {
            if let Ok(image) = text.parse::<ImageRef>() {
                prop_assert_eq!(image.to_string().parse::<ImageRef>().unwrap(), image);
            }
        }
    }

    #[test]
    fn names_follow_the_distribution_grammar() {
        for good in ["a", "team/app", "a.b/c_d/e__f/g--h", "0/1"] {
            assert!(good.parse::<Repository>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "A", "a..b", "a___b", "-a", "a//b", "a b", "a/../b", "é"] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
        for bad in ["", ".a", "-a", "a/b", "a:b", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
        assert!("_1.2-x".parse::<Tag>().is_ok());
        let hex = "ab".repeat(32);
        assert!(format!("sha256:{hex}").parse::<Digest>().is_ok());
        for bad in [
            "sha256:ab".to_owned(),
            format!("sha256:{}", "AB".repeat(32)),
            format!("md5:{hex}"),
            format!("sha512:{hex}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn image_references_read_as_people_write_them() {
        let check = |text: &str, shown: &str, reference: &str| {
            let image: ImageRef = text.parse().unwrap();
            assert_eq!((image.to_string().as_str(), image.reference().to_string().as_str()), (shown, reference));
        };
        check("alpine", "docker.io/library/alpine", "latest");
        check("team/app:1", "docker.io/team/app:1", "1");
        check("localhost:5000/a/b:x", "localhost:5000/a/b:x", "x");
        let digest = format!("sha256:{}", "0".repeat(64));
        check(&format!("r.example/a:1@{digest}"), &format!("r.example/a:1@{digest}"), &digest);
        assert!("r.example/A".parse::<ImageRef>().is_err());
    }

    #[test]
    fn referrer_tags_are_told_apart() {
        let hex = "0".repeat(64);
        for yes in [format!("sha256-{hex}"), format!("sha256-{hex}.sig"), format!("sha256-{hex}.att")] {
            assert!(yes.parse::<Tag>().unwrap().names_a_referrer(), "{yes}");
        }
        for no in ["latest".to_owned(), "sha256-abc".to_owned(), format!("sha256-{hex}.tar")] {
            assert!(!no.parse::<Tag>().unwrap().names_a_referrer(), "{no}");
        }
    }
}
