//! A tar file, compressed or not, whose members can be read in any order: its headers are read once, and after that a
//! member is a place in the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entries, EntryType};

/// Members of one archive; `docker save` writes about three for each layer.
const MAX_MEMBERS: usize = 10_000;
/// Longest extended header that is read, in bytes.
const MAX_EXTENSION: u64 = 1024 * 1024;
/// Links that lead to a member.
const MAX_LINKS: usize = 8;
/// zstd windows of up to 128 MiB are accepted, what `zstd` itself takes without being told to.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Where a member's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    offset: u64,
    size: u64,
}

#[derive(Debug)]
enum Member {
    Content(Place),
    Link(String),
}

/// The members of a tar file by their path.
#[derive(Debug)]
pub(super) struct Tarball {
    path: PathBuf,
    compressed: bool,
    members: HashMap<String, Member>,
}

impl Tarball {
    /// Reads the headers of the archive at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(regular_file(path)?);
        let compressed = file.fill_buf()?.starts_with(&GZIP);
        let members = if compressed {
            members(Archive::new(MultiGzDecoder::new(file)).entries()?)?
        } else {
            members(Archive::new(file).entries_with_seek()?)?
        };
        Ok(Self { path: path.to_owned(), compressed, members })
    }

    /// The whole content of the member `name`, of at most `cap` bytes.
    pub(super) fn read(&self, name: &str, cap: usize) -> io::Result<Vec<u8>> {
        let place = self.place(name)?;
        if place.size > cap as u64 {
            return Err(io::Error::other(format!("{name} is longer than the limit of {cap} bytes")));
        }
        let mut content = Vec::new();
        self.stored(place)?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// The content of the member `name`, decompressed if it is compressed.
    pub(super) fn decompressed(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let mut content = BufReader::new(self.stored(self.place(name)?)?);
        let start = content.fill_buf()?;
        if start.starts_with(&GZIP) {
            return Ok(Box::new(MultiGzDecoder::new(content)));
        }
        if start.starts_with(&ZSTD) {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(content)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            return Ok(Box::new(decoder));
        }
        Ok(Box::new(content))
    }

    /// Follows links to the place of `name`.
    fn place(&self, name: &str) -> io::Result<Place> {
        let mut at = name.to_owned();
        for _ in 0..=MAX_LINKS {
            match self.members.get(&at) {
                Some(Member::Content(place)) => return Ok(*place),
                Some(Member::Link(target)) => at.clone_from(target),
                None => return Err(io::Error::new(io::ErrorKind::NotFound, format!("it holds no {name}"))),
            }
        }
        Err(io::Error::other(format!("{name} is a link that leads nowhere")))
    }

    /// The bytes at `place`. A compressed archive is read from its start for that, which costs time but no memory.
    fn stored(&self, place: Place) -> io::Result<Box<dyn Read + Send>> {
        let mut file = BufReader::new(regular_file(&self.path)?);
        if !self.compressed {
            file.seek(SeekFrom::Start(place.offset))?;
            return Ok(Box::new(file.take(place.size)));
        }
        let mut archive = MultiGzDecoder::new(file);
        io::copy(&mut archive.by_ref().take(place.offset), &mut io::sink())?;
        Ok(Box::new(archive.take(place.size)))
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn regular_file(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    File::open(path)
}

fn members<R: Read>(entries: Entries<'_, R>) -> io::Result<HashMap<String, Member>> {
    let mut members = HashMap::new();
    // Raw, because the library reads extended headers of any size into memory. The names that matter fit without them.
    for entry in entries.raw(true) {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.header().path_bytes()).into_owned();
        let link = entry.header().link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
        let member = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                Member::Content(Place { offset: entry.raw_file_position(), size: entry.header().entry_size()? })
            }
            EntryType::Link => Member::Link(normalized("", &link.unwrap_or_default())),
            EntryType::Symlink => {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                Member::Link(normalized(parent, &link.unwrap_or_default()))
            }
            EntryType::XHeader | EntryType::XGlobalHeader => {
                check_extension(&mut entry)?;
                continue;
            }
            _ => continue,
        };
        if members.len() == MAX_MEMBERS {
            return Err(io::Error::other(format!("it has more than {MAX_MEMBERS} members")));
        }
        members.insert(normalized("", &path), member);
    }
    Ok(members)
}

/// A size in an extended header overrides the one in the header, and would lead to other members than we see.
fn check_extension(entry: &mut impl Read) -> io::Result<()> {
    let mut content = Vec::new();
    entry.take(MAX_EXTENSION + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_EXTENSION {
        return Err(io::Error::other("an extended header is longer than 1 MiB"));
    }
    if content.windows(6).any(|window| window == b" size=") {
        return Err(io::Error::other("members of 8 GiB and more are not supported; use an OCI layout for this image"));
    }
    Ok(())
}

/// `path` below `parent` without `.` and `..`; what leads out of the archive stays at its top.
fn normalized(parent: &str, path: &str) -> String {
    let mut parts = Vec::new();
    for part in parent.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
