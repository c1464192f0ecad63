//! What people see: colours only on a terminal, tables that fit it.

use std::fmt::{Arguments, Display};
use std::io::{ErrorKind, IsTerminal, Write};

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle};
use owo_colors::OwoColorize;
use shared::finding::{Priority, Severity};

/// A line below the header, and nothing else that is not content.
const LINED_HEADER: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Spaces between two columns, one of which belongs to the table's own line between them.
const GAP: u16 = 2;

/// A last column that has less room than this says nothing.
const NARROWEST: u16 = 16;

/// `println!` for output that people pipe: a reader that has seen enough (`| head`) is no fault.
macro_rules! say {
    ($($argument:tt)*) => { $crate::output::write_line(format_args!($($argument)*)) };
}
pub(crate) use say;

/// Writes a line to standard output; ends the process if it cannot be written.
pub(crate) fn write_line(line: Arguments<'_>) {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("{} cannot write to standard output: {error}", red("error:"));
            std::process::exit(3);
        }
        _ => {}
    }
}

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

/// An empty table with these columns, for [`print_table`].
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(LINED_HEADER).set_content_arrangement(ContentArrangement::Dynamic);
    let mut titles = Row::from(header);
    titles.max_height(1);
    table.set_header(titles);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP - 1));
    }
    table
}

/// Prints a table, one line for each row, without columns that have nothing to say. On a terminal that is too narrow the last column is cut, or left out where
/// it would say nothing; if that is not enough, others are cut, but never the first three: they are what people look for
/// and copy.
pub(crate) fn print_table(mut table: Table) {
    for row in table.row_iter_mut() {
        row.max_height(1);
    }
    hide_empty(&mut table);
    if let Some(width) = table.width() {
        fit(&mut table, width);
    }
    if !coloured(&std::io::stdout()) {
        table.force_no_tty();
    }
    say!("{}", table.trim_fmt());
}

fn hide_empty(table: &mut Table) {
    let has_content =
        |index: usize, row: &Row| row.cell_iter().nth(index).is_some_and(|cell| !cell.content().is_empty());
    let columns = 0..table.column_iter().count();
    let empty: Vec<usize> = columns.filter(|index| !table.row_iter().any(|row| has_content(*index, row))).collect();
    for index in empty {
        constrain(table, index, ColumnConstraint::Hidden);
    }
}

fn fit(table: &mut Table, width: u16) {
    table.set_width(width);
    let widths = table.column_max_content_widths();
    let shown = table.column_iter().zip(widths).enumerate().filter(|(_, (column, _))| !column.is_hidden());
    let mut shown: Vec<(usize, u16)> = shown.map(|(index, (_, width))| (index, width)).collect();
    let Some((last, last_width)) = shown.pop() else { return };
    let taken: u16 = shown.iter().map(|(_, width)| width + GAP).sum();
    let hides_last = width < taken + NARROWEST.min(last_width);
    let whole = if taken <= width + GAP { shown.len() } else { 3 };
    for (index, _) in shown.iter().take(whole) {
        constrain(table, *index, ColumnConstraint::ContentWidth);
    }
    let end = if hides_last { shown.last().map_or(last, |(index, _)| *index) } else { last };
    if end != last {
        constrain(table, last, ColumnConstraint::Hidden);
    }
    if let Some(column) = table.column_mut(end) {
        column.set_padding((0, 0));
    }
}

fn constrain(table: &mut Table, index: usize, constraint: ColumnConstraint) {
    if let Some(column) = table.column_mut(index) {
        column.set_constraint(constraint);
    }
}

/// The table that `build` makes: with whole names, or on a terminal that has no room for them with names of so many
/// characters ([`package`]).
pub(crate) fn fitted(build: impl Fn(usize) -> Table) -> Table {
    let table = build(usize::MAX);
    let widths = table.column_max_content_widths();
    let needed: u16 = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
    match table.width() {
        Some(width) if needed > width + GAP => build(usize::from(width / 7)),
        _ => table,
    }
}

/// A package's name in `room` characters. Of a name with a namespace the end tells more than the beginning.
pub(crate) fn package(name: &str, room: usize) -> String {
    let name = clean(name, 60);
    let length = name.chars().count();
    if length <= room || !name.contains([':', '/']) {
        return name;
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - room)).collect()
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

/// A priority in its colour; with a mark where exploitation is known.
pub(crate) fn priority(priority: Priority, is_exploited: bool) -> Cell {
    let cell = Cell::new(if is_exploited { format!("{priority} KEV") } else { priority.to_string() });
    match priority {
        Priority::Now => cell.fg(Color::Magenta),
        Priority::Soon => cell.fg(Color::Red),
        Priority::Planned | Priority::Watch => cell,
    }
}

/// What a table says of a package from the layer of a base, and of all others.
pub(crate) fn layer(is_base: bool) -> &'static str {
    if is_base { "base" } else { "" }
}

/// The day of a time in RFC 3339.
pub(crate) fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
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

/// `1 finding`, `2 findings`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
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
