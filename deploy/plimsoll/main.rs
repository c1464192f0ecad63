//! `plimsoll`: the one thing that is installed. A file per command.

mod advisories;
mod api_client;
mod config;
mod dead;
mod demo;
mod explain;
mod findings;
mod output;
mod receiver;
mod running;
mod scan;
mod scan_progress;
mod scan_target;
mod scanner;
mod service;
mod starter;
mod store;
mod token;
mod up;
mod versions;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Global;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Knows what is vulnerable in an image seconds after it was pushed.
///
/// Try it:              plimsoll up --demo
/// One image, no server: plimsoll scan oci:DIR | docker-archive:FILE | registry.example.com/team/app:1.4
#[derive(Parser)]
#[command(name = "plimsoll", version, verbatim_doc_comment, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done; 1 the answer is no (something at or above --fail-on was found, a line does \
                        not hold); 2 bad use or configuration; 3 it could not be done."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process: receiver, scanner, embedded queue and store
    Up(up::Args),
    /// Run the control plane alone; scanners connect through RabbitMQ
    Receiver(receiver::Args),
    /// Run one scanner process; jobs and reports travel through RabbitMQ
    Scanner(scanner::Args),
    /// Scan one image without any service
    Scan(scan::Args),
    /// Import, update and show the advisory database
    #[command(subcommand)]
    Advisories(advisories::Command),
    /// List findings of a running Plimsoll
    Findings(findings::Args),
    /// List, replay and discard jobs that nobody could process
    #[command(subcommand)]
    Dead(dead::Command),
    /// Create, list and revoke tokens for the API
    #[command(subcommand)]
    Token(token::Command),
    /// Say why a package is, or is not, affected
    Explain(explain::Args),
    /// Check how versions of an ecosystem are ordered
    #[command(subcommand)]
    Versions(versions::Command),
    /// Back up and restore the store
    #[command(subcommand)]
    Store(store::Command),
    /// Check the configuration, or print an example with every key
    #[command(subcommand)]
    Config(config::Command),
}

/// How a command that did not fail ends.
pub(crate) enum Answer {
    /// Done.
    Yes,
    /// Done, and the answer is no: exit status 1.
    No,
}

/// How a command fails.
pub(crate) enum Failure {
    /// Bad use or configuration: exit status 2.
    Usage(anyhow::Error),
    /// It could not be done: exit status 3.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    /// Bad use or configuration.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Only fails where a provider is already installed, which is then as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(cli) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(Failure::Usage(error)) => fail(&error, 2),
        Err(Failure::Failed(error)) => fail(&error, 3),
    }
}

fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    eprintln!("{} {}", output::red("error:"), with_causes(error));
    ExitCode::from(status)
}

/// The error and its causes, without those that it has told already.
fn with_causes(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

fn run(cli: Cli) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let global = cli.global;
    runtime.block_on(async {
        match cli.command {
            Command::Up(args) => up::run(&global, args).await,
            Command::Receiver(args) => receiver::run(&global, args).await,
            Command::Scanner(args) => scanner::run(&global, args).await,
            Command::Scan(args) => scan::run(&global, args).await,
            Command::Advisories(command) => advisories::run(&global, command).await,
            Command::Findings(args) => findings::run(&global, args).await,
            Command::Dead(command) => dead::run(&global, command).await,
            Command::Token(command) => token::run(&global, command).await,
            Command::Explain(args) => explain::run(&global, &args),
            Command::Versions(command) => versions::run(&command),
            Command::Store(command) => store::run(&global, &command).await,
            Command::Config(command) => config::run(&global, &command),
        }
    })
}
