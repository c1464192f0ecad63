//! The OpenAPI document, and what every answer has in common.

use std::collections::BTreeSet;

use actix_web::ResponseError;
use actix_web::test::TestRequest;
use serde_json::Value;

use super::Api;
use super::access::ROUTES;
use crate::api::error::ApiError;
use crate::store::StoreError;

async fn document() -> Value {
    let answer = Api::new().await.send(TestRequest::get().uri("/api/v1/openapi.json")).await;
    assert_eq!(answer.header("Content-Type"), "application/json");
    answer.ok()
}

/// (method, path below `/api/v1`, lowest role) of every operation that needs a token.
fn operations(document: &Value) -> BTreeSet<(String, String, String)> {
    let everywhere = &document["security"][0]["token"][0];
    let mut all = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["security"].get(0).map_or(everywhere, |own| &own["token"][0]);
            if let Some(role) = role.as_str() {
                let path = path.strip_prefix("/api/v1").unwrap();
                all.insert((method.to_uppercase(), path.to_owned(), role.to_owned()));
            }
        }
    }
    all
}

#[actix_web::test]
async fn the_document_has_every_route_with_its_role() {
    let known = ROUTES.map(|(method, path, role)| (method.to_owned(), path.to_owned(), role.to_owned()));
    assert_eq!(operations(&document().await), BTreeSet::from(known));
}

#[actix_web::test]
async fn the_document_is_whole() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{path}");
            assert!(operation["summary"].is_string(), "{path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.values().all(|response| response["description"].is_string()), "{path}");
            let variables = path.matches('{').count();
            let parameters = operation["parameters"].as_array().map_or(0, |all| {
                all.iter().filter(|parameter| parameter["in"] == "path" && parameter["description"].is_string()).count()
            });
            assert_eq!(variables, parameters, "{path}");
        }
    }
}

fn collect_references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            into.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| collect_references(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}

#[actix_web::test]
async fn the_document_names_every_filter_of_findings() {
    let document = document().await;
    let parameters = document["paths"]["/api/v1/findings"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    let expected = [
        "severity",
        "at_least",
        "vulnerability",
        "package",
        "ecosystem",
        "registry",
        "repository",
        "tag",
        "digest",
        "fix_available",
        "base",
        "sort",
        "limit",
        "cursor",
    ];
    assert_eq!(names, expected);
    assert!(parameters.iter().all(|parameter| parameter["in"] == "query" && parameter["required"] != true));
}

#[actix_web::test]
async fn every_answer_is_protected() {
    let api = Api::new().await;
    for answer in [
        api.get("/registries").await,
        api.get("/nothing").await,
        api.send(TestRequest::get().uri("/api/v1/registries")).await,
        api.send(TestRequest::get().uri("/api/v1/openapi.json")).await,
        api.send(TestRequest::get().uri("/api")).await,
    ] {
        assert_eq!(answer.header("X-Content-Type-Options"), "nosniff", "{answer:?}");
        assert_eq!(answer.header("Cache-Control"), "no-store", "{answer:?}");
    }
}

#[actix_web::test]
async fn another_method_is_told_which_there_are() {
    let api = Api::new().await;
    for (path, allow) in [
        ("/scans", "GET, POST"),
        ("/findings", "GET"),
        ("/dead-jobs/01920000-0000-7000-8000-000000000000", "DELETE"),
        ("/registries/main/repositories/team/app/images", "GET"),
    ] {
        let request = TestRequest::put().uri(&format!("/api/v1{path}"));
        let answer = api.send_as("admin", request).await;
        answer.is_problem(405, allow);
        assert_eq!(answer.header("Allow"), allow);
    }
}

#[actix_web::test]
async fn a_failing_store_is_no_fault_of_the_caller_and_tells_nothing() {
    let response = ApiError::from(StoreError::Disk("/var/lib/plimsoll: no space left".to_owned())).error_response();
    assert_eq!(response.status().as_u16(), 503);
    assert_eq!(response.headers().get("Retry-After").unwrap(), "5");
    let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
    assert!(!String::from_utf8_lossy(&body).contains("/var/lib"), "{body:?}");
}
