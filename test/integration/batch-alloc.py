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

FEW = 4000

need("valgrind")
if built_with("debug"):
    skip("a debug build checks itself at each step")
program = os.path.join(os.path.dirname(LIB), os.pardir, "test", "stress", "many")
built(program)


def each(sizes, inside=None):
    """{(size, way): instructions for each object}: all of them, or those inside of a function."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--dump-before=fill"]
            + ([f"--toggle-collect={inside}"] if inside else []) + [program, str(FEW), *map(str, sizes)],
            env=dict(os.environ, LD_PRELOAD=LIB, MALLOC_CONF=strict("junk:false")),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = done.stdout.decode()
        check(done.returncode == 0, "ended with", done.returncode, text[-500:])
        # The first is what came before; each of the others is one call of fill.
        counts = []
        while os.path.exists(f"{folder}/out.{len(counts) + 2}"):
            with open(f"{folder}/out.{len(counts) + 2}", encoding="utf-8") as file:
                counts.append(int(re.search(r"^totals: (\d+)", file.read(), re.M).group(1)))
    pairs = [(size, way) for size in sizes for way in ("batch", "malloc", "mallocx")]
    check(len(counts) >= 3 * len(pairs), "only", len(counts), "calls of fill were seen:", text[-500:])
    return {pair: (counts[3 * i + 2] - counts[3 * i + 1]) / FEW for i, pair in enumerate(pairs)}


lengths = (16, 64, 512) if os.environ.get("TEST_LONG", "0") != "0" else (16, 512)
whole, taken = each(lengths), each(lengths, "bin_take")
for size in lengths:
    batch, malloc, mallocx = (whole[size, way] for way in ("batch", "malloc", "mallocx"))
    slabs = taken[size, "batch"]
    print(f"{size} bytes: batch {batch:.1f}, of which slabs {slabs:.1f}; malloc {malloc:.1f}, mallocx {mallocx:.1f}")
    check(slabs > 5, "bin_take was not seen")
    check(batch - slabs <= 8, "more than 8 instructions beyond the slabs")
    check(batch < malloc and batch < mallocx, "batch_alloc is not the fastest way")
finish()
