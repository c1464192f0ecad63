//! Modules that Go's linker wrote into a program ("build information", as `go version -m` shows it; specified by Go's own
//! reader, `debug/buildinfo`, and `runtime/debug.ParseBuildInfo`).
//!
//! It survives stripping. Since Go 1.18 the text stands right behind its header; Go 1.13 to 1.17 wrote pointers to it.
//! Listed are the main module, every dependency as replaced by `=>`, and Go's standard library as `stdlib` with the
//! version of the compiler (and `toolchain`, if the program is `go` itself), as OSV calls them.

mod listing;
mod version;

use std::io::{Read, Seek, SeekFrom};

use shared::package::Evidence;

use self::listing::Listing;
use super::elf::{Elf, ElfError, Extent, number};
use crate::catalogers::{CatalogError, Found, FoundPackage};

const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The header is aligned to this, in memory.
const ALIGNMENT: u64 = 16;

const HEADER_SIZE: u64 = 32;

/// Bytes read of one of its texts; Kubernetes has some twenty thousand.
const TEXT_LIMIT: u64 = 4 << 20;

/// Bytes of a program that are searched at a time.
const WINDOW: u64 = 64 << 10;

pub(super) fn catalog(elf: &mut Elf<impl Read + Seek>, found: &mut Found) -> Result<(), CatalogError> {
    let texts = match build_info(elf) {
        Ok(Some(texts)) => texts,
        Ok(None) => return Ok(()),
        Err(ElfError::Read(error)) => return Err(error.into()),
        Err(why) => {
            found.problem(format!("its Go build information cannot be read: {why}"));
            return Ok(());
        }
    };
    let listing = Listing::parse(&texts.modules);
    match version::of_compiler(&texts.version) {
        Some(version) => {
            add(found, "stdlib", &version)?;
            if listing.is_go_command {
                add(found, "toolchain", &version)?;
            }
        }
        None => found.problem(format!("the version of Go that built it is not known: {:?}", texts.version)),
    }
    if listing.is_empty() {
        found.problem("it was built by Go without modules, so only Go's standard library is known of it".to_owned());
    }
    listing.modules.iter().try_for_each(|(path, version)| add(found, path, version))
}

fn add(found: &mut Found, path: &str, version: &str) -> Result<(), CatalogError> {
    found.package(FoundPackage {
        kind: "golang".to_owned(),
        name: path.to_owned(),
        version: version.to_owned(),
        evidence: Evidence::BuildInfo,
        ..FoundPackage::default()
    })
}

struct Texts {
    /// What the compiler calls itself: `go1.22.3`.
    version: String,
    /// Lines of the module listing; empty if the program was built without modules.
    modules: String,
}

fn build_info(elf: &mut Elf<impl Read + Seek>) -> Result<Option<Texts>, ElfError> {
    let Some(data) = elf.section(".go.buildinfo").or_else(|| elf.writable_data()) else { return Ok(None) };
    let Some(at) = find(elf, data)? else { return Ok(None) };
    let header = elf.read(at, HEADER_SIZE)?;
    let (pointer_size, flags) = (header[14], header[15]);
    let (version, modules) = if flags & 2 == 0 {
        texts_by_pointers(elf, &header, pointer_size, flags & 1 == 1)?
    } else {
        let (version, next) = text_in_place(elf, at + HEADER_SIZE)?;
        (version, text_in_place(elf, next)?.0)
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Some(Texts { version: text(&version), modules: text(without_frame(&modules)) }))
}

/// Where in the file the header is.
fn find(elf: &mut Elf<impl Read + Seek>, data: Extent) -> Result<Option<u64>, ElfError> {
    let skipped = (ALIGNMENT - data.address % ALIGNMENT) % ALIGNMENT;
    let Some(mut offset) = data.offset.checked_add(skipped) else { return Ok(None) };
    let end = data.offset.saturating_add(data.size);
    let file = elf.whole()?;
    file.seek(SeekFrom::Start(offset))?;
    let mut window = Vec::new();
    while offset < end {
        window.clear();
        file.by_ref().take(WINDOW.min(end - offset)).read_to_end(&mut window)?;
        let found = window.chunks(ALIGNMENT as usize).position(|chunk| chunk.starts_with(MAGIC));
        if let Some(chunk) = found {
            return Ok(Some(offset + chunk as u64 * ALIGNMENT));
        }
        if window.is_empty() {
            break;
        }
        offset += window.len() as u64;
    }
    Ok(None)
}

/// A text after its length, and where the next one begins.
fn text_in_place(elf: &mut Elf<impl Read + Seek>, at: u64) -> Result<(Vec<u8>, u64), ElfError> {
    let mut length = 0;
    for (index, byte) in (0..).zip(elf.read_up_to(at, 5)?) {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let start = at + index + 1;
            return Ok((read_text(elf, start, length)?, start + length));
        }
    }
    Err(ElfError::Damaged("a length in it has no end"))
}

/// The two texts that Go strings are of, in memory, to which the header points.
fn texts_by_pointers(
    elf: &mut Elf<impl Read + Seek>,
    header: &[u8],
    pointer_size: u8,
    is_big_endian: bool,
) -> Result<(Vec<u8>, Vec<u8>), ElfError> {
    if !matches!(pointer_size, 4 | 8) {
        return Err(ElfError::Damaged("its pointers have an unknown size"));
    }
    let size = usize::from(pointer_size);
    let mut pointed = |address: &[u8]| {
        let Some(string) = elf.at(number(address, is_big_endian)) else { return Ok(Vec::new()) };
        let string = elf.read(string.offset, 2 * size as u64)?;
        let (address, length) = string.split_at(size);
        let Some(text) = elf.at(number(address, is_big_endian)) else { return Ok(Vec::new()) };
        read_text(elf, text.offset, number(length, is_big_endian))
    };
    let version = pointed(&header[16..16 + size])?;
    if version.is_empty() {
        return Err(ElfError::Damaged("its pointers lead nowhere"));
    }
    Ok((version, pointed(&header[16 + size..16 + 2 * size])?))
}

fn read_text(elf: &mut Elf<impl Read + Seek>, offset: u64, size: u64) -> Result<Vec<u8>, ElfError> {
    if size > TEXT_LIMIT {
        return Err(ElfError::Damaged("it is longer than 4 MiB"));
    }
    elf.read(offset, size)
}

/// The listing stands between two marks of 16 bytes; what is not between such marks is no listing.
fn without_frame(modules: &[u8]) -> &[u8] {
    match modules.len() {
        length if length >= 33 && modules[length - 17] == b'\n' => &modules[16..length - 16],
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
