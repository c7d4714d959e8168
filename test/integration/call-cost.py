#!/usr/bin/env python3
"""All functions that give memory are short, not malloc alone: instructions for a pair of calls, which
repeat exactly. What a program chooses for another reason (an alignment, a size, C++, the extended
functions) must not cost it the fast path.
"""
import os
import sys

sys.dont_write_bytecode = True
from lib import LIB, built, built_with, check, finish, instructions, need, skip

COUNT = 2000
# The most that a way may cost beyond malloc and free. The slow path costs 400 or more; compilers differ by 10 %.
MORE = {"realloc": 150, "rallocx": 200, "mallocx_aligned": 150}
MORE_USUAL = 100

need("valgrind")
if built_with("debug"):
    skip("a debug build checks itself at each step")
program = os.path.join(os.path.dirname(LIB), os.pardir, "test", "stress", "pairs-of-calls")
built(program)
printed, counts = instructions("step", program, COUNT)
ways = printed.split()
check(len(ways) > 8, "only", len(ways), "ways")
# There are two steps for each way.
costs = {way: counts[2 * i + 1] / COUNT for i, way in enumerate(ways)}
for way, cost in costs.items():
    print(f"{way}: {cost:.1f}")
    check(cost <= costs["malloc"] + MORE.get(way, MORE_USUAL), way, "does not take the fast path")
check(costs["malloc"] > 20, "nothing was counted")
finish()
