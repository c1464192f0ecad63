//! `plimsoll versions`: how versions are ordered.

use std::io::Read;
use std::path::PathBuf;

use ::scanner::versions;
use anyhow::Context;
use clap::Subcommand;

use crate::output::say;
use crate::{Answer, Failure};

/// `plimsoll versions …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check statements such as `1.0~rc1 < 1.0`, one a line; comments begin with # or //
    ///
    /// Prints those that do not hold, and a last line `N hold, M do not`. Exit status 1 if any does not.
    Check {
        #[arg(help = ecosystem_help())]
        ecosystem: String,
        /// File with the statements [default: standard input]
        file: Option<PathBuf>,
    },
}

fn ecosystem_help() -> String {
    format!("Ecosystem in OSV's words, with or without a release: {}", versions::known_ecosystems().join(", "))
}

pub(crate) fn run(command: &Command) -> Result<Answer, Failure> {
    let Command::Check { ecosystem, file } = command;
    let text = read(file.as_ref())?;
    let report = versions::check(ecosystem, &text).map_err(Failure::usage)?;
    for failure in &report.failed {
        say!("line {}: {}: {}", failure.line_number, failure.line, failure.actual);
    }
    say!("{} hold, {} do not", report.held, report.failed.len());
    Ok(if report.failed.is_empty() { Answer::Yes } else { Answer::No })
}

fn read(file: Option<&PathBuf>) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    match file {
        Some(path) => {
            bytes = std::fs::read(path)
                .with_context(|| format!("cannot read {}", path.display()))
                .map_err(Failure::Usage)?;
        }
        None => {
            std::io::stdin().read_to_end(&mut bytes)?;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
