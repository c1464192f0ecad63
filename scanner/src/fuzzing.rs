//! Every parser of what comes from outside, by name, for the fuzz targets in `tests/fuzz`. Whatever is registered in
//! [`CATALOGERS`] or [`SCHEMES`] is here by itself.

use std::io::Write;

use shared::image::Digest;
use shared::shutdown::Shutdown;

use crate::advisories::{self, Folder, TableKind};
use crate::catalogers::{CATALOGERS, Cataloger, Found};
use crate::image::LayerDescriptor;
use crate::image::layer::LayerReader;
use crate::image::limits::Limits;
use crate::image::source::{self, Target};
use crate::inventory::package_from_purl;
use crate::severity::Scored;
use crate::versions::{SCHEMES, Scheme};

type Run = dyn Fn(&[u8]) -> bool + Send + Sync;

/// Something that reads untrusted bytes.
pub struct Parser {
    /// Name of its corpus.
    pub name: String,
    run: Box<Run>,
}

impl Parser {
    fn new(name: impl Into<String>, run: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// Reads `input`. Whether it was of use: `false` for what its caller would never hand to the parser.
    pub fn run(&self, input: &[u8]) -> bool {
        (self.run)(input)
    }
}

/// All of them.
pub fn parsers() -> Vec<Parser> {
    let mut parsers = vec![
        Parser::new("advisories-import", import),
        Parser::new("challenge", |input| text(input, shared::registry::read_challenge)),
        Parser::new("cvss", |input| text(input, |vector| _ = Scored::read(vector))),
        Parser::new("docker-archive", docker_archive),
        Parser::new("image-documents", |input| {
            source::fuzzing::read_documents(input);
            true
        }),
        Parser::new("layer", |input| {
            layer(input);
            true
        }),
        Parser::new("osv-record", |input| {
            advisories::read_record(input);
            true
        }),
        Parser::new("purl", |input| text(input, |purl| _ = package_from_purl(purl))),
        Parser::new("target", |input| text(input, |target| _ = target.parse::<Target>())),
    ];
    parsers.extend(TableKind::ALL.map(|kind| {
        Parser::new(format!("table-{}", kind.as_str()), move |input| {
            advisories::read_table(kind, input);
            true
        })
    }));
    parsers.extend(CATALOGERS.iter().map(|cataloger| of_cataloger(*cataloger)));
    parsers.extend(SCHEMES.iter().map(|scheme| of_scheme(*scheme)));
    parsers
}

/// The inputs that a file of an image makes, with the names of their parsers.
pub fn seeds(path: &str, contents: &[u8]) -> Vec<(String, Vec<u8>)> {
    CATALOGERS
        .iter()
        .filter(|cataloger| cataloger.wants(path) || is_program(contents) && cataloger.wants_executable(path))
        .map(|cataloger| (name_of(*cataloger), [path.as_bytes(), b"\n", contents].concat()))
        .collect()
}

fn is_program(contents: &[u8]) -> bool {
    contents.starts_with(b"\x7fELF")
}

fn name_of(cataloger: &dyn Cataloger) -> String {
    format!("cataloger-{}", cataloger.name())
}

/// The first line is the file's path, the rest its contents.
fn of_cataloger(cataloger: &'static dyn Cataloger) -> Parser {
    Parser::new(name_of(cataloger), |input| {
        let Some((path, mut contents)) = file(input) else { return false };
        if !cataloger.wants(path) && !cataloger.wants_executable(path) {
            return false;
        }
        let mut found = Found::default();
        let _ = cataloger.catalog(path, &mut contents, &mut found);
        assert!(found.packages.iter().all(|package| !package.name.is_empty() && !package.version.is_empty()));
        true
    })
}

/// The first line is the name of a file of advisories, the rest its contents.
fn import(input: &[u8]) -> bool {
    let Some((name, contents)) = file(input) else { return false };
    if name.contains(['/', '\0']) || name.starts_with('.') || name.is_empty() || name.len() > 64 {
        return false;
    }
    let Ok(folder) = tempfile::tempdir() else { return false };
    let path = folder.path().join(name);
    if std::fs::write(&path, contents).is_err() {
        return false;
    }
    let _ = Folder::new(folder.path().join("imported")).import(&[path], &|_| {});
    true
}

fn docker_archive(input: &[u8]) -> bool {
    let Ok(mut archive) = tempfile::NamedTempFile::new() else { return false };
    if archive.write_all(input).is_err() {
        return false;
    }
    source::fuzzing::read_docker_archive(archive.path());
    true
}

/// A file behind a line with its name.
fn file(input: &[u8]) -> Option<(&str, &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    Some((str::from_utf8(&input[..end]).ok()?, &input[end + 1..]))
}

/// Two versions, one a line.
fn of_scheme(scheme: &'static dyn Scheme) -> Parser {
    Parser::new(format!("version-{}", scheme.name()), |input| {
        text(input, |lines| {
            let (a, b) = lines.split_once('\n').unwrap_or((lines, lines));
            let there = scheme.compare(a, b).ok();
            assert_eq!(there, scheme.compare(b, a).ok().map(std::cmp::Ordering::reverse));
        })
    })
}

fn text(input: &[u8], run: impl FnOnce(&str)) -> bool {
    str::from_utf8(input).map(run).is_ok()
}

/// Bytes that are what their manifest says: a registry may hold anything.
fn layer(bytes: &[u8]) {
    let layer = LayerDescriptor { digest: Digest::sha256_of(bytes), size: None, media_type: String::new() };
    let limits = Limits { unpacked_bytes: 64 << 20, ..Limits::default() };
    let reader = LayerReader { layer: &layer, catalogers: CATALOGERS, limits: &limits, stop: &Shutdown::default() };
    if let Ok((mut contents, unread)) = reader.read(bytes) {
        let _ = reader.read_linked(bytes, &mut contents, &unread);
    }
}
