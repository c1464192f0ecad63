//! TOML files that are lists of tables, such as `[[package]]`, as tools write them: read table by table, so that memory is bounded
//! by the largest one.

use std::collections::HashMap;
use std::io::BufRead;

use serde::de::DeserializeOwned;

use super::lines::Lines;
use super::{CatalogError, Found};

/// Bytes of one table. Those with the hashes of some hundred files have some hundred thousand.
const TABLE_LIMIT: usize = 1 << 20;

/// Reads every `[[table]]` of a file and hands it over. One that cannot be read is a problem, and the next one is read.
pub(super) fn read_tables<T: DeserializeOwned>(
    table: &'static str,
    file: &mut dyn BufRead,
    found: &mut Found,
    mut take: impl FnMut(&mut Found, T) -> Result<(), CatalogError>,
) -> Result<(), CatalogError> {
    let mut lines = Lines::of(file);
    let header = Header(table);
    let mut table = Table::default();
    while let Some(line) = lines.next()? {
        let is_header = line.text.starts_with('[');
        if is_header && !header.has_part(&line.text) {
            table.finish(found, &mut take)?;
            table = Table { is_wanted: header.is(&line.text), first_line: line.number, ..Table::default() };
        }
        match line.damage() {
            Some(damage) => table.spoil(format!("line {} {damage}", line.number)),
            None => table.push(&line.text),
        }
    }
    table.finish(found, &mut take)
}

/// How the wanted tables begin.
struct Header(&'static str);

impl Header {
    fn is(&self, line: &str) -> bool {
        line.trim_end().strip_prefix("[[").and_then(|line| line.strip_suffix("]]")) == Some(self.0)
    }

    /// Whether a header is of a table inside the one before it.
    fn has_part(&self, line: &str) -> bool {
        line.trim_start_matches('[').strip_prefix(self.0).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// The lines of one table and of the tables inside it.
#[derive(Default)]
struct Table {
    is_wanted: bool,
    first_line: u64,
    text: String,
    damage: Option<String>,
}

impl Table {
    fn push(&mut self, line: &str) {
        if !self.is_wanted || self.damage.is_some() {
            return;
        }
        if self.text.len() + line.len() >= TABLE_LIMIT {
            return self.spoil("is longer than 1 MiB".to_owned());
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn spoil(&mut self, damage: String) {
        self.damage.get_or_insert(damage);
    }

    fn finish<T: DeserializeOwned>(
        self,
        found: &mut Found,
        take: &mut impl FnMut(&mut Found, T) -> Result<(), CatalogError>,
    ) -> Result<(), CatalogError> {
        if !self.is_wanted {
            return Ok(());
        }
        let parsed = match self.damage {
            Some(damage) => Err(damage),
            None => toml::from_str::<HashMap<String, [T; 1]>>(&self.text).map_err(|error| error.message().to_owned()),
        };
        match parsed {
            Ok(file) => file.into_values().flatten().try_for_each(|package| take(found, package)),
            Err(why) => {
                found.problem(format!("the package of line {}: {why}", self.first_line));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(file: &str) -> (Vec<String>, Vec<String>) {
        #[derive(serde::Deserialize)]
        struct Named {
            name: String,
        }
        let (mut found, mut names) = (Found::default(), Vec::new());
        read_tables("package", &mut file.as_bytes(), &mut found, |_, package: Named| {
            names.push(package.name);
            Ok(())
        })
        .unwrap();
        (names, found.problems)
    }

    #[test]
    fn packages_end_where_another_table_begins() {
        let file = "version = 1\n[[package]]\nname = \"a\"\n[package.extras]\nname = 7\n\n[[package]]\r\nname = \"b\"\r\n\
                    files = [\n    {file = \"x\"},\n]\n[metadata]\nname = 1\n[[other]]\nname = \"c\"\n";
        assert_eq!(names(file), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    }

    #[test]
    fn a_damaged_package_costs_only_itself() {
        let long = format!("[[package]]\nname = \"a\"\n{}", "x = [\n".repeat(TABLE_LIMIT / 7 + 1));
        let deep = format!("[[package]]\nname = {}\n", "[".repeat(10_000));
        let (names, problems) =
            names(&format!("{long}[[package]]\nname = \"b\n{deep}[[package]]\n[[package]]\nname = \"c\"\n"));
        assert_eq!(names, ["c"]);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].starts_with("the package of line 1: ") && problems[3].contains("missing field `name`"));
    }
}
