//! Real files as seeds: those of the tests, and those in `seeds/`.
//!
//! A file at `…/PARSER/` is a seed of that parser. One at `…/any/folder/var/lib/dpkg/status` is a seed of the catalogers
//! that want the shortest end of its path. Of tables of package URLs and versions, lines are seeds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// Larger files make fuzzing slow.
const SIZE_LIMIT: usize = 256 << 10;

/// Lines taken of a table.
const LINES: usize = 40;

/// Name of a parser and its inputs.
type Seeds = BTreeMap<String, Vec<Vec<u8>>>;

pub fn write_and_exit() -> ! {
    let corpora = PathBuf::from(env::var("CORPORA").expect("PARSER or CORPORA must be set; see tests/fuzz/run"));
    let mut seeds: Seeds = super::parsers().into_iter().map(|parser| (parser.name, Vec::new())).collect();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["scanner/testdata", "tests/fixtures", "tests/fuzz/seeds"] {
        files(&repository.join(folder), &mut |path| add(path, &mut seeds));
    }
    for (parser, inputs) in &seeds {
        println!("{parser}");
        if inputs.is_empty() {
            eprintln!("{parser} has no seed: put a real file that it reads into scanner/testdata or tests/fuzz/seeds");
        }
        let folder = corpora.join(parser);
        fs::create_dir_all(&folder).expect("the folder of a corpus");
        for (number, input) in inputs.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), input).expect("a seed");
        }
    }
    process::exit(0);
}

fn files(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a folder of seeds").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { files(&path, visit) } else { visit(&path) }
    }
}

fn add(path: &Path, seeds: &mut Seeds) {
    let mut parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let folder = parts.iter().rev().nth(1).cloned().unwrap_or_default();
    let mut contents = fs::read(path).expect("a seed");
    if let Some(inputs) = seeds.get_mut(&folder).filter(|_| folder != "purl") {
        return inputs.push(contents);
    }
    match folder.as_str() {
        "advisories" => return push(seeds, "osv-record", &contents),
        "purl" => return lines(&contents, '\t', |purl, _| push(seeds, "purl", purl.as_bytes())),
        "versions" => return versions(&contents, seeds),
        _ => {}
    }
    if let Some(name) = parts.last_mut()
        && let Some(plain) = name.strip_suffix(".zst")
    {
        contents = zstd::decode_all(&*contents).expect("a compressed seed");
        *name = plain.to_owned();
    }
    if contents.len() <= SIZE_LIMIT {
        let ends = (0..parts.len()).rev().map(|start| parts[start..].join("/"));
        let wanted = ends.map(|path| scanner::fuzzing::seeds(&path, &contents)).find(|inputs| !inputs.is_empty());
        wanted.into_iter().flatten().for_each(|(parser, input)| push(seeds, &parser, &input));
    }
}

/// Each order has something to say of the others' versions.
fn versions(table: &[u8], seeds: &mut Seeds) {
    let orders: Vec<_> = seeds.keys().filter(|parser| parser.starts_with("version-")).cloned().collect();
    lines(table, ' ', |a, rest| {
        let pair = format!("{a}\n{}", rest.rsplit(' ').next().unwrap_or_default());
        orders.iter().for_each(|order| push(seeds, order, pair.as_bytes()));
    });
}

/// Some lines of a table: what stands before the first `separator`, and the rest.
fn lines(table: &[u8], separator: char, mut visit: impl FnMut(&str, &str)) {
    let table = String::from_utf8_lossy(table);
    let rows: Vec<_> = table.lines().filter_map(|line| line.split_once(separator)).collect();
    rows.iter().step_by(rows.len() / LINES + 1).for_each(|(first, rest)| visit(first, rest));
}

fn push(seeds: &mut Seeds, parser: &str, input: &[u8]) {
    seeds.entry(parser.to_owned()).or_default().push(input.to_vec());
}
