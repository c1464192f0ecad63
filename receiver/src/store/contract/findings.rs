//! Rules of findings across images.

use shared::finding::{Finding, Severity};

use super::Backend;
use super::builders::{REGISTRY, accept_push, at, delete, digest, finding, first_page, found, report, vulnerability};
use super::builders::{accept, event, planned};
use crate::store::{FindingQuery, FindingRow, FindingSort, Page, Store, StoreError};
use shared::event::EventKind;

/// Enough images that no index may rely on there being few.
const IMAGES: u8 = 80;

/// Images in two registries with findings of every kind.
async fn fill(store: &impl Store) {
    let names = ["CVE-1", "CVE-2", "CVE-10", "GHSA-a", "DLA\0x"];
    let packages = ["openssl", "libssl", "zlib", "libc"];
    for number in 0..IMAGES {
        let mut pushed = event(EventKind::Push, Some("1"), Some(digest(number)), i64::from(number));
        pushed.repository = format!("team/app{}", number % 70).parse().unwrap();
        let registry = if number % 3 == 0 { "other" } else { REGISTRY };
        let id = accept(store, vec![planned(pushed, registry)]).await[0].unwrap();
        let job = store.scan(id).await.unwrap().unwrap().job;
        let seed = usize::from(number);
        let findings: Vec<Finding> = (0..3)
            .map(|step| {
                let (id, package) = (names[(seed + step) % 5], packages[(seed / 2 + step) % 4]);
                let mut finding = finding(id, package, Severity::ALL[(seed + step * 2) % 6]);
                finding.source_name = (package == "libssl").then(|| "openssl".to_owned());
                finding.fixed_version = (seed % 4 == step).then(|| "2.0".to_owned());
                finding.ecosystem = if seed % 5 == 0 { "npm" } else { "Debian:12" }.to_owned();
                finding
            })
            .collect();
        let mut report = found(&job, findings);
        for text in &mut report.images[0].vulnerabilities {
            text.aliases = match text.id.as_str() {
                "CVE-1" | "CVE-2" => vec!["DSA-77".to_owned()],
                _ => Vec::new(),
            };
        }
        store.record(&report, at(100)).await.unwrap();
    }
}

/// What a query means, in so many words.
fn is_wanted(row: &FindingRow, query: &FindingQuery) -> bool {
    let FindingQuery { severity, at_least, vulnerability, package, ecosystem, .. } = query;
    let finding = &row.finding;
    severity.is_none_or(|wanted| finding.severity == wanted)
        && at_least.is_none_or(|wanted| finding.severity >= wanted)
        && vulnerability.as_ref().is_none_or(|name| {
            let same = |id: &String| id.eq_ignore_ascii_case(name);
            same(&finding.id) || row.aliases.iter().any(same)
        })
        && package.as_ref().is_none_or(|name| finding.package == *name || finding.source_name.as_ref() == Some(name))
        && ecosystem
            .as_ref()
            .is_none_or(|name| finding.ecosystem == *name || finding.ecosystem.split(':').next() == Some(name.as_str()))
        && query.fix_available.is_none_or(|wanted| finding.fixed_version.is_some() == wanted)
        && query.digest.as_ref().is_none_or(|digest| row.digest == *digest)
        && row.locations.iter().any(|place| {
            query.registry.as_ref().is_none_or(|registry| place.registry == *registry)
                && query.repository.as_ref().is_none_or(|repository| place.repository == *repository)
                && query.tag.as_ref().is_none_or(|tag| place.tags.contains(tag))
        })
}

async fn all_pages(store: &impl Store, query: &FindingQuery, limit: usize) -> Vec<FindingRow> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.findings(query, &Page { limit, cursor }).await.unwrap();
        assert!(page.items.len() <= limit);
        rows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return rows;
        }
    }
}

fn queries() -> Vec<FindingQuery> {
    let any = FindingQuery::default;
    let mut queries = vec![
        any(),
        FindingQuery { severity: Some(Severity::High), ..any() },
        FindingQuery { at_least: Some(Severity::Medium), ..any() },
        FindingQuery { vulnerability: Some("cve-1".to_owned()), ..any() },
        FindingQuery { vulnerability: Some("dsa-77".to_owned()), ..any() },
        FindingQuery { vulnerability: Some("CVE-404".to_owned()), ..any() },
        FindingQuery { package: Some("openssl".to_owned()), ..any() },
        FindingQuery { ecosystem: Some("Debian".to_owned()), ..any() },
        FindingQuery { fix_available: Some(true), ..any() },
        FindingQuery { digest: Some(digest(3)), ..any() },
        FindingQuery { registry: Some("other".to_owned()), ..any() },
        FindingQuery { repository: Some("team/app5".parse().unwrap()), ..any() },
        FindingQuery { tag: Some("1".parse().unwrap()), ..any() },
    ];
    let pairs = queries.clone();
    for at_least in &pairs[1..3] {
        for other in &pairs[3..] {
            queries.push(FindingQuery { severity: at_least.severity, at_least: at_least.at_least, ..other.clone() });
        }
    }
    queries.push(FindingQuery {
        package: Some("openssl".to_owned()),
        vulnerability: Some("CVE-1".to_owned()),
        tag: Some("1".parse().unwrap()),
        ..any()
    });
    queries
}

pub(super) async fn every_query_finds_what_it_says_in_order(backend: &impl Backend) {
    let store = backend.open().await;
    fill(&store).await;
    let everything = all_pages(&store, &FindingQuery::default(), 500).await;
    assert_eq!(everything.len(), 3 * usize::from(IMAGES));
    for query in queries() {
        let mut expected: Vec<&str> =
            everything.iter().filter(|row| is_wanted(row, &query)).map(|row| row.finding_id.as_str()).collect();
        expected.sort_unstable();
        for sort in [FindingSort::Severity, FindingSort::Vulnerability, FindingSort::Package] {
            let query = FindingQuery { sort, ..query.clone() };
            for limit in [7, 500] {
                let rows = all_pages(&store, &query, limit).await;
                let in_order = rows.is_sorted_by(|a, b| match sort {
                    FindingSort::Severity => a.finding.severity >= b.finding.severity,
                    FindingSort::Vulnerability => a.finding.id <= b.finding.id,
                    FindingSort::Package => a.finding.package <= b.finding.package,
                });
                assert!(in_order, "{query:?}");
                let mut ids: Vec<&str> = rows.iter().map(|row| row.finding_id.as_str()).collect();
                ids.sort_unstable();
                assert_eq!(ids, expected, "{query:?} in pages of {limit}");
            }
        }
    }
}

pub(super) async fn pages_of_findings_are_stable_under_inserts(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    let of = |ids: &[&str]| ids.iter().map(|id| finding(id, "a", Severity::High)).collect::<Vec<_>>();
    store.record(&found(&job, of(&["CVE-2", "CVE-4", "CVE-6"])), at(70)).await.unwrap();
    let query = FindingQuery::default();
    let first = store.findings(&query, &Page { limit: 2, cursor: None }).await.unwrap();

    let job = accept_push(&store, "1", 1, 1).await;
    store.record(&found(&job, of(&["CVE-1", "CVE-3", "CVE-5", "CVE-6"])), at(80)).await.unwrap();
    let rest = store.findings(&query, &Page { limit: 9, cursor: first.next }).await.unwrap();
    let ids: Vec<_> = rest.items.iter().map(|row| row.finding.id.as_str()).collect();
    assert_eq!((ids, rest.next), (vec!["CVE-5", "CVE-6"], None), "on behind CVE-4, although that is gone");
}

pub(super) async fn a_finding_tells_all_images_that_have_it(backend: &impl Backend) {
    let store = backend.open().await;
    for number in 1..=4 {
        let job = accept_push(&store, &number.to_string(), number, 0).await;
        let package = if number == 3 { "b" } else { "a" };
        let mut report = report(&job, found(&job, vec![finding("CVE-1", package, Severity::High)]).images);
        report.images[0].vulnerabilities = vec![vulnerability("CVE-1", &["GHSA-1"])];
        store.record(&report, at(70)).await.unwrap();
    }
    accept(&store, vec![delete(None, Some(digest(4)), 10)]).await;
    let query = FindingQuery { digest: Some(digest(1)), ..FindingQuery::default() };
    let row = store.findings(&query, &first_page()).await.unwrap().items.remove(0);
    assert_eq!((row.title.as_str(), row.aliases.as_slice()), ("about CVE-1", ["GHSA-1".to_owned()].as_slice()));
    assert_eq!(row.platform, Some("linux/amd64".parse().unwrap()));

    let detail = store.finding(&row.finding_id).await.unwrap().unwrap();
    assert_eq!(detail.row.finding, row.finding);
    assert_eq!(detail.vulnerability.description, "long");
    let mut images: Vec<_> = detail.images.iter().map(|image| image.digest.clone()).collect();
    images.sort();
    let mut expected = vec![digest(1), digest(2)];
    expected.sort();
    assert_eq!(images, expected, "not the one in another package, not the one that was deleted");
}

pub(super) async fn names_that_were_made_up_find_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let job = accept_push(&store, "1", 1, 0).await;
    let findings = ["CVE-1", "CVE-2"].map(|id| finding(id, "a", Severity::High)).to_vec();
    store.record(&found(&job, findings), at(70)).await.unwrap();
    let query = FindingQuery::default();
    let good = store.findings(&query, &Page { limit: 1, cursor: None }).await.unwrap();
    let (id, cursor) = (&good.items[0].finding_id, good.next.unwrap());
    for made_up in ["", "?", "AAAA", "AQY", &id[1..], &id[..id.len() - 4], &"A".repeat(1_000_000), &cursor[2..]] {
        assert!(store.finding(made_up).await.unwrap().is_none(), "{made_up:.40}");
        let page = Page { limit: 1, cursor: Some(made_up.to_owned()) };
        assert!(matches!(store.findings(&query, &page).await, Err(StoreError::Cursor)), "{made_up:.40}");
        assert!(matches!(store.scans(None, &page).await, Err(StoreError::Cursor)), "{made_up:.40}");
        let repository = "team/app".parse().unwrap();
        assert!(matches!(store.images(REGISTRY, &repository, &page).await, Err(StoreError::Cursor)));
    }
    let by_package = FindingQuery { sort: FindingSort::Package, ..query };
    let page = Page { limit: 1, cursor: Some(cursor) };
    assert!(matches!(store.findings(&by_package, &page).await, Err(StoreError::Cursor)), "it is of another order");
}
