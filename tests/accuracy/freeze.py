#!/usr/bin/env python3
"""Keeps what the cases need of a folder of OSV zips, so that their findings change with the code alone.

    tests/accuracy/freeze.py ADVISORIES CASES OUT

Writes OUT/<zip's name>.jsonl.gz: the records about the packages of CASES, one a line, without texts and references and without what they
say of other packages.
"""

import gzip
import json
import pathlib
import sys
import zipfile

from expected import normalize, rows_of, subjects

TEXTS = ("details", "references", "credits", "summary", "schema_version")


def key(affected):
    package = affected.get("package") or {}
    ecosystem = package.get("ecosystem", "")
    return ecosystem, normalize(ecosystem, package.get("name", ""))


def frozen(record, wanted):
    affected = [entry for entry in record.get("affected") or [] if key(entry) in wanted]
    for entry in affected:
        entry.get("database_specific", {}).pop("source", None)
        entry.get("ecosystem_specific", {}).pop("imports", None)
    return {name: value for name, value in record.items() if name not in TEXTS} | {"affected": affected}


def main():
    folder, cases, out = map(pathlib.Path, sys.argv[1:])
    rows = [row for case in cases.iterdir() for row in rows_of(case)]
    wanted = {(row[0], normalize(row[0], name)) for row in rows for name, _ in subjects(row)}
    out.mkdir(exist_ok=True)
    for archive in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(archive) as records:
            kept = [frozen(json.loads(records.read(name)), wanted) for name in sorted(records.namelist())]
        lines = [json.dumps(record, separators=(",", ":")) for record in kept if record["affected"]]
        if lines:
            (out / f"{archive.stem}.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
