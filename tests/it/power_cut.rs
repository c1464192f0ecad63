//! The power goes out: whatever was answered with success is there afterwards.
//!
//! A file system of its own, on a loop device, is shut down without its journal: nothing that was not really written
//! survives, as when the plug is pulled. It needs root, and a kernel with loop devices: where `/dev/loop-control` is
//! missing, as in some containers, there is nothing to test with.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::eventually;
use crate::support::plimsoll::Installation;
use crate::support::process::run;

const CUTS: usize = 3;
const SENDERS: usize = 16;
/// Deliveries that are acknowledged before each cut.
const BEFORE_A_CUT: usize = 300;

/// An ext4 file system on a loop device.
struct Disk {
    folder: tempfile::TempDir,
    device: String,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(512 << 20).unwrap();
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(&image)).trim().to_owned();
        let disk = Self { folder, device };
        run(Command::new("mkfs.ext4").args(["-q", &disk.device]));
        std::fs::create_dir(disk.path()).unwrap();
        disk.mount();
        disk
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&self) {
        run(Command::new("mount").arg(&self.device).arg(self.path()));
    }

    /// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`.
    fn cut(&self) {
        let script = "import fcntl, os, struct, sys\n\
                      fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
        run(Command::new("python3").args(["-c", script]).arg(self.path()));
    }

    fn power_up(&self) {
        run(Command::new("umount").arg(self.path()));
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
    }
}

/// Delivery ids of all events.
async fn events(installation: &Installation) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = installation.get(&format!("/events?limit=500{cursor}")).await;
        for event in page["items"].as_array().unwrap() {
            ids.insert(event["event"]["delivery_id"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else { return ids };
        cursor = format!("&cursor={next}");
    }
}

/// The answer to delivery `number`; `None` where the receiver ended instead.
async fn announce(installation: &Installation, number: u32) -> Option<u16> {
    let digest = format!("sha256:{number:064x}");
    let data = json!({ "registry": "registry.example.com", "repository": "team/app", "tag": "1", "digest": digest });
    let body = json!({ "type": "image.pushed", "data": data }).to_string().into_bytes();
    installation.try_deliver(&format!("msg_{number}"), jiff::Timestamp::now().as_second(), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_power_cuts() {
    if !Path::new("/dev/loop-control").exists() {
        eprintln!("not tested: this kernel has no loop devices");
        return;
    }
    let disk = Disk::new();
    let broker_is_away = "[queue]\nkind = \"rabbitmq\"\nurl = \"amqp://127.0.0.1:1\"\n";
    let installation = Installation::in_folder(&disk.path(), broker_is_away);
    installation.configure("[registries.r]\nhost = \"registry.example.com\"\n");

    let (next, acknowledged) = (AtomicU32::new(0), Mutex::new(BTreeSet::new()));
    let send_until_the_cut = async || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if announce(&installation, number).await != Some(202) {
            return;
        }
        acknowledged.lock().unwrap().insert(format!("msg_{number}"));
    };
    for cut in 1..=CUTS {
        let mut receiver = installation.serve("receiver").await;
        let pull_the_plug = async {
            let enough = async || (acknowledged.lock().unwrap().len() >= cut * BEFORE_A_CUT).then_some(());
            eventually("deliveries are acknowledged", enough).await;
            disk.cut();
        };
        tokio::join!(join_all((0..SENDERS).map(|_| send_until_the_cut())), pull_the_plug);
        eventually("the receiver ends without its disk", async || receiver.has_ended().then_some(())).await;
        disk.power_up();
    }

    let _receiver = installation.serve("receiver").await;
    let (kept, acknowledged) = (events(&installation).await, acknowledged.into_inner().unwrap());
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
}
