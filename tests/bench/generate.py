#!/usr/bin/env python3
"""Makes as many advisories as OSV publishes, from real ones: the same every time.

    tests/bench/generate.py FOLDER [--records 600000]

For each ecosystem that OSV publishes, a zip of as many records as OSV has (as of 2026, scaled to --records). Each is a real
record of that ecosystem, or of one whose records look alike, with a new id, new names of packages, and fixed versions
moved; the first round is the real records as they are. Also writes an EPSS table of 300,000 CVEs. Reads
../shared/advisories or PLIMSOLL_ADVISORIES.
"""
import argparse
import copy
import gzip
import json
import os
import pathlib
import random
import re
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADVISORIES = pathlib.Path(os.environ.get("PLIMSOLL_ADVISORIES", ROOT.parent / "shared" / "advisories"))

# Records of each ecosystem, as https://osv.dev lists them, and the real zip whose records are varied.
PUBLISHED = {
    "AlmaLinux": (5193, "AlmaLinux"), "Alpaquita": (11431, "Alpine"), "Alpine": (4339, "Alpine"), "Azure Linux": (12016, "Azure Linux"),
    "BellSoft Hardened Containers": (557, "Alpine"), "Bitnami": (8246, "Bitnami"), "CRAN": (14, "CRAN"), "CleanStart": (1524, "Wolfi"), "Chainguard": (8715, "Wolfi"),
    "Debian": (59562, "Debian"), "Echo": (6560, "Debian"), "GHC": (3, "Hackage"), "Go": (8067, "Go"), "Hackage": (32, "Hackage"),
    "Hex": (170, "npm"), "Julia": (984, "Julia"), "Mageia": (6005, "AlmaLinux"), "Maven": (6663, "Maven"), "MinimOS": (82134, "Wolfi"),
    "NuGet": (1766, "NuGet"), "Packagist": (6627, "Packagist"), "Pub": (11, "npm"), "PyPI": (22261, "PyPI"), "Red Hat": (21039, "AlmaLinux"),
    "Rocky Linux": (3573, "AlmaLinux"), "RubyGems": (2008, "RubyGems"), "SUSE": (21239, "AlmaLinux"), "SwiftURL": (58, "npm"),
    "Ubuntu": (56969, "Ubuntu"), "Wolfi": (6102, "Wolfi"), "crates.io": (2551, "crates.io"), "npm": (221474, "npm"),
    "openEuler": (7136, "AlmaLinux"), "openSUSE": (13363, "AlmaLinux"),
}


def real_records(name):
    records = []
    for path in sorted(ADVISORIES.glob(f"{name}*.zip")):
        if path.stem == name or path.stem.startswith(f"{name}-"):
            with zipfile.ZipFile(path) as archive:
                records += [json.loads(archive.read(file)) for file in archive.namelist() if file.endswith(".json")]
    return records


def another_cve(rng, cve):
    """Within what exists, so that several advisories speak of one CVE, as real ones do."""
    return f"CVE-{rng.randint(2005, 2026)}-{rng.randint(1, 18000):04}" if cve.startswith("CVE-") else cve


def varied(record, ecosystem, number, rng):
    record = copy.deepcopy(record)
    record["id"] = f"{record['id']}-{number}"
    cves = {}
    other = lambda name: cves.setdefault(name, another_cve(rng, name) if name.startswith("CVE-") else f"{name}-{number}")
    for key in ("aliases", "upstream"):
        if record.get(key):
            record[key] = [other(name) for name in record[key]]
    step = rng.randint(1, 9)
    for affected in record.get("affected") or []:
        package = affected.get("package") or {}
        if "name" in package:
            package["name"] = f"{package['name']}{number % 40 or ''}"
            base, colon, release = package.get("ecosystem", "").partition(":")
            package["ecosystem"] = ecosystem + colon + release
        for range_ in affected.get("ranges") or []:
            for event in range_.get("events") or []:
                if "fixed" in event:
                    event["fixed"] = re.sub(r"\d+", lambda digits: str(int(digits[0]) + step), event["fixed"], count=1)
    return record


def write(folder, ecosystem, count, records, rng):
    with zipfile.ZipFile(folder / f"{ecosystem}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(count):
            record = records[number % len(records)]
            first_round = number < len(records) and any(
                (entry.get("package") or {}).get("ecosystem", "").partition(":")[0] == ecosystem for entry in record.get("affected") or [])
            if not first_round:
                record = varied(record, ecosystem, number, rng)
            archive.writestr(zipfile.ZipInfo(f"{number}.json"), json.dumps(record), zipfile.ZIP_DEFLATED)


def write_epss(folder, rng):
    with gzip.GzipFile(folder / "epss_scores-2026-01-01.csv.gz", "w", mtime=0) as table:
        table.write(b"#model_version:v2025.03.14,score_date:2026-01-01T00:00:00Z\ncve,epss,percentile\n")
        for year in range(2005, 2027):
            for number in range(1, 13637):
                table.write(f"CVE-{year}-{number:04},{rng.random() ** 8:.5f},{rng.random():.5f}\n".encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=600_000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    published = sum(count for count, _ in PUBLISHED.values())
    known = {}
    written = 0
    for ecosystem, (count, like) in PUBLISHED.items():
        if like not in known:
            known[like] = real_records(like)
        records = known[like]
        count = max(1, round(count * arguments.records / published))
        write(arguments.folder, ecosystem, count, records, random.Random(ecosystem))
        written += count
    write_epss(arguments.folder, random.Random("epss"))
    print(f"{written} records of {len(PUBLISHED)} ecosystems in {arguments.folder}")


main()
