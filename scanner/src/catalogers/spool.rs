//! A file of a layer that can be read in any order: in memory while it is small, else in a file without a name.

use std::io::{self, BufRead, BufReader, Seek};

use tempfile::SpooledTempFile;

/// Bytes that are kept in memory.
const MEMORY: usize = 4 << 20;

/// Reads `file` to its end and goes back to the beginning.
pub(crate) fn spool(file: &mut dyn BufRead) -> io::Result<BufReader<SpooledTempFile>> {
    let mut spooled = tempfile::spooled_tempfile(MEMORY);
    io::copy(file, &mut spooled)?;
    spooled.rewind()?;
    Ok(BufReader::with_capacity(64 << 10, spooled))
}
