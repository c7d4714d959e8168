#!/usr/bin/env python3
"""jeheap of this machine on a program for another one: foreign.py BUILD [EMULATOR WORD...]. The library
and heap-oracle in BUILD are for the other machine. Without an emulator the live process is read, too."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from heaps import arenas_of, compare, core_of, dump_agrees, finds_agree, jeheap, regions, stats_agree, words_agree
from lib import Oracle, check, finish, left_out

BUILD = os.path.abspath(sys.argv[1])
EMULATOR = sys.argv[2:]
PROGRAM = BUILD + "/test/stress/heap-oracle"
FOLDER = tempfile.mkdtemp(prefix="jeheap-")


def runs_here():
    """A kernel may not know programs of 32 bits."""
    try:
        subprocess.run([PROGRAM], stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return True


def test(what, target, objects):
    """Each command that reads numbers of the other width or order: against the list of the program."""
    compare(what, regions(target), objects)
    stats_agree(what, target, objects)
    check("nothing wrong" in jeheap("check", target=target).stdout, what, "check")
    arenas_of(what, target, objects)
    finds_agree(what, target, objects)
    jeheap("analyze", target=target)
    jeheap("fragmentation", target=target)


def test_contents(oracle, width):
    """examine and dump, against the memory of the live process."""
    jeheap("dump", "64", "--dir", FOLDER, target=oracle.target)
    dump_agrees(oracle, FOLDER, 64)
    words_agree(oracle, width)


def test_who(oracle, target):
    """What points to an object: the list of the program has all."""
    for address in random.Random(2).sample([a for a in oracle.objects if oracle.objects[a] > 512], 3):
        said = json.loads(jeheap("who", hex(address), "--limit=0", "--json", target=target).stdout)
        rows = said["instances"][0]["references"]
        check(any(int(row["value"], 16) == address for row in rows), "who points to", hex(address), rows[:5])


try:
    if EMULATOR or runs_here():
        with Oracle(FOLDER, library=BUILD + "/lib/libjemalloc.so.2", program=PROGRAM, emulator=EMULATOR) as the_oracle:
            if not EMULATOR:
                test("live", the_oracle.target, the_oracle.objects)
                test_contents(the_oracle, 4)
                test_who(the_oracle, the_oracle.target)
            # An emulator writes that of the program, and the kernel that of the emulator.
            core = core_of(the_oracle, FOLDER, "qemu_" if EMULATOR else "core")
        if core is not None:
            test("core", ["--core", core], the_oracle.objects)
            test_who(the_oracle, ["--core", core])
    else:
        left_out("this kernel runs no such programs")
finally:
    shutil.rmtree(FOLDER)
finish()
