#!/usr/bin/python3
"""The order of librpm."""
import sys

import rpm

for line in sys.stdin:
    a, b = line.split()
    order = rpm.ver(a) < rpm.ver(b), rpm.ver(a) > rpm.ver(b)
    print(a, "<" if order[0] else ">" if order[1] else "=", b)
