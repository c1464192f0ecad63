//! Reading the configuration: one TOML file, overridden by the environment, checked as a whole.
//!
//! A variable `PLIMSOLL_SECTION__KEY` replaces `key` of `[section]`; further `__` go deeper. Its value is read as TOML
//! where it can be (`8`, `true`, `["linux/amd64"]`), else as text. Unknown keys are errors that name key and file.
//!
//! No error repeats a text of the file: a secret may be written where none belongs.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {why}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
    /// A key is unknown, or its value is not what it should be.
    #[error("{origin}: {key}: {why}")]
    Key {
        /// The file, or the environment.
        origin: String,
        /// Path of the key, with dots.
        key: String,
        /// Why.
        why: String,
    },
}

/// Reads `path` (without one: nothing but defaults), lays the variables of `environment` over it, and checks every key.
pub fn load<T: DeserializeOwned>(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut table = path.map_or_else(|| Ok(Table::new()), read)?;
    let mut origin = path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
    if overlay(&mut table, environment)? {
        origin.push_str(" with the environment");
    }
    serde_path_to_error::deserialize(table).map_err(|error| ConfigError::Key {
        origin,
        key: error.path().to_string(),
        why: without_text(error.inner().message()),
    })
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let why = format!("line {}: {}", 1 + before.matches('\n').count(), error.message());
        ConfigError::Syntax { path: path.to_owned(), why }
    })
}

/// What a deserializer says of a value that does not fit, without the text that it quotes.
pub fn without_text(message: &str) -> String {
    let quoted = message.find("string \"").zip(message.rfind("\", expected "));
    match quoted {
        Some((begin, end)) if begin < end => format!("{}string{}", &message[..begin], &message[end + 1..]),
        _ => message.to_owned(),
    }
}

/// Lays `PLIMSOLL_A__B=value` over `table`; says whether there was any.
fn overlay(table: &mut Table, environment: impl IntoIterator<Item = (String, String)>) -> Result<bool, ConfigError> {
    let mut any = false;
    for (name, value) in environment {
        let Some(path) = name.strip_prefix("PLIMSOLL_").filter(|path| path.contains("__")) else { continue };
        let path = path.to_ascii_lowercase();
        let keys: Vec<&str> = path.split("__").collect();
        set(table, &keys, scalar(&value)).map_err(|why| ConfigError::Key {
            origin: "environment".to_owned(),
            key: name.clone(),
            why,
        })?;
        any = true;
    }
    Ok(any)
}

fn set(table: &mut Table, keys: &[&str], value: Value) -> Result<(), String> {
    match keys {
        [] => Ok(()),
        [last] => {
            table.insert((*last).to_owned(), value);
            Ok(())
        }
        [first, rest @ ..] => match table.entry(*first).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => set(inner, rest, value),
            other => Err(format!("{first} is a {}, not a section", other.type_str())),
        },
    }
}

/// `text` as the TOML value it spells, else as a string.
fn scalar(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        receiver: Section,
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Section {
        listen: String,
        workers: u8,
    }

    fn sample(file: &str, environment: &[(&str, &str)]) -> Result<Sample, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plimsoll.toml");
        std::fs::write(&path, file).unwrap();
        load(Some(&path), environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "[receiver]\nlisten = 'a'\nworkers = 1";
        let environment = [("PLIMSOLL_RECEIVER__WORKERS", "7"), ("PLIMSOLL_DATA_DIR", "x"), ("OTHER", "y")];
        let got = sample(file, &environment).unwrap();
        assert_eq!(got.receiver, Section { listen: "a".to_owned(), workers: 7 });
        let got = sample(file, &[("PLIMSOLL_RECEIVER__LISTEN", "127.0.0.1:1")]).unwrap();
        assert_eq!(got.receiver.listen, "127.0.0.1:1");
    }

    #[test]
    fn no_error_repeats_a_text() {
        for file in
            ["[receiver]\nworkers = 'a \", expected secret'", "[receiver]\nlisten = \"secret", "receiver = 'secret'"]
        {
            let error = sample(file, &[]).unwrap_err().to_string();
            assert!(error.contains("plimsoll.toml") && !error.contains("secret"), "{error}");
        }
        let error = sample("[receiver]\nlisten = 1", &[]).unwrap_err().to_string();
        assert!(error.ends_with("receiver.listen: invalid type: integer `1`, expected a string"), "{error}");
        let error = sample("\n\n[receiver", &[]).unwrap_err().to_string();
        assert!(error.contains("line 3: "), "{error}");
    }

    proptest! {
        #[test]
        fn no_variable_is_too_odd(name in "[A-Z_]{0,20}", value in ".{0,20}") {
            let name = format!("PLIMSOLL_{name}");
            let _ = sample("[receiver]\nlisten = 'a'", &[(&name, &value)]);
            let _ = sample(&value, &[]);
        }

        #[test]
        fn a_text_comes_through(value in "[a-z ]{1,20}") {
            let got = sample("", &[("PLIMSOLL_RECEIVER__LISTEN", &format!("{value:?}"))]).unwrap();
            prop_assert_eq!(got.receiver.listen, value);
        }
    }

    #[test]
    fn errors_name_the_key_and_the_file() {
        let shown = |result: Result<Sample, ConfigError>| result.unwrap_err().to_string();
        let unknown = shown(sample("[receiver]\nlistn = 'a'", &[]));
        assert!(unknown.contains("plimsoll.toml") && unknown.contains("receiver"), "{unknown}");
        assert!(unknown.contains("`listn`") && unknown.contains("`listen`"), "{unknown}");
        let mistyped = shown(sample("[receiver]\nworkers = 'many'", &[]));
        assert!(mistyped.contains("receiver.workers"), "{mistyped}");
        let in_environment = shown(sample("", &[("PLIMSOLL_RECEIVER__WORKERS__X", "1")]));
        assert!(in_environment.contains("environment"), "{in_environment}");
        assert!(shown(sample("[receiver", &[])).contains("not valid TOML"));
    }
}
