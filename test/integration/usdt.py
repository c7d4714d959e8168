#!/usr/bin/env python3
"""Probes of the heap profile that tools can watch (USDT): the library and the archive have their
notes, also when they are stripped; each stands for an instruction that does nothing; and gdb
stops there with the right arguments."""
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, PYTHON, built, built_with, check, finish, left_out, need, skip, strict

# The names, and how many arguments each has: doc/PROFILING.md.
PROBES = {"alloc": 4, "free": 4}
NOP = {"x86_64": b"\x90", "aarch64": b"\x1f\x20\x03\xd5"}.get(platform.machine())

if NOP is None:
    skip("this machine has no probes")
if not built_with("prof"):
    skip("built without heap profiles")
need("readelf", "strip")
ARCHIVE = LIB.replace(".so.2", ".a")
built(ARCHIVE)


def notes(path):
    """Name, place and arguments of each probe, as binutils read the notes."""
    done = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True, check=True)
    check("arning" not in done.stderr and "rror" not in done.stderr, path, done.stderr)
    return re.findall(r"stapsdt\s+0x[0-9a-f]+\s+NT_STAPSDT[^\n]*?\s+Provider: (\S+)\n\s+Name: (\S+)\n"
                      r"\s+Location: 0x([0-9a-f]+), Base: 0x([0-9a-f]+), Semaphore: 0x([0-9a-f]+)\n"
                      r"\s+Arguments: (.*)\n", done.stdout)


def bytes_at(path, address, count):
    """What is in the file for this address."""
    for line in subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True).stdout.split("\n"):
        words = line.split()
        if words[:1] == ["LOAD"]:
            offset, start, _, size = (int(word, 16) for word in words[1:5])
            if start <= address < start + size:
                with open(path, "rb") as file:
                    file.seek(offset + address - start)
                    return file.read(count)
    return None


def check_file(path, final):
    found = notes(path)
    check({name for _, name, *_ in found} == set(PROBES), path, "has", found)
    for provider, name, place, base, semaphore, arguments in found:
        check(provider == "jemalloc" and int(semaphore, 16) == 0, path, name, provider, semaphore)
        check(len(arguments.split()) == PROBES[name] and
              all(re.fullmatch(r"8@%?[a-z]\w+", a) for a in arguments.split()), path, name, arguments)
        if final:
            check(bytes_at(path, int(place, 16), len(NOP)) == NOP, path, name, "is no instruction without effect")
            check(bytes_at(path, int(base, 16), 1) is not None, path, name, "has a base outside of the file")


# A block of which no other has the size, taken and freed.
PROGRAM = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
for size in (7654321, 777):
    for _ in range(3):
        libc.free(libc.malloc(ctypes.c_size_t(size)))
"""
WATCH = r"""
import gdb
def number(i):
    return int(gdb.parse_and_eval("$_probe_arg%d" % i))
class Probe(gdb.Breakpoint):
    def stop(self):
        found = [number(i) for i in range(4)]
        print("PROBE", self.location.split(":")[-1], *found)
        return False
for name in ("alloc", "free"):
    Probe("-probe-stap jemalloc:" + name)
gdb.execute("run")
"""


def check_in_gdb():
    """The probes fire for each sample, in order, and say what is true of it."""
    gdb = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set confirm off"]
    if not shutil.which("gdb") or subprocess.run([*gdb, "-ex", "python print(1)"], capture_output=True).stdout != b"1\n":
        return left_out("gdb with Python is not installed")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in ("watch.py", WATCH), ("program.py", PROGRAM):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        conf = strict("prof:true,lg_prof_sample:17")
        done = subprocess.run(
            [*gdb, "-ex", "set breakpoint pending on", "-ex", f"set environment LD_PRELOAD {LIB}",
             "-ex", f"set environment MALLOC_CONF {conf}", "-ex", "set startup-with-shell off",
             "-x", folder + "/watch.py", "--args", PYTHON, "-S", folder + "/program.py"],
            capture_output=True, text=True, timeout=600)
    events = re.findall(r"^PROBE (\w+) (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.M)
    if not events and "ptrace" in done.stderr + done.stdout:
        return left_out("gdb may not watch a process here")
    live, large, freed = {}, 0, 0
    for name, *numbers in events:
        a, b, c, d = map(int, numbers)
        if name == "alloc":
            check(a not in live, "a sample twice at", hex(a))
            # Requested, usable, estimate: a large one stands for itself.
            check(b <= c and d >= c and d >= (1 << 17) * 0.99, "alloc", b, c, d)
            if b == 7654321:
                large += 1
                check(c == 7655424 and c <= d <= c + 16, "large", c, d)
            live[a] = (c, d)
        else:
            # What was allocated before gdb knew of the library is freed, too.
            check((live.pop(a, None) or (b, c)) == (b, c) and 0 < d < 1 << 62, "free", hex(a), b, c, d)
            freed += b == 7655424
    check(large == freed == 3, "samples of the large block:", large, done.stdout[-500:], done.stderr[-500:])
    print(len(events), "events in gdb")


# A program with a probe of its own, as <sys/sdt.h> makes it.
OWN = """
#include <stdlib.h>
__asm__(".pushsection .stapsdt.base,\\"aG\\",\\"progbits\\",.stapsdt.base,comdat\\n"
    "\\t.weak _.stapsdt.base\\n\\t.hidden _.stapsdt.base\\n_.stapsdt.base:\\n\\t.space 1\\n"
    "\\t.size _.stapsdt.base, 1\\n\\t.popsection\\n"
    "\\t.pushsection .data\\n\\t.8byte _.stapsdt.base\\n\\t.popsection\\n");
int main(void) { free(malloc(3)); return 0; }
"""


def check_linked():
    """All probes of a program have one base: tools compare it with the notes."""
    if not shutil.which("cc"):
        return left_out("cc is not installed")
    with tempfile.TemporaryDirectory() as folder:
        program = folder + "/program"
        with open(program + ".c", "w", encoding="utf-8") as file:
            file.write(OWN)
        done = subprocess.run(["cc", "-o", program, program + ".c", ARCHIVE, "-lpthread", "-ldl", "-lm"],
                              capture_output=True, text=True)
        if check(done.returncode == 0, "a program with its own probes:", done.stderr):
            check(subprocess.run([program]).returncode == 0, "it fails")
            check_file(program, True)
            check(len({base for _, _, _, base, *_ in notes(program)}) == 1, "several bases")
    return None


check_linked()
check_file(LIB, True)
check_file(ARCHIVE, False)
with tempfile.TemporaryDirectory() as folder:
    shutil.copy(LIB, folder + "/stripped.so")
    subprocess.run(["strip", folder + "/stripped.so"], check=True)
    check_file(folder + "/stripped.so", True)
check_in_gdb()
finish()
