//! The lines of Go's module listing.

/// What Go calls a module whose version it does not know: the main module of a working copy, and local folders.
const UNKNOWN: &str = "(devel)";

/// What a module listing says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Paths and versions of the main module and of the dependencies, each as it was replaced.
    pub(super) modules: Vec<(String, String)>,
    /// Whether the program is `go` itself.
    pub(super) is_go_command: bool,
    lines: usize,
}

impl Listing {
    /// Lines are `path`, `mod`, `dep`, `=>` (replaces the module of the line before) and `build`, with values after tabs.
    ///
    /// A main module without a version gets the one that its builder handed to the linker (`-X main.version=1.4.2`). A
    /// module that a local folder replaces keeps its path; nobody can tell which version that folder has.
    pub(super) fn parse(text: &str) -> Self {
        let mut listing = Self::default();
        let mut main = None;
        let mut flags = None;
        for line in text.lines() {
            listing.lines += 1;
            let (kind, rest) = line.split_once('\t').unwrap_or((line, ""));
            let mut values = rest.split('\t');
            let mut next = || values.next().unwrap_or_default();
            match kind {
                "path" => listing.is_go_command = rest == "cmd/go",
                "mod" | "dep" => {
                    if kind == "mod" {
                        main = Some(listing.modules.len());
                    }
                    listing.modules.push((next().to_owned(), next().to_owned()));
                }
                "=>" => listing.replace(next(), next()),
                "build" => flags = flags.or_else(|| rest.strip_prefix("-ldflags=")),
                _ => {}
            }
        }
        listing.settle(main, flags);
        listing.modules.retain(|(path, _)| !path.is_empty());
        listing
    }

    /// Whether the program has no listing. Programs of one file and Go's own have one without modules.
    pub(super) fn is_empty(&self) -> bool {
        self.lines == 0
    }

    fn replace(&mut self, path: &str, version: &str) {
        let Some(replaced) = self.modules.last_mut() else { return };
        if !path.starts_with(['.', '/']) {
            path.clone_into(&mut replaced.0);
            version.clone_into(&mut replaced.1);
        } else {
            UNKNOWN.clone_into(&mut replaced.1);
        }
    }

    fn settle(&mut self, main: Option<usize>, flags: Option<&str>) {
        for (index, (path, version)) in self.modules.iter_mut().enumerate() {
            if version.is_empty() {
                UNKNOWN.clone_into(version);
            }
            if Some(index) == main
                && version == UNKNOWN
                && let Some(told) = flags.and_then(|flags| version_in_flags(flags, path))
            {
                *version = told;
            }
        }
    }
}

/// The version that `-X` sets: of a variable `version` (or `gitVersion`, `buildVersion`) of package `main` or of the main
/// module, else of any package, as Prometheus and Kubernetes keep theirs in a module of their own. Only if all agree.
fn version_in_flags(flags: &str, module: &str) -> Option<String> {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    let flags = flags.replace(['"', '\'', '\\'], " ");
    for (package, version) in flags.split_whitespace().filter_map(version_setting) {
        let is_own = package == "main"
            || package.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_own { own.push(version) } else { others.push(version) }
    }
    let versions = if own.is_empty() { others } else { own };
    let first = versions.first()?;
    versions.iter().all(|version| version == first).then(|| format!("v{first}"))
}

/// Package and version of `main.version=v1.4.2`, be it a word of its own or behind `-X=`.
fn version_setting(word: &str) -> Option<(&str, &str)> {
    let (variable, value) = word.strip_prefix("-X=").unwrap_or(word).split_once('=')?;
    let (package, name) = variable.rsplit_once('.')?;
    let is_version = ["version", "gitversion", "buildversion"].contains(&name.to_ascii_lowercase().as_str());
    let version = value.strip_prefix('v').unwrap_or(value);
    let mut numbers = version.splitn(3, '.');
    let mut is_number =
        || numbers.next().is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()));
    (is_version && is_number() && is_number() && is_number()).then_some((package, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(text: &str) -> Vec<(String, String)> {
        Listing::parse(text).modules
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(path, version)| ((*path).to_owned(), (*version).to_owned())).collect()
    }

    #[test]
    fn dependencies_are_listed_as_replaced() {
        let text = "path\texample.com/shop/cmd/shop\nmod\texample.com/shop\tv1.2.0\th1:x=\n\
            dep\tgithub.com/google/uuid\tv1.3.0\n=>\t./uuid\t(devel)\t\n\n\
            dep\tgithub.com/pkg/errors\tv0.8.1\n=>\tgithub.com/fork/errors\tv0.9.1\th1:FEBLx1zS214=\n\
            dep\tgithub.com/docker/docker\tv20.10.7+incompatible\th1:y=\nbuild\tGOOS=linux\n";
        let expected = [
            ("example.com/shop", "v1.2.0"),
            ("github.com/google/uuid", "(devel)"),
            ("github.com/fork/errors", "v0.9.1"),
            ("github.com/docker/docker", "v20.10.7+incompatible"),
        ];
        assert_eq!(modules(text), pairs(&expected));
    }

    #[test]
    fn a_working_copy_has_the_version_that_its_builder_told() {
        let version = |flags: &str| {
            let text = format!("path\tm.org/app\nmod\tm.org/app\t(devel)\t\nbuild\t-ldflags={flags}\n");
            modules(&text).remove(0).1
        };
        for (flags, expected) in [
            (r#""-s -w -X main.version=1.4.2""#, "v1.4.2"),
            (r#""-X 'main.Version=v2.0.0-rc.1' -X main.commit=1.2.3""#, "v2.0.0-rc.1"),
            ("-X=m.org/app/internal.version=1.0.0", "v1.0.0"),
            (r#""-X github.com/prometheus/common/version.Version=2.45.0""#, "v2.45.0"),
            (r#""-X other.org/dep.Version=9.9.9 -X main.version=1.0.0""#, "v1.0.0"),
            (r#""-X main.version=1.0.0 -X main.gitVersion=1.0.1""#, "(devel)"),
            (r#""-X main.version=dev -X main.goVersion=1.22.3""#, "(devel)"),
            (r#""-X main.version=1.4""#, "(devel)"),
            ("", "(devel)"),
        ] {
            assert_eq!(version(flags), expected, "{flags}");
        }
        assert_eq!(modules("mod\ta\tv1.0.0\nbuild\t-ldflags=-X=main.version=2.0.0"), pairs(&[("a", "v1.0.0")]));
    }

    #[test]
    fn odd_lines_are_passed_over() {
        assert_eq!(modules("=>\tx\tv1\n\ndep\nmod\t\nnoise\tx"), []);
        assert_eq!(modules("dep\ta"), pairs(&[("a", "(devel)")]));
        assert!(Listing::parse("path\tcmd/go\n").is_go_command);
    }
}
