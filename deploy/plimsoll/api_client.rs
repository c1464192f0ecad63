//! Asking a running receiver, as an operator would.

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use shared::secret::{ExposeSecret, SecretString};

use crate::Failure;
use crate::config::Global;

/// Which receiver, and as whom.
#[derive(Args)]
pub(crate) struct Connection {
    /// Address of the receiver [default: receiver.listen of the configuration]
    #[arg(long, env = "PLIMSOLL_URL", value_name = "URL")]
    url: Option<String>,
    /// Token for its API [default: the first token, from the data folder]
    #[arg(long, env = "PLIMSOLL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<SecretString>,
}

/// A receiver's API.
pub(crate) struct ApiClient {
    http: reqwest::Client,
    base: String,
    token: SecretString,
}

impl Connection {
    /// Finds address and token.
    pub(crate) fn open(self, global: &Global) -> Result<ApiClient, Failure> {
        let settings = global.settings()?;
        let base = self.url.unwrap_or_else(|| format!("http://{}", settings.config.receiver.listen));
        let token = match self.token {
            Some(token) => token,
            None => first_token(&settings.data_dir).map_err(Failure::Usage)?,
        };
        ApiClient::new(&base, token).map_err(Failure::Usage)
    }
}

fn first_token(data_dir: &Path) -> anyhow::Result<SecretString> {
    let path = crate::starter::token_path(data_dir);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("no --token, no PLIMSOLL_TOKEN, and {} cannot be read", path.display()))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

impl ApiClient {
    /// A client for the receiver at `base`.
    pub(crate) fn new(base: &str, token: SecretString) -> anyhow::Result<Self> {
        let is_http = |url: reqwest::Url| ["http", "https"].contains(&url.scheme());
        if !reqwest::Url::parse(base).is_ok_and(is_http) {
            bail!("{base:?} is not the http or https address of a receiver");
        }
        let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60)).build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token })
    }

    /// `GET /api/v1{path}`
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        self.call(Method::GET, path, query, None).await
    }

    /// One call. An answer other than success becomes an error with the problem's own words.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1{path}", self.base))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url).bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response =
            request.send().await.with_context(|| format!("no receiver answers at {}; is it running?", self.base))?;
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let answer: Value = response.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let words = ["detail", "title"].iter().find_map(|key| answer.get(key)?.as_str()).unwrap_or("no reason given");
        bail!("the receiver answered {status}: {words}")
    }
}

/// The text at `key`, or nothing.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// The items of a listing, or of a plain array.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.get("items").unwrap_or(value).as_array().map_or(&[], Vec::as_slice)
}
