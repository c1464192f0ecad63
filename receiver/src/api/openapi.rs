//! The OpenAPI document, made from the handlers; and the answer where it has nothing.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpRequest, HttpResponse, get};
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, Content, Ref, RefOr, Response};
use utoipa_actix_web::AppExt;

use super::error::{ApiError, PROBLEM_JSON, Problem};

static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(build);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Plimsoll",
        description = "What is in the images of your registries, and what is vulnerable in it.\n\n\
            Every path but this document needs `Authorization: Bearer plm_…`. A token has a role: `viewer` reads, \
            `operator` also asks for scans and handles dead jobs, `admin` also manages tokens. Where an operation \
            names no role, `viewer` is enough. Errors are problem details (RFC 9457)."
    ),
    security(("token" = ["viewer"])),
    components(schemas(Problem)),
    tags(
        (name = "images", description = "Registries, repositories, images"),
        (name = "findings", description = "What is vulnerable"),
        (name = "events", description = "What the registries said"),
        (name = "scans", description = "What runs and ran"),
        (name = "dead jobs", description = "What nobody could process"),
        (name = "tokens", description = "Who may ask"),
    )
)]
struct Frame;

fn build() -> utoipa::openapi::OpenApi {
    let (_, mut whole) = App::new()
        .into_utoipa_app()
        .openapi(Frame::openapi())
        .service(utoipa_actix_web::scope("/api/v1").service(document).configure(super::routes))
        .split_for_parts();
    let token = SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("plm_…").build());
    whole.components.get_or_insert_with(Components::new).add_security_scheme("token", token);
    for (path, item) in &mut whole.paths.paths {
        operations_mut(item).for_each(|operation| complete(operation, path));
    }
    whole
}

/// What every operation needs and no handler has to say: a name of its own, words for each status, its errors.
fn complete(operation: &mut Operation, path: &str) {
    let resource = path.trim_start_matches("/api/v1/").split(['/', '.']).next().unwrap_or_default();
    let handler = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{resource}_{handler}"));
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            let words = StatusCode::from_bytes(status.as_bytes()).ok().and_then(|status| status.canonical_reason());
            response.description = words.unwrap_or_default().to_owned();
        }
    }
    operation.responses.responses.insert("default".to_owned(), problem().into());
}

fn problem() -> Response {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    Response::builder().description("Why not").content(PROBLEM_JSON, content).build()
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// This document
///
/// Needs no token: it is the same for every installation of this version.
#[utoipa::path(security(()), responses((status = OK)))]
#[get("/openapi.json")]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).json(&*DOCUMENT)
}

/// What to answer where no route takes a request: the path may have other methods.
pub(super) async fn no_route(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let pattern = request.match_pattern().unwrap_or_default();
    match DOCUMENT.paths.paths.get(&without_expressions(&pattern)) {
        Some(item) => Err(ApiError::Method { allow: methods(item).join(", ") }),
        None => Err(ApiError::NoRoute),
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let candidates = [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete)];
    candidates.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
}

/// `/a/{b:.+}` in the router's words is `/a/{b}` in the document's.
fn without_expressions(pattern: &str) -> String {
    let mut parts = pattern.split('{');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap_or((part, ""));
        let name = variable.split(':').next().unwrap_or_default();
        plain.push_str(&format!("{{{name}}}{rest}"));
    }
    plain
}
