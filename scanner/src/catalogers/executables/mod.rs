//! Programs: ELF files that anybody may execute, and some shared libraries by their names.
//!
//! What a compiler wrote into them says what they were built from ([`go`], [`rust`]); some are known by a version string
//! ([`known`]). Shared libraries count as programs where they are executable, as they are in packages of rpm
//! distributions and in Python's wheels: they may be built by Go or Rust too. Of others only the known ones are read.

mod elf;
mod go;
mod known;
mod rust;
#[cfg(test)]
mod testing;

use std::io::{self, BufRead, Read};

use self::elf::{Elf, ElfError, MAGIC};
use super::{CatalogError, Cataloger, Found, spool};

/// Reads programs.
pub(super) struct Executables;

/// Folders of files that are no programs, whatever their permissions.
const OTHER_FOLDERS: [&str; 13] = [
    "etc/",
    "usr/include/",
    "usr/share/doc/",
    "usr/share/fonts/",
    "usr/share/i18n/",
    "usr/share/icons/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/terminfo/",
    "usr/share/zoneinfo/",
    "usr/src/",
    "var/lib/dpkg/",
];

/// Endings of names of files that are no programs: mostly scripts, and what is copied with all permissions.
const OTHER_ENDINGS: [&str; 50] = [
    "a", "awk", "bash", "bat", "c", "cfg", "class", "cmd", "conf", "cpp", "css", "csh", "csv", "dll", "exe", "gif",
    "go", "gz", "h", "html", "jar", "java", "jpg", "js", "json", "la", "lua", "md", "mjs", "ninja", "pdf", "php", "pl",
    "pm", "png", "ps1", "py", "pyc", "rb", "rs", "rst", "sh", "svg", "tcl", "ts", "txt", "xml", "yaml", "yml", "zip",
];

impl Cataloger for Executables {
    fn name(&self) -> &'static str {
        "executables"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &str) -> bool {
        known::is_library(file_name(path))
    }

    fn wants_executable(&self, path: &str) -> bool {
        let ending = file_name(path).rsplit_once('.').map_or("", |(_, ending)| ending);
        !matches!(path, "" | ".")
            && !OTHER_ENDINGS.contains(&ending)
            && !OTHER_FOLDERS.iter().any(|folder| path.starts_with(folder))
    }

    fn catalog(&self, path: &str, file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
        let mut start = Vec::with_capacity(MAGIC.len());
        file.take(MAGIC.len() as u64).read_to_end(&mut start)?;
        if start != MAGIC {
            return Ok(());
        }
        let spooled = spool(&mut start.chain(file))?;
        let mut elf = match Elf::open(spooled) {
            Ok(elf) => elf,
            Err(ElfError::Read(error)) => return Err(error.into()),
            Err(why) => {
                found.problem(format!("it is a damaged program: {why}"));
                return Ok(());
            }
        };
        if is_packed(&mut elf)? {
            found.problem(
                "it is packed by UPX, so nobody can see what it was built from; unpack it with `upx -d`".into(),
            );
            return Ok(());
        }
        go::catalog(&mut elf, found)?;
        rust::catalog(&mut elf, found)?;
        known::catalog(path, &mut elf, found)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// UPX puts its mark right behind the headers of the program that it makes, which has no sections.
fn is_packed(elf: &mut Elf<impl Read + io::Seek>) -> io::Result<bool> {
    const MARK: &[u8] = b"UPX!";
    if elf.has_sections() {
        return Ok(false);
    }
    let mut start = Vec::new();
    elf.whole()?.take(512).read_to_end(&mut start)?;
    Ok(start.windows(MARK.len()).any(|bytes| bytes == MARK))
}

#[cfg(test)]
mod tests;
