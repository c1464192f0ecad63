//! `plimsoll scan`: one image, without any service.

use std::collections::HashMap;

use ::scanner::image::source::Target;
use clap::ValueEnum;
use serde::Serialize;
use shared::finding::{Finding, Severity, Vulnerability};
use shared::image::{Digest, Platform};
use shared::package::{Distro, Evidence, Package};
use shared::report::{AdvisoryStamp, BaseImage, ImageReport, LayerUse, Outcome, Warning};

use crate::config::Global;
use crate::output::say;
use crate::{Answer, Failure, output, scan_target};

/// `plimsoll scan`
#[derive(clap::Args)]
#[command(
    after_help = "Targets:\n  registry.example.com/team/app:1.4    an image in a registry; logins are in [registries]\n  \
                        oci:DIR[:TAG]                        an OCI image layout\n  \
                        docker-archive:FILE[:NAME:TAG]       what `docker save` writes\n  \
                        rootfs:DIR                           a folder that holds a root file system\n  \
                        sbom:FILE                            a bill of materials: CycloneDX, SPDX or Syft JSON\n  \
                        purls:FILE                           package URLs, one a line"
)]
pub(crate) struct Args {
    /// What to scan
    target: Target,
    /// How to print the result
    #[arg(long, default_value = "table")]
    format: Format,
    /// Exit with 1 if something of this severity or worse is found
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// Of an index, only this platform, such as linux/arm64 [default: scanner.platforms of the configuration]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

/// How to print a result.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

pub(crate) async fn run(global: &Global, args: Args) -> Result<Answer, Failure> {
    let mut settings = global.settings()?;
    if let Some(platform) = args.platform {
        settings.config.scanner.platforms = vec![platform];
    }
    let scanned = scan_target::scan(&settings, &args.target).await?;
    let results: Vec<_> = scanned.images.iter().map(|image| Document::new(&args.target, &scanned, image)).collect();
    match args.format {
        Format::Json => print_json(&results)?,
        Format::Table => results.iter().for_each(print_table),
    }
    if let Some(image) =
        scanned.images.iter().find(|image| matches!(image.outcome, Outcome::Failed | Outcome::Unsupported))
    {
        let reason = image.reason.clone().unwrap_or_default();
        return Err(anyhow::anyhow!("{}: {reason}", image.outcome.as_str()).into());
    }
    let worst = scanned.images.iter().flat_map(|image| &image.findings).map(|finding| finding.severity).max();
    Ok(if args.fail_on.zip(worst).is_some_and(|(limit, worst)| worst >= limit) { Answer::No } else { Answer::Yes })
}

/// The result for one platform, as programs read it.
#[derive(Serialize)]
struct Document<'a> {
    target: String,
    digest: Option<&'a Digest>,
    index: Option<&'a Digest>,
    platform: Option<&'a Platform>,
    outcome: Outcome,
    reason: Option<&'a str>,
    warnings: &'a [Warning],
    advisories: Option<&'a AdvisoryStamp>,
    distro: Option<&'a Distro>,
    base: Option<&'a BaseImage>,
    layers: &'a [LayerUse],
    packages: &'a [Package],
    findings: Vec<Row<'a>>,
}

/// A finding with what is known about its vulnerability.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    aliases: &'a [String],
    title: &'a str,
    description: &'a str,
    references: &'a [String],
}

impl<'a> Document<'a> {
    fn new(target: &Target, scanned: &'a scan_target::Result, image: &'a ImageReport) -> Self {
        let known: HashMap<&str, &Vulnerability> =
            image.vulnerabilities.iter().map(|known| (known.id.as_str(), known)).collect();
        let row = |finding: &'a Finding| {
            let about = known.get(finding.id.as_str()).copied();
            Row {
                finding,
                aliases: about.map_or(&[], |about| &about.aliases),
                title: about.map_or("", |about| &about.title),
                description: about.map_or("", |about| &about.description),
                references: about.map_or(&[], |about| &about.references),
            }
        };
        let has_digest = scanned.digest.is_some();
        Self {
            target: target.to_string(),
            digest: has_digest.then_some(&image.digest),
            index: scanned.digest.as_ref().filter(|root| **root != image.digest),
            platform: image.platform.as_ref(),
            outcome: image.outcome,
            reason: image.reason.as_deref(),
            warnings: &image.warnings,
            advisories: image.advisories.as_ref(),
            distro: image.distro.as_ref(),
            base: image.base.as_ref(),
            layers: &image.layers,
            packages: &image.packages,
            findings: image.findings.iter().map(row).collect(),
        }
    }
}

impl Document<'_> {
    /// Whether the layer of the finding's package comes from the base.
    fn is_in_base(&self, finding: &Finding) -> bool {
        self.layers.iter().any(|layer| layer.base && Some(&layer.digest) == finding.layer.as_ref())
    }

    /// What is out of the ordinary: a package of the base, or one that is known by less than an installation.
    fn note(&self, finding: &Finding) -> String {
        let base = self.is_in_base(finding).then_some("base");
        let found = |package: &&Package| package.purl == finding.purl && package.path == finding.path;
        let evidence = self.packages.iter().find(found).and_then(|package| evidence(package.evidence));
        base.into_iter().chain(evidence).collect::<Vec<_>>().join(", ")
    }
}

/// How a package is known, where it is not simply installed or built in.
fn evidence(evidence: Evidence) -> Option<&'static str> {
    match evidence {
        Evidence::Installed | Evidence::BuildInfo => None,
        Evidence::Sbom => Some("sbom"),
        Evidence::LockFile => Some("lock file"),
        Evidence::VersionString => Some("version string"),
        Evidence::Manifest => Some("manifest"),
        Evidence::FileName => Some("file name"),
    }
}

/// One object; of an index with several platforms an array of them.
fn print_json(results: &[Document<'_>]) -> Result<(), Failure> {
    let text = match results {
        [one] => serde_json::to_string_pretty(one)?,
        all => serde_json::to_string_pretty(all)?,
    };
    say!("{text}");
    Ok(())
}

/// What the image is built on, as far as it says so.
fn say_base(result: &Document<'_>) {
    let Some(base) = result.base else { return };
    let digest = base.digest.as_ref().map(|digest| digest.as_str());
    let name = base.name.as_deref().or(digest).unwrap_or_default();
    let count = result.layers.iter().filter(|layer| layer.base).count();
    say!("built on {} ({count} of {} layers)", output::clean(name, 120), result.layers.len());
}

/// Whether the result holds all that there is to know; if not, each gap.
fn say_outcome(result: &Document<'_>) {
    match result.outcome {
        Outcome::Complete => say!("complete: every package was matched"),
        Outcome::Partial => {
            let gaps = output::count(result.warnings.len(), "gap");
            say!("{}: {gaps}, behind which more may be hidden", output::red(Outcome::Partial.as_str()));
        }
        outcome => say!("{}: {}", output::red(outcome.as_str()), output::clean(result.reason.unwrap_or(""), 400)),
    }
    for warning in result.warnings {
        say!("  {}: {}", warning.code, output::clean(&warning.message, 400));
    }
}

/// One line for each finding; names of packages have `room` characters.
fn table_of_findings(result: &Document<'_>, room: usize) -> comfy_table::Table {
    let header = ["Priority", "Severity", "Vulnerability", "Package", "Installed", "Fixed in", "Note", "Title"];
    let mut table = output::table(&header);
    for row in &result.findings {
        table.add_row(vec![
            output::priority(row.finding.priority, row.finding.exploited.is_some()),
            output::severity(row.finding.severity),
            output::clean(&row.finding.id, 40).into(),
            output::package(&row.finding.package, room).into(),
            output::clean(&row.finding.version, 40).into(),
            output::clean(row.finding.fixed_version.as_deref().unwrap_or(""), 40).into(),
            result.note(row.finding).into(),
            output::clean(row.title, 90).into(),
        ]);
    }
    table
}

fn print_table(result: &Document<'_>) {
    let platform = result.platform.map(|platform| format!(" ({platform})")).unwrap_or_default();
    say!("{}{platform}", output::bold(output::clean(&result.target, 200)));
    if let Some(digest) = result.digest {
        say!("{digest}");
    }
    let distro = result.distro.map(|distro| distro.name.as_deref().unwrap_or(&distro.id)).unwrap_or("no distro");
    say!("{}, {}", output::clean(distro, 80), output::count(result.packages.len(), "package"));
    say_base(result);
    say!("");
    if !result.findings.is_empty() {
        output::print_table(output::fitted(|room| table_of_findings(result, room)));
    }
    let severities = result.findings.iter().map(|row| row.finding.severity);
    say!("{}: {}", output::bold(output::count(result.findings.len(), "finding")), output::summary(severities));
    let exploited = result.findings.iter().filter(|row| row.finding.exploited.is_some()).count();
    if exploited > 0 {
        say!("{}", output::bold(format!("{exploited} of them known to be exploited (KEV)")));
    }
    say_outcome(result);
    if let Some(stamp) = result.advisories {
        say!("advisories of {} (version {})", stamp.built_at, stamp.version);
    }
}
