"""Helpers of the integration tests in Python; a test takes them in with
    sys.dont_write_bytecode = True
    from lib import ...
which skips it if JEMALLOC_LIB does not name the library. It ends with finish().
"""
import os
import sys

LIB = os.environ.get("JEMALLOC_LIB", "")
if not LIB or not os.path.exists(LIB):
    print("skipped: JEMALLOC_LIB does not name the library")
    sys.exit(77)
LIB = os.path.realpath(LIB)
# What runs with the library.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

failures = 0


def fail(*what):
    global failures
    failures += 1
    print("FAIL:", *what)


def check(condition, *what):
    if not condition:
        fail(*what)
    return condition


def finish():
    sys.exit(1 if failures else 0)


def unique(pairs):
    """For json.load: an object in which no key stands twice."""
    names = [name for name, _ in pairs]
    check(len(names) == len(set(names)), "a key twice among", names)
    return dict(pairs)
