#!/usr/bin/env python3
"""jeheap, against a program that keeps a list of its objects (heap-oracle): what it says
of the live process, of core files that the kernel and gdb write, of damaged ones."""
import array
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.dont_write_bytecode = True
from heaps import (JEHEAP, TOP, arenas_of, compare, core_of, dump_agrees, finds_agree, jeheap, regions, stats_agree,
                   words_agree)
from lib import LIB, Oracle, PYTHON, built, built_with, check, chosen, finish, left_out, skip, strict

if not chosen("jeheap"):
    skip("libelf-dev is not installed, so jeheap was not to be built")
built(JEHEAP, Oracle.PROGRAM)
FOLDER = tempfile.mkdtemp(prefix="jeheap-")


_, core_limit = resource.getrlimit(resource.RLIMIT_CORE)


def test_options_of_the_library():
    """The live process, whatever the options of the library are."""
    confs = ["", "tcache:false", "safety:full", "guard_sample:20", "hpa:true,narenas:2", "dss:primary,retain:false"]
    if built_with("prof"):
        confs.append("prof:true,lg_prof_sample:0")
    for number, conf in enumerate(confs):
        usable_is_class = conf not in ("safety:full", "guard_sample:20")
        with Oracle(FOLDER, conf, seed=number) as oracle:
            compare(conf, regions(oracle.target), oracle.objects, usable_is_class)
            check("nothing wrong" in jeheap("check", target=oracle.target).stdout, conf, "check")
            # All of each object can be read, also before a guard.
            for command in ["analyze"], ["who", hex(max(oracle.objects))], ["dump", "--dir", FOLDER, "--force"]:
                jeheap(*command, target=oracle.target)
            sums_agree(conf, oracle.target)
            if usable_is_class:
                stats_agree(conf, oracle.target, oracle.objects)


def test_child_of_fork():
    """Caches of threads that only the parent has are caches, too."""
    with Oracle(FOLDER, "", "fork") as oracle:
        compare("child", regions(oracle.target), oracle.objects)
        check(built_with("debug") or "a thread of the parent" in jeheap("caches", target=oracle.target).stdout,
              "threads of the parent")


def check_goes_on(pid):
    """Nobody has stopped or traces one of its threads."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as file:
            lines = file.read()
        check("TracerPid:\t0" in lines and not re.search(r"^State:\s+[tT]", lines, re.M), "thread", task, lines[:300])


def test_running_process():
    """Without stopping it, and what stopping leaves: a process that goes on."""
    with Oracle(FOLDER) as oracle:
        done = jeheap("regions", "--no-stop", target=oracle.target)
        check("approximate" in done.stderr, "--no-stop says so", done.stderr)
        compare("--no-stop", {int(line.split()[0], 16): int(line.split()[1]) for line in done.stdout.splitlines()},
                oracle.objects)
        # What something else has stopped is exact.
        os.kill(oracle.pid, signal.SIGSTOP)
        os.waitpid(oracle.pid, os.WUNTRACED)
        done = jeheap("caches", "--no-stop", target=oracle.target)
        check("approximate" not in done.stderr and "thread ?" in done.stdout, "stopped", done.stderr)
        os.kill(oracle.pid, signal.SIGCONT)
        # It is interrupted at any moment, and the process is not left stopped.
        for wait in (0.001, 0.01, 0.05):
            tool = subprocess.Popen([JEHEAP, *oracle.target, "analyze"], stdout=subprocess.DEVNULL)
            try:
                tool.wait(wait)
            except subprocess.TimeoutExpired:
                tool.send_signal(signal.SIGINT)
            tool.wait()
        check_goes_on(oracle.pid)
    check(oracle.process.returncode == 0, "its end", oracle.process.returncode)


def test_random_stops():
    """Stopped at any moment, with 8 threads at work: what a thread has just got, or is just about to free, may be
    there too (two objects in realloc); nothing is missing unless the note of jeheap counts it, or a thread is between
    the two stores of free(): its stack has grown, and the new top is still an object that was there before."""
    waits = random.Random(7)
    with Oracle(FOLDER, "", "busy") as oracle:
        (place, count), = oracle.objects.items()
        for number in range(12):
            time.sleep(waits.random() * 0.05)
            os.kill(oracle.pid, signal.SIGSTOP)
            os.waitpid(oracle.pid, os.WUNTRACED)
            done = subprocess.run([JEHEAP, *oracle.target, "--no-stop", "regions"], capture_output=True, text=True)
            with open(f"/proc/{oracle.pid}/mem", "rb") as memory:
                memory.seek(place)
                words = array.array("Q", memory.read(16 * count))
            os.kill(oracle.pid, signal.SIGCONT)
            listed = {address for address in words[::2] if address > 1}
            found = {int(line.split()[0], 16) for line in done.stdout.splitlines()}
            said = re.search(r"uncertain: (\d+)", done.stderr)
            locked = "locks were held" in done.stderr
            doubt = int(said.group(1)) if said else 0
            check(done.returncode == (2 if locked else 0) and "approximate" not in done.stderr, "stop", number, done.stderr)
            check(locked or (len(listed - found) <= doubt + 1 and len(found - listed) <= 16 + doubt), "stop", number,
                  len(listed), "objects, missing", len(listed - found), "too many", len(found - listed), done.stderr)


def test_commands(oracle):
    """find, examine, dump, regions with their options: against the list and the memory."""
    objects, target = oracle.objects, oracle.target
    finds_agree("live", target, objects)
    folder = FOLDER + "/dump"
    os.mkdir(folder)
    large = min(size for size in objects.values() if size > 16384)
    jeheap("dump", f"48-80,{large}", "--dir", folder, target=target)
    done = jeheap("dump", "64", "--dir", folder, target=target, status=1)
    check("is there already" in done.stderr, "dump overwrites nothing", done.stderr)
    for size in (48, 64, 80, large):
        dump_agrees(oracle, folder, size)
    check(len(os.listdir(folder)) == 8, "files of dump", os.listdir(folder))
    words_agree(oracle, 8)
    check(len(jeheap("regions", "--limit=7", target=target).stdout.splitlines()) == 7, "--limit")
    small = regions(target, "small")
    check(small.keys() | regions(target, "large").keys() == objects.keys() and max(small.values()) < 16384,
          "small and large")
    check(set(regions(target, "100").values()) == {112}, "the class that serves 100 bytes")
    for arena in arenas_of("live", target, objects)[:3]:
        check(len(regions(target, f"--arena={arena['index']}")) == arena["allocs"], "--arena", arena["index"])
    for words, answer in [(["--arena=4000"], "no such arena"), (["caches", "--thread=4000000"], "such a thread")]:
        done = jeheap(*words, target=target, status=1)
        check(answer in done.stderr and ("--arena" not in words[0] or done.stdout == ""), words, done.stdout[:200])
    jeheap("caches", f"--thread={oracle.pid}", target=target)
    for size, answer in [("0-4", "no size class"), ("blue", "is no"), ("30g-20g", "no size class")]:
        check(answer in jeheap("stats", size, target=target, status=1).stderr, size)


def test_who(oracle):
    """What points to an object: the list of the program, which is in its data, has all."""
    for address in random.Random(2).sample([a for a in oracle.objects if oracle.objects[a] > 512], 3):
        said = json.loads(jeheap("who", hex(address), "--limit=0", "--json", target=oracle.target).stdout)
        rows = said["instances"][0]["references"]
        check(any("workers" in row["in"] or "shared" in row["in"] for row in rows if int(row["value"], 16) == address),
              "who points to", hex(address), rows[:5])
        check(any(row["in"] == "other memory" for row in rows if int(row["value"], 16) == address),
              "the list, which is in memory that the program has mapped,", hex(address), rows[:5])
        check(said["instances"][0]["found"] == len(rows), "who: their number")


def sums_agree(what, target):
    """fragmentation is well-formed, and its sums are those of stats."""
    said = json.loads(jeheap("stats", "--json", target=target).stdout)["instances"][0]
    picture = xml.etree.ElementTree.fromstring(jeheap("fragmentation", target=target).stdout)
    text = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    for name, figure in [("live", "in_use"), ("cached", "cached"), ("free in slabs", "free_in_slabs"),
                         ("dirty", "dirty"), ("muzzy", "muzzy"), ("rounding", "slack")]:
        check(f"{name}: {said[figure]}" in text, what, "fragmentation", name, said[figure], text)


def test_pictures(oracle):
    """fragmentation; top looks several times."""
    sums_agree("live", oracle.target)
    looks = jeheap("top", "--count=3", "--interval=0", "--json", target=oracle.target).stdout.splitlines()
    check([json.loads(look)["instances"][0]["allocs"] for look in looks] == [len(oracle.objects)] * 3,
          "top: one document in a line", len(looks))
    said = jeheap("top", "--count=2", "--interval=0", "--limit=5", target=oracle.target).stdout
    check(said.count("Total: ") == 2 and len(re.findall(" allocs [(]", said)) == 10, "top", said)


def without_library():
    """A folder in which the library is not: a core file must do without it."""
    path = FOLDER + "/nothing"
    os.makedirs(path, exist_ok=True)
    return ["--sysroot", path]


def test_truncated(core, oracle):
    """No crash; a line says that it ends too early. No object that never was."""
    size = os.stat(core).st_size
    with open(core, "rb") as file:
        head = file.read(1 << 20)
    statuses = set()
    for part in (0, 40, 1000, 5000, 65536, size // 7, size // 3, size // 2, size * 9 // 10, size - 4096):
        cut = FOLDER + "/cut"
        if part <= len(head):
            with open(cut, "wb") as file:
                file.write(head[:part])
        else:
            subprocess.run(["cp", "--sparse=always", core, cut], check=True)
            os.truncate(cut, part)
        done = subprocess.run([JEHEAP, "--core", cut, "regions", "--include-cached"], capture_output=True, text=True,
                              timeout=60)
        statuses.add(done.returncode)
        check(done.returncode in (1, 2, 3) and done.stderr, "cut at", part, done.returncode, done.stderr)
        if done.returncode == 2:
            check("ends too early" in done.stderr, "cut at", part, done.stderr)
            live = [line.split() for line in done.stdout.splitlines()]
            check(all(int(line[0], 16) in oracle.objects for line in live if line[2] == "live") or
                  "unreadable" in done.stderr, "cut at", part, "objects that are not")
    check(2 in statuses, "none of the cut files could be read in part", statuses)


def test_damaged(core):
    """Changed bytes, with a fixed seed: the tool ends, with a status of its own."""
    randomly = random.Random(5)
    damaged = FOLDER + "/damaged"
    subprocess.run(["cp", "--sparse=always", core, damaged], check=True)
    pages = []
    with open(damaged, "rb") as file:
        at = 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            pages += range(at // 4096, (end + 4095) // 4096)
            at = end
    with open(damaged, "r+b") as file:
        for number in range(24):
            undo = []
            for _ in range(2000):
                place = randomly.choice(pages) * 4096 + randomly.randrange(512) * 8
                file.seek(place)
                word = file.read(8)
                undo.append((place, word))
                file.seek(place)
                file.write(randomly.choice([bytes(8), b"\xff" * 8, randomly.randbytes(8), word[:7] + b"\x01"]))
            file.flush()
            command = ["stats", "check", "caches", "arenas", "regions", "stats"][number % 6]
            done = subprocess.run([JEHEAP, "--core", damaged, command], capture_output=True, timeout=60)
            check(done.returncode in (0, 1, 2, 3), "damage", number, command, done.returncode, done.stderr[-300:])
            for place, word in reversed(undo):
                file.seek(place)
                file.write(word)


def test_mutants():
    """Many more changed words, in the core file of a shell, which is small: see test/fuzz/jeheap_mutants.c."""
    program = TOP + "/test/fuzz/jeheap-mutants"
    built(program)
    folder = FOLDER + "/shell"
    os.mkdir(folder)
    subprocess.run(["sh", "-c", "kill -ABRT $$"], cwd=folder, env={**os.environ, "LD_PRELOAD": LIB}, check=False,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (core_limit, core_limit)))
    for name in os.listdir(folder):
        jeheap("--core", f"{folder}/{name}", "check")
        done = subprocess.run([program, name, "400"], cwd=folder, capture_output=True, text=True)
        counts = [int(count) for count in re.findall(r"\d+ (\d+)", done.stdout)]
        check(done.returncode == 0 and len(counts) == 4 and all(counts), "mutants", done.stdout, done.stderr)


def test_core(core, oracle):
    target = ["--core", core]
    compare("core of the kernel", regions(target), oracle.objects)
    stats_agree("core of the kernel", target, oracle.objects)
    compare("without the files", regions(target + without_library()), oracle.objects)
    check("nothing wrong" in jeheap("check", target=target).stdout, "check of a core")
    text = jeheap("caches", target=target).stdout
    check(f"thread {oracle.pid}\n" in text, "threads of a core", text[:300])
    with Oracle(FOLDER, "", seed=9) as later:
        sizes = {}
        for objects, sign in ((oracle.objects, -1), (later.objects, 1)):
            for size in objects.values():
                sizes[size] = sizes.get(size, 0) + sign
        said = json.loads(jeheap("diff", core, "--json", target=later.target).stdout)["instances"][0]["classes"]
        check({row["size"]: row["after"] - row["before"] for row in said} ==
              {size: change for size, change in sizes.items() if change}, "diff")
    test_truncated(core, oracle)
    test_damaged(core)


def writable(pid):
    """Bytes of address space that a process may write to."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        ranges = re.findall(r"^(\w+)-(\w+) rw", maps.read(), re.M)
    return sum(int(end, 16) - int(start, 16) for start, end in ranges)


def test_core_without_free():
    """What the library keeps for later is not in a core file; all objects are."""
    folder = FOLDER + "/less"
    os.mkdir(folder)
    with Oracle(folder, "core_dump_free:false") as oracle:
        whole = writable(oracle.pid)
        less = core_of(oracle, folder)
    said = json.loads(jeheap("stats", "--json", target=["--core", less]).stdout)["instances"][0]
    # Small runs stay in it.
    check(os.stat(less).st_size < whole - said["retained"] * 9 // 10, "core_dump_free:false",
          os.stat(less).st_size, whole, said["retained"])
    compare("core without free pages", regions(["--core", less]), oracle.objects)


def test_stripped(oracle_words=()):
    """Nothing is needed but what is loaded: a library without any symbol or section name."""
    if not shutil.which("strip"):
        left_out("strip is not installed")
        return
    stripped = FOLDER + "/libjemalloc.so.2"
    subprocess.run(["strip", "-s", "-o", stripped, LIB], check=True)
    with Oracle(FOLDER, "", *oracle_words, library=stripped) as oracle:
        compare("stripped", regions(oracle.target), oracle.objects)


def test_names_in_json():
    """Names of any bytes: UTF-8 as it is, quotes and control characters escaped, others replaced."""
    named = os.fsencode(FOLDER) + b"/n\xc3\xa4me\xff\xe2\x82\x1b\"\xf0\x9f\x98\x80\xed\xa0\x80"
    shutil.copy(Oracle.PROGRAM, named)
    with Oracle(FOLDER, program=named) as oracle:
        done = subprocess.run([JEHEAP, *oracle.target, "find", f"{max(oracle.objects):#x}", "--json"],
                              capture_output=True, check=True)
        json.loads(done.stdout.decode())
        with open(f"/proc/{oracle.pid}/maps", errors="surrogateescape") as file:
            place = next(line.split("-")[0] for line in file if "/n" in line)
        done = subprocess.run([JEHEAP, *oracle.target, "find", "0x" + place, "--json"], capture_output=True, check=True)
        said = json.loads(done.stdout.decode())
        check("n\u00e4me\ufffd\ufffd\ufffd\x1b\"\U0001f600\ufffd\ufffd\ufffd" in repr_of(said), "names in JSON", done.stdout)


def repr_of(said):
    """All texts of a document."""
    if isinstance(said, dict):
        return " ".join(repr_of(part) for part in said.values())
    return " ".join(map(repr_of, said)) if isinstance(said, list) else str(said)


def test_gcore():
    if not shutil.which("gcore") or subprocess.run(["gdb", "--version"], capture_output=True).returncode:
        left_out("gdb is not installed")
        return
    program = "import os, signal\nx = [bytes(100 + i) for i in range(1000)]\nos.write(1, b'1')\nsignal.pause()"
    with subprocess.Popen([PYTHON, "-c", program], stdout=subprocess.PIPE,
                          env={**os.environ, "LD_PRELOAD": LIB, "PYTHONMALLOC": "malloc"}) as process:
        process.stdout.read(1)
        # It has no more to do than to go to sleep; after that, nothing changes.
        live, before = regions(["--pid", str(process.pid)]), None
        while live != before:
            time.sleep(0.1)
            live, before = regions(["--pid", str(process.pid)]), live
        done = subprocess.run(["gcore", "-o", FOLDER + "/gcore", str(process.pid)], capture_output=True, text=True)
        core = f"{FOLDER}/gcore.{process.pid}"
        process.kill()
    if check(os.path.exists(core), "gcore", done.stdout[-300:], done.stderr[-300:]):
        compare("gcore", regions(["--core", core]), live)
        check(len(live) > 1000, "objects of python", len(live))


def test_manual():
    """The example of doc/INSPECT.md: what it shows is what is printed, but for addresses."""
    with open(os.path.join(os.environ.get("srcdir", "."), "doc/INSPECT.md")) as file:
        page = file.read()
    source = re.search(r"```c\+\+\n(.*?)```", page, re.S).group(1)
    if not shutil.which("c++"):
        left_out("c++ is not installed")
        return
    program = FOLDER + "/server"
    # It stands still where the one of the page ends.
    with open(program + ".cc", "w") as file:
        file.write("#include <unistd.h>\n" + source.replace("std::raise(SIGABRT)", "puts(\"\"), fflush(stdout), pause()"))
    subprocess.run(["c++", "-O1", "-s", "-include", "cstdio", "-o", program, program + ".cc"], check=True)
    conf = strict("prof:true,lg_prof_sample:0" if built_with("prof") else "")
    with subprocess.Popen([program], stdout=subprocess.PIPE, env={
            **os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": conf}) as process:
        process.stdout.readline()
        target = ["--pid", str(process.pid)]
        said = jeheap("analyze", "64,3072", target=target).stdout
        for line in re.findall(r"^ +\d+ \( *[\d.]+%\)  .*?(?= 0x)", page, re.M):
            check(line in said, "the page shows", repr(line), "not", said[:1000])
        said = jeheap("stats", "32,64,3072", target=target).stdout
        for line in re.findall(r"^ +\d+ bytes \* +6700 allocs", page, re.M):
            check(line in said, "the page shows", repr(line), "not", said[:1000])
        first = jeheap("regions", "3072", "--limit=1", target=target).stdout.split()[0]
        said = jeheap("find", first, target=target).stdout
        check("live object of 3072 bytes" in said, "find", said)
        check(not built_with("prof") or ("3000 bytes were requested by" in said and
                                         "operator new(unsigned long)+" in said), "find: the sample", said)
        words = jeheap("examine", "64", "--limit=1", "--words=6", target=target).stdout
        check(re.fullmatch(r"0x\w+:  0x\w+ <server\+0x\w+>  0x\w+ \[live 32 \+0\]  0x16  0x1e  \w+  "
                           r"0x\w+ \[live 3072 \+0\]\n", words), "examine", words)
        process.kill()


def test_manual_live():
    """The same for the example of a live process; numbers that depend on caches are left out."""
    with open(os.path.join(os.environ.get("srcdir", "."), "doc/INSPECT.md")) as file:
        page = file.read()
    program = FOLDER + "/index"
    with open(program + ".c", "w") as file:
        file.write(re.search(r"```c\n(.*?)```", page, re.S).group(1).replace("pause()", 'puts(""), fflush(stdout), pause()'))
    if not shutil.which("cc"):
        left_out("cc is not installed")
        return
    subprocess.run(["cc", "-O1", "-s", "-o", program, program + ".c"], check=True)
    with subprocess.Popen([program], stdout=subprocess.PIPE, env={
            **os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict("")}) as process:
        process.stdout.readline()
        target = ["--pid", str(process.pid)]
        # What puts() needs lies in another class.
        said = jeheap("stats", "224", target=target).stdout
        for line in re.findall(r"^ +224 bytes \* +40000 allocs", page, re.M):
            check(line in said, "the page shows", repr(line), "not", said)
        said = jeheap("stats", target=target).stdout
        share = re.search(r"in use: \d+ \(([\d.]+)%\)", said)
        holes = re.search(r"free in slabs: (\d+)", said)
        check(share and float(share[1]) < 5 and holes and int(holes[1]) > 200 << 20, "few live objects, many holes", said)
        words = jeheap("examine", "224", "--limit=2", "--words=4", target=target).stdout
        check(re.fullmatch(r"(0x\w+:  0x\w+ \[live 224 \+0\]  0x\w+  0x7972746e65  0\n){2}", words), "examine", words)
        process.kill()


WAITING = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static __thread void *volatile local;

int
main(void)
{
	char *twice = malloc(100), *volatile other = malloc(100);
	void **mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	local = malloc(3000);
	mapped[5000] = malloc(5000);
	printf("%p %p\\n", local, mapped[5000]);
	fflush(stdout);
	free(twice);
	memset(twice, 'Z', 8);
	free(twice);
	pause();
	return other != NULL;
}
"""


def test_waiting_program():
    """An object that was freed twice at last, and objects that only other memory points to."""
    if not shutil.which("cc"):
        left_out("no cc: a program that waits")
        return
    program = FOLDER + "/waiting"
    with open(program + ".c", "w") as file:
        file.write(WAITING)
    subprocess.run(["cc", "-O0", "-o", program, program + ".c", "-w"], check=True)
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True, env={
            **os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict("junk:false")}) as process:
        places = process.stdout.readline().split()
        target = ["--pid", str(process.pid)]
        with open(f"/proc/{process.pid}/stat") as file:
            while file.read().rpartition(")")[2].split()[0] == "R":
                time.sleep(0.01)
                file.seek(0)
        for place in places:
            said = jeheap("who", place, target=target, status=2).stdout
            check(said.count("-> +0  [other memory]") >= 1, "who", place, said)
        done = jeheap("check", target=target, status=2)
        check("is cached twice" in done.stdout + done.stderr, "freed twice", done.stdout, done.stderr)
        said = json.loads(jeheap("stats", "--include-cached", "--json", target=target, status=2).stdout)["instances"][0]
        check(said["vm_allocated"] == sum(said[part] for part in (
            "in_use", "cached", "free_in_slabs", "slack", "dirty", "muzzy", "free_in_huge_pages", "metadata")) and
            said["cached"] == 0 and sum(row["bytes"] for row in said["classes"]) == said["in_use"], "--include-cached", said)
        process.kill()


# What analyze may say of each kind of test/integration/kinds.cc.
KINDS = {"zero": "zero", "Shape": "vtable for .*Shape", "Circle": "vtable for .*Circle", "table": "symbol .*puts",
         "text": "string", "wide": "wstring", "node": "pointers, list node", "pointers": "pointers, to heap",
         "vector": "vector-like", "numbers": "numbers", "binary": "binary", "tree": "pointers, list node",
         "list": "pointers, list node", "hash": "pointers, list node"}


def test_kinds():
    """Objects of known kinds are named as such, 95 of 100."""
    if not shutil.which("c++"):
        left_out("no c++: kinds of objects")
        return
    program = FOLDER + "/kinds"
    source = os.path.join(os.environ.get("srcdir", "."), "test/integration/kinds.cc")
    subprocess.run(["c++", "-O1", "-o", program, source], check=True)
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict("")}) as process:
        kinds = {}
        for line in process.stdout:
            if line == "ready\n":
                break
            kind, address = line.split()
            kinds[int(address, 16)] = kind
        said = jeheap("analyze", "-v", target=["--pid", str(process.pid)]).stdout
        process.kill()
    guesses = {int(address, 16): guess for address, guess in re.findall(r"^(0x\w+) \d+ (.*), [\d.]+ bits", said, re.M)}
    for kind, pattern in KINDS.items():
        all_of_it = [address for address in kinds if kinds[address] == kind]
        right = sum(bool(re.match(pattern, guesses.get(address, ""))) for address in all_of_it)
        check(len(all_of_it) >= 150 and right >= 0.95 * len(all_of_it), "analyze", kind, right, "of", len(all_of_it),
              {guesses.get(address) for address in all_of_it})


def test_signals():
    """The process gets each of its signals, however jeheap ends; its first thread may have ended."""
    program = os.path.join(os.path.dirname(Oracle.PROGRAM), "signalled")
    built(program)
    for words in [], ["leader-ends"]:
        with subprocess.Popen([program] + words, env=dict(os.environ, LD_PRELOAD=LIB), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as process:
            check(process.stdout.readline() == "ready\n", "signalled does not start")
            target = ("--pid", str(process.pid))
            for _ in range(6):
                check("Total:" in jeheap("stats", target=target).stdout, "stats", words)
                for _ in range(4):
                    jeheap("find", "zz", status=1, target=target)
                with subprocess.Popen([JEHEAP, *target], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL) as stopped:
                    time.sleep(random.random() * 0.01)
                    stopped.send_signal(random.choice((signal.SIGTERM, signal.SIGINT)))
                # A terminal (Ctrl-Z) may stop jeheap only when the process goes on.
                with subprocess.Popen([JEHEAP, *target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      preexec_fn=os.setpgrp) as paused:
                    time.sleep(random.random() * 0.01)
                    os.kill(paused.pid, signal.SIGTSTP)  # (Popen would reap it)
                    if os.WIFSTOPPED(os.waitpid(paused.pid, os.WUNTRACED)[1]):
                        check_goes_on(process.pid)
                        os.kill(paused.pid, signal.SIGCONT)
            done = subprocess.run([JEHEAP, "--no-stop", *target], capture_output=True, text=True)
            check(done.returncode in (0, 2) and "Total:" in done.stdout, "--no-stop", words, done.stderr)
            said = process.communicate("")[0]
            check(said == "lost 0\n", words, said)


def test_others():
    """No such target, no allocator."""
    check("is no core file" in jeheap("--core", "/bin/true", status=1).stderr, "a program")
    check("No such file" in jeheap("--core", FOLDER + "/none", status=1).stderr, "a missing file")
    os.mkfifo(FOLDER + "/fifo")
    for what in "/fifo", "":
        check("is no regular file" in jeheap("--core", FOLDER + what, status=1).stderr, "a pipe or folder")
    check("--exe=/none: No such file" in jeheap("--core", "/bin/true", "--exe=/none", status=1).stderr, "--exe")
    check("--sysroot=/none: No such file" in jeheap("--core", "/bin/true", "--sysroot=/none", status=1).stderr, "--sysroot")
    check("--pid or --core" in jeheap(status=1).stderr, "no target")
    check("no effect" in jeheap("--core", "x", "stats", "--words=3", status=1).stderr, "an option of another command")
    for command in ("stats", "regions", "caches", "arenas", "find", "check", "dump", "examine", "analyze",
                    "who", "diff", "fragmentation", "top"):
        check(re.search(rf"^  {command} ", jeheap("--help").stdout, re.M), "--help", command)
    with subprocess.Popen(["sleep", "60"], env={key: value for key, value in os.environ.items()
                                                if key != "LD_PRELOAD"}) as process:
        check("no allocator" in jeheap("--pid", str(process.pid), status=3).stderr, "no allocator")
        process.kill()


def may_trace():
    with subprocess.Popen(["sleep", "60"]) as process:
        done = subprocess.run([JEHEAP, "--pid", str(process.pid)], capture_output=True, text=True)
        process.kill()
    return done.returncode != 1, done.stderr


try:
    test_others()
    allowed, why = may_trace()
    if not allowed:
        skip("processes cannot be traced here:", why)
    test_options_of_the_library()
    test_child_of_fork()
    test_running_process()
    test_random_stops()
    test_signals()
    test_stripped()
    test_names_in_json()
    test_gcore()
    test_manual()
    test_manual_live()
    test_kinds()
    test_waiting_program()
    with Oracle(FOLDER) as the_oracle:
        test_commands(the_oracle)
        test_who(the_oracle)
        test_pictures(the_oracle)
        the_core = core_of(the_oracle, FOLDER)
    if the_core is not None:
        test_core(the_core, the_oracle)
        test_core_without_free()
        test_mutants()
finally:
    shutil.rmtree(FOLDER)
finish()
