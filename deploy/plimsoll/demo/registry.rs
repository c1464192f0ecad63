//! A registry for one image: the OCI layout of `deploy/demo/image`, served read-only on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{App, HttpResponse, HttpServer, web};
use rust_embed::RustEmbed;
use serde_json::Value;
use shared::image::Digest;

/// Repository under which the image is found.
pub(crate) const REPOSITORY: &str = "demo/shop";
/// Its tag.
pub(crate) const TAG: &str = "1.0";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[derive(RustEmbed)]
#[folder = "deploy/demo/image"]
struct Layout;

/// Digest of the image's manifest, from the layout's index.
pub(crate) fn manifest_digest() -> anyhow::Result<Digest> {
    let index = Layout::get("index.json").ok_or_else(|| anyhow::anyhow!("the demo image has no index.json"))?;
    let index: Value = serde_json::from_slice(&index.data)?;
    let digest = index.pointer("/manifests/0/digest").and_then(Value::as_str);
    Ok(digest.unwrap_or_default().parse()?)
}

/// Serves the layout until the process ends.
pub(crate) fn serve() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(|| {
        App::new()
            .route("/v2/", web::get().to(HttpResponse::Ok))
            .route("/v2/demo/shop/manifests/{reference}", web::get().to(manifest))
            .route("/v2/demo/shop/manifests/{reference}", web::head().to(manifest))
            .route("/v2/demo/shop/blobs/{digest}", web::get().to(blob))
    });
    tokio::spawn(server.workers(1).disable_signals().listen(listener)?.run());
    Ok(address)
}

async fn manifest(reference: web::Path<String>) -> HttpResponse {
    let Ok(digest) = manifest_digest() else { return HttpResponse::InternalServerError().finish() };
    if ![TAG, digest.as_str()].contains(&reference.as_str()) {
        return HttpResponse::NotFound().finish();
    }
    answer(&digest, MANIFEST)
}

async fn blob(digest: web::Path<String>) -> HttpResponse {
    let parsed = digest.parse();
    parsed.map_or_else(|_| HttpResponse::NotFound().finish(), |digest| answer(&digest, "application/octet-stream"))
}

fn answer(digest: &Digest, content_type: &str) -> HttpResponse {
    let Some(blob) = Layout::get(&format!("blobs/{}/{}", digest.algorithm(), digest.hex())) else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header(("Docker-Content-Digest", digest.as_str()))
        .body(blob.data.into_owned())
}
