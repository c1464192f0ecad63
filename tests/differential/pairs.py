"""Pairs of versions to compare: random ones that are near to an ecosystem's grammar, and real ones."""
import json
import random
import zipfile
from pathlib import Path

# What the versions of an ecosystem are made of.
PIECES = {
    "deb": "0 1 2 9 10 01 00 a b A z . . + ~ ~ - -1 : 1: rc +b1 ~rc1 +deb12u1 -1ubuntu2".split(),
    "rpm": "0 1 2 9 10 01 a b rc . . _ + ~ ^ - -1 : 1: .el9 ~rc1 ^git1 .module+el8".split(),
    "pep440": "0 1 2 10 01 . . a b c rc alpha beta pre preview post rev r dev .dev .post -1 - _ +a +1 +a.1 ! 1! v".split(),
    "rubygems": "0 1 2 10 01 . . . a b rc pre beta alpha p -1 - rc1 .pre .rc1 A".split(),
    "packagist": "0 1 2 10 01 . . . - _ + dev -dev a alpha -beta beta2 b RC rc -RC1 pl p -p1 patch foo stable".split(),
    "maven": "0 1 2 10 01 . . . - - a b m x rc cr alpha beta milestone sp snapshot -SNAPSHOT .Final .RELEASE -RC1 _ + foo".split(),
    "semver": "0 1 2 10 .0 .1 .0 - -0 -1 -a -rc.1 -alpha .beta . a b rc +1 +build +incompatible .20 -0.20190101000000-abcdef012345".split(),
    "lists": "0 1 2 10 01 . . . - -1 .0".split(),
}


def random_pairs(grammar, count, chance):
    """Pairs of which the second is either new or the first with a change."""
    for _ in range(count):
        a = _random_version(grammar, chance)
        b = _changed(a, grammar, chance) if chance.random() < 0.5 else _random_version(grammar, chance)
        yield a, b


def _random_version(grammar, chance):
    pieces = PIECES[grammar]
    core = ".".join(chance.choice("0123") for _ in range(3 if grammar == "semver" else chance.randint(1, 3)))
    return core + "".join(chance.choice(pieces) for _ in range(chance.randint(0, 5)))


def _changed(version, grammar, chance):
    at = chance.randint(1, len(version))
    piece = chance.choice(PIECES[grammar] + [""])
    return version[:at] + piece + version[at + chance.randint(0, 2):]


def real_pairs(archives, ecosystems, count, chance):
    """Pairs of versions that advisories name for one package."""
    packages = {}
    for archive in archives:
        if Path(archive).exists():
            _collect(archive, ecosystems, packages)
    several = [sorted(versions) for _, versions in sorted(packages.items()) if len(versions) > 1]
    for _ in range(count if several else 0):
        yield tuple(chance.sample(chance.choice(several), 2))


def _collect(archive, ecosystems, packages):
    with zipfile.ZipFile(archive) as records:
        for name in records.namelist():
            if not name.endswith(".json"):
                continue
            for affected in json.loads(records.read(name)).get("affected", []):
                package = affected.get("package", {})
                if package.get("ecosystem", "").split(":")[0] not in ecosystems:
                    continue
                versions = packages.setdefault(package["name"], set())
                events = [event for span in affected.get("ranges", []) if span["type"] != "GIT" for event in span["events"]]
                named = affected.get("versions", []) + [version for event in events for version in event.values()]
                versions.update(version for version in named if version.isprintable() and " " not in version and version)
