#!/usr/bin/env python3
"""The advisory database at the size of all that OSV publishes: import, opening, and what readers keep in memory.

    tests/bench/database.py [--binary target/release/plimsoll] [--advisories FOLDER] [--records 600000]

Makes the advisories with generate.py unless --advisories has some already, and prints each figure beside something from
the same run. `cargo bench --bench matching` with PLIMSOLL_ADVISORIES and PLIMSOLL_DATABASE measures the look-ups alone.
"""
import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(command, **options):
    """Runs to the end: (seconds, peak memory in MB)."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / 1024


def row(what, figure, target, beside=""):
    print(f"| {what} | {figure} | {target} | {beside} |", flush=True)


def best(command, runs=11):
    return sorted(run(command)[0] for _ in range(runs))[runs // 2] * 1000


def measure_import(binary, data, advisories):
    seconds, peak = run([binary, "--data-dir", data, "advisories", "import", advisories], stderr=subprocess.DEVNULL)
    unzip, _ = run(["sh", "-c", 'for zip in "$0"/*.zip; do unzip -p "$zip"; done | wc -c', advisories])
    size = (data / "advisories" / "advisories.db").stat().st_size / 1e6
    row("import", f"{seconds:.1f} s, {peak:.0f} MB; database {size:.0f} MB", "≤ 90 s, ≤ 1000 MB", f"{seconds / unzip:.1f} × `unzip -p`")


def measure_opening(binary, data):
    look_up = best([binary, "--data-dir", data, "explain", "pkg:pypi/jinja2@2.11.2"])
    row("start of the program to its first look-up", f"{look_up:.0f} ms", "≤ 30 ms", f"`true` takes {best(['true']):.0f} ms")


def fields(text):
    """Kilobytes by name, of what /proc says about memory."""
    return {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def mapping(pid):
    """What a process has of the database in its memory."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    _, found, behind = text.partition("advisories.db\n")
    return fields(re.split(r"^[0-9a-f]+-[0-9a-f]+ ", behind, maxsplit=1, flags=re.MULTILINE)[0]) if found else {}


def purls(advisories, count):
    """Package URLs of Python and npm packages that the advisories name."""
    found = {}
    for ecosystem, kind in (("PyPI", "pypi"), ("npm", "npm")):
        with zipfile.ZipFile(advisories / f"{ecosystem}.zip") as archive:
            for name in archive.namelist():
                for affected in json.loads(archive.read(name)).get("affected") or []:
                    package = (affected.get("package") or {}).get("name", "").replace("@", "%40")
                    found[f"pkg:{kind}/{package}@1.0.0"] = None
                if len(found) >= count:
                    break
    return list(found)


def scan(binary, data, file, packages):
    file.write_text("\n".join(packages) + "\n")
    return [binary, "--data-dir", data, "scan", f"purls:{file}", "--format", "json"]


def stopped_at_work(command, pages_kb=4_096):
    """A process that is stopped as soon as it has that much of the database in its memory."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while mapping(process.pid).get("Rss", 0) < pages_kb:
        if process.poll() is not None:
            raise SystemExit("the scan has ended before it was seen at work")
    process.send_signal(signal.SIGSTOP)
    return process


def measure_sharing(command):
    processes = []
    try:
        processes += (stopped_at_work(command) for _ in range(2))
        one = mapping(processes[0].pid)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    shared, alone = one["Shared_Clean"] / 1024, one["Private_Clean"] / 1024
    row("database in one of two processes", f"{one['Rss'] / 1024:.1f} MB, of which copied {one['Private_Dirty'] / 1024:.1f} MB", "shared",
        f"{shared:.1f} MB mapped by both, {alone:.1f} MB by one")


def measure_memory(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = {}
    while process.poll() is None:
        now = fields(pathlib.Path(f"/proc/{process.pid}/status").read_text())
        peak = max(peak, now, key=lambda memory: memory.get("VmRSS", 0))
    row("peak memory of matching 1,000 packages", f"{peak['VmRSS'] / 1024:.0f} MB", "",
        f"{peak['RssFile'] / 1024:.0f} MB mapped files, {peak['RssAnon'] / 1024:.0f} MB of its own")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target" / "release" / "plimsoll", type=pathlib.Path)
    parser.add_argument("--advisories", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=600_000)
    arguments = parser.parse_args()
    binary = arguments.binary.resolve()
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-", dir=ROOT) as name:
        folder = pathlib.Path(name)
        advisories = arguments.advisories or folder / "generated"
        if not advisories.exists():
            generate = [sys.executable, ROOT / "tests" / "bench" / "generate.py", advisories, "--records", str(arguments.records)]
            subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
        data = folder / "data"
        data.mkdir()
        print("| What | Measured | Target | Beside it |\n|---|---|---|---|")
        measure_import(binary, data, advisories)
        measure_opening(binary, data)
        packages = purls(advisories, 50_000)
        measure_sharing(scan(binary, data, folder / "many", packages))
        measure_memory(scan(binary, data, folder / "some", packages[:1000]))


main()
