//! `plimsoll up --demo`: the main job on an image that ships with Plimsoll.
//!
//! Nothing is taken from another path than in production: a registry serves the image over HTTP, a signed delivery
//! announces it over HTTP, the queue, the scanner and the store are those of `plimsoll up`, and the findings on the
//! screen come from the API.

mod registry;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::receiver::sources::standard_webhooks;
use ::scanner::advisories::Folder;
use anyhow::{Context, bail};
use jiff::Timestamp;
use reqwest::StatusCode;
use rust_embed::RustEmbed;
use serde_json::{Value, json};
use shared::finding::Severity;
use shared::secret::{ExposeSecret, SecretString};

use crate::api_client::{ApiClient, items, text};
use crate::config::Global;
use crate::output::say;
use crate::running::Running;
use crate::{Answer, Failure, findings, output, starter};

#[derive(RustEmbed)]
#[folder = "deploy/demo/advisories"]
struct Advisories;

/// How long the demonstration waits for its own findings.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(global: &Global) -> Result<Answer, Failure> {
    let temporary = tempfile::Builder::new().prefix("plimsoll-demo-").tempdir()?;
    let data_dir = if global.names_data_dir() { global.data_dir()? } else { temporary.path().to_owned() };
    std::fs::create_dir_all(&data_dir)?;
    let secret = SecretString::from(starter::signing_secret());
    let host = registry::serve()?;
    let config = write_configuration(&data_dir, &secret, &host.to_string())?;

    let mut steps = Steps::begin();
    import_advisories(&data_dir)?;
    steps.done("the advisories that ship with Plimsoll are imported");

    let settings = Arc::new(Global::at(data_dir, config).settings()?);
    settings.start_logs()?;
    let running = Running::start(settings).await?;
    steps.done(format!("receiver and scanner run; the API is at {}", running.url));

    deliver(&running.url, &secret, &host.to_string()).await?;
    steps.done(format!("a signed delivery is accepted: {host}/{}:{} was pushed", registry::REPOSITORY, registry::TAG));

    let api = ApiClient::new(&running.url, SecretString::from(running.token.clone()))?;
    let event = recorded_event(&api).await?;
    steps.done("the image is pulled and scanned, its findings are recorded");
    show(&api, &event, &running).await?;
    running.wait().await?;
    Ok(Answer::Yes)
}

/// Tells the steps of the demonstration, and how long each took.
struct Steps {
    number: u8,
    since: Instant,
}

impl Steps {
    fn begin() -> Self {
        Self { number: 0, since: Instant::now() }
    }

    fn done(&mut self, what: impl Display) {
        self.number += 1;
        let took = self.since.elapsed().as_millis();
        say!("{} {took:>5} ms  {what}", output::bold(format!("{}/4", self.number)));
        self.since = Instant::now();
    }
}

fn write_configuration(data_dir: &Path, secret: &SecretString, host: &str) -> anyhow::Result<std::path::PathBuf> {
    let secret_file = data_dir.join("secrets").join("demo.secret");
    starter::write_secret(&secret_file, secret.expose_secret())?;
    let listen = free_or_usual_address();
    let path = data_dir.join("demo.toml");
    let text = format!(
        "[log]\nfilter = \"warn\"\n\n[receiver]\nlisten = \"{listen}\"\n\n\
         [registries.demo]\nhost = \"{host}\"\nplain_http = true\n\n\
         [sources.demo]\nkind = \"standard-webhooks\"\nsecrets = [{{ file = {secret_file:?} }}]\n"
    );
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The receiver's usual address; where something else listens there, any free port.
fn free_or_usual_address() -> String {
    let usual = ::receiver::config::ReceiverConfig::default().listen;
    let free = std::net::TcpListener::bind(usual).is_ok();
    if free { usual.to_string() } else { "127.0.0.1:0".to_owned() }
}

fn import_advisories(data_dir: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for name in Advisories::iter() {
        let Some(file) = Advisories::get(&name) else { continue };
        std::fs::write(folder.path().join(name.as_ref()), &file.data)?;
    }
    Folder::new(data_dir.join("advisories")).import(&[folder.path().to_owned()], &|_| {})?;
    Ok(())
}

/// Sends what a registry would send.
async fn deliver(url: &str, secret: &SecretString, host: &str) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let body = serde_json::to_vec(&json!({
        "type": "image.pushed",
        "timestamp": now.to_string(),
        "data": {
            "registry": host,
            "repository": registry::REPOSITORY,
            "tag": registry::TAG,
            "digest": registry::manifest_digest()?.as_str(),
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
        },
    }))?;
    let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let signature = standard_webhooks::sign(secret, &id, now.as_second(), &body)?;
    let response = reqwest::Client::new()
        .post(format!("{url}/webhooks/demo"))
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", now.as_second())
        .header("webhook-signature", signature)
        .body(body)
        .send()
        .await?;
    if response.status() != StatusCode::ACCEPTED {
        bail!("the receiver answered {} to the demonstration's delivery", response.status());
    }
    Ok(())
}

/// Waits until the event's scan has ended, and answers the event with its timeline.
async fn recorded_event(api: &ApiClient) -> anyhow::Result<Value> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        let events = api.get("/events", &[]).await?;
        if let Some(event) = items(&events).first() {
            let scan = api.get(&format!("/scans/{}", text(event, "scan_id")), &[]).await?;
            match text(&scan, "status") {
                "complete" | "partial" => return Ok(event.clone()),
                "failed" | "unsupported" | "dead" => bail!("the scan ended: {}", text(&scan, "reason")),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("no result within {} s; the log above says why", PATIENCE.as_secs())
}

async fn show(api: &ApiClient, event: &Value, running: &Running) -> anyhow::Result<()> {
    let digest = registry::manifest_digest()?;
    let query = [("digest", digest.to_string()), ("limit", "500".to_owned())];
    let listing = api.get("/findings", &query).await?;
    let found = items(&listing);
    say!("");
    output::print_table(findings::table(found));
    let severities = found.iter().filter_map(|finding| text(finding, "severity").parse::<Severity>().ok());
    say!("{}: {}", output::bold(format!("{} findings", found.len())), output::summary(severities));

    let image = api.get(&format!("/images/{digest}"), &[]).await?;
    let event = api.get(&format!("/events/{}", text(event, "id")), &[]).await?;
    say!("");
    output::print_table(timeline(&event));
    if let Some(timings) = items(&image).first().and_then(|image| image.get("timings")) {
        say!("{}", parts(timings));
    }
    say!("\nAsk for more:\n");
    say!("  curl -H 'Authorization: Bearer {}' '{}/api/v1/findings?at_least=high'", running.token, running.url);
    say!("\nURL    {}\ntoken  {}\n\nServing until Ctrl-C.", running.url, running.token);
    Ok(())
}

/// `accepted  +0 ms`, `queued  +3 ms`, …
fn timeline(event: &Value) -> comfy_table::Table {
    let mut table = output::table(&["Step", "After"]);
    let steps = event.get("timeline").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let received: Option<Timestamp> = text(event, "received_at").parse().ok();
    for step in steps {
        let at: Option<Timestamp> = text(step, "at").parse().ok();
        let after = received.zip(at).map_or(0.0, |(received, at)| at.duration_since(received).as_secs_f64() * 1000.0);
        table.add_row(vec![text(step, "step").to_owned(), format!("{after:.0} ms")]);
    }
    table
}

/// What the scan itself took.
fn parts(timings: &Value) -> String {
    let ms = |key: &str| timings.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    format!(
        "of which: manifests {:.1} ms, layers pulled and cataloged {:.1} ms, matched {:.1} ms",
        ms("resolve_ms"),
        ms("pull_ms"),
        ms("match_ms")
    )
}
