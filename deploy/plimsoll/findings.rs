//! `plimsoll findings`: findings of a running Plimsoll.

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;
use shared::finding::{Priority, Severity};

use crate::api_client::{Connection, items, text};
use crate::config::Global;
use crate::output::say;
use crate::{Answer, Failure, output};

/// `plimsoll findings`
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Only this severity and worse
    #[arg(long, value_name = "SEVERITY")]
    at_least: Option<Severity>,
    /// Only this vulnerability: a CVE, GHSA or any other name it goes by
    #[arg(long, value_name = "ID")]
    vulnerability: Option<String>,
    /// Only this package
    #[arg(long)]
    package: Option<String>,
    /// Only this configured registry
    #[arg(long)]
    registry: Option<String>,
    /// Only this repository
    #[arg(long)]
    repository: Option<String>,
    /// Only images that this tag points at
    #[arg(long)]
    tag: Option<String>,
    /// Only this image
    #[arg(long)]
    digest: Option<String>,
    /// Only those with (or without) a fixed version
    #[arg(long, value_name = "true|false")]
    fix_available: Option<bool>,
    /// Only what the image's own Dockerfile added, or only what comes from its base
    #[arg(long)]
    layer: Option<Origin>,
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

/// Where a package comes from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Origin {
    /// The image's own layers
    App,
    /// The layers of the image that it is built on
    Base,
}

pub(crate) async fn run(global: &Global, args: Args) -> Result<Answer, Failure> {
    let filters = [
        ("at_least", args.at_least.map(|severity| severity.to_string())),
        ("vulnerability", args.vulnerability),
        ("package", args.package),
        ("registry", args.registry),
        ("repository", args.repository),
        ("tag", args.tag),
        ("digest", args.digest),
        ("fix_available", args.fix_available.map(|fix| fix.to_string())),
        ("base", args.layer.map(|layer| (layer == Origin::Base).to_string())),
        ("limit", Some(args.limit.to_string())),
    ];
    let query: Vec<_> = filters.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let answer = args.connection.open(global)?.get("/findings", &query).await?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        print(&answer);
    }
    Ok(Answer::Yes)
}

fn print(answer: &Value) {
    let found = items(answer);
    if found.is_empty() {
        say!("no findings");
    } else {
        output::print_table(table(found));
    }
    if answer.get("next").is_some() {
        say!("There are more: raise --limit, or narrow the search.");
    }
}

/// Findings of the API as a table.
pub(crate) fn table(findings: &[Value]) -> comfy_table::Table {
    output::fitted(|room| table_with(findings, room))
}

fn table_with(findings: &[Value], room: usize) -> comfy_table::Table {
    let header = ["Priority", "Severity", "Vulnerability", "Package", "Installed", "Fixed in", "Layer", "Image"];
    let mut table = output::table(&header);
    for finding in findings {
        let severity = text(finding, "severity").parse().unwrap_or(Severity::Unknown);
        let priority = finding.get("priority").and_then(|priority| Priority::deserialize(priority).ok());
        let is_exploited = finding.get("exploited").is_some_and(|exploited| !exploited.is_null());
        table.add_row(vec![
            output::priority(priority.unwrap_or_default(), is_exploited),
            output::severity(severity),
            output::clean(text(finding, "id"), 40).into(),
            output::package(text(finding, "package"), room).into(),
            output::clean(text(finding, "version"), 40).into(),
            output::clean(text(finding, "fixed_version"), 40).into(),
            output::layer(finding.get("base").and_then(Value::as_bool).unwrap_or_default()).into(),
            image(finding).into(),
        ]);
    }
    table
}

/// The first place where the finding's image is, as people write it.
fn image(finding: &Value) -> String {
    let first = finding.get("locations").and_then(|locations| locations.get(0));
    let Some(location) = first else { return output::clean(text(finding, "digest"), 19) };
    let tag = location.get("tags").and_then(|tags| tags.get(0)).and_then(Value::as_str);
    let name = format!("{}/{}", text(location, "registry"), text(location, "repository"));
    output::clean(&tag.map_or_else(|| name.clone(), |tag| format!("{name}:{tag}")), 60)
}
