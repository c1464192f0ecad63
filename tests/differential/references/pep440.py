#!/usr/bin/python3
"""The order of packaging."""
import sys

from packaging.version import InvalidVersion, Version

for line in sys.stdin:
    a, b = line.split()
    try:
        versions = Version(a), Version(b)
    except InvalidVersion:
        continue
    print(a, "<" if versions[0] < versions[1] else ">" if versions[0] > versions[1] else "=", b)
