#!/usr/bin/env python3
"""jeheap of this machine on a program for another one: foreign.py BUILD [EMULATOR WORD...]. The library
and heap-oracle in BUILD are for the other machine. Without an emulator the live process is read, too."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from heaps import compare, jeheap, regions, stats_agree
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


def core_of(oracle):
    """The name of its core file: of an emulator, that of the program, not of the emulator itself."""
    os.kill(oracle.pid, signal.SIGABRT)
    oracle.process.wait()
    for name in os.listdir(FOLDER):
        if name.startswith("qemu_" if EMULATOR else "core"):
            return f"{FOLDER}/{name}"
    return None


def test(what, target, objects):
    """Each command that reads numbers of the other width or order: against the list of the program."""
    compare(what, regions(target), objects)
    stats_agree(what, target, objects)
    check("nothing wrong" in jeheap("check", target=target).stdout, what, "check")
    arenas = json.loads(jeheap("arenas", "--json", target=target).stdout)["instances"][0]["arenas"]
    check(sum(arena["allocs"] for arena in arenas) == len(objects), what, "arenas")
    for address in random.Random(1).sample(sorted(objects), 10):
        said = json.loads(jeheap("find", hex(address + 3), "--json", target=target).stdout)["instances"][0]
        check((int(said["object"], 16), said["offset"], said["size"], said["state"]) ==
              (address, 3, objects[address], "live"), what, "find", said)
    jeheap("analyze", target=target)
    jeheap("fragmentation", target=target)


def test_contents(oracle, target, width):
    """examine and dump, against the memory of the live process."""
    folder = tempfile.mkdtemp(dir=FOLDER)
    jeheap("dump", "64", "--dir", folder, target=target)
    with open(folder + "/heap.64.idx") as file:
        places = [int(line.split()[1], 16) for line in file]
    check(set(places) == {a for a in oracle.objects if oracle.objects[a] == 64}, "dump", len(places))
    rows = json.loads(jeheap("examine", "64", "--words=3", "--json", target=target).stdout)
    rows = rows["instances"][0]["regions"]
    with open(f"/proc/{oracle.pid}/mem", "rb") as memory, open(folder + "/heap.64.bin", "rb") as dumped:
        for row, place in zip(rows, places):
            check(int(row["address"], 16) == place, "examine and dump", row, hex(place))
            memory.seek(place)
            words = memory.read(64)
            check(dumped.read(64) == words, "dump", hex(place))
            check([int(word["value"], 16) for word in row["words"]] == [
                int.from_bytes(words[i * width:(i + 1) * width], sys.byteorder) for i in range(3)], "examine", row)


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
                test_contents(the_oracle, the_oracle.target, 4)
                test_who(the_oracle, the_oracle.target)
            core = core_of(the_oracle)
        if core is None:
            left_out("core files: the system writes none here")
        else:
            test("core", ["--core", core], the_oracle.objects)
            test_who(the_oracle, ["--core", core])
    else:
        left_out("this kernel runs no such programs")
finally:
    shutil.rmtree(FOLDER)
finish()
