#!/usr/bin/env python3
"""All functions that give memory are short, not malloc alone: instructions for a pair of calls, which
repeat exactly. What a program chooses for another reason (an alignment, a size, C++, the extended
functions) must not cost it the fast path.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, built, built_with, check, finish, need, skip, strict

COUNT = 2000
# The most that a way may cost beyond malloc and free. The slow path costs 400 or more; compilers differ by 10 %.
MORE = {"realloc": 150, "rallocx": 200, "mallocx_aligned": 150}
MORE_USUAL = 100

need("valgrind")
if built_with("debug"):
    skip("a debug build checks itself at each step")
program = os.path.join(os.path.dirname(LIB), os.pardir, "test", "stress", "pairs-of-calls")
built(program)
with tempfile.TemporaryDirectory() as folder:
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--dump-before=step",
         program, str(COUNT)], env=dict(os.environ, LD_PRELOAD=LIB, MALLOC_CONF=strict("junk:false")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    ways = done.stdout.decode().split()
    check(done.returncode == 0 and len(ways) > 8, "ended with", done.returncode, done.stderr.decode()[-500:])
    costs = {}
    for i, way in enumerate(ways):
        # Dump 1 is what came before the first step; then there are two for each way.
        with open(f"{folder}/out.{2 * i + 3}", encoding="utf-8") as file:
            costs[way] = int(re.search(r"^totals: (\d+)", file.read(), re.M).group(1)) / COUNT
for way, cost in costs.items():
    print(f"{way}: {cost:.1f}")
    check(cost <= costs["malloc"] + MORE.get(way, MORE_USUAL), way, "does not take the fast path")
check(costs["malloc"] > 20, "nothing was counted")
finish()
