//! A real registry: Debian's docker-registry (CNCF Distribution 2.8), which notifies Plimsoll of what happens.

use std::path::Path;
use std::process::Command;

use super::process::{Process, run};
use super::{eventually, free_port};

/// The secret that the registry's notifications carry.
pub(crate) const NOTIFICATION_SECRET: &str = "registry-notifications-test-secret";

/// A running registry.
pub(crate) struct Registry {
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    folder: tempfile::TempDir,
    _process: Process,
}

impl Registry {
    /// Starts a registry that notifies `webhook`, if there is one.
    pub(crate) async fn start(webhook: Option<&str>) -> Self {
        Self::launch(webhook, |_| String::new()).await
    }

    /// The same, for those who know the password.
    pub(crate) async fn start_with_password(webhook: Option<&str>, user: &str, password: &str) -> Self {
        let entry = run(Command::new("htpasswd").args(["-Bbn", user, password]));
        Self::launch(webhook, |folder| {
            let file = folder.join("htpasswd");
            std::fs::write(&file, &entry).unwrap();
            format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display())
        })
        .await
    }

    async fn launch(webhook: Option<&str>, more: impl Fn(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = format!("127.0.0.1:{}", free_port());
        let mut config = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '{host}', secret: test}}\n",
            folder.path().join("data").display()
        );
        if let Some(url) = webhook {
            config.push_str(&format!(
                "notifications:\n  endpoints:\n    - name: plimsoll\n      url: {url}\n      timeout: 2s\n      threshold: 3\n      \
                 backoff: 200ms\n      headers: {{Authorization: ['Bearer {NOTIFICATION_SECRET}']}}\n"
            ));
        }
        config.push_str(&more(folder.path()));
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let log = folder.path().join("log");
        let process = Process::start(Command::new("docker-registry").arg("serve").arg(&file), &log);
        eventually("the registry answers", async || {
            let answer = reqwest::get(format!("http://{host}/v2/")).await;
            answer.is_ok_and(|answer| [200, 401].contains(&answer.status().as_u16())).then_some(())
        })
        .await;
        Self { host, folder, _process: process }
    }

    /// Pushes `image` of an OCI layout as `name` (`repository:tag`); gives its digest.
    pub(crate) fn push(&self, layout: &Path, image: &str, name: &str) -> String {
        let digest = self.folder.path().join("digest");
        let source = format!("oci:{}:{image}", layout.display());
        let target = format!("docker://{}/{name}", self.host);
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "--insecure-policy", "--dest-tls-verify=false", "--all", "--preserve-digests", "--quiet"]);
        run(skopeo.arg("--digestfile").arg(&digest).args([source, target]));
        std::fs::read_to_string(digest).unwrap().trim().to_owned()
    }
}
