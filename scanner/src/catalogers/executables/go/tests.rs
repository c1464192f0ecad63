use super::*;
use crate::catalogers::executables::testing::{DATA_ADDRESS, Program, catalog};

/// As Go 1.26 wrote it.
const LISTING: &str = "path\texample.com/shop\nmod\texample.com/shop\t(devel)\t\n\
    dep\tgithub.com/google/uuid\tv1.3.0\n=>\t./uuid\t(devel)\t\n\n\
    dep\tgithub.com/pkg/errors\tv0.8.1\n=>\tgithub.com/pkg/errors\tv0.9.1\th1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=\n\n\
    dep\tgolang.org/x/text\tv0.3.7\th1:olpwvP2KacW1ZWvsR7uQhoyTYvKAupfQrRGBFM352Gk=\n\
    build\t-ldflags=\"-s -w -X main.version=1.4.2\"\nbuild\tGOOS=linux\n";

const EXPECTED: [(&str, &str); 5] = [
    ("stdlib", "1.26.8"),
    ("example.com/shop", "v1.4.2"),
    ("github.com/google/uuid", "(devel)"),
    ("github.com/pkg/errors", "v0.9.1"),
    ("golang.org/x/text", "v0.3.7"),
];

fn framed(listing: &str) -> Vec<u8> {
    let mark = [0x30; 16];
    if listing.is_empty() { Vec::new() } else { [&mark[..], listing.as_bytes(), &mark[..]].concat() }
}

/// The form since Go 1.18.
fn in_place(version: &str, listing: &str) -> Vec<u8> {
    let mut info = [MAGIC, &[8, 2], &[0; 16]].concat();
    for text in [version.as_bytes(), &framed(listing)] {
        let mut length = text.len();
        while length >= 0x80 {
            info.push(length as u8 | 0x80);
            length >>= 7;
        }
        info.push(length as u8);
        info.extend_from_slice(text);
    }
    info
}

/// The form of Go 1.13 to 1.17, at the beginning of the program's data.
fn by_pointers(program: &Program, version: &str, listing: &str) -> Vec<u8> {
    let listing = framed(listing);
    let size = program.number(0, 0).len() as u64;
    let strings = DATA_ADDRESS + HEADER_SIZE;
    let texts = strings + 4 * size;
    let mut info = [MAGIC, &[size as u8, u8::from(program.is_big_endian)]].concat();
    for address in [strings, strings + 2 * size] {
        info.extend(program.number(address, 0));
    }
    info.resize(HEADER_SIZE as usize, 0);
    for number in [texts, version.len() as u64, texts + version.len() as u64, listing.len() as u64] {
        info.extend(program.number(number, 0));
    }
    [&info, version.as_bytes(), &listing].concat()
}

fn programs() -> Vec<Program> {
    let mut programs = Vec::new();
    for bits in 0..8 {
        let (is_64, is_big_endian, is_stripped) = (bits & 1 == 0, bits & 2 == 0, bits & 4 == 0);
        programs.push(Program { is_64, is_big_endian, is_stripped, ..Program::default() });
    }
    programs
}

fn modules(found: &Found) -> Vec<(&str, &str)> {
    assert!(found.packages.iter().all(|p| p.kind == "golang" && p.evidence == Evidence::BuildInfo));
    found.packages.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect()
}

#[test]
fn modules_are_listed_in_every_class_and_byte_order_stripped_or_not() {
    for program in programs() {
        let mut infos = vec![in_place("go1.26.8", LISTING), by_pointers(&program, "go1.26.8", LISTING)];
        for info in infos.drain(..) {
            let file = program.clone().section(".go.buildinfo", &info).section(".data", b"x").build();
            let found = catalog("app/shop", &file);
            assert_eq!(modules(&found), EXPECTED, "{program:?}");
            assert_eq!(found.problems, Vec::<String>::new());
        }
    }
}

#[test]
fn the_header_is_found_wherever_the_data_of_a_program_without_sections_has_it() {
    let program = Program { is_stripped: true, ..Program::default() };
    for before in [0, 16, WINDOW as usize - 16, WINDOW as usize, 3 * WINDOW as usize + 32] {
        let data = [&vec![0xff; before], in_place("go1.22.3", LISTING).as_slice()].concat();
        assert_eq!(catalog("app/shop", &program.clone().section("", &data).build()).packages.len(), 5, "{before}");
    }
    let unaligned = [&[0; 8], in_place("go1.22.3", LISTING).as_slice()].concat();
    assert_eq!(catalog("app/shop", &program.section("", &unaligned).build()), Found::default());
}

#[test]
fn programs_without_modules_have_a_standard_library_and_a_gap() {
    let file = Program::default().section(".go.buildinfo", &in_place("go1.12.17", "")).build();
    let found = catalog("app/old", &file);
    assert_eq!(modules(&found), [("stdlib", "1.12.17")]);
    assert_eq!(found.problems.len(), 1);
}

#[test]
fn the_go_command_is_the_toolchain() {
    let file = Program::default().section(".go.buildinfo", &in_place("go1.26.8", "path\tcmd/go\nbuild\tGOOS=linux\n"));
    let found = catalog("usr/local/go/bin/go", &file.build());
    assert_eq!(modules(&found), [("stdlib", "1.26.8"), ("toolchain", "1.26.8")]);
    assert_eq!(found.problems, Vec::<String>::new());
}

#[test]
fn damaged_build_information_is_a_problem() {
    let header = |pointer_size, flags| [MAGIC, &[pointer_size, flags], &[0xff; 32]].concat();
    let mut endless = [MAGIC, &[8, 2], &[0; 16]].concat();
    endless.extend([0xff; 20]);
    let mut long = [MAGIC, &[8, 2], &[0; 16]].concat();
    long.extend([0xff, 0xff, 0xff, 0x7f, 0]);
    for info in [header(8, 0), header(7, 0), endless, long, in_place("devel", LISTING)[..60].to_vec()] {
        let found = catalog("app/shop", &Program::default().section(".go.buildinfo", &info).build());
        assert_eq!((found.packages.len(), found.problems.len()), (0, 1), "{:?} {:?}", found.problems, found.packages);
    }
    let found = catalog("app/shop", &Program::default().section(".go.buildinfo", &in_place("devel", LISTING)).build());
    assert_eq!((found.packages.len(), found.problems.len()), (4, 1));
}
