//! Runs the parser that the environment variable `PARSER` names. Without it: writes a seed corpus for each parser into
//! the folder `CORPORA`, and prints their names.
#![no_main]

mod seeds;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use scanner::fuzzing::Parser;

static PARSER: LazyLock<Parser> = LazyLock::new(|| {
    let Ok(name) = std::env::var("PARSER") else { seeds::write_and_exit() };
    let parser = parsers().into_iter().find(|parser| parser.name == name);
    parser.unwrap_or_else(|| {
        eprintln!("there is no parser {name:?}");
        std::process::exit(2)
    })
});

fn parsers() -> Vec<Parser> {
    let mut parsers = scanner::fuzzing::parsers();
    parsers.sort_by(|a, b| a.name.cmp(&b.name));
    parsers
}

fuzz_target!(
    init: { LazyLock::force(&PARSER); },
    |input: &[u8]| -> Corpus { if PARSER.run(input) { Corpus::Keep } else { Corpus::Reject } }
);
