"""Keeps the advisories that name a package of the demo image: select_advisories.py FROM DPKG_STATUS TO"""
import json
import pathlib
import re
import sys
import zipfile

APPLICATION = {
    "PyPI": {"django", "jinja2", "urllib3", "requests", "pyyaml"},
    "npm": {"lodash", "minimist", "axios", "follow-redirects"},
}


def sources_of(status):
    """Names of the source packages in a dpkg status file."""
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Source): (\S+)", paragraph, re.M))
        if fields:
            yield fields.get("Source", fields["Package"])


def main(advisories, status, out):
    out.mkdir()
    wanted = dict(APPLICATION)
    wanted["Debian:12"] = set(sources_of(status.read_text()))
    for path in sorted(advisories.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            records = {name: json.loads(archive.read(name)) for name in sorted(archive.namelist())}
        kept = {}
        for name, record in records.items():
            affected = [
                entry for entry in record.get("affected", [])
                if entry["package"]["name"].lower() in wanted.get(entry["package"]["ecosystem"], ())
            ]
            if affected:
                kept[name] = {**record, "affected": affected}
        if kept:
            with zipfile.ZipFile(out / path.name, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for name, record in kept.items():
                    archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), json.dumps(record), zipfile.ZIP_DEFLATED, 9)


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
