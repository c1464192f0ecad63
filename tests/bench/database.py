#!/usr/bin/env python3
"""The advisory database at the size of all that OSV publishes: import and opening.

    tests/bench/database.py [--binary target/release/plimsoll] [--advisories FOLDER] [--records 600000]

Makes the advisories with generate.py unless --advisories has some already, and prints each figure beside something from
the same run. `cargo bench --bench matching` with PLIMSOLL_ADVISORIES and PLIMSOLL_DATABASE measures the look-ups alone.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

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


main()
