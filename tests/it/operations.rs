//! What operators do: tokens, findings on the command line, dead jobs, backup and restore, a disk that fills up.

use std::path::Path;
use std::process::Command;

use crate::support::eventually;
use crate::support::image::{Layout, debian_layer, python_layer};
use crate::support::plimsoll::Installation;
use crate::support::process::run;
use crate::support::registry::Registry;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An installation that has scanned one image, with its registry and the image's digest.
async fn after_one_scan() -> (Installation, Registry, crate::support::process::Process, String) {
    let installation = Installation::new("");
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let mut layout = Layout::new();
    layout.add("app", &[debian_layer(), python_layer("Jinja2", "2.11.2")]);
    let digest = registry.push(layout.path(), "app", "team/app:1");
    let up = installation.serve("up").await;
    assert_eq!(installation.announce("msg_1", &registry.host, "team/app", "1", &digest).await, 202);
    installation.ended_scan(&digest).await;
    (installation, registry, up, digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_and_tokens_on_the_command_line() {
    let (installation, _registry, _up, _digest) = after_one_scan().await;
    let findings = installation.run(&["findings", "--package", "Jinja2"]);
    assert!(text(&findings.stdout).contains("CVE-2020-28493"), "{}", text(&findings.stderr));

    let token = text(&installation.run(&["token", "create", "dashboard", "--role", "viewer"]).stdout);
    let token = token.trim();
    assert!(token.starts_with("plm_"), "{token}");
    let refused = installation.run(&["token", "list", "--token", token]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("403"), "{}", text(&refused.stderr));
    let listed = text(&installation.run(&["token", "list"]).stdout);
    let row = listed.lines().find(|line| line.contains("dashboard")).unwrap();
    let id = row.split_whitespace().next().unwrap();
    assert_eq!(installation.run(&["findings", "--token", token]).status.code(), Some(0));
    assert_eq!(installation.run(&["token", "revoke", id]).status.code(), Some(0));
    assert_eq!(installation.run(&["findings", "--token", token]).status.code(), Some(3));
    let log = installation.log_text();
    assert!(!log.contains(token) && !log.contains("plm_"), "no token is ever logged: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_restores_everything() {
    let (installation, _registry, mut up, digest) = after_one_scan().await;
    let locked = installation.run(&["store", "export"]);
    assert_eq!(locked.status.code(), Some(3), "a store in use is not exported");
    let before = installation.list(&format!("/findings?digest={digest}&limit=500")).await;
    assert!(up.terminate().success());
    let backup = installation.data_dir().join("backup.jsonl");
    let path = backup.to_str().unwrap();
    assert_eq!(installation.run(&["store", "export", path]).status.code(), Some(0));
    assert_eq!(installation.run(&["store", "import", path]).status.code(), Some(3), "a store is not overwritten");
    std::fs::remove_dir_all(installation.data_dir().join("store")).unwrap();
    let restored = installation.run(&["store", "import", path]);
    assert_eq!(restored.status.code(), Some(0), "{}", text(&restored.stderr));
    let _up = installation.serve("up").await;
    assert_eq!(installation.list(&format!("/findings?digest={digest}&limit=500")).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_job_is_replayed() {
    let installation = Installation::new("[scanner]\nmax_attempts = 1\n");
    let address = format!("127.0.0.1:{}", crate::support::free_port());
    installation.configure(&Installation::registry_section(&address));
    let _up = installation.serve("up").await;
    let digest = format!("sha256:{}", "1".repeat(64));
    assert_eq!(installation.announce("msg_1", &address, "team/app", "1", &digest).await, 202);
    let dead = eventually("the job is dead", async || installation.list("/dead-jobs").await.into_iter().next()).await;
    let id = dead["id"].as_str().unwrap();
    let listed = text(&installation.run(&["dead", "list"]).stdout);
    assert!(listed.contains(id), "{listed}");
    let replayed = installation.run(&["dead", "replay", id]);
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stderr));
    let again = eventually("it is dead again", async || {
        installation.list("/dead-jobs").await.into_iter().find(|dead| dead["id"] != id)
    })
    .await;
    let discarded = installation.run(&["dead", "discard", again["id"].as_str().unwrap()]);
    assert_eq!(discarded.status.code(), Some(0), "{}", text(&discarded.stderr));
    assert!(installation.list("/dead-jobs").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_one_owner_and_outlives_it() {
    let installation = Installation::new("[queue]\nkind = \"rabbitmq\"\nurl = \"amqp://user:hunter2@127.0.0.1:1\"\n");
    let mut first = installation.serve("receiver").await;
    let second = installation.run(&["receiver"]);
    assert_eq!(second.status.code(), Some(3));
    let told = text(&second.stderr);
    assert!(told.contains("store is already open in another process"), "{told}");
    first.kill();
    let _again = installation.serve("receiver").await;
    assert!(!installation.log_text().contains("hunter2"), "no log names the broker's password");
}

/// A file system of its own, in memory, that is unmounted with it.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of_megabytes(size: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"]).arg(folder.path()));
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(self.path()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() {
    let disk = Disk::of_megabytes(256);
    let installation =
        Installation::in_folder(disk.path(), "[queue]\nkind = \"rabbitmq\"\nurl = \"amqp://127.0.0.1:1\"\n");
    installation.configure("[registries.r]\nhost = \"registry.example.com\"\n");
    let digest = |n: u32| format!("sha256:{n:064x}");
    let announce = async |n: u32| {
        installation
            .announce(&format!("msg_{n}"), "registry.example.com", "team/app", &format!("t{n}"), &digest(n))
            .await
    };
    let _receiver = installation.serve("receiver").await;
    assert_eq!(announce(1).await, 202);

    let ballast = disk.path().join("ballast");
    let free = rustix::fs::statvfs(disk.path()).map(|fs| fs.f_bavail * fs.f_frsize).unwrap();
    std::fs::write(&ballast, vec![1_u8; free as usize - (20 << 20)]).unwrap();
    eventually("a delivery is refused", async || (announce(2).await == 503).then_some(())).await;
    let ready = reqwest::get(format!("{}/readyz", installation.url)).await.unwrap();
    assert_eq!(ready.status(), 503, "{}", ready.text().await.unwrap());

    std::fs::remove_file(ballast).unwrap();
    eventually("deliveries are taken in again", async || (announce(3).await == 202).then_some(())).await;
    let mut tags = Vec::new();
    for event in installation.list("/events").await {
        tags.push(event["event"]["tag"].as_str().unwrap().to_owned());
    }
    tags.sort();
    assert!(tags.contains(&"t1".to_owned()) && tags.contains(&"t3".to_owned()), "{tags:?}");
}
