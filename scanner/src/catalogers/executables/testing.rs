//! Small programs, made up of what the tests are about.

use super::Executables;
use crate::catalogers::{Cataloger, Found};

/// Address at which the data of a program is loaded.
pub(super) const DATA_ADDRESS: u64 = 0x40_1000;

/// Reads the program `contents`, which must be readable to its end.
pub(super) fn catalog(path: &str, contents: &[u8]) -> Found {
    let mut found = Found::default();
    Executables.catalog(path, &mut &*contents, &mut found).unwrap();
    found
}

/// A program of sections, all of them in one segment of data.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) is_64: bool,
    pub(super) is_big_endian: bool,
    /// Without section headers.
    pub(super) is_stripped: bool,
    pub(super) sections: Vec<(String, Vec<u8>)>,
}

impl Default for Program {
    fn default() -> Self {
        Self { is_64: true, is_big_endian: false, is_stripped: false, sections: Vec::new() }
    }
}

impl Program {
    pub(super) fn section(mut self, name: &str, contents: &[u8]) -> Self {
        self.sections.push((name.to_owned(), contents.to_vec()));
        self
    }

    /// Headers, the segment with all sections, their names, their headers.
    pub(super) fn build(&self) -> Vec<u8> {
        let start = 0x100;
        let mut data = Vec::new();
        let mut names = vec![0];
        let mut headers = vec![(0, 0, 0, 0, 0)];
        for (name, contents) in &self.sections {
            data.resize(data.len().next_multiple_of(16), 0);
            let offset = data.len() as u64;
            headers.push((names.len() as u64, 1, DATA_ADDRESS + offset, start + offset, contents.len() as u64));
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            data.extend_from_slice(contents);
        }
        headers.push((0, 3, 0, start + data.len() as u64, names.len() as u64));
        let after_names = start + (data.len() + names.len()) as u64;
        let mut file = self.file_header(if self.is_stripped { 0 } else { after_names }, headers.len() as u64);
        file.extend(self.segment_header(start, data.len() as u64));
        file.resize(start as usize, 0);
        file.extend(data);
        if !self.is_stripped {
            file.extend(names);
            file.extend(headers.into_iter().flat_map(|header| self.section_header(header)));
        }
        file
    }

    fn file_header(&self, sections_at: u64, sections: u64) -> Vec<u8> {
        let mut header = b"\x7fELF".to_vec();
        header.extend([1 + u8::from(self.is_64), 1 + u8::from(self.is_big_endian), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let (size, segment, section) = if self.is_64 { (64, 56, 64) } else { (52, 32, 40) };
        for (value, width) in [(2, 2), (62, 2), (1, 4), (DATA_ADDRESS, 0), (size, 0), (sections_at, 0), (0, 4)] {
            header.extend(self.number(value, width));
        }
        for value in [size, segment, 1, section, if self.is_stripped { 0 } else { sections }, sections - 1] {
            header.extend(self.number(value, 2));
        }
        header
    }

    fn segment_header(&self, offset: u64, size: u64) -> Vec<u8> {
        let numbers = if self.is_64 {
            [(1, 4), (6, 4), (offset, 8), (DATA_ADDRESS, 8), (0, 8), (size, 8), (size, 8), (16, 8)]
        } else {
            [(1, 4), (offset, 4), (DATA_ADDRESS, 4), (0, 4), (size, 4), (size, 4), (6, 4), (16, 4)]
        };
        numbers.into_iter().flat_map(|(value, width)| self.number(value, width)).collect()
    }

    fn section_header(&self, (name, kind, address, offset, size): (u64, u64, u64, u64, u64)) -> Vec<u8> {
        let numbers =
            [(name, 4), (kind, 4), (0, 0), (address, 0), (offset, 0), (size, 0), (0, 4), (0, 4), (1, 0), (0, 0)];
        numbers.into_iter().flat_map(|(value, width)| self.number(value, width)).collect()
    }

    /// `value` in `width` bytes, or in those of an address if that is 0.
    pub(super) fn number(&self, value: u64, width: usize) -> Vec<u8> {
        let width = match width {
            0 if self.is_64 => 8,
            0 => 4,
            width => width,
        };
        if self.is_big_endian {
            value.to_be_bytes()[8 - width..].to_vec()
        } else {
            value.to_le_bytes()[..width].to_vec()
        }
    }
}
