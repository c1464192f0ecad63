//! Who may do what, and what the others are told.

use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::TestRequest;
use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::Api;
use crate::store::{Role, TokenRecord};

const ID: &str = "01920000-0000-7000-8000-000000000000";
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Every route of the API, and the lowest role that may use it. `document.rs` checks that none is missing here.
pub(super) const ROUTES: [(&str, &str, &str); 19] = [
    ("GET", "/registries", "viewer"),
    ("GET", "/registries/{registry}/repositories", "viewer"),
    ("GET", "/registries/{registry}/repositories/{repository}/images", "viewer"),
    ("GET", "/images/{digest}", "viewer"),
    ("GET", "/images/{digest}/packages", "viewer"),
    ("GET", "/images/{digest}/findings", "viewer"),
    ("GET", "/findings", "viewer"),
    ("GET", "/findings/{finding_id}", "viewer"),
    ("GET", "/events", "viewer"),
    ("GET", "/events/{id}", "viewer"),
    ("GET", "/scans", "viewer"),
    ("GET", "/scans/{id}", "viewer"),
    ("POST", "/scans", "operator"),
    ("GET", "/dead-jobs", "viewer"),
    ("POST", "/dead-jobs/{id}/replay", "operator"),
    ("DELETE", "/dead-jobs/{id}", "operator"),
    ("GET", "/tokens", "admin"),
    ("POST", "/tokens", "admin"),
    ("DELETE", "/tokens/{id}", "admin"),
];

/// A request to a route, with something in the place of each variable.
fn request(method: &str, path: &str) -> TestRequest {
    let values = [
        ("{registry}", "main"),
        ("{repository}", "team/app"),
        ("{digest}", DIGEST),
        ("{finding_id}", "none"),
        ("{id}", ID),
    ];
    let path = values.iter().fold(format!("/api/v1{path}"), |path, (variable, value)| path.replace(variable, value));
    TestRequest::default().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(&path)
}

#[actix_web::test]
async fn each_role_may_what_the_table_says() {
    let api = Api::new().await;
    let roles = ["viewer", "operator", "admin"];
    for (method, path, lowest) in ROUTES {
        api.send(request(method, path)).await.is_problem(401, "Authorization: Bearer");
        let needed = roles.iter().position(|role| *role == lowest).unwrap();
        for (rank, role) in roles.into_iter().enumerate() {
            let answer = api.send_as(role, request(method, path)).await;
            if rank < needed {
                assert_eq!(answer.status, 403, "{role} {method} {path}");
                assert_eq!(answer.header("Content-Type"), "application/problem+json");
            } else {
                assert!(![401, 403, 405].contains(&answer.status), "{role} {method} {path}: {}", answer.status);
                assert!(!answer.body.to_string().contains("nothing at this path"), "{method} {path}");
            }
        }
    }
}

#[actix_web::test]
async fn only_a_valid_bearer_token_opens() {
    let api = Api::new().await;
    let with = |value: &str| TestRequest::get().uri("/api/v1/registries").insert_header((AUTHORIZATION, value));
    let good = &api.tokens["viewer"];
    for refused in ["", "Bearer", good.as_str(), "Basic dXNlcjpwdw=="] {
        let answer = api.send(with(refused)).await;
        answer.is_problem(401, "Authorization: Bearer");
        assert_eq!(answer.header("WWW-Authenticate"), "Bearer realm=\"plimsoll\"");
    }
    for refused in ["Bearer ", "Bearer plm_unknown", &format!("Bearer {}", &good[..good.len() - 1])] {
        let answer = api.send(with(refused)).await;
        answer.is_problem(401, "not valid");
        assert!(answer.header("WWW-Authenticate").contains("invalid_token"));
    }
    assert_eq!(api.send(with(&format!("bearer {good}"))).await.status, 200);
}

#[actix_web::test]
async fn unknown_paths_are_not_told_apart_without_a_token() {
    let api = Api::new().await;
    api.send(TestRequest::get().uri("/api/v1/nothing")).await.is_problem(401, "");
    api.get("/nothing").await.is_problem(404, "nothing at this path");
    api.send(TestRequest::get().uri("/api/v2/registries")).await.is_problem(404, "nothing at this path");
}

#[actix_web::test]
async fn a_token_ends_when_it_expires() {
    let api = Api::new().await;
    let hash = crate::api::tokens::hash("plm_old");
    let created_at = Timestamp::now() - 2.hours();
    let mut record = TokenRecord {
        id: ID.parse().unwrap(),
        name: "old".to_owned(),
        role: Role::Viewer,
        hash,
        created_at,
        expires_at: Some(Timestamp::now() + 1.hour()),
    };
    let request = || TestRequest::get().uri("/api/v1/registries").insert_header((AUTHORIZATION, "Bearer plm_old"));
    api.state.store.put_token(&record).await.unwrap();
    assert_eq!(api.send(request()).await.status, 200);
    record.expires_at = Some(Timestamp::now() - 1.hour());
    api.state.store.put_token(&record).await.unwrap();
    api.send(request()).await.is_problem(401, "expired");
}

#[actix_web::test]
async fn a_token_is_shown_once_and_can_be_revoked() {
    let mut api = Api::new().await;
    let wish = json!({"name": "dashboard", "role": "viewer", "expires_in_days": 2});
    let answer = api.post("admin", "/tokens", wish).await;
    assert_eq!(answer.status, 201);
    let (token, id) = (answer.body["token"].as_str().unwrap().to_owned(), answer.body["id"].as_str().unwrap());
    assert!(token.starts_with("plm_") && token.len() == 47, "{token}");
    let life: Timestamp = answer.body["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(life > Timestamp::now() + 47.hours() && life <= Timestamp::now() + 48.hours());

    let listed = api.send_as("admin", TestRequest::get().uri("/api/v1/tokens")).await.ok();
    let names: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "dashboard", "operator", "viewer"]);
    assert!(!listed.to_string().contains(&token) && !listed.to_string().contains("hash"));

    api.tokens.insert("new", token);
    assert_eq!(api.send_as("new", request("GET", "/findings")).await.status, 200);
    assert_eq!(api.delete("admin", &format!("/tokens/{id}")).await.status, 204);
    api.send_as("new", request("GET", "/findings")).await.is_problem(401, "revoked");
    api.delete("admin", &format!("/tokens/{id}")).await.is_problem(404, id);
}

#[actix_web::test]
async fn a_wrong_wish_for_a_token_is_refused_by_its_key() {
    let api = Api::new().await;
    for (wish, said) in [
        (json!({"name": "x"}), "role"),
        (json!({"name": "x", "role": "king"}), "role: unknown variant `king`"),
        (json!({"name": " ", "role": "viewer"}), "name"),
        (json!({"name": "x".repeat(101), "role": "viewer"}), "name"),
        (json!({"name": "x", "role": "viewer", "expires_in_days": 0}), "expires_in_days"),
        (json!({"name": "x", "role": "viewer", "ttl": 5}), "unknown field `ttl`"),
    ] {
        api.post("admin", "/tokens", wish).await.is_problem(400, said);
    }
}
