#!/usr/bin/env python3
"""experimental.batch_alloc is the fastest way to many objects: counted in instructions, which
repeat exactly. Beyond what slabs and their bin do, at most 8 for each object; and less in sum than
calls of malloc and mallocx.
"""
import os
import sys

sys.dont_write_bytecode = True
from lib import LIB, built, built_with, check, finish, instructions, need, skip

FEW = 4000

need("valgrind")
if built_with("debug"):
    skip("a debug build checks itself at each step")
program = os.path.join(os.path.dirname(LIB), os.pardir, "test", "stress", "many")
built(program)


def each(sizes, inside=None):
    """{(size, way): instructions for each object}: all of them, or those inside of a function."""
    text, counts = instructions("fill", program, FEW, *sizes, inside=inside)
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
