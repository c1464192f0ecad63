//! The whole configuration, where it is found, and `plimsoll config`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::receiver::config::ReceiverConfig;
use ::receiver::sources::{Kind, Sources};
use ::scanner::advisories::{AdvisoriesConfig, DatabaseHandle, Folder};
use ::scanner::config::ScannerConfig;
use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Deserialize;
use shared::queue::rabbitmq::RabbitConfig;
use shared::registry::{Registries, RegistryConfig};
use shared::secret::{ExposeSecret, Secret};
use shared::telemetry::LogConfig;

use crate::output::say;
use crate::{Answer, Failure, output};

/// Every key with its default, as `plimsoll config example` prints it.
pub(crate) const EXAMPLE: &str = include_str!("../config/plimsoll.example.toml");

/// Options of every command.
#[derive(Args)]
pub(crate) struct Global {
    /// Configuration file [default: plimsoll.toml in the data folder, if it is there]
    #[arg(
        long,
        global = true,
        env = "PLIMSOLL_CONFIG",
        value_name = "FILE",
        help_heading = "Options of every command"
    )]
    config: Option<PathBuf>,
    /// Folder of the store, the caches and the advisory database [default: the platform's usual place]
    #[arg(
        long,
        global = true,
        env = "PLIMSOLL_DATA_DIR",
        value_name = "DIR",
        help_heading = "Options of every command"
    )]
    data_dir: Option<PathBuf>,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    data_dir: Option<PathBuf>,
    pub(crate) log: LogConfig,
    pub(crate) queue: QueueConfig,
    pub(crate) receiver: ReceiverConfig,
    pub(crate) scanner: ScannerConfig,
    pub(crate) advisories: AdvisoriesConfig,
    pub(crate) registries: BTreeMap<String, RegistryConfig>,
    pub(crate) sources: BTreeMap<String, toml::Table>,
}

/// Section `[queue]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase", tag = "kind")]
pub(crate) enum QueueConfig {
    /// In the data folder of `plimsoll up`.
    #[default]
    Embedded,
    /// On a broker, for many machines.
    RabbitMq {
        /// `amqp://` or `amqps://` address with user and password.
        url: Secret,
        /// PEM file of authorities to trust besides the system's.
        #[serde(default)]
        ca_file: Option<PathBuf>,
        /// What the names of exchanges and queues begin with.
        #[serde(default = "default_prefix")]
        prefix: String,
    },
}

fn default_prefix() -> String {
    "plimsoll".to_owned()
}

impl QueueConfig {
    /// The broker, its secrets resolved; `None` where the queue is embedded.
    pub(crate) fn broker(&self) -> anyhow::Result<Option<RabbitConfig>> {
        let Self::RabbitMq { url, ca_file, prefix } = self else { return Ok(None) };
        let url = url.resolve().context("queue.url")?;
        Ok(Some(RabbitConfig { url, ca_file: ca_file.clone(), prefix: prefix.clone() }))
    }
}

/// What a command works with: the configuration and the data folder.
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) data_dir: PathBuf,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
}

impl Global {
    /// Where data is: `--data-dir`, else the environment, else the platform's usual place.
    pub(crate) fn data_dir(&self) -> Result<PathBuf, Failure> {
        self.data_dir.clone().map_or_else(usual_data_dir, Ok)
    }

    /// Whether the user named a data folder.
    pub(crate) fn names_data_dir(&self) -> bool {
        self.data_dir.is_some()
    }

    /// The same options with another data folder and configuration file.
    pub(crate) fn at(data_dir: PathBuf, config: PathBuf) -> Self {
        Self { config: Some(config), data_dir: Some(data_dir) }
    }

    /// The configuration file to read: `--config`, else `plimsoll.toml` in the data folder, where it exists.
    pub(crate) fn config_file(&self) -> Result<Option<PathBuf>, Failure> {
        if self.config.is_some() {
            return Ok(self.config.clone());
        }
        let usual = self.data_dir()?.join("plimsoll.toml");
        Ok(usual.exists().then_some(usual))
    }

    /// Reads and checks the configuration.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let file = self.config_file()?;
        let config: Config = shared::config::load(file.as_deref(), std::env::vars()).map_err(Failure::usage)?;
        let data_dir = match (&self.data_dir, &config.data_dir) {
            (Some(named), _) => named.clone(),
            (None, Some(configured)) => configured.clone(),
            (None, None) => usual_data_dir()?,
        };
        Ok(Settings { config, data_dir, file })
    }
}

impl Settings {
    /// Starts logging as configured.
    pub(crate) fn start_logs(&self) -> Result<(), Failure> {
        shared::telemetry::init_logs(&self.config.log).map_err(|why| self.wrong(anyhow::anyhow!("log.filter: {why}")))
    }

    /// Something in the configuration cannot be used; `error` names the key, this names the file.
    pub(crate) fn wrong(&self, error: impl Into<anyhow::Error>) -> Failure {
        let file = self.file.as_deref().map_or_else(|| "configuration".to_owned(), |file| file.display().to_string());
        Failure::Usage(error.into().context(file))
    }

    /// The folder of the advisory database.
    pub(crate) fn advisories(&self) -> Folder {
        Folder::new(self.data_dir.join("advisories"))
    }

    /// The advisory database, opened when it is needed and again when it was replaced.
    pub(crate) fn advisory_database(&self) -> DatabaseHandle {
        DatabaseHandle::new(self.advisories().database_path()).stale_after(self.config.advisories.stale_after())
    }
}

fn usual_data_dir() -> Result<PathBuf, Failure> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = from("HOME")
        .map(|home| home.join(if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" }));
    let base = from("XDG_DATA_HOME").or(home);
    let base = base.context("no home folder: say where data belongs with --data-dir").map_err(Failure::Usage)?;
    Ok(base.join("plimsoll"))
}

/// `plimsoll config …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read the configuration, resolve every secret, and say what is wrong
    Check,
    /// Print an example with every key and its default
    Example,
    /// Print what to paste into the configuration of each sender, secrets included
    Setup,
}

pub(crate) fn run(global: &Global, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Example => say!("{}", EXAMPLE.trim_end()),
        Command::Check => check(&global.settings()?)?,
        Command::Setup => {
            let settings = global.settings()?;
            print_setup(&settings, &format!("http://{}", settings.config.receiver.listen))?;
        }
    }
    Ok(Answer::Yes)
}

fn check(settings: &Settings) -> Result<(), Failure> {
    let config = &settings.config;
    try_parts(config).map_err(|error| settings.wrong(error))?;
    let file = settings.file.as_deref().unwrap_or(Path::new("(no file: defaults)"));
    say!("configuration  {}", file.display());
    say!("data folder    {}", settings.data_dir.display());
    say!("registries     {}", names(config.registries.keys()));
    say!("sources        {}", names(config.sources.keys()));
    say!("ok");
    Ok(())
}

/// Makes everything that the configuration describes, without using it.
fn try_parts(config: &Config) -> anyhow::Result<()> {
    config.log.check().map_err(|why| anyhow::anyhow!("log.filter: {why}"))?;
    Sources::build(&config.sources, &config.registries)?;
    config.receiver.check()?;
    Registries::new(&config.registries)?;
    config.advisories.check()?;
    if let Some(broker) = config.queue.broker()? {
        broker.check().context("queue")?;
    }
    Ok(())
}

/// Prints what the sender of each source needs, for a receiver at `url`.
pub(crate) fn print_setup(settings: &Settings, url: &str) -> Result<(), Failure> {
    for (name, section) in &settings.config.sources {
        let text = |key: &str| section.get(key).and_then(toml::Value::as_str);
        let Some(kind) = text("kind").and_then(Kind::named) else { continue };
        let secret = section.get("secrets").and_then(|secrets| secrets.get(0)).cloned();
        let secret = secret.and_then(|secret| Secret::deserialize(secret).ok()?.resolve().ok());
        let secret = secret.as_ref().map_or("SECRET", |secret| secret.expose_secret());
        say!("\n{}\n", output::bold(format!("# {name} ({})", kind.name)));
        say!("{}", (kind.setup)(&format!("{url}/webhooks/{name}"), secret).trim_end());
    }
    Ok(())
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(String::as_str).collect();
    if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_shows_the_defaults() {
        let example: Config = toml::from_str(EXAMPLE).unwrap();
        assert_eq!(example.receiver, ReceiverConfig::default());
        assert_eq!(example.scanner, ScannerConfig::default());
        assert_eq!(example.advisories, AdvisoriesConfig::default());
        assert!(matches!(example.queue, QueueConfig::Embedded));
        assert_eq!(example.log.filter, shared::telemetry::USUAL_FILTER);
    }
}
