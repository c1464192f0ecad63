//! `plimsoll explain`: why a package is, or is not, affected.

use ::scanner::inventory::package_from_purl;
use ::scanner::matcher::{self, Considered, Explanation};
use shared::finding::{Epss, Finding, KnownExploited};

use crate::config::Global;
use crate::output::say;
use crate::{Answer, Failure, output};

/// `plimsoll explain`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The package, such as pkg:deb/debian/openssl@3.0.1-1?distro=debian-12 or pkg:pypi/django@3.2
    purl: String,
    /// Only this advisory or vulnerability
    id: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(global: &Global, args: &Args) -> Result<Answer, Failure> {
    let package = package_from_purl(&args.purl).map_err(Failure::usage)?;
    let database = global.settings()?.advisory_database().current()?;
    let explanation = matcher::explain(&package, args.id.as_deref(), &database)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print(&explanation, args.id.as_deref());
    }
    Ok(Answer::Yes)
}

fn print(explanation: &Explanation, id: Option<&str>) {
    say!("{}", output::bold(&explanation.purl));
    match &explanation.ecosystem {
        None => say!("It belongs to no ecosystem that is known, so nothing can be looked up. Is distro= missing?"),
        Some(ecosystem) if !explanation.covered => say!("The database has no advisories for {ecosystem}."),
        Some(ecosystem) => say!("{ecosystem}: looked up {}", explanation.looked_up.join(", ")),
    }
    explanation.considered.iter().for_each(print_advisory);
    if let (Some(known), Some(id)) = (explanation.known_elsewhere, id) {
        let known = if known { "the database has it, for other packages" } else { "the database does not have it" };
        say!("\nNo advisory for this package goes by {id}; {known}.");
    }
    say!("\n{}", output::bold(output::count(explanation.findings.len(), "finding")));
    explanation.findings.iter().for_each(print_finding);
    for warning in &explanation.warnings {
        say!("  {}: {}", warning.code, warning.message);
    }
    let stamp = &explanation.advisories;
    say!("advisories of {} (version {})", stamp.built_at, stamp.version);
}

fn print_finding(finding: &Finding) {
    let fixed =
        finding.fixed_version.as_deref().map_or("no fix is known".to_owned(), |fixed| format!("fixed in {fixed}"));
    let Finding { id, severity, priority, .. } = finding;
    say!("  {id}  {severity}, {fixed}, by {}", finding.advisories.join(", "));
    say!("    when to act: {priority}");
    if let Some(KnownExploited { added, due, ransomware }) = &finding.exploited {
        let by = if *ransomware { ", by ransomware too" } else { "" };
        say!("    known to be exploited since {added}{by}; US agencies must act by {due} (KEV)");
    }
    if let Some(Epss { score, percentile }) = finding.epss {
        let (chance, below) = (score * 100.0, percentile * 100.0);
        say!("    exploited within 30 days with a probability of {chance:.2} %, above {below:.2} % of all (EPSS)");
    }
    if let Some((score, vector)) = finding.score.zip(finding.vector.as_deref()) {
        say!("    CVSS {score:.1}, {}", output::clean(vector, 120));
    }
}

fn print_advisory(advisory: &Considered) {
    say!("\n{}: {}", output::bold(&advisory.id), advisory.verdict);
    for names in &advisory.vulnerabilities {
        say!("  about {}", names.join(", "));
    }
    for range in &advisory.ranges {
        let within = match range.within {
            Some(true) => "within",
            Some(false) => "outside",
            None => "undecided",
        };
        say!("  {} {}", range.kind, output::clean(&range.events.join(", "), 400));
        say!("    {} is {within}: {}", advisory.version, range.decided_by);
    }
    if advisory.listed > 0 {
        let listed = if advisory.is_listed { "among" } else { "not among" };
        say!("  {} is {listed} the {} versions that it lists", advisory.version, advisory.listed);
    }
}
