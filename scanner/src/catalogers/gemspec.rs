//! Gems as RubyGems and Bundler install them: `specifications/*.gemspec`, and `specifications/default/*.gemspec` of those
//! that come with Ruby (rubygems' `Gem::Specification#to_ruby` and `Gem::StubSpecification`).
//!
//! The second line of what RubyGems writes is `# stub: name version platform require_paths`, made to be read without
//! running Ruby. Distributions write some without it; of those the assignments of name and version are read.

use std::io::BufRead;

use super::lines::Lines;
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Reads installed gems.
pub(super) struct Gemspec;

impl Cataloger for Gemspec {
    fn name(&self) -> &'static str {
        "gemspec"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        let Some((folder, name)) = path.rsplit_once('/') else { return false };
        let folder = folder.strip_suffix("/default").unwrap_or(folder);
        name.ends_with(".gemspec") && (folder == "specifications" || folder.ends_with("/specifications"))
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let (mut name, mut version) = (None, None);
        while let Some(line) = lines.next()? {
            if let Some((stub_name, stub_version)) = stub(&line.text) {
                (name, version) = (Some(stub_name.to_owned()), Some(stub_version.to_owned()));
            } else if let Some((attribute, value)) = assignment(&line.text) {
                let field = if attribute == "name" { &mut name } else { &mut version };
                field.get_or_insert_with(|| value.to_owned());
            }
            if let (Some(name), Some(version)) = (&name, &version) {
                if let Some(damage) = line.damage() {
                    found.problem(format!("line {} {damage}", line.number));
                    return Ok(());
                }
                let (kind, name, version) = ("gem".to_owned(), name.clone(), version.clone());
                return found.package(FoundPackage { kind, name, version, ..FoundPackage::default() });
            }
        }
        found.problem("it assigns no name or no version as text".to_owned());
        Ok(())
    }
}

/// Name and version of a stub line.
fn stub(line: &str) -> Option<(&str, &str)> {
    let mut words = line.strip_prefix("# stub: ")?.split(' ');
    let stub = (words.next()?, words.next()?);
    let is_version = stub.1.starts_with(|first: char| first.is_ascii_digit());
    (is_version && !stub.0.is_empty() && words.next().is_some()).then_some(stub)
}

/// `name` or `version` and the text that is assigned to it: `s.name = "rake".freeze`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (target, value) = line.trim().split_once('=')?;
    let (_, attribute) = target.trim_end().rsplit_once('.')?;
    if !matches!(attribute, "name" | "version") {
        return None;
    }
    let value = value.trim_start();
    let value = value.strip_prefix("Gem::Version.new").map_or(value, |call| call.trim_start_matches(['(', ' ']));
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let text = value[1..].split(quote).next()?;
    (!text.is_empty() && !text.contains("#{")).then_some((attribute, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::catalog;

    fn identity(file: &str) -> Option<(String, String)> {
        let found = catalog(&Gemspec, file.as_bytes());
        assert_eq!(found.packages.len() + found.problems.len(), 1, "{file}");
        found.packages.into_iter().next().map(|package| (package.name, package.version))
    }

    #[test]
    fn wants_installed_specifications_alone() {
        for path in [
            "usr/lib/ruby/gems/3.1.0/specifications/typeprof-0.21.2.gemspec",
            "usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec",
        ] {
            assert!(Gemspec.wants(path), "{path}");
        }
        for path in
            ["gems/rake-13.0.6/rake.gemspec", "specifications/rake.rb", "rake.gemspec", "my-specifications/a.gemspec"]
        {
            assert!(!Gemspec.wants(path), "{path}");
        }
    }

    #[test]
    fn the_stub_line_comes_first() {
        let file = "# -*- encoding: utf-8 -*-\n# stub: nokogiri 1.13.3 x86_64-linux lib\n# stub: ext/extconf.rb\n\n\
                    Gem::Specification.new do |s|\n  s.name = \"other\".freeze\n  s.version = \"9\"\n";
        assert_eq!(identity(file), Some(("nokogiri".into(), "1.13.3".into())));
    }

    #[test]
    fn without_a_stub_the_assignments_are_read() {
        for (name, version) in [
            ("\"rake\".freeze", "\"13.0.6\".freeze"),
            ("'rake'", "Gem::Version.new('13.0.6')"),
            ("%q{rake}", "\"13.0.6\""),
            ("\"rake\"", "Rake::VERSION"),
        ] {
            let file = format!(
                "Gem::Specification.new do |s|\n  s.name = {name}\n  s.version = {version}\n  s.name == 1\nend\n"
            );
            let is_text = !name.starts_with('%') && !version.starts_with('R');
            assert_eq!(identity(&file), is_text.then(|| ("rake".into(), "13.0.6".into())), "{file}");
        }
    }
}
