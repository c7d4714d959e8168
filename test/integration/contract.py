#!/usr/bin/env python3
"""Is every name and every option of the contract there, and what is there besides?

Counts against test/data; what behaves how is for other tests.
"""
import ctypes
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from lib import LIB, fail, finish

DATA = os.path.join(os.environ.get("srcdir", "."), "test/data")
# Ours: an option or a name that the contract does not have.
OURS = {"safety", "safety_action", "guard_sample", "guard_slots", "foreign", "deepbind", "limit_soft",
        "limit_hard", "tcache_trim", "prof_format", "prof_signal", "prof_signal_action", "canary",
        "zero_free", "uaf_check", "quarantine", "random_slots", "guard_large", "prof_dump_most",
        "prof_holes", "core_dump_free"}


def table(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return [line.split() for line in file if not line.startswith("#")]


def count(what, good, total, expected):
    print(f"{what}: {good}/{total}")
    if good != total or total != expected:
        fail(f"{what}: {good} of {total}, not {expected}")


library = ctypes.CDLL(LIB)


def found(name):
    mib, length = (ctypes.c_size_t * 7)(), ctypes.c_size_t(7)
    error = library.mallctlnametomib(name.encode(), mib, ctypes.byref(length))
    return error == 0 and length.value == name.count(".") + 1


def built(gate):
    if gate in ("-", "cxx"):
        return True
    if gate in ("never", "uaf"):
        return False
    value, length = ctypes.c_bool(), ctypes.c_size_t(1)
    library.mallctl(f"config.{gate}".encode(), ctypes.byref(value), ctypes.byref(length),
                    None, ctypes.c_size_t(0))
    return value.value


def name_exists(pattern):
    if pattern.startswith(("arena.", "stats.arenas.", "experimental.arenas.")):
        pattern = pattern.replace("<i>", "0", 1)
    return found(re.sub("<.>", "3", pattern))


def accepted(key, value):
    """What the library says to one option."""
    environment = {"LD_PRELOAD": LIB, "MALLOC_CONF": f"abort_conf:false,confirm_conf:true,{key}:{value}"}
    said = subprocess.run(["/bin/true"], env=environment, stderr=subprocess.PIPE,
                          check=False).stderr.decode()
    return f"-- Set conf value: {key}:{value}" in said


names = table("mallctl-names.txt")
missing = [row[0] for row in names if not name_exists(row[0])]
for name in missing:
    fail(f"no mallctl {name}")
count("mallctl names", len(names) - len(missing), len(names), 440)

good = 0
options = table("options.txt")
for key, _, value, gate in options:
    here = accepted(key, value)
    if here == built(gate) or (gate == "uaf" and here):
        good += 1
    else:
        fail(f"option {key}:{value}" + (" is refused" if built(gate) else " is not built in"))
count("options", good, len(options), 91)

# An option that can be read is a name of the contract, or is ours.
known = {row[0] for row in names}
keys = {row[0] for row in options}
for key in sorted(keys | OURS):
    if found(f"opt.{key}") and f"opt.{key}" not in known and key not in OURS:
        fail(f"opt.{key} is not in the contract")
finish()
