//! How many signed deliveries a receiver takes in durably, over 64 connections, against raw flushed appends of the same
//! bodies on the same disk.
//!
//!     cargo bench --bench accept [-- DELIVERIES]

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use receiver::sources::standard_webhooks;
use serde_json::json;
use shared::secret::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn main() {
    let count = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(30_000);
    let folder = tempfile::Builder::new().prefix("plimsoll-bench-").tempdir_in(".").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bodies: Vec<_> = (0..count).map(body).collect();
    let (mut receiver, address) = start(folder.path());
    let mut latencies = runtime.block_on(async {
        serving(&address).await;
        send_all(&address, &bodies).await
    });
    receiver.kill().unwrap();
    receiver.wait().unwrap();

    let (elapsed, latencies_of_all) = (latencies.0, &mut latencies.1);
    latencies_of_all.sort_unstable();
    let rate = count as f64 / elapsed.as_secs_f64();
    let appends = raw_appends(&folder.path().join("raw"), &bodies);
    let percentile = |p: usize| latencies_of_all[(count - 1) * p / 100].as_secs_f64() * 1000.0;
    println!("{count} signed deliveries over {CONNECTIONS} connections");
    println!("accepted durably     {rate:8.0} /s   p50 {:.1} ms   p99 {:.1} ms", percentile(50), percentile(99));
    println!("raw flushed appends  {appends:8.0} /s   (one writer, fdatasync after each)");
    println!("ratio                {:8.2}", rate / appends);
}

fn body(n: usize) -> Vec<u8> {
    let digest = format!("sha256:{n:064x}");
    let data = json!({ "registry": "registry.example.com", "repository": format!("team/app-{}", n % 500), "tag": "1", "digest": digest });
    json!({ "type": "image.pushed", "timestamp": "2026-03-04T10:15:30Z", "data": data }).to_string().into_bytes()
}

/// A receiver of its own. Its queue is a broker that nobody runs: jobs wait in the store, as they do in an outage.
fn start(folder: &Path) -> (Child, String) {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let config = folder.join("plimsoll.toml");
    let text = format!(
        "[log]\nfilter = \"error\"\n[receiver]\nlisten = \"{address}\"\n[queue]\nkind = \"rabbitmq\"\nurl = \"amqp://127.0.0.1:1\"\n\
         [registries.r]\nhost = \"registry.example.com\"\n[sources.events]\nkind = \"standard-webhooks\"\nsecrets = [\"{SECRET}\"]\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let child = command.arg("--config").arg(config).arg("--data-dir").arg(folder.join("data")).arg("receiver").spawn();
    (child.unwrap(), address)
}

async fn serving(address: &str) {
    for _ in 0..500 {
        if TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the receiver does not serve");
}

/// Sends everything; gives the time for all of it and for each.
async fn send_all(address: &str, bodies: &[Vec<u8>]) -> (Duration, Vec<Duration>) {
    let now = jiff::Timestamp::now().as_second();
    let secret = SecretString::from(SECRET.to_owned());
    let requests: Vec<Vec<u8>> = bodies.iter().enumerate().map(|(n, body)| request(&secret, now, n, body)).collect();
    let shares: Vec<Vec<Vec<u8>>> =
        (0..CONNECTIONS).map(|first| requests.iter().skip(first).step_by(CONNECTIONS).cloned().collect()).collect();
    let started = Instant::now();
    let senders: Vec<_> = shares.into_iter().map(|share| tokio::spawn(send(address.to_owned(), share))).collect();
    let mut latencies = Vec::new();
    for sender in senders {
        latencies.extend(sender.await.unwrap());
    }
    (started.elapsed(), latencies)
}

fn request(secret: &SecretString, now: i64, n: usize, body: &[u8]) -> Vec<u8> {
    let id = format!("msg_{n}");
    let signature = standard_webhooks::sign(secret, &id, now, body).unwrap();
    let head = format!(
        "POST /webhooks/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         webhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn send(address: String, requests: Vec<Vec<u8>>) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 64 << 10];
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        let sent = Instant::now();
        stream.write_all(&request).await.unwrap();
        let mut filled = 0;
        while !is_whole(&buffer[..filled]) {
            let read = stream.read(&mut buffer[filled..]).await.unwrap();
            assert!(read > 0, "the receiver closed the connection");
            filled += read;
        }
        assert!(buffer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&buffer[..filled]));
        latencies.push(sent.elapsed());
    }
    latencies
}

/// Whether `answer` is a whole HTTP response with a content length.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// Appends a second per the same bodies, each flushed to disk before the next.
fn raw_appends(path: &Path, bodies: &[Vec<u8>]) -> f64 {
    let mut file = File::create(path).unwrap();
    let started = Instant::now();
    let mut done = 0;
    for body in bodies {
        file.write_all(body).unwrap();
        file.sync_data().unwrap();
        done += 1;
        if started.elapsed() > Duration::from_secs(5) {
            break;
        }
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}
