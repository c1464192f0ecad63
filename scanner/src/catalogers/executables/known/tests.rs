use super::*;
use crate::catalogers::executables::testing::{Program, catalog};

fn told(path: &str, text: &[u8]) -> Vec<(String, String)> {
    let found = catalog(path, &Program::default().section(".rodata", text).build());
    assert!(found.packages.iter().all(|package| package.evidence == Evidence::VersionString));
    assert_eq!(found.problems, Vec::<String>::new());
    found.packages.into_iter().map(|p| (format!("{}/{}", p.kind, p.name), p.version)).collect()
}

/// Bytes around the version in programs of Debian 12, of the python.org and nodejs.org builds, and of an OpenSSL 1.1.1.
#[test]
fn real_programs_tell_their_versions() {
    for (path, text, expected) in [
        ("usr/bin/openssl", &b"N/A\0OpenSSL 3.0.22 25 Aug 2026\0%s (Lib"[..], "generic/openssl 3.0.22"),
        ("lib/libcrypto.so.3", b"@\0OpenSSL 3.0.22 25 Aug 2026\x003.0.22\0not", "generic/openssl 3.0.22"),
        ("opt/libcrypto.so.1.1", b"\0OpenSSL 1.1.1w  11 Sep 2023\0", "generic/openssl 1.1.1w"),
        ("opt/libcrypto.so", b"\0OpenSSL 1.0.2k-fips  26 Jan 2017\0", "generic/openssl 1.0.2k"),
        ("bin/busybox", b"memory\0BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1)\0", "generic/busybox 1.35.0"),
        ("usr/lib/libnode.so.108", b"/json\0node.js/v18.20.4\0(delegate_)", "bitnami/node 18.20.4"),
        ("usr/local/bin/node", b"/json\0node.js/v20.20.2\0(delegate_)", "bitnami/node 20.20.2"),
        ("usr/bin/python3.11", b"debug\x003.11.2\0strict\0", "bitnami/python 3.11.2"),
        ("usr/lib/libpython3.11.so.1.0", b"3.11.so.1.0\0: '%s'\x003.11.2\0%.80s", "bitnami/python 3.11.2"),
        ("opt/lib/libpython3.6m.so.1.0", b"Python-3.6.1\0.pyenv/versions/3.6.15\0", "bitnami/python 3.6.15"),
        ("usr/local/bin/python3.13", b"\x003.13.0rc1+\0", "bitnami/python 3.13.0rc1"),
        ("usr/sbin/nginx", b"nginx version: nginx/1.22.1\n\0OpenSSL 3.0.20 7 Apr 2026\0", "bitnami/nginx 1.22.1"),
        ("usr/sbin/haproxy", b"\0 version 2.6.12-1+deb12u4, released 2026/10/17\0", "bitnami/haproxy 2.6.12"),
        ("usr/sbin/apache2", b"\0Apache/2.4\0Apache/2.4.71\0 Server at", "bitnami/apache 2.4.71"),
        ("usr/bin/memcached", b"n\0memcached 1.6.18\0udp-port\0", "bitnami/memcached 1.6.18"),
        ("usr/bin/php8.2", b"X-Powered-By: PHP/8.2.35\0ZEND", "bitnami/php 8.2.35"),
        ("pg/bin/postgres", b"postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", "bitnami/postgresql 15.20"),
        (
            "usr/bin/redis-check-rdb",
            b"err\x007.0.15\0c11\x007.0.1\x006.2.0\0\xc0\xff\xff\xff\xdfA7.0.151790282056000000000\0%llx\0",
            "bitnami/redis 7.0.15",
        ),
        (
            "usr/local/bin/redis-server",
            b"\x007.2.4\x006.2.0\0x7.2.4buildkitsandbox-17048195300000000000000000\0",
            "bitnami/redis 7.2.4",
        ),
    ] {
        let (package, version) = expected.split_once(' ').unwrap();
        assert_eq!(told(path, text), [(package.to_owned(), version.to_owned())], "{path}");
    }
}

#[test]
fn what_only_looks_like_a_version_is_none() {
    for (path, text) in [
        ("usr/lib/libnode.so.108", &b"enable OpenSSL 3.0 legacy provider\0node.js/v\0"[..]),
        ("opt/libcrypto.so", b"OpenSSL 1.1.1 (compatible; BoringSSL)\0"),
        ("lib/libssl.so.3", b"OpenSSL \0"),
        ("usr/bin/python3", b"\x003.11.2\0"),
        ("usr/bin/python3.11", b"\x003.110.2\x003.11\x003.1.12\0Python-3.11.2\0"),
        ("usr/bin/redis-server", b"\x007.0.15\x006.2.0\x007.0.15-short\0"),
        ("usr/bin/bash", b"OpenSSL 3.0.22 25 Aug 2026\0BusyBox v1.35.0\0"),
        ("usr/sbin/nginx", b"nginx version: nginx/"),
    ] {
        assert_eq!(told(path, text), [], "{path}");
    }
}

#[test]
fn names_tell_what_to_look_for() {
    for (name, package) in [
        ("libssl.so", Some("openssl")),
        ("libssl.so.1.1", Some("openssl")),
        ("libssl3.so", None),
        ("php-fpm8.2", Some("php")),
        ("nodejs", Some("node")),
        ("node-gyp", None),
        ("", None),
    ] {
        assert_eq!(known(name).map(|known| known.name), package, "{name}");
    }
    assert!(is_library("libcrypto.so.3") && is_library("libpython3.11.so.1.0"));
    assert!(!is_library("node") && !is_library("libpython3.11.a") && !is_library("libz.so.1"));
    assert_eq!(release_in("python3.11"), Some("3.11"));
    for none in ["python3", "python", "python.3", "python3.", "pythoné"] {
        assert_eq!(release_in(none), None, "{none}");
    }
}
