//! The log beside an SQLite database ("SQLite Database File Format", section "The Write-Ahead Log"): a header and frames,
//! each a page behind a header of its own. Numbers are big-endian.

use std::io::{self, BufRead, Read};

use super::database::{array, damaged};
use crate::catalogers::{CatalogError, Found};

const FILE_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// Tells of transactions in the log.
pub(super) fn read(file: &mut dyn BufRead, found: &mut Found) -> Result<(), CatalogError> {
    let header = part(file, FILE_HEADER)?;
    if header.is_empty() {
        return Ok(());
    }
    let (Some(page_size), Some(salts)) = (array(&header, 8).map(u32::from_be_bytes), array::<8>(&header, 16)) else {
        return Err(damaged("it ends in its header"));
    };
    let mut transactions = 0_u64;
    loop {
        let frame = part(file, FRAME_HEADER)?;
        // Frames behind the last are of an earlier round through the same file; theirs are other salts.
        let (Some(size_of_database), Some(of_frame)) = (array::<4>(&frame, 4), array::<8>(&frame, 8)) else { break };
        if of_frame != salts {
            break;
        }
        let page = io::copy(&mut (&mut *file).take(page_size.into()), &mut io::sink())?;
        transactions += u64::from(size_of_database != [0; 4] && page == u64::from(page_size));
    }
    if transactions > 0 {
        let what = "which are not read: packages may be missing or outdated";
        found.problem(format!("the log beside the database holds {transactions} transactions, {what}"));
    }
    Ok(())
}

fn part(file: &mut dyn BufRead, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}
