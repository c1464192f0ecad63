use proptest::prelude::*;

use super::testing::{Program, catalog};
use super::*;
use crate::catalogers::CatalogError;

#[test]
fn wants_files_that_could_be_programs() {
    for path in
        ["usr/bin/dockerd", "app", "usr/bin/python3.11", "opt/lib/_rust.abi3.so", "usr/share/grafana/bin/grafana"]
    {
        assert!(Executables.wants_executable(path), "{path}");
    }
    for path in ["usr/bin/tool.py", "usr/share/doc/x/example", "usr/share/man/man1/x", "a.b/x.sh"] {
        assert!(!Executables.wants_executable(path), "{path}");
    }
    assert!(Executables.wants("usr/lib/x86_64-linux-gnu/libcrypto.so.3"));
    assert!(!Executables.wants("usr/bin/openssl") && !Executables.wants("usr/lib/libz.so.1"));
}

#[test]
fn other_files_cost_four_bytes() {
    for other in [&b""[..], b"\x7fEL", b"#!/bin/sh\n", b"MZ\x90\0"] {
        let mut file = other;
        let mut found = Found::default();
        Executables.catalog("usr/bin/x", &mut file, &mut found).unwrap();
        assert_eq!((found, file.len()), (Found::default(), other.len().saturating_sub(4)));
    }
}

#[test]
fn a_program_without_anything_is_silent() {
    assert_eq!(catalog("usr/bin/true", &Program::default().section(".text", b"\x90").build()), Found::default());
    assert_eq!(catalog("usr/bin/true", &Program { is_stripped: true, ..Program::default() }.build()), Found::default());
}

#[test]
fn a_program_that_cannot_be_read_is_a_problem() {
    let whole = Program::default().section(".text", b"\x90").build();
    for damaged in [&whole[..8], &whole[..40], &whole[..whole.len() - 1], b"\x7fELF\x09\x09"] {
        assert_eq!(catalog("usr/bin/x", damaged).problems.len(), 1);
    }
    let packed = Program { is_stripped: true, ..Program::default() }.section("", b"\x90UPX!\x0d").build();
    assert!(catalog("usr/bin/x", &packed).problems[0].contains("UPX"));
}

#[test]
fn an_error_of_the_layer_is_handed_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the layer ends"))
        }
    }
    let mut file = io::BufReader::new((&MAGIC[..]).chain(Broken));
    let error = Executables.catalog("usr/bin/x", &mut file, &mut Found::default()).unwrap_err();
    assert!(matches!(error, CatalogError::Read(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_makes_it_panic(
        is_64: bool,
        is_big_endian: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        name in prop::sample::select(vec!["app", "python3.11", "redis-server", "openssl"]),
    ) {
        let info = [b"\xff Go buildinf:\x08\x02".as_slice(), &[0; 16], b"\x08go1.22.3\x00"].concat();
        let old = [b"\xff Go buildinf:\x08\x00".as_slice(), &[0x20, 0x10, 0x40, 0, 0, 0, 0, 0], &[0; 40]].concat();
        for info in [info, old] {
            let program = Program { is_64, is_big_endian, ..Program::default() };
            let mut file = program
                .section(".go.buildinfo", &info)
                .section(".dep-v0", b"x\x9c\xabV*\x48\x4c\xceNLO-V\xb2\x8a\xae\xd5Q")
                .section(".rodata", b"\x003.11.2\0\x007.0.1\x007.0.1host-1790282056000000000\0OpenSSL 3.0.22 25 Aug")
                .build();
            for (place, byte) in &damage {
                let place = place.index(file.len());
                file[place] = *byte;
            }
            file.truncate(cut.index(4 * file.len()).max(4));
            let mut found = Found::default();
            let _ = Executables.catalog(name, &mut file.as_slice(), &mut found);
            prop_assert!(found.packages.iter().all(|package| !package.name.is_empty() && !package.version.is_empty()));
        }
    }
}
