#!/usr/bin/env python3
"""Makes the cases `sampled-*`: package URLs of packages that advisories speak of, at versions that existed.

    tests/accuracy/sample.py ADVISORIES CASES

For each ecosystem: 60 packages, chosen by the hash of their names, each at a version which some advisory of that package names
as the one that fixed or introduced a problem, so it was published. Writes purls.txt and packages.tsv.
"""

import collections
import hashlib
import json
import pathlib
import sys
import urllib.parse
import zipfile

PACKAGES = 60

# ecosystem → what stands before the name in a package URL, and what follows the version
KINDS = {
    "Debian:11": ("deb/debian/", "?distro=debian-11"), "Debian:12": ("deb/debian/", "?distro=debian-12"),
    "Ubuntu:16.04:LTS": ("deb/ubuntu/", "?distro=ubuntu-16.04"), "Ubuntu:18.04:LTS": ("deb/ubuntu/", "?distro=ubuntu-18.04"),
    "Alpine:v3.12": ("apk/alpine/", "?distro=alpine-3.12"), "Alpine:v3.16": ("apk/alpine/", "?distro=alpine-3.16"),
    "Wolfi": ("apk/wolfi/", ""),
    "AlmaLinux:8": ("rpm/almalinux/", "?distro=almalinux-8.9"), "AlmaLinux:9": ("rpm/almalinux/", "?distro=almalinux-9.4"),
    "Azure Linux:3": ("rpm/azurelinux/", "?distro=azurelinux-3.0"),
    "PyPI": ("pypi/", ""), "npm": ("npm/", ""), "Go": ("golang/", ""), "crates.io": ("cargo/", ""), "Maven": ("maven/", ""),
    "NuGet": ("nuget/", ""), "RubyGems": ("gem/", ""), "Packagist": ("composer/", ""), "Julia": ("julia/", ""),
    "CRAN": ("cran/", ""), "Hackage": ("hackage/", ""), "Bitnami": ("bitnami/", ""),
}  # fmt: skip


def versions_of(folder):
    """Ecosystem → name → versions that advisories name."""
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for archive in sorted(pathlib.Path(folder).glob("*.zip")):
        with zipfile.ZipFile(archive) as records:
            for entry in records.namelist():
                for affected in json.loads(records.read(entry)).get("affected") or []:
                    package = affected.get("package") or {}
                    if package.get("ecosystem") not in KINDS:
                        continue
                    events = [event for part in affected.get("ranges") or [] for event in part["events"] if part["type"] != "GIT"]
                    named = [event.get("fixed") or event.get("introduced") for event in events]
                    versions = found[package["ecosystem"]][package["name"]]
                    versions.update(version for version in named if version and version != "0")
    return found


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def purl(ecosystem, name, version):
    before, after = KINDS[ecosystem]
    quote = lambda text, safe="": urllib.parse.quote(text, safe=safe)
    path = quote(name.replace(":", "/") if ecosystem == "Maven" else name, "/")
    epoch, colon, rest = version.partition(":")
    if before.startswith("rpm") and colon:
        version, after = rest, f"{after}&epoch={epoch}"
    return f"pkg:{before}{path}@{quote(version, ':')}{after}"


def main():
    folder, cases = sys.argv[1:]
    for ecosystem, packages in versions_of(folder).items():
        chosen = sorted((name for name in packages if packages[name]), key=digest)[:PACKAGES]
        rows = [(ecosystem, name, min(packages[name], key=digest)) for name in sorted(chosen)]
        case = pathlib.Path(cases) / f"sampled-{ecosystem.replace(':', '-').replace(' ', '-').lower()}"
        case.mkdir(parents=True, exist_ok=True)
        (case / "purls.txt").write_text("".join(purl(*row) + "\n" for row in rows))
        source = lambda row: row[1:] if row[0].split(":")[0] in {"Debian", "Ubuntu"} else ()
        (case / "packages.tsv").write_text(
            "#ecosystem\tname\tversion\tsource\tsource_version\n" + "".join("\t".join((*row, *source(row))) + "\n" for row in rows)
        )
        print(case.name, len(rows))


if __name__ == "__main__":
    main()
