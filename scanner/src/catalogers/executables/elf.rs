//! Just enough of ELF (gabi, "System V Application Binary Interface", chapter 4) to find a program's sections and what it
//! loads where: 32 and 64 bits, both byte orders.
//!
//! A program may be larger than memory and its headers may claim anything. So the two tables of headers are read, up to a
//! bound, and of everything else only what is asked for.

use std::io::{self, Read, Seek, SeekFrom};

/// What every ELF file begins with.
pub(super) const MAGIC: [u8; 4] = *b"\x7fELF";

/// Headers read of one table; programs have some dozen.
const HEADER_LIMIT: u64 = 10_000;

/// Bytes read of the names of sections.
const NAMES_LIMIT: u64 = 1 << 20;

const LOAD: u64 = 1;
const WRITABLE: u64 = 2;
const EXECUTABLE: u64 = 1;
const NO_BITS: u64 = 8;

/// A program that is open.
pub(super) struct Elf<F> {
    file: F,
    size: u64,
    sections: Vec<Section>,
    segments: Vec<Segment>,
}

/// Why a program cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ElfError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("{0}")]
    Damaged(&'static str),
}

/// Bytes of the file, and where they are in memory once the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

struct Section {
    name: Vec<u8>,
    extent: Extent,
}

struct Segment {
    flags: u64,
    extent: Extent,
}

impl<F: Read + Seek> Elf<F> {
    /// Reads the headers.
    pub(super) fn open(mut file: F) -> Result<Self, ElfError> {
        let size = file.seek(SeekFrom::End(0))?;
        let mut elf = Self { file, size, sections: Vec::new(), segments: Vec::new() };
        let start = elf.read(0, size.min(64))?;
        let layout = Layout::of(&start)?;
        elf.segments = elf.read_segments(&layout, &start)?;
        elf.sections = elf.read_sections(&layout, &start)?;
        Ok(elf)
    }

    /// Whether it kept its section headers.
    pub(super) fn has_sections(&self) -> bool {
        !self.sections.is_empty()
    }

    /// The section of that name, if it has contents.
    pub(super) fn section(&self, name: &str) -> Option<Extent> {
        self.sections.iter().find(|section| section.name == name.as_bytes()).map(|section| section.extent)
    }

    /// The first segment of data that the program may change.
    pub(super) fn writable_data(&self) -> Option<Extent> {
        let is_data = |segment: &&Segment| segment.flags & (WRITABLE | EXECUTABLE) == WRITABLE;
        self.segments.iter().find(is_data).map(|segment| segment.extent)
    }

    /// What is loaded at `address`, up to the end of its segment.
    pub(super) fn at(&self, address: u64) -> Option<Extent> {
        self.segments.iter().find_map(|Segment { extent, .. }| {
            let skipped = address.checked_sub(extent.address).filter(|skipped| *skipped < extent.size)?;
            Some(Extent { address, offset: extent.offset.checked_add(skipped)?, size: extent.size - skipped })
        })
    }

    /// Bytes of the file. The caller bounds `size`.
    pub(super) fn read(&mut self, offset: u64, size: u64) -> Result<Vec<u8>, ElfError> {
        if offset.checked_add(size).is_none_or(|end| end > self.size) {
            return Err(ElfError::Damaged("its headers point beyond its end"));
        }
        self.file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        (&mut self.file).take(size).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The whole file, from its beginning.
    pub(super) fn whole(&mut self) -> io::Result<&mut F> {
        self.file.rewind()?;
        Ok(&mut self.file)
    }

    /// Bytes from `offset` to the end of the file, at most `limit`.
    pub(super) fn read_up_to(&mut self, offset: u64, limit: u64) -> Result<Vec<u8>, ElfError> {
        self.read(offset, self.size.saturating_sub(offset).min(limit))
    }

    fn read_segments(&mut self, layout: &Layout, start: &[u8]) -> Result<Vec<Segment>, ElfError> {
        let table = Table {
            offset: layout.word(start, 28, 32)?,
            entry: layout.half(start, 42, 54)?,
            count: layout.half(start, 44, 56)?,
        };
        let bytes = self.read_table(&table, layout.pick(32, 56))?;
        let mut segments = Vec::new();
        for header in bytes.chunks_exact(table.entry.max(1) as usize) {
            if layout.int(header, 0)? == LOAD {
                let extent = Extent {
                    offset: layout.word(header, 4, 8)?,
                    address: layout.word(header, 8, 16)?,
                    size: layout.word(header, 16, 32)?,
                };
                segments.push(Segment { flags: layout.int(header, layout.pick(24, 4))?, extent });
            }
        }
        Ok(segments)
    }

    /// None where the table was stripped away, which programs do without.
    fn read_sections(&mut self, layout: &Layout, start: &[u8]) -> Result<Vec<Section>, ElfError> {
        let table = Table {
            offset: layout.word(start, 32, 40)?,
            entry: layout.half(start, 46, 58)?,
            count: layout.half(start, 48, 60)?,
        };
        if table.offset == 0 {
            return Ok(Vec::new());
        }
        let bytes = self.read_table(&table, layout.pick(40, 64))?;
        let headers: Vec<&[u8]> = bytes.chunks_exact(table.entry.max(1) as usize).collect();
        let Some(of_names) = headers.get(layout.half(start, 50, 62)? as usize) else { return Ok(Vec::new()) };
        let of_names = layout.section(of_names)?;
        let names = self.read(of_names.offset, of_names.size.min(NAMES_LIMIT))?;
        let mut sections = Vec::new();
        for header in headers {
            if layout.int(header, 4)? != NO_BITS {
                let name = names.get(layout.int(header, 0)? as usize..).unwrap_or_default();
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                sections.push(Section { name: name[..name.len().min(64)].to_vec(), extent: layout.section(header)? });
            }
        }
        Ok(sections)
    }

    fn read_table(&mut self, table: &Table, entry: usize) -> Result<Vec<u8>, ElfError> {
        if table.count == 0 {
            return Ok(Vec::new());
        }
        if table.entry < entry as u64 || table.entry > 256 {
            return Err(ElfError::Damaged("its headers have an unknown size"));
        }
        if table.count > HEADER_LIMIT {
            return Err(ElfError::Damaged("it has more than 10,000 headers"));
        }
        self.read(table.offset, table.count * table.entry)
    }
}

struct Table {
    offset: u64,
    entry: u64,
    count: u64,
}

/// How this file writes its numbers.
struct Layout {
    is_64: bool,
    is_big_endian: bool,
}

impl Layout {
    fn of(start: &[u8]) -> Result<Self, ElfError> {
        match start {
            [0x7f, b'E', b'L', b'F', class @ 1..=2, order @ 1..=2, ..] => {
                Ok(Self { is_64: *class == 2, is_big_endian: *order == 2 })
            }
            _ => Err(ElfError::Damaged("it is of no known class or byte order")),
        }
    }

    fn pick(&self, in_32: usize, in_64: usize) -> usize {
        if self.is_64 { in_64 } else { in_32 }
    }

    /// The number of 2 bytes that is at one place in files of 32 bits and at another one in files of 64 bits.
    fn half(&self, bytes: &[u8], in_32: usize, in_64: usize) -> Result<u64, ElfError> {
        self.number(bytes, self.pick(in_32, in_64), 2)
    }

    /// The address, offset or size at these places.
    fn word(&self, bytes: &[u8], in_32: usize, in_64: usize) -> Result<u64, ElfError> {
        self.number(bytes, self.pick(in_32, in_64), self.pick(4, 8))
    }

    fn int(&self, bytes: &[u8], at: usize) -> Result<u64, ElfError> {
        self.number(bytes, at, 4)
    }

    fn number(&self, bytes: &[u8], at: usize, size: usize) -> Result<u64, ElfError> {
        let bytes = bytes.get(at..at + size).ok_or(ElfError::Damaged("its header is cut off"))?;
        Ok(number(bytes, self.is_big_endian))
    }

    fn section(&self, header: &[u8]) -> Result<Extent, ElfError> {
        Ok(Extent {
            address: self.word(header, 12, 16)?,
            offset: self.word(header, 16, 24)?,
            size: self.word(header, 20, 32)?,
        })
    }
}

/// A number of at most 8 bytes.
pub(super) fn number(bytes: &[u8], is_big_endian: bool) -> u64 {
    let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if is_big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
}
