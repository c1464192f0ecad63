//! FIRST's Exploit Prediction Scoring System (<https://www.first.org/epss/data_stats>): a comment
//! `#model_version:v2025.03.14,score_date:2025-08-25T00:00:00+0000`, then `cve,epss,percentile`.

use std::collections::HashMap;

use shared::finding::Epss;

use super::{Cve, Rows, TableReport, count};
use crate::advisories::about::Reason;

pub(super) const COLUMNS: [&str; 3] = ["cve", "epss", "percentile"];

pub(super) fn read(bytes: &[u8], epss: &mut HashMap<Cve, Epss>, report: &mut TableReport) {
    let rows = Rows::of(bytes);
    let date = rows.comment.and_then(|comment| comment.split_once("score_date:"));
    report.date = date.map_or(String::new(), |(_, date)| date.chars().take(10).collect());
    rows.each(COLUMNS, |line, row| {
        let mut add = || {
            let [cve, score, percentile] = row.ok_or(Reason::BadRow)?;
            let cve = Cve::parse(cve).ok_or(Reason::NoCve)?;
            epss.insert(cve, Epss { score: probability(score)?, percentile: probability(percentile)? });
            Ok(())
        };
        let outcome = add();
        count(report, line, outcome);
    });
}

fn probability(text: &str) -> Result<f64, Reason> {
    text.parse().ok().filter(|value| (0.0..=1.0).contains(value)).ok_or(Reason::BadScore)
}
