//! What a person asks to be scanned, as one word on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use shared::image::{ImageRef, InvalidName};

/// `IMAGE`, or `SCHEME:` and what the scheme takes. A path ends at the first colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An image in a registry: `registry.example.com/team/app:1.2`.
    Image(ImageRef),
    /// `oci:DIR[:NAME]`: an OCI image layout.
    OciLayout {
        /// The folder with `index.json`.
        dir: PathBuf,
        /// Which image; needed where there are several.
        name: Option<String>,
    },
    /// `docker-archive:FILE[:NAME:TAG]`: an archive written by `docker save`.
    DockerArchive {
        /// The archive.
        file: PathBuf,
        /// Which image; needed where there are several.
        name: Option<String>,
    },
    /// `rootfs:DIR`: an unpacked image, or a machine.
    Rootfs(PathBuf),
    /// `purls:FILE`: a list of package URLs, one a line.
    Purls(PathBuf),
    /// `sbom:FILE`: a bill of materials: CycloneDX, SPDX or Syft JSON.
    Sbom(PathBuf),
}

/// A word that names nothing to scan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// The scheme is another tool's, or misspelt.
    #[error("{scheme:?} cannot be scanned: {advice}. A target is {FORMS}")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
        /// What to write instead.
        advice: &'static str,
    },
    /// There is nothing behind the colon.
    #[error("{0}: names no path. A target is {FORMS}")]
    NoPath(&'static str),
    /// It looks like a path.
    #[error("{0:?} looks like a path; say what it is. A target is {FORMS}")]
    Path(String),
    /// It is no image either.
    #[error("{0}. A target is {FORMS}")]
    Image(#[from] InvalidName),
}

const FORMS: &str = "an image (registry.example.com/team/app:1.2), oci:DIR[:NAME], docker-archive:FILE[:NAME:TAG], \
                     rootfs:DIR, sbom:FILE or purls:FILE";

/// Schemes of other tools, and what they are here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("docker-daemon", "write the image to a file with docker save, and scan docker-archive:FILE"),
    ("containers-storage", "write the image to a folder with skopeo copy, and scan oci:DIR"),
    ("podman", "write the image to a file with podman save, and scan docker-archive:FILE"),
    ("oci-archive", "unpack the archive, and scan oci:DIR"),
    ("oci-dir", "write oci:DIR"),
    ("dir", "write rootfs:DIR"),
    ("fs", "write rootfs:DIR"),
    ("file", "write docker-archive:FILE, sbom:FILE, or purls:FILE"),
    ("registry", "write the image alone"),
    ("docker", "write the image alone"),
    ("http", "write the image alone, without http://"),
    ("https", "write the image alone, without https://"),
];

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "oci" => path_and_name("oci", rest).map(|(dir, name)| Self::OciLayout { dir, name }),
            "docker-archive" => {
                path_and_name("docker-archive", rest).map(|(file, name)| Self::DockerArchive { file, name })
            }
            "rootfs" => path("rootfs", rest).map(Self::Rootfs),
            "purls" => path("purls", rest).map(Self::Purls),
            "sbom" => path("sbom", rest).map(Self::Sbom),
            _ => image(text, scheme, rest),
        }
    }
}

fn path(scheme: &'static str, text: &str) -> Result<PathBuf, InvalidTarget> {
    if text.is_empty() { Err(InvalidTarget::NoPath(scheme)) } else { Ok(PathBuf::from(text)) }
}

fn path_and_name(scheme: &'static str, text: &str) -> Result<(PathBuf, Option<String>), InvalidTarget> {
    let (path, name) = text.split_once(':').unwrap_or((text, ""));
    Ok((self::path(scheme, path)?, (!name.is_empty()).then(|| name.to_owned())))
}

fn image(text: &str, scheme: &str, rest: &str) -> Result<Target, InvalidTarget> {
    if let Some((_, advice)) = ELSEWHERE.iter().find(|(other, _)| *other == scheme && !is_tag(text, rest)) {
        return Err(InvalidTarget::Scheme { scheme: format!("{scheme}:"), advice });
    }
    if text.starts_with(['/', '.', '~']) {
        return Err(InvalidTarget::Path(text.chars().take(80).collect()));
    }
    Ok(Target::Image(text.parse()?))
}

/// `registry:2` and `docker:dind` are images of Docker Hub; `docker:team/app` and `docker://app` are not.
fn is_tag(text: &str, rest: &str) -> bool {
    (text.starts_with("registry:") || text.starts_with("docker:")) && rest.parse::<shared::image::Tag>().is_ok()
        || rest.is_empty()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, name) = match self {
            Self::Image(image) => return image.fmt(f),
            Self::OciLayout { dir, name } => ("oci", dir, name.as_deref()),
            Self::DockerArchive { file, name } => ("docker-archive", file, name.as_deref()),
            Self::Rootfs(dir) => ("rootfs", dir, None),
            Self::Purls(file) => ("purls", file, None),
            Self::Sbom(file) => ("sbom", file, None),
        };
        write!(f, "{scheme}:{}", path.display())?;
        name.map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn targets_read_as_people_write_them() {
        assert_eq!(
            target("oci:images/app:v1"),
            Target::OciLayout { dir: "images/app".into(), name: Some("v1".to_owned()) }
        );
        assert_eq!(target("oci:images/app"), Target::OciLayout { dir: "images/app".into(), name: None });
        let name = Some("r.example:5000/app:v1".to_owned());
        assert_eq!(
            target("docker-archive:app.tar:r.example:5000/app:v1"),
            Target::DockerArchive { file: "app.tar".into(), name }
        );
        assert_eq!(target("rootfs:/"), Target::Rootfs("/".into()));
        assert_eq!(target("purls:-"), Target::Purls("-".into()));
        assert_eq!(target("sbom:a/bom.json"), Target::Sbom("a/bom.json".into()));
        for image in ["docker.io/library/registry:2", "docker.io/library/docker:dind", "r.example:5000/team/app:1"] {
            assert_eq!(target(image).to_string(), image);
        }
        assert_eq!(target("registry:2").to_string(), "docker.io/library/registry:2");
        assert_eq!(target("podman").to_string(), "docker.io/library/podman");
    }

    #[test]
    fn mistakes_are_answered_with_what_to_write() {
        for (mistake, advice) in [
            ("docker-daemon:app:1", "docker save"),
            ("docker://alpine", "the image alone"),
            ("https://r.example/app", "without https://"),
            ("dir:/", "rootfs:DIR"),
            ("oci-archive:x.tar", "oci:DIR"),
            ("oci:", "names no path"),
            ("oci::v1", "names no path"),
            ("docker-archive:", "names no path"),
            ("./app.tar", "looks like a path"),
            ("/", "looks like a path"),
            ("Team/App", "repository"),
            ("", "repository"),
        ] {
            let error = mistake.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(advice) && error.contains("docker-archive:FILE"), "{mistake}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "((oci|docker-archive|rootfs|purls|sbom):)?[a-z0-9/.:@-]{0,30}") {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in any::<String>()) {
            let _ = text.parse::<Target>();
        }
    }
}
