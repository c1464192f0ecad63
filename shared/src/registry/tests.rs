//! The client against a loopback server that behaves like the registries do, well and badly.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fake::{Answer, Fake, Seen};
use super::{RegistryClient, RegistryConfig, RegistryError};
use crate::image::{Digest, Reference, Repository};
use crate::secret::{Secret, SecretString};

const MANIFEST: &[u8] = br#"{"schemaVersion":2}"#;

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::Value(SecretString::from(text.to_owned())))
}

fn plain(fake: &Fake) -> RegistryConfig {
    RegistryConfig { plain_http: true, ..RegistryConfig::anonymous(&fake.address.to_string()) }
}

fn with_password(fake: &Fake) -> RegistryConfig {
    RegistryConfig { username: Some("ci".to_owned()), password: secret("hunter2"), ..plain(fake) }
}

fn client(config: &RegistryConfig) -> RegistryClient {
    RegistryClient::new("test", config).unwrap()
}

fn repository() -> Repository {
    "team/app".parse().unwrap()
}

fn tag() -> Reference {
    Reference::Tag("v1".parse().unwrap())
}

fn manifest_answer() -> Answer {
    Answer::new(200).header("Content-Type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8").body(MANIFEST)
}

fn blob(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

async fn read_blob(client: &RegistryClient, content: &[u8], offset: u64) -> Result<Vec<u8>, RegistryError> {
    let stream = client.blob(&repository(), &Digest::sha256_of(content), offset).await?;
    stream
        .try_fold(Vec::new(), |mut all, chunk| async move { Ok([std::mem::take(&mut all), chunk.to_vec()].concat()) })
        .await
}

/// A registry whose token service is its own `/token`; each token is good for `uses` requests.
fn with_tokens(uses: usize) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let (issued, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
    move |seen: &Seen| {
        let host = seen.header("host").unwrap();
        if seen.path.starts_with("/token?") {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            left.store(uses, Ordering::SeqCst);
            return Answer::new(200).body(format!(r#"{{"token":"t{number}","expires_in":300}}"#));
        }
        let expected = format!("Bearer t{}", issued.load(Ordering::SeqCst));
        let good = seen.header("authorization") == Some(&expected);
        if good && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return manifest_answer();
        }
        let challenge = format!(
            r#"Bearer realm="http://{host}/token?a=b",service="registry.test",scope="repository:team/app:pull""#
        );
        Answer::new(401).header("WWW-Authenticate", challenge)
    }
}

#[tokio::test]
async fn a_manifest_is_read_by_tag_and_by_digest() {
    let fake = Fake::start(|_| manifest_answer()).await;
    let client = client(&plain(&fake));
    let by_tag = client.manifest(&repository(), &tag()).await.unwrap();
    assert_eq!(by_tag.bytes, MANIFEST);
    assert_eq!(by_tag.media_type, "application/vnd.oci.image.manifest.v1+json");
    let by_digest = client.manifest(&repository(), &Reference::Digest(by_tag.digest.clone())).await.unwrap();
    assert_eq!(by_digest, by_tag);
    let seen = &fake.seen()[0];
    assert_eq!(seen.path, "/v2/team/app/manifests/v1");
    assert!(seen.header("user-agent").unwrap().starts_with("plimsoll/"));
    assert!(seen.header("authorization").is_none());
    assert_eq!(seen.header("accept").unwrap().split(", ").count(), 4);
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_names_is_refused() {
    let fake = Fake::start(|_| manifest_answer()).await;
    let wanted = Digest::sha256_of(b"something else");
    let client = client(&plain(&fake));
    let expected = RegistryError::Mismatch {
        registry: "test".to_owned(),
        expected: wanted.clone(),
        actual: Digest::sha256_of(MANIFEST),
    };
    let by_digest = client.manifest(&repository(), &Reference::Digest(wanted.clone())).await;
    assert_eq!(by_digest.unwrap_err(), expected);
    assert_eq!(client.small_blob(&repository(), &wanted, 1000).await.unwrap_err(), expected);
}

#[tokio::test]
async fn a_tag_is_resolved_by_head_or_else_by_get() {
    let digest = Digest::sha256_of(b"elsewhere");
    let stated = digest.clone();
    let fake = Fake::start(move |_| manifest_answer().header("Docker-Content-Digest", &stated)).await;
    assert_eq!(client(&plain(&fake)).resolve(&repository(), &tag()).await.unwrap(), digest);
    assert_eq!(fake.seen().len(), 1);

    let silent = Fake::start(|seen| if seen.method == "HEAD" { Answer::new(200) } else { manifest_answer() }).await;
    let resolved = client(&plain(&silent)).resolve(&repository(), &tag()).await.unwrap();
    assert_eq!(resolved, Digest::sha256_of(MANIFEST));
}

#[tokio::test]
async fn a_missing_tag_is_not_found_and_not_temporary() {
    let fake = Fake::start(|_| Answer::new(404)).await;
    let client = client(&plain(&fake));
    for error in [
        client.manifest(&repository(), &tag()).await.unwrap_err(),
        client.resolve(&repository(), &tag()).await.unwrap_err(),
    ] {
        assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains("manifest team/app v1"), "{error}");
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_used_again() {
    let fake = Fake::start(with_tokens(usize::MAX)).await;
    let client = client(&with_password(&fake));
    for _ in 0..3 {
        client.manifest(&repository(), &tag()).await.unwrap();
    }
    let seen = fake.seen();
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    let (manifest, token) =
        ("/v2/team/app/manifests/v1", "/token?a=b&service=registry.test&scope=repository%3Ateam%2Fapp%3Apull");
    assert_eq!(paths, [manifest, token, manifest, manifest, manifest]);
    let basic = format!("Basic {}", STANDARD.encode("ci:hunter2"));
    assert_eq!(seen[1].header("authorization"), Some(basic.as_str()));
    assert_eq!(seen[4].header("authorization"), Some("Bearer t1"));
}

#[tokio::test]
async fn many_requests_at_once_share_one_login() {
    let fake = Fake::start(with_tokens(usize::MAX)).await;
    let client = client(&plain(&fake));
    let (repository, tag) = (repository(), tag());
    let all = (0..8).map(|_| client.manifest(&repository, &tag));
    for result in futures_util::future::join_all(all).await {
        result.unwrap();
    }
    assert_eq!(fake.seen().iter().filter(|seen| seen.path.starts_with("/token")).count(), 1);
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_replaced_once() {
    let fake = Fake::start(with_tokens(1)).await;
    let client = client(&plain(&fake));
    client.manifest(&repository(), &tag()).await.unwrap();
    client.manifest(&repository(), &tag()).await.unwrap();
    assert_eq!(fake.seen().last().unwrap().header("authorization"), Some("Bearer t2"));

    let never = Fake::start(with_tokens(0)).await;
    let refused = self::client(&plain(&never)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Refused { .. }), "{refused}");
    assert_eq!(never.seen().len(), 3, "request, login, request, and no more");
}

#[tokio::test]
async fn basic_and_fixed_tokens_are_sent_as_they_are() {
    let fake = Fake::start(|seen| match seen.header("authorization") {
        Some("Basic Y2k6aHVudGVyMg==" | "Bearer fixed") => manifest_answer(),
        _ => Answer::new(401).header("WWW-Authenticate", "Basic realm=\"r\""),
    })
    .await;
    client(&with_password(&fake)).manifest(&repository(), &tag()).await.unwrap();
    let fixed = RegistryConfig { token: secret("fixed"), ..plain(&fake) };
    client(&fixed).manifest(&repository(), &tag()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_says_what_to_configure_and_shows_no_secret() {
    let fake = Fake::start(|_| Answer::new(401).header("WWW-Authenticate", "Basic realm=\"r\"")).await;
    let wrong = client(&with_password(&fake));
    let refused = wrong.manifest(&repository(), &tag()).await.unwrap_err();
    assert!(!refused.is_temporary());
    let shown = format!("{refused} {refused:?} {wrong:?}");
    assert!(shown.contains("registries.test.password") && shown.contains("team/app"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");

    let anonymous = client(&plain(&fake)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(anonymous.to_string().contains("set registries.test.username"), "{anonymous}");

    let forbidden = Fake::start(|_| Answer::new(403)).await;
    let forbidden = client(&plain(&forbidden)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(matches!(forbidden, RegistryError::Refused { .. }), "{forbidden}");
}

#[tokio::test]
async fn a_token_service_elsewhere_gets_nothing() {
    let elsewhere = Fake::start(|_| Answer::new(200).body(r#"{"token":"t"}"#)).await;
    let realm = format!("http://localhost:{}/token", elsewhere.address.port());
    let fake = Fake::start(move |seen| match seen.header("authorization") {
        Some("Bearer t") => manifest_answer(),
        _ => Answer::new(401).header("WWW-Authenticate", format!("Bearer realm=\"{realm}\"")),
    })
    .await;
    let error = client(&with_password(&fake)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(error.to_string().contains("token_hosts") && !error.is_temporary(), "{error}");
    assert!(elsewhere.seen().is_empty());

    let allowed = RegistryConfig { token_hosts: vec!["localhost".to_owned()], ..with_password(&fake) };
    client(&allowed).manifest(&repository(), &tag()).await.unwrap();
}

#[tokio::test]
async fn rate_limits_and_outages_are_temporary() {
    let fake = Fake::start(|_| {
        let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
        Answer::new(429).header("Retry-After", 17).body(body)
    })
    .await;
    let error = client(&plain(&fake)).manifest(&repository(), &tag()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    assert!(error.to_string().contains("slow down"), "{error}");
    assert_eq!(fake.seen().len(), 1, "a registry that says when is not asked before");

    let unwell = Fake::start(|_| Answer::new(502)).await;
    let error = client(&plain(&unwell)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(error.is_temporary() && error.retry_after().is_none(), "{error}");
    assert_eq!(unwell.seen().len(), 3);

    let gone = { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let config = RegistryConfig { plain_http: true, ..RegistryConfig::anonymous(&gone.to_string()) };
    assert!(client(&config).manifest(&repository(), &tag()).await.unwrap_err().is_temporary());
}

#[tokio::test]
async fn a_short_outage_is_not_noticed() {
    let answers = AtomicUsize::new(0);
    let fake = Fake::start(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::new(503),
        _ => manifest_answer(),
    })
    .await;
    client(&plain(&fake)).manifest(&repository(), &tag()).await.unwrap();
}

#[tokio::test]
async fn oversized_documents_are_refused_whether_announced_or_not() {
    let announced = Fake::start(|_| Answer::new(200).header("Content-Length", 5_000_000_000_u64)).await;
    let error = client(&plain(&announced)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(error.to_string().contains("longer than the limit of 4194304 bytes"), "{error}");

    let chunked = Fake::start(|_| Answer::new(200).body(vec![b' '; 4 * 1024 * 1024 + 1])).await;
    let error = client(&plain(&chunked)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Invalid { .. }), "{error}");

    let content = blob(1001);
    let digest = Digest::sha256_of(&content);
    let fake = Fake::start(move |_| Answer::new(200).body(content.clone())).await;
    let client = client(&plain(&fake));
    assert!(client.small_blob(&repository(), &digest, 1000).await.is_err());
    assert_eq!(client.small_blob(&repository(), &digest, 1001).await.unwrap().len(), 1001);
}

#[tokio::test]
async fn a_redirect_to_another_host_carries_no_login() {
    let storage = Fake::start(|_| Answer::new(200).body(b"stored")).await;
    let target = format!("http://{}/bucket?signature=s3cret", storage.address);
    let fake = Fake::start(move |seen| match seen.header("authorization") {
        Some(_) => Answer::new(307).header("Location", &target),
        None => Answer::new(401).header("WWW-Authenticate", "Basic realm=\"r\""),
    })
    .await;
    assert_eq!(read_blob(&client(&with_password(&fake)), b"stored", 0).await.unwrap(), b"stored");
    let seen = storage.seen();
    assert_eq!((seen.len(), seen[0].path.as_str()), (1, "/bucket?signature=s3cret"));
    assert!(seen[0].header("authorization").is_none());
}

#[tokio::test]
async fn redirects_end() {
    let fake = Fake::start(|seen| Answer::new(302).header("Location", &seen.path)).await;
    let error = client(&plain(&fake)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(error.to_string().contains("more than 5 redirects"), "{error}");
    assert_eq!(fake.seen().len(), 6);
}

#[tokio::test]
async fn storage_that_refuses_is_not_mistaken_for_refused_credentials() {
    let storage = Fake::start(|_| Answer::new(403)).await;
    let target = format!("http://{}/bucket?signature=s3cret", storage.address);
    let fake = Fake::start(move |_| Answer::new(307).header("Location", &target)).await;
    let error = read_blob(&client(&plain(&fake)), b"x", 0).await.unwrap_err();
    assert!(matches!(error, RegistryError::Invalid { .. }), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

/// Serves `content`, cutting each connection after `piece` bytes; honors ranges if `ranges`.
async fn unreliable(content: Vec<u8>, piece: usize, ranges: bool) -> Fake {
    Fake::start(move |seen| {
        let start =
            seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let answer = match start {
            Some(start) if ranges => Answer::new(206)
                .header("Content-Range", format!("bytes {start}-{}/{}", content.len() - 1, content.len()))
                .body(&content[start..]),
            _ => Answer::new(200).body(content.clone()),
        };
        let rest = content.len() - start.filter(|_| ranges).unwrap_or(0);
        if rest > piece { answer.cut_after(piece) } else { answer }
    })
    .await
}

#[tokio::test]
async fn a_broken_transfer_is_taken_up_where_it_broke() {
    let content = blob(100_000);
    let fake = unreliable(content.clone(), 30_000, true).await;
    let client = client(&plain(&fake));
    assert!(read_blob(&client, &content, 0).await.unwrap() == content);
    assert_eq!(fake.seen().len(), 4);
    assert!(read_blob(&client, &content, 99_000).await.unwrap() == content[99_000..]);
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_start_again() {
    let content = Arc::new(blob(100_000));
    let (served, connections) = (content.clone(), AtomicUsize::new(0));
    let fake = Fake::start(move |_| {
        let answer = Answer::new(200).body(served.to_vec());
        if connections.fetch_add(1, Ordering::SeqCst) == 0 { answer.cut_after(60_000) } else { answer }
    })
    .await;
    assert!(read_blob(&client(&plain(&fake)), &content, 0).await.unwrap() == *content);
}

#[tokio::test]
async fn a_transfer_that_breaks_again_and_again_fails_as_temporary() {
    let content = blob(100_000);
    let fake = unreliable(content.clone(), 10_000, true).await;
    let error = read_blob(&client(&plain(&fake)), &content, 0).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    assert_eq!(fake.seen().len(), 6);
}

/// A TLS server for `localhost` that serves the manifest to every connection; its address and its certificate.
fn tls_server() -> (String, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![cert.der().clone()], key).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", MANIFEST.len());
            // A client that does not trust us hangs up.
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(&[head.as_bytes(), MANIFEST].concat()));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (format!("localhost:{port}"), cert.pem())
}

#[tokio::test]
async fn a_private_certificate_authority_is_trusted_only_where_it_is_configured() {
    let (host, certificate) = tls_server();
    let unknown = RegistryConfig::anonymous(&host);
    let error = client(&unknown).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(error.to_string().contains("set ca_file") && !error.is_temporary(), "{error}");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate).unwrap();
    let trusted = RegistryConfig { ca_file: Some(file.path().to_owned()), ..unknown };
    assert_eq!(client(&trusted).manifest(&repository(), &tag()).await.unwrap().bytes, MANIFEST);
}

#[tokio::test]
async fn https_against_a_plain_server_says_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let error = client(&RegistryConfig::anonymous(&host)).manifest(&repository(), &tag()).await.unwrap_err();
    assert!(error.to_string().contains("plain_http") && !error.is_temporary(), "{error}");
}

#[test]
fn hosts_and_files_that_cannot_be_used_are_named() {
    for host in ["", "https://r.example", "r.example/path", "user@r.example", "r.example:port", "a b"] {
        let error = RegistryClient::new("test", &RegistryConfig::anonymous(host)).unwrap_err();
        assert!(error.to_string().starts_with("registries.test: host"), "{host}: {error}");
    }
    let config = RegistryConfig { ca_file: Some("/nonexistent".into()), ..RegistryConfig::anonymous("r.example") };
    assert!(RegistryClient::new("test", &config).unwrap_err().to_string().contains("ca_file"));
}
