//! `plimsoll store`: backup and restore, while no receiver runs on the data folder.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, stdin, stdout};
use std::path::PathBuf;

use ::receiver::store::backup;
use ::receiver::store::sled::SledStore;
use anyhow::Context;
use clap::Subcommand;
use jiff::Timestamp;

use crate::config::Global;
use crate::{Answer, Failure, service};

/// `plimsoll store …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write everything the store holds as JSON lines; stop the receiver first
    Export {
        /// File to write [default: standard output]
        file: Option<PathBuf>,
    },
    /// Make a new store from what `export` wrote; the data folder must not have one
    Import {
        /// File to read [default: standard input]
        file: Option<PathBuf>,
    },
}

pub(crate) async fn run(global: &Global, command: &Command) -> Result<Answer, Failure> {
    let path = service::store_path(&global.settings()?.data_dir);
    match command {
        Command::Export { file } => {
            if !path.exists() {
                return Err(Failure::usage(anyhow::anyhow!("there is no store at {}", path.display())));
            }
            let store = SledStore::open(&path)?;
            let summary = match file {
                Some(file) => {
                    let out = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
                    backup::export(&store, &mut BufWriter::new(out), Timestamp::now())?
                }
                None => backup::export(&store, &mut stdout().lock(), Timestamp::now())?,
            };
            eprintln!("{} records exported", summary.records);
        }
        Command::Import { file } => {
            let input: Box<dyn BufRead + Send> = match file {
                Some(file) => {
                    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()));
                    Box::new(BufReader::new(opened.map_err(Failure::Usage)?))
                }
                None => Box::new(BufReader::new(stdin())),
            };
            let summary = backup::import(input, &path).await?;
            eprintln!("{} records imported", summary.records);
        }
    }
    Ok(Answer::Yes)
}
