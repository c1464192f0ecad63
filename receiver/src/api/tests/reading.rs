//! What a viewer reads: listings to their end, filters, one of each thing, and what is wrong with a bad request.

use serde_json::{Value, json};
use shared::finding::Severity;

use super::Api;
use super::seed::{app, cli};

fn texts<'a>(items: &'a [Value], key: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[key].as_str().unwrap_or_else(|| panic!("no {key} in {item}"))).collect()
}

fn items(listing: &Value) -> &[Value] {
    listing["items"].as_array().unwrap()
}

#[actix_web::test]
async fn from_registries_down_to_findings() {
    let api = Api::seeded().await;
    let registries = api.get("/registries").await.ok();
    assert_eq!(texts(items(&registries), "name"), ["main", "quiet"]);
    assert_eq!((&items(&registries)[0]["images"], &items(&registries)[1]["images"]), (&json!(2), &json!(0)));

    let repositories = api.get("/registries/main/repositories").await.ok();
    assert_eq!(texts(items(&repositories), "repository"), ["team/app", "team/tools/cli"]);
    assert_eq!(api.get("/registries/quiet/repositories").await.ok(), json!({"items": []}));

    let images = api.get("/registries/main/repositories/team/tools/cli/images").await.ok();
    assert_eq!(images, api.get("/registries/main/repositories/team%2Ftools%2Fcli/images").await.ok());
    assert_eq!(texts(items(&images), "digest"), [cli().as_str()]);
    assert_eq!((&items(&images)[0]["tags"], &items(&images)[0]["findings"]["high"]), (&json!(["2"]), &json!(1)));

    let image = api.get(&format!("/images/{}", app())).await.ok();
    assert_eq!(items(&image)[0]["locations"][0]["repository"], "team/app");
    assert_eq!(items(&image)[0]["base"]["name"], "docker.io/library/debian:12");
    let lowest = &items(&image)[0]["layers"][0];
    assert_eq!((&lowest["created_by"], &lowest["base"]), (&json!("ADD rootfs.tar /"), &json!(true)));
    let packages = api.get(&format!("/images/{}/packages", app())).await.ok();
    assert_eq!(texts(items(&packages), "name").len(), 2);
    assert_eq!(items(&packages)[1]["layer"], lowest["digest"]);
    assert_eq!(items(&packages)[1]["evidence"], "installed");
    let findings = api.get(&format!("/images/{}/findings", app())).await.ok();
    assert_eq!(texts(items(&findings), "id"), ["CVE-2024-0001", "CVE-2024-0002"]);

    let id = items(&findings)[0]["finding_id"].as_str().unwrap();
    let detail = api.get(&format!("/findings/{id}")).await.ok();
    assert_eq!((&detail["id"], &detail["fixed_version"]), (&json!("CVE-2024-0001"), &json!("3.0.2")));
    assert_eq!(detail["vulnerability"]["references"], json!(["https://example.org/flaw"]));
    assert_eq!(detail["images"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn findings_pass_every_filter_that_is_given() {
    let api = Api::seeded().await;
    let (app, cli) = (app(), cli());
    let everything = ["CVE-2024-0001 app", "CVE-2024-0001 cli", "CVE-2024-0002 app", "CVE-2024-0003 cli"];
    let cases: [(String, &[usize]); 27] = [
        (String::new(), &[0, 1, 2, 3]),
        ("severity=critical".to_owned(), &[0, 1]),
        ("severity=medium".to_owned(), &[]),
        ("at_least=high".to_owned(), &[0, 1, 3]),
        ("at_least=unknown".to_owned(), &[0, 1, 2, 3]),
        ("vulnerability=CVE-2024-0001".to_owned(), &[0, 1]),
        ("vulnerability=cve-2024-0003".to_owned(), &[3]),
        ("vulnerability=GHSA-2024-0002".to_owned(), &[2]),
        ("package=openssl".to_owned(), &[0, 1]),
        ("package=glibc".to_owned(), &[2]),
        ("package=libc6".to_owned(), &[2]),
        ("ecosystem=Debian".to_owned(), &[0, 1, 2]),
        ("ecosystem=Debian:12".to_owned(), &[0, 1, 2]),
        ("ecosystem=Debian:11".to_owned(), &[]),
        ("ecosystem=PyPI".to_owned(), &[3]),
        ("registry=main".to_owned(), &[0, 1, 2, 3]),
        ("registry=quiet".to_owned(), &[]),
        ("repository=team/app".to_owned(), &[0, 2]),
        ("repository=team%2Ftools%2Fcli".to_owned(), &[1, 3]),
        ("tag=2".to_owned(), &[1, 3]),
        (format!("digest={app}"), &[0, 2]),
        ("fix_available=true".to_owned(), &[0, 1, 3]),
        ("fix_available=false".to_owned(), &[2]),
        ("base=true".to_owned(), &[2]),
        ("base=false".to_owned(), &[0, 1, 3]),
        (format!("digest={cli}&severity=critical&package=openssl&registry=main&tag=2"), &[1]),
        (format!("digest={app}&tag=2"), &[]),
    ];
    for (query, expected) in cases {
        let found = api.get(&format!("/findings?{query}")).await.ok();
        let name = |row: &Value| if row["digest"] == app.as_str() { "app" } else { "cli" };
        let mut rows: Vec<String> =
            items(&found).iter().map(|row| format!("{} {}", row["id"].as_str().unwrap(), name(row))).collect();
        rows.sort();
        assert_eq!(rows, expected.iter().map(|&index| everything[index]).collect::<Vec<_>>(), "{query}");
    }
}

#[actix_web::test]
async fn findings_come_in_the_order_asked_for() {
    let api = Api::seeded().await;
    let sorted = async |sort: &str, key: &str| {
        let (rows, pages) = api.walk(&format!("/findings?sort={sort}"), 3).await;
        assert_eq!(pages, 2);
        texts(&rows, key).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sorted("severity", "severity").await, ["critical", "critical", "high", "low"]);
    assert_eq!(
        sorted("vulnerability", "id").await,
        ["CVE-2024-0001", "CVE-2024-0001", "CVE-2024-0002", "CVE-2024-0003"]
    );
    assert_eq!(sorted("package", "package").await, ["libc6", "openssl", "openssl", "requests"]);
}

#[actix_web::test]
async fn every_listing_is_whole_however_it_is_cut() {
    let api = Api::seeded().await;
    for path in [
        "/findings".to_owned(),
        "/findings?sort=vulnerability".to_owned(),
        "/findings?sort=package&fix_available=true".to_owned(),
        format!("/images/{}/findings", app()),
        "/events".to_owned(),
        "/scans".to_owned(),
        "/scans?status=complete".to_owned(),
        "/registries/main/repositories".to_owned(),
        "/registries/main/repositories/team/app/images".to_owned(),
    ] {
        let (whole, pages) = api.walk(&path, 500).await;
        assert!(pages == 1 && !whole.is_empty(), "{path}");
        for limit in 1..=3 {
            assert_eq!(api.walk(&path, limit).await.0, whole, "{path} in pages of {limit}");
        }
    }
}

#[actix_web::test]
async fn a_cursor_goes_on_where_it_was_whatever_came_in_since() {
    let api = Api::seeded().await;
    let (before, _) = api.walk("/events", 500).await;
    let first = api.get("/events?limit=1").await.ok();
    api.push("team/new", "3", &shared::image::Digest::sha256_of(b"new")).await;
    let rest = api.get(&format!("/events?cursor={}", first["next"].as_str().unwrap())).await.ok();
    assert_eq!((items(&first), items(&rest)), (&before[..1], &before[1..]));
}

#[actix_web::test]
async fn an_event_and_its_scan_tell_what_became_of_them() {
    let api = Api::seeded().await;
    let events = api.get("/events").await.ok();
    assert_eq!(items(&events)[0]["event"]["repository"], "team/tools/cli");
    let id = items(&events)[0]["id"].as_str().unwrap();
    let event = api.get(&format!("/events/{id}")).await.ok();
    let steps = texts(event["timeline"].as_array().unwrap(), "step");
    assert_eq!((steps.first(), steps.last()), (Some(&"accepted"), Some(&"complete")));
    let scan = api.get(&format!("/scans/{}", event["scan_id"].as_str().unwrap())).await.ok();
    assert_eq!((&scan["status"], &scan["digest"]), (&json!("complete"), &json!(cli().as_str())));
}

#[actix_web::test]
async fn what_is_not_there_is_a_problem_that_names_it() {
    let api = Api::seeded().await;
    let id = "01920000-0000-7000-8000-000000000000";
    let digest = shared::image::Digest::sha256_of(b"nothing");
    for (path, said) in [
        ("/registries/none/repositories".to_owned(), "none"),
        ("/registries/none/repositories/a/b/images".to_owned(), "none"),
        (format!("/images/{digest}"), digest.as_str()),
        (format!("/images/{digest}/packages"), digest.as_str()),
        (format!("/images/{digest}/findings"), digest.as_str()),
        ("/findings/none".to_owned(), "no finding"),
        (format!("/events/{id}"), id),
        (format!("/scans/{id}"), id),
    ] {
        api.get(&path).await.is_problem(404, said);
    }
}

#[actix_web::test]
async fn a_bad_request_is_a_problem_that_names_the_key() {
    let api = Api::new().await;
    for (path, said) in [
        ("/findings?sevrity=high", "unknown field `sevrity`, expected one of `severity`"),
        ("/findings?severity=awful", "severity=awful"),
        ("/findings?severity=high&fix_available=perhaps", "fix_available=perhaps"),
        ("/findings?digest=sha256:12", "digest=sha256:12"),
        ("/findings?repository=UPPER", "repository=UPPER"),
        ("/findings?sort=age", "sort=age"),
        ("/findings?limit=0", "limit=0: 0 is not between 1 and 500"),
        ("/findings?limit=501", "limit=501"),
        ("/findings?limit=-1", "limit=-1"),
        ("/findings?limit=5&limit=6", "duplicate field `limit`"),
        ("/findings?cursor=nonsense", "cursor"),
        ("/events?cursor=%00%ff", "cursor"),
        ("/events?page=2", "unknown field `page`"),
        ("/registries?limit=1", "unknown field `limit`"),
        ("/scans?status=asleep", "status=asleep"),
        ("/images/latest", "digest \"latest\" is not valid"),
        ("/events/5", "the path"),
        ("/registries/main/repositories/UPPER/images", "repository \"UPPER\" is not valid"),
    ] {
        api.get(path).await.is_problem(400, said);
    }
}

#[actix_web::test]
async fn every_severity_is_a_filter() {
    let api = Api::new().await;
    for severity in Severity::ALL {
        api.get(&format!("/findings?severity={severity}&at_least={severity}")).await.ok();
    }
}
