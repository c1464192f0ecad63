//! CVSS vectors of CVEs: a table with the columns `cve` and `vector`, several rows a CVE if need be. A base score beside
//! the vector is not read: the vector says it.

use std::collections::HashMap;

use super::{Cve, OwnedVector, Rows, TableReport, count};
use crate::advisories::about::Reason;
use crate::advisories::rating::Vector;

pub(super) const COLUMNS: [&str; 2] = ["cve", "vector"];

pub(super) fn read(bytes: &[u8], vectors: &mut HashMap<Cve, OwnedVector>, report: &mut TableReport) {
    Rows::of(bytes).each(COLUMNS, |line, row| {
        let mut add = || {
            let [cve, vector] = row.ok_or(Reason::BadRow)?;
            let cve = Cve::parse(cve).ok_or(Reason::NoCve)?;
            if vector.is_empty() {
                return Err(Reason::NoVector);
            }
            let Vector { version, tenths, text } = Vector::best([vector]).ok_or(Reason::BadScore)?;
            let is_best = vectors.get(&cve).is_none_or(|known| (known.version, known.tenths) < (version, tenths));
            if is_best {
                vectors.insert(cve, OwnedVector { version, tenths, text: text.into() });
            }
            Ok(())
        };
        let outcome = add();
        count(report, line, outcome);
    });
}
