"""What tests of jeheap share: its output, compared with the list of heap-oracle (lib.Oracle)."""
import json
import os
import random
import re
import signal
import subprocess
import sys

from lib import LIB, check, left_out, unique

TOP = os.path.abspath(LIB + "/../..")
JEHEAP = TOP + "/bin/jeheap"


def jeheap(*words, status=0, target=()):
    """Its output; it must end with this status."""
    done = subprocess.run([JEHEAP, *target, *words], capture_output=True, text=True, timeout=120)
    check(done.returncode == status, words, target, "status", done.returncode, done.stderr[-500:])
    return done


def regions(target, *words, status=0):
    """Address -> size."""
    lines = [line.split() for line in jeheap("regions", *words, target=target, status=status).stdout.splitlines()]
    found = {int(line[0], 16): int(line[1]) for line in lines}
    check(len(found) == len(lines), "an address twice", len(lines), len(found))
    return found


def compare(what, found, objects, exact=True):
    """All objects of the program, no others; sizes are those of the classes."""
    check(found.keys() == objects.keys(), what, len(found), "found,", len(objects), "exist; missing:",
          [hex(a) for a in sorted(objects.keys() - found.keys())[:5]], "too many:",
          [hex(a) for a in sorted(found.keys() - objects.keys())[:5]])
    wrong = {hex(a): (found[a], objects[a]) for a in found.keys() & objects.keys()
             if not (found[a] == objects[a] if exact else found[a] >= objects[a])}
    check(not wrong, what, "sizes", list(wrong.items())[:5])


def stats_agree(what, target, objects):
    """Sums of stats, in both forms, against the list; the parts of the memory add up."""
    text = jeheap("stats", target=target).stdout
    rows = re.findall(r"^ *(\d+) bytes \* +(\d+) allocs \( *[\d.]+%\) = +(\d+) bytes \( *[\d.]+%\)", text, re.M)
    sizes = {}
    for size in objects.values():
        sizes[size] = sizes.get(size, 0) + 1
    check({int(row[0]): int(row[1]) for row in rows} == sizes, what, "rows by size")
    check(all(int(row[0]) * int(row[1]) == int(row[2]) for row in rows), what, "products")
    check(f"Total: {len(objects)} allocs, {sum(objects.values())} bytes in use\n" in text, what, "total", text[-500:])
    said = json.loads(jeheap("stats", "--json", target=target).stdout, object_pairs_hook=unique)["instances"][0]
    check(said["allocs"] == len(objects) and said["in_use"] == sum(objects.values()), what, "JSON")
    check(sum(row["count"] for row in said["classes"]) == len(objects), what, "JSON: classes")
    check(said["vm_allocated"] == sum(said[part] for part in (
        "in_use", "cached", "free_in_slabs", "slack", "dirty", "muzzy", "free_in_huge_pages", "metadata")),
        what, "the parts of the memory", said)
    caches = json.loads(jeheap("caches", "--json", target=target).stdout)["instances"][0]
    check(caches["count"] == said["cached_regions"] and caches["bytes"] == said["cached"], what, "caches",
          caches["count"], said["cached_regions"])
    return said


def finds_agree(what, target, objects):
    """find says of an address in an object where the object is."""
    for address in random.Random(1).sample(sorted(objects), 10):
        said = json.loads(jeheap("find", hex(address + 3), "--json", target=target).stdout)["instances"][0]
        check((int(said["object"], 16), said["offset"], said["size"], said["state"]) ==
              (address, 3, objects[address], "live"), what, "find", said)


def arenas_of(what, target, objects):
    """What arenas says of each; together they have all objects."""
    arenas = json.loads(jeheap("arenas", "--json", target=target).stdout)["instances"][0]["arenas"]
    check(sum(arena["allocs"] for arena in arenas) == len(objects), what, "arenas")
    return arenas


def words_agree(oracle, width):
    """examine shows the words of the live process's memory."""
    said = json.loads(jeheap("examine", "64", "--words=3", "--json", target=oracle.target).stdout)
    rows = said["instances"][0]["regions"]
    check(sorted(int(row["address"], 16) for row in rows) == sorted(a for a in oracle.objects if oracle.objects[a] == 64),
          "examine", len(rows))
    with open(f"/proc/{oracle.pid}/mem", "rb") as memory:
        for row in rows:
            memory.seek(int(row["address"], 16))
            check([int(word["value"], 16) for word in row["words"]] == [
                int.from_bytes(memory.read(width), sys.byteorder) for _ in range(3)], "examine", row)


def dump_agrees(oracle, folder, size):
    """The files of dump in this folder have the objects of one size, and their bytes."""
    with open(f"{folder}/heap.{size}.idx") as index, open(f"{folder}/heap.{size}.bin", "rb") as data, \
            open(f"/proc/{oracle.pid}/mem", "rb") as memory:
        places = [int(line.split()[1], 16) for line in index]
        check(set(places) == {a for a in oracle.objects if oracle.objects[a] == size}, "dump", size)
        for place in places:
            memory.seek(place)
            check(data.read(size) == memory.read(size), "dump", size, hex(place))
    check(os.stat(f"{folder}/heap.{size}.bin").st_mode & 0o777 == 0o600, "mode of dumped files")


def core_of(oracle, folder, name="core"):
    """Ends it; the core file in this folder whose name begins so, or None where the system writes none."""
    os.kill(oracle.pid, signal.SIGABRT)
    oracle.process.wait()
    for found in os.listdir(folder):
        if found.startswith(name):
            return f"{folder}/{found}"
    left_out("core files: the system writes none here")
    return None
