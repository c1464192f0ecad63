//! Lines of a file of unknown size: one at a time, none longer than a bound. And paragraphs of such lines.

use std::io::{BufRead, Read};

use super::{CatalogError, Found};

/// Bytes kept of one line; the longest lines of real package databases are lists of dependencies of a few kilobytes.
const LINE_LIMIT: usize = 64 * 1024;

/// Lines that belong together, up to an empty one: a package in the databases of dpkg and apk.
pub(super) trait Paragraph: Default {
    /// Takes one line in. What need not wait for the end of the paragraph is added to `found`.
    fn read(&mut self, line: &Line<'_>, found: &mut Found);

    /// Adds what the paragraph says, if it says anything, to `found`.
    fn finish(self, found: &mut Found) -> Result<(), CatalogError>;
}

/// Reads a file paragraph by paragraph.
pub(super) fn read_paragraphs<P: Paragraph>(file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
    let mut lines = Lines::of(file);
    let mut paragraph = P::default();
    while let Some(line) = lines.next()? {
        if line.text.trim().is_empty() {
            std::mem::take(&mut paragraph).finish(found)?;
        } else {
            paragraph.read(&line, found);
        }
    }
    paragraph.finish(found)
}

/// Reads a file line by line.
pub(super) struct Lines<'f> {
    file: &'f mut dyn BufRead,
    buffer: Vec<u8>,
    number: u64,
}

/// One line, without its end.
pub(super) struct Line<'l> {
    /// From 1.
    pub(super) number: u64,
    /// Bytes that are not UTF-8 are replaced by U+FFFD.
    pub(super) text: std::borrow::Cow<'l, str>,
    /// Whether the text is not the whole line, because the line is too long.
    pub(super) is_cut: bool,
}

impl<'f> Lines<'f> {
    pub(super) fn of(file: &'f mut dyn BufRead) -> Self {
        Self { file, buffer: Vec::new(), number: 0 }
    }

    /// The next line, `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, CatalogError> {
        self.buffer.clear();
        let limit = LINE_LIMIT as u64 + 1;
        if (&mut *self.file).take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let is_cut = self.buffer.len() > LINE_LIMIT && !self.buffer.ends_with(b"\n");
        if is_cut {
            self.skip_rest_of_line()?;
        }
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some(Line { number: self.number, text: String::from_utf8_lossy(line), is_cut }))
    }

    fn skip_rest_of_line(&mut self) -> Result<(), CatalogError> {
        loop {
            let available = self.file.fill_buf()?;
            if available.is_empty() {
                return Ok(());
            }
            let (used, at_end) = match available.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (available.len(), false),
            };
            self.file.consume(used);
            if at_end {
                return Ok(());
            }
        }
    }
}

impl Line<'_> {
    /// What is wrong with a line whose value is wanted.
    pub(super) fn damage(&self) -> Option<&'static str> {
        if self.is_cut {
            Some("is longer than 64 KiB")
        } else if self.text.contains(char::REPLACEMENT_CHARACTER) {
            Some("is not UTF-8")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_the_next_one_is_whole() {
        let text = format!("{}\r\nsecond\r\n\nlast", "x".repeat(LINE_LIMIT * 3));
        let mut file = std::io::BufReader::with_capacity(1000, text.as_bytes());
        let mut lines = Lines::of(&mut file);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push((line.number, line.text.len(), line.is_cut));
        }
        assert_eq!(seen, [(1, LINE_LIMIT + 1, true), (2, 6, false), (3, 0, false), (4, 4, false)]);
    }

    #[test]
    fn a_line_of_just_the_limit_is_whole() {
        let text = format!("{}\nnext", "x".repeat(LINE_LIMIT));
        let mut file = text.as_bytes();
        let mut lines = Lines::of(&mut file);
        assert!(!lines.next().unwrap().unwrap().is_cut);
        assert_eq!(lines.next().unwrap().unwrap().text, "next");
    }
}
