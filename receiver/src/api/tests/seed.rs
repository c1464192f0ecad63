//! A small world: two images of one registry, taken in and scanned.

use jiff::Timestamp;
use shared::event::{Authenticity, EventKind, RegistryEvent};
use shared::finding::{Finding, Severity, Vulnerability};
use shared::image::Digest;
use shared::job::{JobKind, ScanJob};
use shared::package::{Distro, Package};
use shared::report::{AdvisoryStamp, BaseImage, ImageReport, LayerUse, Outcome, ScanReport, Timings};
use uuid::Uuid;

use super::Api;
use crate::store::{Action, Intake, PlannedEvent};

/// Digest of `team/app:1`.
pub(super) fn app() -> Digest {
    Digest::sha256_of(b"app")
}

/// Digest of `team/tools/cli:2`.
pub(super) fn cli() -> Digest {
    Digest::sha256_of(b"cli")
}

impl Api {
    /// Both images, pushed and scanned.
    pub(super) async fn seeded() -> Self {
        let api = Self::new().await;
        let app_job = api.push("team/app", "1", &app()).await;
        let app_findings = vec![
            finding("CVE-2024-0001", "openssl", Severity::Critical, Some("3.0.2")),
            finding("CVE-2024-0002", "libc6", Severity::Low, None),
        ];
        api.scanned(app_job, app_findings).await;
        let cli_job = api.push("team/tools/cli", "2", &cli()).await;
        let cli_findings = vec![
            finding("CVE-2024-0001", "openssl", Severity::Critical, Some("3.0.2")),
            finding("CVE-2024-0003", "requests", Severity::High, Some("2.32.0")),
        ];
        api.scanned(cli_job, cli_findings).await;
        api
    }

    /// Takes in a push.
    pub(super) async fn push(&self, repository: &str, tag: &str, digest: &Digest) -> ScanJob {
        let at = Timestamp::now();
        let delivery_id = Uuid::now_v7().to_string();
        let event = RegistryEvent {
            source: "hooks".to_owned(),
            kind: EventKind::Push,
            registry: "registry.test:5000".to_owned(),
            repository: repository.parse().unwrap(),
            tag: Some(tag.parse().unwrap()),
            digest: Some(digest.clone()),
            media_type: None,
            actor: None,
            time: at,
            delivery_id: delivery_id.clone(),
            authenticity: Authenticity::Signed,
        };
        let job = ScanJob {
            id: Uuid::now_v7(),
            kind: JobKind::Push,
            registry: "main".to_owned(),
            repository: event.repository.clone(),
            tag: event.tag.clone(),
            digest: event.digest.clone(),
            accepted_at: at,
            trace: delivery_id.clone(),
        };
        let action = Action::Scan(Box::new(job.clone()));
        let planned = PlannedEvent { id: Uuid::now_v7(), event, registry: Some("main".to_owned()), action };
        let trace = delivery_id.clone();
        let intake = Intake { source: "hooks".to_owned(), delivery_id, received_at: at, trace, events: vec![planned] };
        self.state.store.accept(&intake).await.unwrap();
        job
    }

    /// Records that the scan found these.
    pub(super) async fn scanned(&self, job: ScanJob, findings: Vec<Finding>) {
        self.state.store.record(&report(job, findings), Timestamp::now()).await.unwrap();
    }
}

fn report(job: ScanJob, findings: Vec<Finding>) -> ScanReport {
    let now = Timestamp::now();
    let digest = job.digest.clone().unwrap();
    let image = ImageReport {
        digest: digest.clone(),
        platform: Some("linux/amd64".parse().unwrap()),
        outcome: Outcome::Complete,
        reason: None,
        warnings: Vec::new(),
        distro: Some(Distro {
            id: "debian".to_owned(),
            version: Some("12".to_owned()),
            name: None,
            ecosystem: Some("Debian:12".to_owned()),
        }),
        advisories: Some(AdvisoryStamp { version: "1".to_owned(), built_at: now }),
        base: Some(BaseImage { name: Some("docker.io/library/debian:12".to_owned()), digest: None }),
        layers: vec![layer("ADD rootfs.tar /", true), layer("COPY app /app", false)],
        packages: findings.iter().map(package).collect(),
        vulnerabilities: findings.iter().map(vulnerability).collect(),
        findings,
        timings: Timings::default(),
    };
    ScanReport {
        job,
        scanner: "test".to_owned(),
        attempt: 1,
        started_at: now,
        finished_at: now,
        digest: Some(digest),
        outcome: Outcome::Complete,
        reason: None,
        images: vec![image],
    }
}

fn layer(line: &str, base: bool) -> LayerUse {
    LayerUse { digest: made_by(line), size: 1, cached: false, created_by: Some(line.to_owned()), base }
}

fn made_by(line: &str) -> Digest {
    Digest::sha256_of(line.as_bytes())
}

fn finding(id: &str, package: &str, severity: Severity, fixed_version: Option<&str>) -> Finding {
    let (ecosystem, kind, source_name) = match package {
        "requests" => ("PyPI", "pypi", None),
        "libc6" => ("Debian:12", "deb/debian", Some("glibc".to_owned())),
        _ => ("Debian:12", "deb/debian", None),
    };
    Finding {
        id: id.to_owned(),
        package: package.to_owned(),
        version: "1.0".to_owned(),
        ecosystem: ecosystem.to_owned(),
        purl: format!("pkg:{kind}/{package}@1.0"),
        source_name,
        severity,
        fixed_version: fixed_version.map(str::to_owned),
        advisories: vec![id.to_owned()],
        layer: Some(made_by(if package == "libc6" { "ADD rootfs.tar /" } else { "COPY app /app" })),
        path: "var/lib/dpkg/status".to_owned(),
        ..Finding::default()
    }
}

fn package(finding: &Finding) -> Package {
    Package {
        purl: finding.purl.clone(),
        ecosystem: Some(finding.ecosystem.clone()),
        name: finding.package.clone(),
        version: finding.version.clone(),
        source_name: finding.source_name.clone(),
        layer: finding.layer.clone(),
        path: finding.path.clone(),
        ..Package::default()
    }
}

fn vulnerability(finding: &Finding) -> Vulnerability {
    Vulnerability {
        id: finding.id.clone(),
        aliases: vec![finding.id.replace("CVE", "GHSA")],
        title: format!("Flaw in {}", finding.package),
        description: "Long text".to_owned(),
        references: vec!["https://example.org/flaw".to_owned()],
        published: None,
        modified: None,
    }
}
