//! Erlang's `rebar.lock`: Erlang terms that rebar3 writes (rebar3.org, "Dependencies", "Lock Files").
//!
//! ```text
//! {"1.2.0",
//! [{<<"certifi">>,{pkg,<<"certifi">>,<<"2.9.0">>},1},
//!  {<<"swc">>,
//!   {git,"https://github.com/vernemq/ServerWideClocks.git", {ref,"4835239dca5a"}},
//!   0}]}.
//! ```
//!
//! A `pkg` tuple is a package of Hex: its name, then its version; the pretty-printer may break it over lines. What is
//! from git has no version and is left out. rebar3 locks the default profile alone, so nothing of tests is in it.

use std::io::BufRead;

use super::lines::Lines;
use super::lock_files::{is_lock_file, locked};
use super::{CatalogError, Cataloger, Found};

/// Reads `rebar.lock`.
pub(super) struct RebarLock;

impl Cataloger for RebarLock {
    fn name(&self) -> &'static str {
        "rebar-lock"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        is_lock_file(path, "rebar.lock")
    }

    fn catalog(&self, _path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut lines = Lines::of(file);
        let mut expected = Expected::Tuple;
        while let Some(line) = lines.next()? {
            for (index, piece) in line.text.split('"').enumerate() {
                let is_quoted = index % 2 == 1;
                expected = match (expected, is_quoted) {
                    (_, false) if piece.contains("{pkg,") => Expected::Name,
                    (Expected::Name, true) => Expected::Version(piece.to_owned()),
                    (Expected::Version(name), true) => {
                        add(&name, piece, line.number, found)?;
                        Expected::Tuple
                    }
                    (expected, _) => expected,
                };
            }
        }
        Ok(())
    }
}

/// What comes next.
enum Expected {
    Tuple,
    Name,
    /// Of the package of this name.
    Version(String),
}

fn add(name: &str, version: &str, line: u64, found: &mut Found) -> Result<(), CatalogError> {
    if [name, version].iter().any(|text| text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER)) {
        found.problem(format!("line {line}: a package without name or version"));
        return Ok(());
    }
    found.package(locked("hex", name, version))
}

#[cfg(test)]
mod tests {
    use shared::package::Evidence;

    use super::*;
    use crate::catalogers::fixtures::{catalog, names_and_versions};

    #[test]
    fn packages_of_hex_are_found_however_the_terms_are_broken() {
        let found = catalog(
            &RebarLock,
            br#"{"1.2.0",
[{<<"bcrypt">>,{pkg,<<"bcrypt">>,<<"1.1.5">>},0},
 {<<"bson">>,
  {git,"https://github.com/comtihon/bson-erlang",
       {ref,"14308ab927cfa69324742c3de720578094e0bb19"}},
  1},
 {<<"a_name_that_is_longer_than_most_of_them">>,
  {pkg,<<"a_name_that_is_longer_than_most_of_them">>,
       <<"0.7.0">>,<<"A6763BD4">>},
  1},
 {<<"empty">>,{pkg,<<"">>,<<"1">>},0}]}.
[
{pkg_hash,[
 {<<"bcrypt">>, <<"A6763BD4E1AF46D34776F85B7995E63A02978DE110C077E9570ED17006E03386">>}]}
].
"#,
        );
        assert_eq!(names_and_versions(&found), ["bcrypt 1.1.5", "a_name_that_is_longer_than_most_of_them 0.7.0"]);
        assert!(found.packages.iter().all(|package| package.kind == "hex" && package.evidence == Evidence::LockFile));
        assert_eq!(found.problems, ["line 11: a package without name or version"]);
        let old = catalog(&RebarLock, br#"[{<<"goldrush">>,{pkg,<<"goldrush">>,<<"0.1.8">>},1}]."#);
        assert_eq!(names_and_versions(&old), ["goldrush 0.1.8"]);
    }
}
