//! The API as its callers see it, over the real store in a folder of its own.

use std::collections::BTreeMap;

use actix_web::http::header::{self, HeaderMap};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use serde_json::Value;
use shared::registry::RegistryConfig;
use tempfile::TempDir;

use super::{ApiState, ConfiguredRegistries, configure, tokens};
use crate::store::Role;
use crate::store::sled::SledStore;

mod access;
mod acting;
mod document;
mod reading;
mod seed;

/// An API with a token for each role.
struct Api {
    state: web::Data<ApiState>,
    tokens: BTreeMap<&'static str, String>,
    _folder: TempDir,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Api {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config: BTreeMap<String, RegistryConfig> = toml::from_str(
            "main = { host = \"registry.test:5000\", aliases = [\"mirror.test\"] }\nquiet = { host = \"quiet.test\" }",
        )
        .unwrap();
        let state = ApiState {
            store: std::sync::Arc::new(SledStore::open(folder.path()).unwrap()),
            registries: ConfiguredRegistries::new(&config),
            relay_wake: std::sync::Arc::default(),
        };
        let mut tokens = BTreeMap::new();
        for (name, role) in [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)] {
            tokens.insert(name, tokens::create(state.store.as_ref(), name, role, None).await.unwrap().0);
        }
        Self { state: web::Data::new(state), tokens, _folder: folder }
    }

    async fn send(&self, request: TestRequest) -> Answer {
        let app = init_service(App::new().configure(|config| configure(config, self.state.clone()))).await;
        let response = call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_body(response).await;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Answer { status, headers, body }
    }

    async fn send_as(&self, who: &str, request: TestRequest) -> Answer {
        self.send(request.insert_header((header::AUTHORIZATION, format!("Bearer {}", self.tokens[who])))).await
    }

    /// What a viewer reads at a path below `/api/v1`.
    async fn get(&self, path: &str) -> Answer {
        self.send_as("viewer", TestRequest::get().uri(&format!("/api/v1{path}"))).await
    }

    async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        self.send_as(who, TestRequest::post().uri(&format!("/api/v1{path}")).set_json(body)).await
    }

    async fn delete(&self, who: &str, path: &str) -> Answer {
        self.send_as(who, TestRequest::delete().uri(&format!("/api/v1{path}"))).await
    }

    /// Every item of a listing, page by page, and how many pages there were.
    async fn walk(&self, path: &str, limit: usize) -> (Vec<Value>, usize) {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = self.get(&format!("{path}{joint}limit={limit}{cursor}")).await.ok();
            let page_items = page["items"].as_array().unwrap();
            assert!(page_items.len() <= limit);
            items.extend(page_items.iter().cloned());
            pages += 1;
            assert!(pages < 100, "{path} has no end");
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (items, pages),
            }
        }
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name} in {self:?}")).to_str().unwrap()
    }

    /// The body of a good answer.
    fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{:?}", self.body);
        self.body
    }

    /// Checks a problem document; `detail` is a part of its text.
    fn is_problem(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{:?}", self.body);
        assert_eq!(self.header("Content-Type"), "application/problem+json");
        assert_eq!((&self.body["type"], &self.body["status"]), (&"about:blank".into(), &status.into()));
        assert!(self.body["title"].is_string());
        let shown = self.body["detail"].as_str().unwrap();
        assert!(shown.contains(detail), "{shown:?} does not say {detail:?}");
    }
}
