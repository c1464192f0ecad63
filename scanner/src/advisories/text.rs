//! What people read of an advisory: title, description, links. Bounded, and compressed record by record.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

use zstd::bulk::{Compressor, Decompressor};

use super::format::{Cursor, Damaged, Write};
use super::osv;

/// The readable part of one advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// One line.
    pub title: String,
    /// As published, cut to [`Text::MAX_DESCRIPTION`] bytes.
    pub description: String,
    /// Web pages.
    pub references: Vec<String>,
}

impl Text {
    /// Bytes kept of a title.
    pub const MAX_TITLE: usize = 300;
    /// Bytes kept of a description.
    pub const MAX_DESCRIPTION: usize = 4_000;
    /// Links kept.
    pub const MAX_REFERENCES: usize = 16;
    const MAX_REFERENCE: usize = 500;
    /// No stored text is longer.
    const MAX_ENCODED: usize =
        Self::MAX_TITLE + Self::MAX_DESCRIPTION + Self::MAX_REFERENCES * (Self::MAX_REFERENCE + 10) + 100;
    /// The negative levels of zstd leave out the Huffman tables, of which reading takes longer than a short text does.
    pub(super) const LEVEL: i32 = -1;

    /// The text of a record. Without a summary, the first line of the details is the title.
    pub(super) fn of(record: &osv::Record) -> Self {
        let details = record.details.trim();
        let first_line =
            || details.lines().map(|line| line.trim_matches([' ', '#', '*', '\t'])).find(|l| !l.is_empty());
        let summary = record.summary.trim();
        let title = if summary.is_empty() { first_line().unwrap_or_default() } else { summary };
        let is_page = |url: &&str| {
            url.len() <= Self::MAX_REFERENCE && (url.starts_with("https://") || url.starts_with("http://"))
        };
        Self {
            title: cut(title, Self::MAX_TITLE),
            description: cut(details, Self::MAX_DESCRIPTION),
            references: record
                .references
                .iter()
                .map(|reference| reference.url.as_str())
                .filter(is_page)
                .take(Self::MAX_REFERENCES)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty() && self.description.is_empty() && self.references.is_empty()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_text(&self.title);
        bytes.put_text(&self.description);
        bytes.put_texts(self.references.iter().map(String::as_str));
        bytes
    }
}

/// Texts that wait, compressed, in a file without a name.
pub(super) struct Spool {
    file: BufWriter<File>,
    at: u64,
    compressor: Compressor<'static>,
}

impl Spool {
    /// An empty one in `folder`.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?);
        Ok(Self { file, at: 0, compressor: Compressor::new(Text::LEVEL)? })
    }

    /// Where the text is from now on: offset and length, both 0 where there is nothing to read.
    pub(super) fn put(&mut self, text: &Text) -> io::Result<(u64, u64)> {
        if text.is_empty() {
            return Ok((0, 0));
        }
        let frame = self.compressor.compress(&text.encode())?;
        self.file.write_all(&frame)?;
        let place = (self.at, frame.len() as u64);
        self.at += place.1;
        Ok(place)
    }

    /// Every text so far is in the file from now on.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// One of those that were flushed, as [`TextReader`] reads it.
    pub(super) fn get(&self, (offset, len): (u64, u64)) -> io::Result<Vec<u8>> {
        let mut frame = vec![0; len as usize];
        self.file.get_ref().read_exact_at(&mut frame, offset)?;
        Ok(frame)
    }
}

/// Reads texts, one after the other, with one decompressor and one buffer.
pub struct TextReader {
    decompressor: Decompressor<'static>,
    buffer: Vec<u8>,
}

impl TextReader {
    /// A reader of any number of texts.
    pub fn new() -> Result<Self, Damaged> {
        let decompressor = Decompressor::new().map_err(|_| Damaged("there is no memory to decompress texts"))?;
        Ok(Self { decompressor, buffer: Vec::with_capacity(Text::MAX_ENCODED) })
    }

    pub(super) fn decode(&mut self, frame: &[u8]) -> Result<Text, Damaged> {
        self.buffer.clear();
        let read = self.decompressor.decompress_to_buffer(frame, &mut self.buffer);
        read.map_err(|_| Damaged("the text of an advisory cannot be decompressed"))?;
        let mut cursor = Cursor::at(&self.buffer, 0)?;
        Ok(Text {
            title: cursor.text()?.to_owned(),
            description: cursor.text()?.to_owned(),
            references: cursor.texts()?.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// At most `max` bytes of `text`, cut between characters; an ellipsis says that it was cut.
fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_title_is_the_summary_or_the_first_line() {
        let mut record = osv::Record { details: "\n\n## Impact\nBad.".into(), ..osv::Record::default() };
        assert_eq!(Text::of(&record).title, "Impact");
        record.summary = " Bad things ".into();
        assert_eq!(Text::of(&record).title, "Bad things");
    }

    #[test]
    fn only_web_pages_are_links() {
        let reference = |url: &str| osv::Reference { url: url.into() };
        let urls = ["https://a.example/x", "javascript:alert(1)", "ftp://b", "http://c.example"];
        let record = osv::Record { references: urls.map(reference).into(), ..osv::Record::default() };
        assert_eq!(Text::of(&record).references, ["https://a.example/x", "http://c.example"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_text_is_bounded_and_read_back(details in "\\PC{0,4500}", url in "https://[a-z]{0,600}", n in 0_usize..40) {
            let references = vec![osv::Reference { url }; n];
            let record = osv::Record { summary: details.clone(), details, references, ..osv::Record::default() };
            let text = Text::of(&record);
            prop_assert!(text.description.len() <= Text::MAX_DESCRIPTION && text.title.len() <= Text::MAX_TITLE);
            let frame = zstd::bulk::compress(&text.encode(), Text::LEVEL).unwrap();
            prop_assert_eq!(TextReader::new().unwrap().decode(&frame).unwrap(), text);
        }

        #[test]
        fn any_frame_is_read_or_refused(frame: Vec<u8>) {
            let _ = TextReader::new().unwrap().decode(&frame);
        }
    }
}
