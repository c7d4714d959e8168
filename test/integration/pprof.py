#!/usr/bin/env python3
"""Profiles for pprof, of programs that run: sums against the statistics, mappings
and build ids against other tools, lifetimes against a clock, what happens when
they can't be written, and what Google's pprof makes of them, where it is.

Programs run with the library preloaded; $JEMALLOC_LIB names it.
"""
import collections
import functools
import glob
import gzip
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, PYTHON, check, finish, left_out, strict

# As a profile names it.
PYTHON = os.path.realpath(PYTHON)

# Has objects of many sizes, frees some by a clock, dumps; prints what it knows.
PROGRAM = r"""
import ctypes, json, os, sys, threading, time
lib = ctypes.CDLL(None)
lib.malloc.restype = ctypes.c_void_p
lib.malloc.argtypes = [ctypes.c_size_t]
lib.calloc.restype = ctypes.c_void_p
lib.calloc.argtypes = [ctypes.c_size_t] * 2
lib.free.argtypes = [ctypes.c_void_p]
lib.mallctl.argtypes = [ctypes.c_char_p] + [ctypes.c_void_p] * 3 + [ctypes.c_size_t]
def read(name):
    value, length = ctypes.c_size_t(0), ctypes.c_size_t(8)
    assert lib.mallctl(name, ctypes.byref(value), ctypes.byref(length), None, 0) == 0
    return value.value
def write(name, value):
    return lib.mallctl(name, None, None, ctypes.byref(value), ctypes.sizeof(value))
sizes = [16, 100, 1000, 5000, 40000]
freed = [lib.malloc(333) for i in range(200)]
def work():
    global kept
    assert write(b"thread.prof.name", ctypes.c_char_p(b"worker")) == 0
    kept = [lib.malloc(size) for size in sizes for i in range(200)]
thread = threading.Thread(target=work)
thread.start()
thread.join()
# Their lifetimes begin between the first two moments, end between the last two.
# By the clock that the library reads (CLOCK_MONOTONIC_COARSE): another one may be ahead of it.
now = lambda: time.clock_gettime(6)
moments = [now()]
timed = [lib.calloc(1, 94208) for i in range(50)]
moments.append(now())
time.sleep(0.2)
moments.append(now())
for p in timed + freed: lib.free(p)
moments.append(now())
known = {"moments": moments, "pid": os.getpid()}
write(b"epoch", ctypes.c_uint64(1))
known["before"] = read(b"stats.allocated")
if sys.argv[1] != "":
    assert write(b"prof.dump", ctypes.c_char_p(sys.argv[1].encode())) == 0
write(b"epoch", ctypes.c_uint64(1))
known["after"] = read(b"stats.allocated")
known["maps"] = open("/proc/self/maps").read()
json.dump(known, sys.stdout)
"""

# Two threads dump while others allocate, load and unload a library, and fork.
BUSY = r"""
import ctypes, os, sys, threading
lib = ctypes.CDLL(None)
lib.malloc.restype = lib.dlopen.restype = ctypes.c_void_p
lib.malloc.argtypes = [ctypes.c_size_t]
lib.free.argtypes = lib.dlclose.argtypes = [ctypes.c_void_p]
lib.mallctl.argtypes = [ctypes.c_char_p] + [ctypes.c_void_p] * 3 + [ctypes.c_size_t]
stop = threading.Event()
def dump(path):
    name = ctypes.c_char_p(path.encode())
    if lib.mallctl(b"prof.dump", None, None, ctypes.byref(name), 8) != 0: os.abort()
def work():
    while not stop.is_set():
        for p in [lib.malloc(i * 37) for i in range(200)]: lib.free(p)
def load():
    while not stop.is_set():
        handle = lib.dlopen(sys.argv[2].encode(), 2)
        if not handle: os.abort()
        lib.dlclose(handle)
def dumps(number):
    for i in range(15): dump(f"{sys.argv[1]}/busy.{number}.{i}")
others = [threading.Thread(target=f) for f in (work, work, load)]
dumpers = [threading.Thread(target=dumps, args=(i,)) for i in range(2)]
for t in others + dumpers: t.start()
for i in range(5):
    pid = os.fork()
    if pid == 0:
        dump(f"{sys.argv[1]}/busy.child.{i}")
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0: os.abort()
for t in dumpers: t.join()
stop.set()
for t in others: t.join()
"""


# --- a reader -----------------------------------------------------------------

def varint(data, at):
    if data[at] < 0x80:
        return data[at], at + 1
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        else:
            assert tag & 7 == 0, tag
        yield tag >> 3, value


# Many dumps of one process have the same stacks, places and names.
@functools.cache
def message(data):
    """Fields that are there once."""
    return collections.defaultdict(int, fields(data))


@functools.cache
def numbers(data):
    result, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        result.append(value)
    return result


def is_compressed(path):
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def contents(path):
    with (gzip.open if is_compressed(path) else open)(path, "rb") as file:
        return file.read()


class Profile:
    def __init__(self, path):
        self.compressed = is_compressed(path)
        everything = list(fields(contents(path)))
        strings = [value.decode() for field, value in everything if field == 6]
        assert strings[0] == ""
        self.once = {field: value for field, value in everything if field in (9, 12, 14)}
        self.default = strings[self.once[14]]
        self.types = [(strings[m[1]], strings[m[2]]) for m in
                      (message(value) for field, value in everything if field == 1)]
        self.mappings = []
        for field, value in everything:
            if field == 3:
                m = message(value)
                assert m[1] == len(self.mappings) + 1
                self.mappings.append((m[2], m[3], m[4], strings[m[5]], strings[m[6]]))
        self.locations = {}
        for field, value in everything:
            if field == 4:
                m = message(value)
                assert m[1] not in self.locations
                self.locations[m[1]] = (m[3], m[2])
        self.samples = []
        for field, value in everything:
            if field != 2:
                continue
            sample, labels = list(fields(value)), {}
            for number, label in sample:
                if number == 3:
                    m = message(label)
                    labels[strings[m[1]]] = strings[m[2]]
            parts = dict(sample)
            values = {kind: n for (kind, _), n in zip(self.types, numbers(parts[2]))}
            assert len(values) == len(self.types)
            self.samples.append((numbers(parts.get(1, b"")), values, labels))
        for ids, _, _ in self.samples:
            assert all(i in self.locations for i in ids)

    def sum(self, kind, suits=lambda values, labels: True):
        return sum(values[kind] for _, values, labels in self.samples
                   if suits(values, labels))


# --- programs -----------------------------------------------------------------

folder = tempfile.mkdtemp(prefix="jemalloc-test.")


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def run(options, dump="", before=None):
    done = subprocess.run(
        [PYTHON, "-S", "-c", PROGRAM, dump], cwd=folder, timeout=1500,
        capture_output=True, text=True, preexec_fn=before,
        env={"PATH": os.environ["PATH"], "LD_PRELOAD": LIB, "PYTHONMALLOC": "malloc",
             "MALLOC_CONF": strict(f"abort:false,prof:true,prof_format:pprof,prof_prefix:{folder}/auto,{options}")})
    check(done.returncode == 0, f"{options}: status {done.returncode}, {done.stderr[-500:]}")
    known = json.loads(done.stdout) if done.returncode == 0 else None
    return known, done.stderr


def left():
    names = sorted(os.listdir(folder))
    for name in names:
        os.unlink(os.path.join(folder, name))
    return names


def build_id(path):
    try:
        notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    found = re.search(r"Build ID: ([0-9a-f]+)", notes.stdout)
    return found.group(1) if found else ""


def check_mappings(profile, maps):
    """As the kernel shows them, with the ids that the files have."""
    expected = {}
    for line in maps.splitlines():
        parts = line.split(None, 5)
        if len(parts) == 6 and "x" in parts[1]:
            start, end = (int(number, 16) for number in parts[0].split("-"))
            expected[start] = (end, int(parts[2], 16), parts[5])
    got = {start: (end, offset, name) for start, end, offset, name, _ in profile.mappings}
    check(got == expected, f"mappings are {got}, not {expected}")
    check(profile.mappings[0][3] == PYTHON, f"the first is {profile.mappings[0]}")
    compared = 0
    for _, _, _, name, identity in profile.mappings:
        if name.startswith("/") and build_id(name) is not None:
            compared += 1
            check(identity == build_id(name),
                  f"{name}: build id {identity}, not {build_id(name)}")
    check(any(name == LIB for _, _, _, name, _ in profile.mappings), f"no {LIB}")
    print(f"{len(profile.mappings)} mappings, {compared} build ids compared")
    for address, mapping in profile.locations.values():
        inside = [i + 1 for i, m in enumerate(profile.mappings) if m[0] <= address < m[1]]
        check(inside == ([mapping] if mapping else []), f"{address:#x} is not in {mapping}")


def exactly():
    """Every object is a sample: sums are those of the statistics."""
    path = os.path.join(folder, "exact")
    known, _ = run("lg_prof_sample:0,prof_accum:true", path)
    if known is None:
        return
    profile = Profile(path)
    total = profile.sum("inuse_space")
    print(f"{total} bytes, {known['before']} by the statistics")
    # What came before the profile began, and what the program did between.
    check(abs(total - known["before"]) <= 0.01 * known["before"],
          f"{total} bytes, but {known['before']} are allocated")
    check(profile.types == [("freed_objects", "count"), ("lifetime", "microseconds"),
                            ("alloc_objects", "count"), ("alloc_space", "bytes"),
                            ("inuse_objects", "count"), ("inuse_space", "bytes")],
          f"types are {profile.types}")
    check(profile.default == "inuse_space" and profile.once[12] == 1, "default or period")
    for _, values, _ in profile.samples:
        check(values["alloc_objects"] - values["freed_objects"] == values["inuse_objects"] and
              values["alloc_space"] >= values["inuse_space"], f"{values} do not add up")
    worker = profile.sum("inuse_space", lambda v, l: l.get("thread_name") == "worker")
    sizes = 200 * (16 + 112 + 1024 + 5120 + 40960)
    check(sizes <= worker <= 1.1 * sizes, f"{worker} bytes of the worker, not {sizes}")
    check(all(re.fullmatch(r"t\d+", labels["thread"]) for _, _, labels in profile.samples),
          "threads have other names")
    check_mappings(profile, known["maps"])
    check_lifetimes(profile, known["moments"])
    check(profile.compressed == (b"deflate" in open(LIB, "rb").read()), "compressed or not")
    left()


def check_lifetimes(profile, moments):
    """Those of fifty objects of 92 KiB, which nobody else has, freed after a while."""
    # An interpreter that adapts itself calls from several places.
    timed = [v for _, v, _ in profile.samples if v["freed_objects"] > 0 and
             v["alloc_space"] - v["inuse_space"] == v["freed_objects"] * 94208]
    freed = sum(v["freed_objects"] for v in timed)
    if not check(freed == 50, f"{freed} of 92 KiB are freed: {timed}"):
        return
    mean = sum(v["lifetime"] for v in timed) / freed / 1e6
    low, high = moments[2] - moments[1], moments[3] - moments[0]
    # Lifetimes are in microseconds.
    check(low - 0.00001 <= mean <= high + 0.00001,
          f"they have lived for {mean} s, not between {low} and {high}")
    print(f"mean lifetime {mean:.3f} s, between {low:.3f} and {high:.3f}")


def estimated():
    """Values stand for all objects."""
    path = os.path.join(folder, "estimate")
    for options, types in (("lg_prof_sample:12", 2), ("lg_prof_sample:14,prof_accum:true", 6)):
        known, _ = run(options, path)
        if known is None:
            return
        profile = Profile(path)
        check(len(profile.types) == types, f"{options}: types {profile.types}")
        period = profile.once[12]
        total, allocated = profile.sum("inuse_space"), known["before"]
        error = (total - allocated) / math.sqrt(period * allocated)
        print(f"{options}: {total} of {allocated} bytes, {error:+.1f} standard errors")
        # The largest weight is a 25th of this error: by Bernstein, chance misses seven of them
        # less than once in 10^9.
        check(abs(error) < 7, f"{options}: {error} standard errors")
        check(min(v["inuse_objects"] for _, v, _ in profile.samples) >= 0, "below zero")
    left()


def names_of_files():
    known, said = run("prof_final:true,prof_leak:true,lg_prof_sample:8")
    suffix = "pb.gz" if b"deflate" in open(LIB, "rb").read() else "pb"
    name = f"auto.{known['pid']}.0.f.{suffix}"
    check("Run pprof on dump output" in said, f"said: {said}")
    Profile(os.path.join(folder, name))
    check(left() == [name], f"there is no {name} alone")


def by_themselves():
    """Dumps that begin inside of malloc, and one into a pipe."""
    known, said = run("lg_prof_interval:22,prof_gdump:true,lg_prof_sample:13")
    names = left_profiles()
    print(len(names), "dumps")
    check(said == "" and known is not None, f"said: {said}")
    for kind in "iu":
        count = len([name for name in names if re.fullmatch(
            rf"auto\.{known['pid']}\.\d+\.{kind}\d+\.pb(\.gz)?", name)])
        check(count >= 3, f"{count} dumps of kind {kind}: {names}")
    pipe = os.path.join(folder, "pipe")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as cat:
        run("lg_prof_sample:10", pipe)
        with open(os.path.join(folder, "read"), "wb") as file:
            file.write(cat.stdout.read())
    check(Profile(os.path.join(folder, "read")).sum("inuse_space") > 0, "nothing in the pipe")
    left()


def left_profiles():
    """Each of them is whole; and of hundreds every eighth, or all with TEST_LONG=1, can be read."""
    step = 1 if os.environ.get("TEST_LONG", "0") != "0" else 8
    for i, name in enumerate(sorted(os.listdir(folder))):
        if i % step == 0:
            Profile(os.path.join(folder, name))
        else:
            assert list(fields(contents(os.path.join(folder, name)))), name
    return left()


def what_can_t_be_written():
    known, said = run("prof_final:true,prof_prefix:/nowhere/at/all,lg_prof_sample:8")
    check(known is not None and said.count("can't be written") == 1 and
          said.count("\n") == 1, f"no such folder: {said}")
    check(left() == [], "no such folder: files are left")
    known, said = run("prof_final:true,lg_prof_sample:8", before=limit_files)
    check(known is not None and said.count("can't be written") == 1 and
          said.count("\n") == 1, f"full: {said}")
    check(left() == [], "full: files are left")
    if os.geteuid() != 0:
        os.chmod(folder, 0o500)
        known, said = run("prof_final:true,lg_prof_sample:8")
        os.chmod(folder, 0o700)
        check(said.count("can't be written") == 1, f"a folder for reading: {said}")
        check(left() == [], "a folder for reading: files are left")


def while_others_work():
    plugin = glob.glob("/usr/lib/python3*/lib-dynload/_json*.so")
    plugin = plugin[0] if plugin else "libm.so.6"
    done = subprocess.run(
        [PYTHON, "-S", "-c", BUSY, folder, plugin], timeout=1500, capture_output=True, text=True,
        env={"LD_PRELOAD": LIB, "MALLOC_CONF": strict(
            "prof:true,prof_format:pprof,prof_accum:true,lg_prof_sample:10")})
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr[-500:]}")
    names = sorted(os.listdir(folder))
    check(len(names) == 35, f"{len(names)} dumps")
    for name in names:
        profile = Profile(os.path.join(folder, name))
        check(all(v["alloc_objects"] >= v["inuse_objects"] for _, v, _ in profile.samples),
              f"{name} does not add up")
    left()


SOURCE = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *kept[1000];
static int count;
__attribute__((noinline)) void
take_small(void)
{
	memset(kept[count++] = malloc(1000), 1, 1000);
}
__attribute__((noinline)) void
take_large(void)
{
	memset(kept[count++] = calloc(1, 98304), 1, 1);
}
int
main(void)
{
	for (int i = 0; i < 300; i++)
		take_small();
	for (int i = 0; i < 10; i++)
		take_large();
	usleep(500000);
	for (int i = 0; i < 100; i++)
		free(kept[i]);
	return 0;
}
"""


def reader():
    """The command that reads profiles, or None."""
    for command in (["pprof"], ["go", "tool", "pprof"]):
        if shutil.which(command[0]):
            try:
                # There are other programs of this name.
                said = subprocess.run(command + ["-help"], capture_output=True, text=True,
                                      timeout=600)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if "-sample_index" in said.stdout + said.stderr:
                return command
    return None


def compiled(*options):
    """A dump of the program above, or None."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    source, program = os.path.join(folder, "p.c"), os.path.join(folder, "p")
    with open(source, "w", encoding="utf-8") as file:
        file.write(SOURCE)
    if compiler is None or subprocess.run(
            [compiler, "-g", "-O1", "-fno-builtin", source, "-o", program, *options],
            check=False).returncode != 0:
        return None, None
    environment = {} if options else {"LD_PRELOAD": LIB}
    environment["MALLOC_CONF"] = strict("prof:true,prof_format:pprof,prof_final:true,prof_accum:true,"
                                        f"lg_prof_sample:0,prof_prefix:{folder}/q")
    done = subprocess.run([program], timeout=600, env=environment)
    check(done.returncode == 0, f"{options}: status {done.returncode}")
    dumps = glob.glob(os.path.join(folder, "q.*"))
    check(len(dumps) == 1, f"{options}: dumps {dumps}")
    return program, dumps[0] if dumps else None


def linked_statically():
    archive = os.path.join(os.path.dirname(LIB), "libjemalloc.a")
    # gcc leaves the index of unwind information out of static programs.
    program, dump = compiled("-static", "-Wl,--eh-frame-hdr", archive, "-pthread") if (
        os.path.exists(archive)) else (None, None)
    if program is None:
        print("no compiler or no archives: not linked statically")
    elif dump is not None:
        profile = Profile(dump)
        check(profile.mappings[0][3] == program, f"mappings {profile.mappings}")
        taken = [(ids, v) for ids, v, _ in profile.samples if v["inuse_space"] == 10 * 98304]
        check(len(taken) == 1 and len(taken[0][0]) >= 4 and
              all(profile.locations[i][1] == 1 for i in taken[0][0]), f"stacks {taken}")
        # Where stacks begin, readers can only tell if our functions have names.
        read_by_pprof(program, dump, only_sums=True)
    left()


def as_pprof_reads_them():
    program, dump = compiled()
    if dump is not None:
        read_by_pprof(program, dump)
    left()


def read_by_pprof(program, dump, only_sums=False):
    pprof = reader()
    if pprof is None:
        left_out("pprof (golang-go) is not installed")
        return

    def top(*options):
        done = subprocess.run(
            pprof + ["-top", "-unit=B", *options, program, dump], capture_output=True,
            text=True, timeout=600, env={**os.environ, "PPROF_TMPDIR": folder, "HOME": folder})
        check(done.returncode == 0, f"{pprof}: {done.stderr}")
        rows = {}
        for line in done.stdout.splitlines():
            found = re.match(r" *(-?\d+)\D* +[\d.]+% +[\d.]+% +(-?\d+)\D* +[\d.]+% +(.*)", line)
            if found:
                rows[found.group(3).split(" ")[0]] = (int(found.group(1)), int(found.group(2)))
        return rows, done.stdout

    for options, small, large in (
            ((), 200 * 1024, 10 * 98304), (("-sample_index=inuse_objects",), 200, 10),
            (("-sample_index=alloc_space",), 300 * 1024, 10 * 98304),
            (("-sample_index=freed_objects",), 100, None)):
        rows, text = top(*options)
        for name, expected in (("take_small", small), ("take_large", large)):
            flat, total = rows.get(name, (0, 0))
            check(expected in (None, total) and (only_sums or flat == total),
                  f"{options}: {name}: {text}")
        check("malloc" not in rows and "calloc" not in rows, f"{options}: {text}")
        check("main" in rows and rows["main"][1] == small + (large or 0), f"{options}: {text}")
    if only_sums:
        return
    rows, text = top("-mean", "-sample_index=lifetime", "-unit=us")
    # Less than half a second: the clock may be late.
    check(rows.get("take_small", (0,))[0] >= 250000 and "take_large" not in rows,
          f"lifetimes: {text}")


check(glob.glob("/proc/self/maps") != [], "no /proc")
for test in (exactly, estimated, names_of_files, by_themselves, what_can_t_be_written,
             while_others_work, linked_statically, as_pprof_reads_them):
    print(test.__name__)
    test()
shutil.rmtree(folder)
finish()
