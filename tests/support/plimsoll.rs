//! Plimsoll itself: the real binary, as processes with a configuration and a data folder of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::process::Process;
use super::registry::NOTIFICATION_SECRET;
use super::{eventually, free_port};

/// The secret of the source `events`.
pub(crate) const SIGNING_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// One installation: a configuration, a data folder, a receiver's address.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
}

impl Installation {
    /// An installation whose configuration goes on with `more`, and whose advisories are those of the demo.
    pub(crate) fn new(more: &str) -> Self {
        Self::in_folder(&std::env::temp_dir(), more)
    }

    /// The same, somewhere below `parent`.
    pub(crate) fn in_folder(parent: &Path, more: &str) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let config = format!(
            "[receiver]\nlisten = \"{address}\"\n\n\
             [sources.events]\nkind = \"standard-webhooks\"\nsecrets = [\"{SIGNING_SECRET}\"]\n\n\
             [sources.distribution]\nkind = \"distribution\"\nsecrets = [\"{NOTIFICATION_SECRET}\"]\n\n{more}"
        );
        std::fs::write(folder.path().join("plimsoll.toml"), config).unwrap();
        let installation = Self { folder, url: format!("http://{address}") };
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/advisories");
        let output = installation.command(&["advisories", "import", demo.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        installation
    }

    /// The section of a registry on the loopback interface.
    pub(crate) fn registry_section(host: &str) -> String {
        format!("[registries.local]\nhost = \"{host}\"\nplain_http = true\n\n")
    }

    /// Adds to the configuration; what already runs does not see it.
    pub(crate) fn configure(&self, more: &str) {
        let path = self.folder.path().join("plimsoll.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}\n{more}")).unwrap();
    }

    /// The data folder.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The binary with this installation's configuration.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.arg("--config").arg(self.folder.path().join("plimsoll.toml"));
        command.arg("--data-dir").arg(self.data_dir()).args(args);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts `up` or `receiver` and waits until it serves.
    pub(crate) async fn serve(&self, command: &str) -> Process {
        let mut process = Process::start(&mut self.command(&[command]), &self.log());
        let health = format!("{}/healthz", self.url);
        eventually("the receiver serves", async || {
            assert!(!process.has_ended(), "it ended: {}", self.log_text());
            reqwest::get(&health).await.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
        process
    }

    /// Starts a scanner that calls itself `name`.
    pub(crate) fn scanner(&self, name: &str) -> Process {
        let mut command = self.command(&["scanner"]);
        Process::start(command.env("PLIMSOLL_SCANNER__NAME", format!("\"{name}\"")), &self.log())
    }

    /// What the processes said.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// `GET` of the API.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let token = std::fs::read_to_string(self.data_dir().join("secrets/admin.token")).unwrap();
        let request = reqwest::Client::new().get(format!("{}/api/v1{path}", self.url)).bearer_auth(token.trim());
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    /// All items of a listing.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let listing = self.get(path).await;
        listing["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until the newest scan of `digest` has ended; gives the scan.
    pub(crate) async fn ended_scan(&self, digest: &str) -> Value {
        let what = format!("the scan of {digest} ends");
        eventually(&what, async || {
            let scans = self.list("/scans?limit=500").await;
            let scan = scans.into_iter().find(|scan| scan["digest"] == digest || scan["job"]["digest"] == digest)?;
            let status = scan["status"].as_str()?;
            ["complete", "partial", "failed", "unsupported", "dead"].contains(&status).then_some(scan)
        })
        .await
    }

    /// Sends a signed event for an image of the registry at `host`; gives the answer's status.
    pub(crate) async fn announce(&self, id: &str, host: &str, repository: &str, tag: &str, digest: &str) -> u16 {
        let body = serde_json::json!({
            "type": "image.pushed", "timestamp": jiff::Timestamp::now().to_string(),
            "data": { "registry": host, "repository": repository, "tag": tag, "digest": digest },
        });
        self.deliver(id, jiff::Timestamp::now().as_second(), body.to_string().into_bytes()).await
    }

    /// Sends `body`, properly signed.
    pub(crate) async fn deliver(&self, id: &str, timestamp: i64, body: Vec<u8>) -> u16 {
        self.try_deliver(id, timestamp, body).await.unwrap()
    }

    /// The same to a receiver that may end meanwhile: then there is no answer.
    pub(crate) async fn try_deliver(&self, id: &str, timestamp: i64, body: Vec<u8>) -> Option<u16> {
        let secret = SIGNING_SECRET.to_owned().into();
        let signature = receiver::sources::standard_webhooks::sign(&secret, id, timestamp, &body).unwrap();
        let request = reqwest::Client::new()
            .post(format!("{}/webhooks/events", self.url))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        Some(request.send().await.ok()?.status().as_u16())
    }
}
