//! What the first start makes: a configuration with secrets of its own, and the first token.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ::receiver::api::tokens;
use ::receiver::store::{Role, Store};
use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The configuration of a first start.
const STARTER: &str = include_str!("../config/starter.toml");

/// Writes `plimsoll.toml` and its secrets into `data_dir`.
pub(crate) fn write_configuration(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let secrets = std::path::absolute(data_dir.join("secrets"))?;
    fs::create_dir_all(&secrets).with_context(|| format!("cannot create {}", secrets.display()))?;
    write_secret(&secrets.join("events.secret"), &signing_secret())?;
    write_secret(&secrets.join("distribution.secret"), &URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))?;
    let path = data_dir.join("plimsoll.toml");
    let text = STARTER.replace("{secrets}", &secrets.display().to_string());
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Where the first token is kept.
pub(crate) fn token_path(data_dir: &Path) -> PathBuf {
    data_dir.join("secrets").join("admin.token")
}

/// The first token: made, recorded and written to the data folder where there is none that the store knows.
pub(crate) async fn first_token(data_dir: &Path, store: &dyn Store) -> anyhow::Result<String> {
    let path = token_path(data_dir);
    if let Ok(text) = fs::read_to_string(&path) {
        let token = text.trim().to_owned();
        if store.token_by_hash(&tokens::hash(&token)).await?.is_some() {
            return Ok(token);
        }
    }
    let (token, _) = tokens::create(store, "first", Role::Admin, None).await?;
    write_secret(&path, &token)?;
    Ok(token)
}

/// Writes a file that only its owner can read.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(file, "{text}")?;
    Ok(())
}

/// A new key for signed deliveries, in the words of Standard Webhooks.
pub(crate) fn signing_secret() -> String {
    format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>()))
}
