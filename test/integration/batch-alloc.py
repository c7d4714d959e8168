#!/usr/bin/env python3
"""experimental.batch_alloc is the fastest way to many objects: counted in instructions, which
repeat exactly. Beyond what slabs and their bin do, at most 8 for each object; and less in sum than
calls of malloc and mallocx.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, built, built_with, check, finish, need, skip, strict

FEW, MANY = 20000, 40000

need("valgrind")
if built_with("debug"):
    skip("a debug build checks itself at each step")
program = os.path.join(os.path.dirname(LIB), os.pardir, "test", "stress", "many")
built(program)


def count(way, objects, size, inside=None):
    """Instructions of the whole program, or only those inside of a function."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
            + ([f"--toggle-collect={inside}"] if inside else []) + [program, way, str(objects), str(size)],
            env=dict(os.environ, LD_PRELOAD=LIB, MALLOC_CONF=strict("junk:false")),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode()
    check(done.returncode == 0, way, "ended with", done.returncode, text[-500:])
    return int(re.search(r"Collected : (\d+)", text).group(1))


def each(way, size, inside=None):
    return (count(way, MANY, size, inside) - count(way, FEW, size, inside)) / (MANY - FEW)


for size in (16, 64, 512) if os.environ.get("TEST_LONG", "0") != "0" else (16, 512):
    batch, slabs = each("batch", size), each("batch", size, "bin_take")
    malloc, mallocx = each("malloc", size), each("mallocx", size)
    print(f"{size} bytes: batch {batch:.1f}, of which slabs {slabs:.1f}; malloc {malloc:.1f}, mallocx {mallocx:.1f}")
    check(slabs > 5, "bin_take was not seen")
    check(batch - slabs <= 8, "more than 8 instructions beyond the slabs")
    check(batch < malloc and batch < mallocx, "batch_alloc is not the fastest way")
finish()
