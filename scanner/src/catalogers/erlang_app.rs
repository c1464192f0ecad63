//! Erlang and Elixir applications as releases and system libraries hold them: `lib/NAME-VERSION/ebin/NAME.app`, an
//! application resource file (erlang.org, app(5)), whose `vsn` is the version.
//!
//! The applications of Erlang/OTP and of Elixir themselves are no packages of Hex and are left out.

use std::io::BufRead;

use super::lines::Lines;
use super::{CatalogError, Cataloger, Found, FoundPackage};

/// Reads application resource files.
pub(super) struct ErlangApp;

/// Applications that come with Erlang/OTP (its `lib` folder) and with Elixir.
const NOT_OF_HEX: &[&str] = &[
    "asn1",
    "common_test",
    "compiler",
    "cosEvent",
    "cosEventDomain",
    "cosFileTransfer",
    "cosNotification",
    "cosProperty",
    "cosTime",
    "cosTransactions",
    "crypto",
    "debugger",
    "dialyzer",
    "diameter",
    "edoc",
    "eex",
    "eldap",
    "elixir",
    "erl_docgen",
    "erl_interface",
    "erts",
    "et",
    "eunit",
    "ex_unit",
    "ftp",
    "gs",
    "hipe",
    "ic",
    "iex",
    "inets",
    "jinterface",
    "kernel",
    "logger",
    "megaco",
    "mix",
    "mnesia",
    "observer",
    "odbc",
    "orber",
    "os_mon",
    "ose",
    "otp_mibs",
    "parsetools",
    "percept",
    "public_key",
    "reltool",
    "runtime_tools",
    "sasl",
    "snmp",
    "ssh",
    "ssl",
    "stdlib",
    "syntax_tools",
    "test_server",
    "tftp",
    "tools",
    "typer",
    "webtool",
    "wx",
    "xmerl",
];

impl Cataloger for ErlangApp {
    fn name(&self) -> &'static str {
        "erlang-app"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        application(path).is_some_and(|(name, _)| !NOT_OF_HEX.contains(&name))
    }

    fn catalog(&self, path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let Some((name, version_of_folder)) = application(path) else { return Ok(()) };
        let version = stated_version(file)?.unwrap_or_else(|| version_of_folder.to_owned());
        found.package(FoundPackage {
            kind: "hex".to_owned(),
            name: name.to_owned(),
            version,
            ..FoundPackage::default()
        })
    }
}

/// Name and version, of `…lib/NAME-VERSION/ebin/NAME.app`.
fn application(path: &str) -> Option<(&str, &str)> {
    let (folder, name) = path.strip_suffix(".app")?.rsplit_once("/ebin/")?;
    let (parent, folder) = folder.rsplit_once('/')?;
    let version = folder.strip_prefix(name)?.strip_prefix('-')?;
    let is_library = parent == "lib" || parent.ends_with("/lib");
    (is_library && !name.is_empty() && !name.contains('/') && !version.is_empty()).then_some((name, version))
}

/// The text behind `{vsn,`. A version that a tool filled in when it was built need not be a text.
fn stated_version(file: &mut dyn BufRead) -> Result<Option<String>, CatalogError> {
    let mut lines = Lines::of(file);
    let mut is_next = false;
    while let Some(line) = lines.next()? {
        if line.text.trim_start().starts_with('%') {
            continue;
        }
        for (index, piece) in line.text.split('"').enumerate() {
            let is_quoted = index % 2 == 1;
            if is_next && is_quoted {
                return Ok(Some(piece.to_owned()).filter(|text| is_version(text)));
            }
            if !is_quoted && !piece.trim().is_empty() {
                let terms: String = piece.split_whitespace().collect();
                is_next = terms.ends_with("{vsn,");
            }
        }
    }
    Ok(None)
}

fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogers::fixtures::names_and_versions;

    fn read(path: &str, contents: &[u8]) -> Vec<String> {
        let mut found = Found::default();
        ErlangApp.catalog(path, &mut &*contents, &mut found).unwrap();
        names_and_versions(&found)
    }

    #[test]
    fn wants_applications_of_libraries_alone() {
        assert!(ErlangApp.wants("usr/lib/erlang/lib/cowlib-1.3.0/ebin/cowlib.app"));
        assert!(ErlangApp.wants("lib/jason-1.4.1/ebin/jason.app"));
        for path in [
            "usr/lib/erlang/lib/stdlib-4.2/ebin/stdlib.app",
            "app/lib/elixir-1.15.7/ebin/elixir.app",
            "app/_build/prod/lib/jason/ebin/jason.app",
            "lib/jason-1.4.1/ebin/other.app",
            "lib/jason-1.4.1/ebin/jason.beam",
            "srv/jason-1.4.1/ebin/jason.app",
            "lib/-1/ebin/.app",
        ] {
            assert!(!ErlangApp.wants(path), "{path}");
        }
    }

    #[test]
    fn the_version_is_the_one_that_the_file_states() {
        for (path, contents, expected) in [
            (
                "usr/lib/erlang/lib/cowlib-1.3.0/ebin/cowlib.app",
                &include_bytes!("../../testdata/packagedb/erlang-debian12/cowlib.app")[..],
                "cowlib 1.3.0",
            ),
            (
                "usr/lib/erlang/lib/p1_utils-1.0/ebin/p1_utils.app",
                include_bytes!("../../testdata/packagedb/erlang-debian12/p1_utils.app"),
                "p1_utils 1.0.25",
            ),
            ("lib/a-1.2/ebin/a.app", b"{application, a, [{vsn, git}, {description, \"9\"}]}.", "a 1.2"),
            ("lib/a-1.2/ebin/a.app", b"{application, a, [{vsn,\n  \"1.2.1\"}]}.", "a 1.2.1"),
            ("lib/a-1.2/ebin/a.app", b"", "a 1.2"),
        ] {
            assert_eq!(read(path, contents), [expected]);
        }
    }
}
