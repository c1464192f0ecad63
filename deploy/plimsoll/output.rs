//! What people see: colours only on a terminal, tables that fit it.

use std::fmt::Display;
use std::io::IsTerminal;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use owo_colors::OwoColorize;
use shared::finding::Severity;

/// A line below the header, and nothing else that is not content.
const LINED_HEADER: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Red on a terminal.
pub(crate) fn red(text: impl Display) -> String {
    if coloured(&std::io::stderr()) { text.red().to_string() } else { text.to_string() }
}

/// Bold on a terminal.
pub(crate) fn bold(text: impl Display) -> String {
    if coloured(&std::io::stdout()) { text.bold().to_string() } else { text.to_string() }
}

fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// An empty table with these columns, as wide as the terminal; 120 columns elsewhere. The first column is never
/// broken into lines: it is what people copy.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(LINED_HEADER).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    if !coloured(&std::io::stdout()) {
        table.force_no_tty().set_width(120);
    }
    table
}

/// A severity in its colour.
pub(crate) fn severity(severity: Severity) -> Cell {
    let cell = Cell::new(severity);
    match severity {
        Severity::Critical => cell.fg(Color::Magenta),
        Severity::High => cell.fg(Color::Red),
        Severity::Medium => cell.fg(Color::Yellow),
        Severity::Low | Severity::Negligible | Severity::Unknown => cell,
    }
}

/// `text`, made fit for a terminal: control characters, which could move its cursor or change its colours, become `·`;
/// at most `width` characters are kept.
pub(crate) fn clean(text: &str, width: usize) -> String {
    let mut kept: String = text.chars().take(width).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(width).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// How many findings of each severity, worst first: `2 critical, 5 high`.
pub(crate) fn summary(severities: impl Iterator<Item = Severity>) -> String {
    let all: Vec<Severity> = severities.collect();
    let counts = Severity::ALL.iter().filter_map(|severity| {
        let count = all.iter().filter(|found| *found == severity).count();
        (count > 0).then(|| format!("{count} {severity}"))
    });
    let counts: Vec<String> = counts.collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}
