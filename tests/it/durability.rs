//! Nothing is lost: processes are killed at the worst moments, and everything ends recorded, once.

use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::eventually;
use crate::support::image::{Layer, Layout, debian_layer, python_layer, tar};
use crate::support::plimsoll::Installation;
use crate::support::registry::Registry;

/// Images that differ in one small layer.
fn many_images(count: usize) -> (Layout, Vec<String>) {
    let mut layout = Layout::new();
    let add = |n| layout.add(&format!("v{n}"), &[debian_layer(), python_layer("Jinja2", &format!("2.{n}"))]);
    let digests = (0..count).map(add).collect();
    (layout, digests)
}

/// An image whose scan takes long enough to be killed in the middle of it.
fn slow_image(layout: &mut Layout) -> String {
    let mut noise = vec![0_u8; 96 << 20];
    let mut state = 1_u64;
    for byte in &mut noise {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        *byte = (state >> 60) as u8;
    }
    layout.add("slow", &[debian_layer(), Layer::gzip(&tar(&[("opt/noise", &noise)]))])
}

/// How often the scan of `digest` was recorded.
async fn endings(installation: &Installation, digest: &str) -> usize {
    let scans = installation.list("/scans?limit=500").await;
    let of_digest = scans.iter().filter(|scan| scan["digest"] == digest);
    let ended = |scan: &Value| {
        let steps = scan["timeline"].as_array().unwrap();
        steps.iter().filter(|step| step["step"] == "complete").count()
    };
    of_digest.map(ended).sum()
}

async fn all_recorded_once(installation: &Installation, digests: &[String]) {
    for digest in digests {
        let scan = installation.ended_scan(digest).await;
        assert_eq!(scan["status"], "complete", "{scan}");
        assert_eq!(endings(installation, digest).await, 1, "{digest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_is_killed_after_accepting() {
    let installation = Installation::new("");
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let (layout, digests) = many_images(12);
    for n in 0..12 {
        registry.push(layout.path(), &format!("v{n}"), &format!("team/app:v{n}"));
    }
    let mut up = installation.serve("up").await;
    for (n, digest) in digests.iter().enumerate() {
        let status =
            installation.announce(&format!("msg_{n}"), &registry.host, "team/app", &format!("v{n}"), digest).await;
        assert_eq!(status, 202);
        if n % 4 == 3 {
            up.kill();
            up = installation.serve("up").await;
        }
    }
    all_recorded_once(&installation, &digests).await;
}

async fn a_scan_has_started(installation: &Installation) {
    eventually("the scan has started", async || {
        let scans = installation.list("/scans").await;
        scans.iter().any(|scan| scan["status"] == "started").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_one_process_is_killed_in_mid_scan() {
    let installation = Installation::new("");
    let registry = Registry::start(Some(&format!("{}/webhooks/distribution", installation.url))).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let mut up = installation.serve("up").await;
    let mut layout = Layout::new();
    let digest = slow_image(&mut layout);
    registry.push(layout.path(), "slow", "team/slow:1");
    a_scan_has_started(&installation).await;
    up.kill();
    let _up = installation.serve("up").await;
    all_recorded_once(&installation, &[digest]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_is_killed_in_mid_scan() {
    let broker = Broker::start().await;
    let installation = Installation::new(&format!("[queue]\nkind = \"rabbitmq\"\nurl = \"{}\"\n", broker.url()));
    let registry = Registry::start(Some(&format!("{}/webhooks/distribution", installation.url))).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let _receiver = installation.serve("receiver").await;
    let mut first = installation.scanner("first");
    let mut layout = Layout::new();
    let digest = slow_image(&mut layout);
    registry.push(layout.path(), "slow", "team/slow:1");
    a_scan_has_started(&installation).await;
    first.kill();
    let _second = installation.scanner("second");
    all_recorded_once(&installation, &[digest]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_is_killed_with_jobs_in_it() {
    let mut broker = Broker::start().await;
    let installation = Installation::new(&format!("[queue]\nkind = \"rabbitmq\"\nurl = \"{}\"\n", broker.url()));
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let (layout, digests) = many_images(8);
    for n in 0..8 {
        registry.push(layout.path(), &format!("v{n}"), &format!("team/app:v{n}"));
    }
    let _receiver = installation.serve("receiver").await;
    let announce = async |n: usize| {
        let id = format!("msg_{n}");
        installation.announce(&id, &registry.host, "team/app", &format!("v{n}"), &digests[n]).await
    };
    for n in 0..4 {
        assert_eq!(announce(n).await, 202);
    }
    eventually("the jobs are in the broker", async || {
        let scans = installation.list("/scans").await;
        scans.iter().all(|scan| scan["status"] == "queued").then_some(())
    })
    .await;
    broker.kill();
    for n in 4..8 {
        assert_eq!(announce(n).await, 202, "the receiver accepts without its broker");
    }
    broker.restart().await;
    let _scanner = installation.scanner("only");
    all_recorded_once(&installation, &digests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_job_is_dead_and_others_go_on() {
    let installation = Installation::new("[scanner]\nmax_attempts = 1\n");
    // Nobody listens there, so every attempt ends in a way that may pass; one attempt is all there is.
    let nobody = format!("127.0.0.1:{}", crate::support::free_port());
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    installation.configure(&format!("[registries.gone]\nhost = \"{nobody}\"\nplain_http = true\n"));
    let (layout, digests) = many_images(1);
    registry.push(layout.path(), "v0", "team/app:v0");
    let _up = installation.serve("up").await;
    let absent = format!("sha256:{}", "0".repeat(64));
    assert_eq!(installation.announce("msg_poison", &nobody, "team/app", "x", &absent).await, 202);
    assert_eq!(installation.announce("msg_good", &registry.host, "team/app", "v0", &digests[0]).await, 202);
    all_recorded_once(&installation, &digests).await;
    let dead =
        eventually("the poison job is dead", async || installation.list("/dead-jobs").await.into_iter().next()).await;
    assert_eq!(dead["job"]["registry"], "gone");
    assert!(!dead["reason"].as_str().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_replays_and_late_arrivals_change_nothing() {
    let installation = Installation::new("");
    let registry = Registry::start(None).await;
    installation.configure(&Installation::registry_section(&registry.host));
    let (layout, digests) = many_images(2);
    for n in 0..2 {
        registry.push(layout.path(), &format!("v{n}"), "team/app:latest");
    }
    let _up = installation.serve("up").await;
    let now = jiff::Timestamp::now();
    let body = |digest: &str, seconds: i64| {
        let time = jiff::Timestamp::from_second(now.as_second() + seconds).unwrap();
        let data = serde_json::json!({ "registry": registry.host, "repository": "team/app", "tag": "latest", "digest": digest });
        serde_json::json!({ "type": "image.pushed", "timestamp": time.to_string(), "data": data })
            .to_string()
            .into_bytes()
    };
    let seconds = now.as_second();
    // The newer push arrives first; then the older one; then the newer one again.
    assert_eq!(installation.deliver("msg_new", seconds, body(&digests[1], 0)).await, 202);
    assert_eq!(installation.deliver("msg_old", seconds, body(&digests[0], -60)).await, 202);
    all_recorded_once(&installation, &digests).await;
    let again = installation.deliver("msg_new", seconds, body(&digests[1], 0)).await;
    assert!((200..300).contains(&again), "a duplicate is a success: {again}");
    // A recording of a delivery, sent much later.
    assert_eq!(installation.deliver("msg_replayed", seconds - 3600, body(&digests[0], 0)).await, 401);
    assert_eq!(installation.list("/events").await.len(), 2);
    let images = installation.list("/registries/local/repositories/team/app/images").await;
    let tagged: Vec<_> = images.iter().filter(|image| image["tags"] != serde_json::json!([])).collect();
    assert_eq!(tagged.len(), 1);
    assert_eq!(tagged[0]["digest"], digests[1].as_str(), "a late event does not move the tag back");
}
