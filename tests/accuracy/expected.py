#!/usr/bin/env python3
"""Judges packages against advisories by the ecosystems' own tools, and by nothing of Plimsoll's.

    tests/accuracy/expected.py ADVISORIES CASE...      rewrites findings.tsv of each case

ADVISORIES is the folder that freeze.py wrote. A case is a folder with packages.tsv: ecosystem, name and
version, and for packages of distributions source and source version. findings.tsv then has a row for each advisory that
applies: ecosystem, name, version, id of the advisory.

Versions are compared by apt_pkg (deb), rpm.labelCompare (rpm), packaging (PyPI), Ruby's Gem::Version, Maven's ComparableVersion,
Composer's Comparator, and univers (apk, NuGet, semantic versions). Ranges are evaluated as the OSV schema says. Needs the
Debian packages python3-apt python3-rpm ruby php-composer-semver maven, and `pip install univers packaging`.
"""

import functools
import gzip
import json
import pathlib
import re
import subprocess
import sys

RUBY = "STDOUT.sync=true; while l=gets; a,b=l.chomp.split(\"\\t\"); begin; puts Gem::Version.new(a)<=>Gem::Version.new(b); rescue; puts 'x'; end; end"
PHP = """require '/usr/share/php/Composer/Semver/autoload.php'; use Composer\\Semver\\Comparator;
while (($l = fgets(STDIN)) !== false) { [$a, $b] = explode("\\t", rtrim($l, "\\n"));
try { echo Comparator::equalTo($a, $b) ? "0" : (Comparator::lessThan($a, $b) ? "-1" : "1"), "\\n"; } catch (Exception $e) { echo "x\\n"; } }"""
JAVA = """import org.apache.maven.artifact.versioning.ComparableVersion; import java.io.*;
public class Compare { public static void main(String[] x) throws IOException {
var in = new BufferedReader(new InputStreamReader(System.in)); String l; while ((l = in.readLine()) != null) { var p = l.split("\\t");
System.out.println(Integer.signum(new ComparableVersion(p[0]).compareTo(new ComparableVersion(p[1])))); System.out.flush(); } } }"""


class Incomparable(Exception):
    """The ecosystem's tool refuses one of the versions."""


class Tool:
    """A program that answers pairs of versions, a line each, with -1, 0 or 1."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def compare(self, a, b):
        print(a, b, sep="\t", file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        if answer not in {"-1", "0", "1"}:
            raise Incomparable(f"{a} {b}")
        return int(answer)


def maven():
    source = pathlib.Path("/tmp/Compare.java")
    source.write_text(JAVA)
    jars = ":".join(map(str, pathlib.Path("/usr/share/maven/lib").glob("*.jar")))
    return Tool("java", "-cp", jars, str(source)).compare


def ordered(parse):
    def compare(a, b):
        try:
            a, b = parse(a), parse(b)
        except Exception as error:
            raise Incomparable(error) from error
        return (a > b) - (a < b)

    return compare


def deb():
    import apt_pkg

    apt_pkg.init_system()
    return apt_pkg.version_compare


def rpm():
    import rpm

    def label(version):
        epoch, _, rest = version.rpartition(":")
        version, _, release = rest.partition("-")
        return epoch or "0", version, release or None

    return lambda a, b: rpm.labelCompare(label(a), label(b))


def univers(name):
    import univers.versions

    return ordered(getattr(univers.versions, name))


def pypi():
    from packaging.version import Version

    return ordered(Version)


def semver():
    """Semantic Versioning 2.0.0, clause 11; missing numbers are zero, as OSV has it."""

    def key(version):
        core, _, pre = version.removeprefix("v").split("+")[0].partition("-")
        numbers = [int(number) for number in core.split(".")] + [0, 0]
        labels = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")] if pre else [(2, 0, "")]
        return numbers[:3], labels

    return ordered(key)


def numbers():
    return ordered(lambda version: [int(number) for number in re.split("[.-]", version)])


ORDERS = {
    "Debian": deb, "Ubuntu": deb,
    "AlmaLinux": rpm, "Azure Linux": rpm,
    "Alpine": lambda: univers("AlpineLinuxVersion"), "Wolfi": lambda: univers("AlpineLinuxVersion"),
    "PyPI": pypi, "Maven": maven, "NuGet": lambda: univers("NugetVersion"),
    "RubyGems": lambda: Tool("ruby", "-e", RUBY).compare,
    "Packagist": lambda: Tool("php", "-r", PHP).compare,
    "CRAN": numbers, "Hackage": numbers,
    "npm": semver, "Go": semver, "crates.io": semver, "Julia": semver, "Bitnami": semver,
}  # fmt: skip


@functools.cache
def order(ecosystem):
    return functools.cache(ORDERS[ecosystem.split(":")[0]]())


@functools.cache
def semantic():
    return functools.cache(semver())


def normalize(ecosystem, name):
    base = ecosystem.split(":")[0]
    if base == "PyPI":
        return re.sub("[-_.]+", "-", name).lower()
    return name.lower() if base in {"NuGet", "Packagist"} else name


def is_within(events, version, compare):
    """OSV schema, "Evaluation": the events in the order of versions, each turning the state."""
    first = lambda event: 1 if event == "0" else 0
    turns = [(kind, value) for event in events for kind, value in event.items()]

    def by_version(a, b):
        if first(a[1]) or first(b[1]):
            return first(b[1]) - first(a[1])
        return compare(a[1], b[1])

    affected = False
    for kind, value in sorted(turns, key=functools.cmp_to_key(by_version)):
        if kind == "introduced" and (value == "0" or compare(version, value) >= 0):
            affected = True
        if kind == "fixed" and compare(version, value) >= 0:
            affected = False
        if kind == "last_affected" and compare(version, value) > 0:
            affected = False
    return affected


def is_modular(version):
    """Red Hat's and its kin's packages of module streams are built apart and say so in their release."""
    return ".module" in version


def applies(affected, ecosystem, version):
    if ecosystem.startswith("AlmaLinux"):
        fixed = [event["fixed"] for part in affected.get("ranges") or [] for event in part["events"] if "fixed" in event]
        if any(is_modular(version) != is_modular(other) for other in fixed):
            return False
    if version in (affected.get("versions") or []):
        return True
    for part in affected.get("ranges") or []:
        compare = {"SEMVER": semantic, "ECOSYSTEM": lambda: order(ecosystem)}.get(part["type"])
        if compare and is_within(part["events"], version, compare()):
            return True
    return False


def index(folder, wanted):
    """The affected entries of all frozen records about `wanted`, by (ecosystem, name)."""
    found = {}
    for archive in sorted(pathlib.Path(folder).glob("*.jsonl.gz")):
        for record in map(json.loads, gzip.decompress(archive.read_bytes()).splitlines()):
            if record.get("withdrawn"):
                continue
            for affected in record["affected"]:
                ecosystem, name = affected["package"]["ecosystem"], affected["package"]["name"]
                key = (ecosystem, normalize(ecosystem, name))
                if key in wanted:
                    found.setdefault(key, []).append((record["id"], affected))
    return found


def subjects(row):
    """Under which names advisories speak of a package: Debian's and Ubuntu's of the source, Alpine's and Wolfi's of both."""
    ecosystem, name, version, *source = row
    base = ecosystem.split(":")[0]
    if source and base in {"Debian", "Ubuntu"}:
        return [tuple(source)]
    if source and base in {"Alpine", "Wolfi"}:
        return sorted({(name, version), tuple(source)})
    return [(name, version)]


def rows_of(case):
    """The rows of a case's packages.tsv."""
    lines = (pathlib.Path(case) / "packages.tsv").read_text().splitlines()
    return [tuple(line.split("\t")) for line in lines if line and not line.startswith("#")]


def main():
    folder, *cases = sys.argv[1:]
    rows = {case: rows_of(case) for case in cases}
    wanted = {
        (row[0], normalize(row[0], name)) for table in rows.values() for row in table for name, _ in subjects(row)
    }
    advisories = index(folder, wanted)
    for case, table in rows.items():
        found = set()
        for row in table:
            for name, version in subjects(row):
                for advisory, affected in advisories.get((row[0], normalize(row[0], name)), []):
                    try:
                        if applies(affected, row[0], version):
                            found.add((*row[:3], advisory))
                    except Incomparable as error:
                        print(f"{case}: {advisory} cannot be judged for {name} {version}: {error}", file=sys.stderr)
        text = "".join("\t".join(row) + "\n" for row in sorted(found))
        (pathlib.Path(case) / "findings.tsv").write_text("#ecosystem\tname\tversion\tadvisory\n" + text)
        print(f"{case}: {len(table)} packages, {len(found)} advisories apply")


if __name__ == "__main__":
    main()
