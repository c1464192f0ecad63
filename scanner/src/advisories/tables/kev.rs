//! CISA's catalogue of known exploited vulnerabilities
//! (<https://www.cisa.gov/known-exploited-vulnerabilities-catalog>, with its JSON schema).

use std::collections::HashMap;

use serde::Deserialize;
use shared::finding::KnownExploited;

use super::{Cve, TableReport, count};
use crate::advisories::about::Reason;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Catalogue<'j> {
    #[serde(default)]
    date_released: String,
    #[serde(borrow)]
    vulnerabilities: Vec<&'j serde_json::value::RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "cveID")]
    cve: String,
    date_added: jiff::civil::Date,
    due_date: jiff::civil::Date,
    #[serde(default)]
    known_ransomware_campaign_use: String,
}

pub(super) fn is_catalogue(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<Catalogue<'_>>(bytes).is_ok()
}

pub(super) fn read(bytes: &[u8], exploited: &mut HashMap<Cve, KnownExploited>, report: &mut TableReport) {
    let Ok(catalogue) = serde_json::from_slice::<Catalogue<'_>>(bytes) else { return };
    report.date = catalogue.date_released.chars().take(10).collect();
    for json in catalogue.vulnerabilities {
        let mut add = || {
            let entry: Entry = serde_json::from_str(json.get()).map_err(|_| Reason::BadRow)?;
            let cve = Cve::parse(&entry.cve).ok_or(Reason::NoCve)?;
            let ransomware = entry.known_ransomware_campaign_use.eq_ignore_ascii_case("known");
            let (added, due) = (entry.date_added.to_string(), entry.due_date.to_string());
            exploited.insert(cve, KnownExploited { added, due, ransomware });
            Ok(())
        };
        let outcome = add();
        count(report, json.get(), outcome);
    }
}
