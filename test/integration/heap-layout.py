#!/usr/bin/env python3
"""The descriptor of the heap, read as a tool does: found by the note, nothing known but
src/util/heap_layout.h. What it leads to is compared with what a program knows of itself: its
objects, where threads, explicit caches, the quarantine, samples and a fork are in the game. And
the note survives strip, --gc-sections, link-time optimization, and static linking.

Programs run with the library preloaded; $JEMALLOC_LIB names it.
"""
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True
from lib import LIB, built, built_with, check, chosen, fail, finish, left_out, need, strict

need("gcc", "strip")
HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = os.path.join(HERE, "../../src/util/heap_layout.h")

# Prints the objects that it holds as "+ address size", those it has freed as
# "- address", and waits for the end of its input.
PROGRAM = r"""
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int mallctl(const char *, void *, size_t *, void *, size_t);
void *mallocx(size_t, int);
void dallocx(void *, int);
#define TCACHE(id) ((int)((id) + 2) << 8)

#define N 3000
struct held { void *p[N]; size_t size[N]; char freed[N]; };
static struct held all[4];
static pthread_barrier_t barrier;
static unsigned cache;

static uint32_t next(uint32_t *x) { return *x = *x * 1664525 + 1013904223; }

static size_t size_of(uint32_t *x)
{
	uint32_t r = next(x) >> 8, kind = r % 16;

	r = next(x) >> 8;
	if (kind < 12) return r % 600;
	if (kind < 15) return r % 20000;
	return r % 400000;
}

static void fill(struct held *h, uint32_t seed, int flags)
{
	for (int i = 0; i < N; i++) {
		h->p[i] = mallocx(size_of(&seed) + 8, flags);
		h->size[i] = malloc_usable_size(h->p[i]);
		memset(h->p[i], 1, 8);
	}
	for (int i = 0; i < N; i++)
		if (next(&seed) >> 8 & 1) {
			h->freed[i] = 1;
			dallocx(h->p[i], flags);
		}
}

static void *work(void *arg)
{
	pthread_barrier_wait(&barrier);
	fill(&all[(intptr_t)arg], (uint32_t)(intptr_t)arg + 7, 0);
	pthread_barrier_wait(&barrier);
	pause();
	return NULL;
}

static void *brief(void *arg)
{
	(void)arg;
	free(malloc(100));
	return NULL;
}

/* A pointer may be freed and handed out again, so what is held counts last. */
static void tell(void)
{
	static char line[64];
	for (int k = 0; k < 4; k++)
		for (int i = 0; i < N; i++)
			if (all[k].p[i] != NULL) {
				int n = snprintf(line, sizeof(line), "%c %#lx %zu\n",
				    all[k].freed[i] ? '-' : '+', (unsigned long)all[k].p[i], all[k].size[i]);
				if (write(1, line, n) != n) exit(1);
			}
	int n = snprintf(line, sizeof(line), "pid %d\n", getpid());
	if (write(1, line, n) != n) exit(1);
}

int main(int argc, char **argv)
{
	size_t length = sizeof(cache);
	pthread_t t;
	char c;

	(void)argc;
	/* First what the C library allocates: it shall not get what we freed. */
	pthread_barrier_init(&barrier, NULL, 3);
	for (intptr_t i = 2; i < 4; i++)
		pthread_create(&t, NULL, work, (void *)i);
	pthread_create(&t, NULL, brief, NULL);
	pthread_join(t, NULL);
	pthread_barrier_wait(&barrier);
	fill(&all[0], 3, 0);
	if (mallctl("tcache.create", &cache, &length, NULL, 0) == 0)
		fill(&all[1], 4, TCACHE(cache));
	pthread_barrier_wait(&barrier);
	if (strcmp(argv[1], "fork") == 0 && fork() != 0) {
		wait(NULL);
		_exit(0);
	}
	tell();
	if (read(0, &c, 1) < 0) return 1;
	_exit(0);
}
"""


def ids(text):
    """The numbers in the header: {name: number}."""
    return {name: int(number) for name, number in re.findall(r"\b(HEAP_\w+) = (\d+),", text)}


with open(HEADER, encoding="utf-8") as header:
    ID = ids(header.read())


class Memory:
    """The memory of a live process that does not run."""
    def __init__(self, pid):
        self.file = open(f"/proc/{pid}/mem", "rb", buffering=0)
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            self.maps = [(int(a, 16), int(b, 16), path) for a, b, path in
                         re.findall(r"(\w+)-(\w+) \S+ \S+ \S+ \S+ *(.*)", maps.read())]

    def read(self, address, size):
        return os.pread(self.file.fileno(), size, address)

    def number(self, address, width):
        return int.from_bytes(self.read(address, width), sys.byteorder)

    def close(self):
        self.file.close()


def note_in(data):
    """Where the contents of our note are in the bytes of an image; None: nowhere."""
    at = data.find(struct.pack("=III", 7, 12, 1) + b"jeheap\0\0")
    return None if at < 0 else at + 20


class Heap:
    """What the descriptor says; the tables by the numbers in the header."""
    def __init__(self, memory):
        self.memory = memory
        self.found = []
        for start, end, path in memory.maps:
            if path.startswith("[v"):
                continue
            try:
                note = note_in(memory.read(start, min(end - start, 4096)))
            except OSError:
                continue
            if note is not None:
                at = start + note + 4
                self.found.append(at + int.from_bytes(memory.read(at, 8), sys.byteorder, signed=True))
        self.at = self.found[0]
        head = memory.read(self.at, 240)
        (magic, major, _, size, self.flags, self.pointer, endian, self.lg_page, _, _, own, _, _, _, *tables,
         crc, self.state, self.generation) = struct.unpack("=16sIIIIBBBBIQ64s32s32sQIIQIIQIIIIQ", head)
        check(magic == b"\x8fjeheap layout\r\n" and major == 1 and size == 240, "magic, version, size", head)
        check(own == self.at, "the descriptor is not where it says")
        check(endian == (1 if sys.byteorder == "little" else 2), "byte order")
        total = zlib.crc32(head[:224])
        raw = []
        for address, count, stride in zip(tables[0::3], tables[1::3], tables[2::3]):
            raw.append((memory.read(address, count * stride), stride))
            total = zlib.crc32(raw[-1][0], total)
        check(total == crc, "the sum is wrong")
        rows = [list(struct.iter_unpack(form, data)) for (data, _), form in
                zip(raw, ("=IIQQ", "=HHIHHIQ", "=IIQ"))]
        self.roots = {row[0]: row[1:] for row in rows[0]}
        self.fields = {row[:2]: row[2:] for row in rows[1]}
        self.constants = {row[0]: row[2] for row in rows[2]}
        check(len(self.roots) == len(rows[0]) and len(self.fields) == len(rows[1]) and
              len(self.constants) == len(rows[2]), "something is there twice")

    def const(self, name):
        return self.constants[ID["HEAP_CONST_" + name]]

    def root(self, name):
        return self.roots[ID["HEAP_ROOT_" + name]][1]

    def row(self, structure, field):
        return self.fields[ID["HEAP_" + structure], ID[f"HEAP_{structure}_{field}"]]

    def place(self, structure, address, field):
        return address + self.row(structure, field)[0]

    def get(self, structure, address, field, index=0):
        offset, width, shift, _, mask = self.row(structure, field)
        return self.memory.number(address + offset + index * width, width) >> shift & mask

    def words(self, address, count):
        return struct.unpack(f"={count}Q", self.memory.read(address, count * 8))

    # --- what is cached

    def stacks(self, tcache):
        cached = set()
        size = self.const("CACHE_BIN_SIZE")
        for i in range(self.const("CACHE_BINS")):
            hot = self.place("TCACHE", tcache, "BINS") + (i + 1) * size
            cold = self.place("TCACHE", tcache, "COLD") + i * self.const("CACHE_BIN_COLD_SIZE")
            bottom = self.get("CACHE_BIN_COLD", cold, "BOTTOM")
            head = self.get("CACHE_BIN", hot, "HEAD") or self.get("CACHE_BIN_COLD", cold, "HIDDEN_HEAD")
            if bottom == 0:
                continue
            n = (bottom - head) // 8 - self.get("CACHE_BIN_COLD", cold, "VACATED")
            if check(0 <= n <= self.get("CACHE_BIN_COLD", cold, "CAPACITY"), "a stack of", n):
                cached.update(self.words(head, n))
        flight = self.place("TCACHE", tcache, "FLIGHT")
        check(self.get("FLIGHT", flight, "DIRECTION") == self.const("FLIGHT_NONE"),
              "a thread that waits has objects in flight")
        return cached | self.batches(self.get("TCACHE", tcache, "BATCH")) | \
            self.batches(self.get("TCACHE", tcache, "RELEASING"))

    def batches(self, batch):
        held = set()
        while batch != 0:
            first = self.get("BATCH", batch, "RELEASED")
            n = self.get("BATCH", batch, "COUNT")
            check(first <= n <= self.const("BATCH_OBJECTS"), "a batch of", n)
            held.update(self.words(self.place("BATCH", batch, "OBJECTS") + 8 * first, n - first))
            batch = self.get("BATCH", batch, "NEXT")
        return held

    def ring(self, field):
        head = self.place("THREADS", self.root("THREADS"), field)
        node, found = self.get("LIST", head, "NEXT"), []
        while node != head:
            found.append(node - self.row("THREAD", "RING")[0])
            node = self.get("LIST", node, "NEXT")
        return found

    def cached(self):
        threads = self.ring("LIVING") + self.ring("LOST")
        found = self.batches(self.get("QUARANTINE", self.root("QUARANTINE"), "OLDEST"))
        for thread in threads:
            found |= self.stacks(self.place("THREAD", thread, "TCACHE"))
        for thread in self.ring("SPARE"):
            check(not self.stacks(self.place("THREAD", thread, "TCACHE")), "a spare record has objects")
        table = self.root("TCACHES")
        for i in range(self.get("TCACHES", table, "COUNT")):
            tcache = self.get("TCACHES", table, "SLOT", i)
            if tcache != 0:
                found |= self.stacks(tcache)
        return found

    # --- what is in use

    def slab(self, e, kind):
        geometry = self.root("SIZE_CLASSES") + \
            self.get("EXTENT", e, "SIZE_CLASS") * self.roots[ID["HEAP_ROOT_SIZE_CLASSES"]][0]
        size = self.get("GEOMETRY", geometry, "REGION_SIZE")
        n = self.get("GEOMETRY", geometry, "NREGIONS")
        start = self.get("EXTENT", e, "ADDR")
        words = self.words(self.place("EXTENT", e, "FREE"), (n + 63) // 64)
        free = sum(bin(word).count("1") for word in words)
        check(free == self.get("EXTENT", e, "NFREE"), "free regions of a slab")
        used = [i for i in range(n) if not words[i // 64] >> i % 64 & 1]
        if kind == self.const("KIND_CHECKED"):
            ledger = self.get("EXTENT", e, "LEDGER")
            used = [i for i in used if self.get("LEDGER", ledger, "ENTRY", i) not in
                    (self.const("LEDGER_NEW"), self.const("LEDGER_FREED"))]
        return {start + i * size: size for i in used}

    def extent(self, e, kind, address):
        if kind == self.const("KIND_GUARDED"):
            return {self.get("GUARD_SLOT", e, "OBJECT"): self.get("GUARD_SLOT", e, "SIZE_ASKED")} \
                if self.get("GUARD_SLOT", e, "STATE") == self.const("GUARD_LIVE") else {}
        if self.get("EXTENT", e, "IS_SLAB"):
            return self.slab(e, kind) if self.get("EXTENT", e, "ADDR") == address else {}
        check(self.get("EXTENT", e, "STATE") == self.const("EXTENT_ACTIVE"), "state of a large object")
        return {self.get("EXTENT", e, "OBJECT"): self.get("EXTENT", e, "USABLE")}

    def in_use(self):
        found = {}
        stride, root, slots = self.roots[ID["HEAP_ROOT_PAGEMAP"]]
        table = self.memory.read(root, slots * stride)
        unit = self.const("LG_UNIT")
        for slot, (distance,) in enumerate(struct.iter_unpack("=q", table)):
            if distance == 0:
                continue
            leaf = self.root("PAGEMAP_ZERO") + distance
            kinds = self.memory.read(self.place("LEAF", leaf, "KIND"), 2 * self.const("PAGEMAP_LEAF_LEN"))
            for match in re.finditer(rb"[^\0]", kinds):
                u = match.start() // 2
                if match.start() % 2 == 1 and kinds[2 * u]:
                    continue
                kind = struct.unpack_from("=H", kinds, 2 * u)[0]
                e = self.get("LEAF", leaf, "EXTENT", u)
                found.update(self.extent(e, kind, (slot << self.const("PAGEMAP_LG_LEAF")) + (u << unit)))
        return found

    # --- the tables against the header

    def complete(self):
        """Each number in the header has its row, and each row is a number in the header."""
        structures = {name: number for name, number in ID.items() if number and
                      re.fullmatch("HEAP_[A-Z]+(_[A-Z]+)*", name)}
        want = set()
        for name in ID:
            owner = max((s for s in STRUCTURES if name.startswith(s + "_")), key=len, default=None)
            if owner and not name.startswith(("HEAP_ROOT_", "HEAP_CONST_")) and name not in STRUCTURES:
                want.add((structures[owner], ID[name]))
        if not self.flags & 1:
            want.discard((ID["HEAP_EXTENT"], ID["HEAP_EXTENT_LEDGER"]))
        check(set(self.fields) == want, "fields:", set(self.fields) ^ want)
        for kind, table in ("ROOT", self.roots), ("CONST", self.constants):
            want = {number for name, number in ID.items() if name.startswith(f"HEAP_{kind}_")}
            check(set(table) == want, kind, set(table) ^ want)


with open(HEADER, encoding="utf-8") as header:
    STRUCTURES = re.findall(r"\b(HEAP_\w+) = ", re.search(r"enum heap_struct \{(.*?)\}", header.read(),
                                                          re.S).group(1))


def run(name, command, conf="", mode="plain", preload=True):
    """Starts the program, walks over its heap, compares. Returns the heap's size."""
    # A thread of the library has an object of its own, and does not stand still.
    conf = ",".join(filter(None, [conf, "background_thread:false"]))
    environment = {**os.environ, "MALLOC_CONF": strict(conf)}
    if preload:
        environment["LD_PRELOAD"] = LIB
    program = subprocess.Popen([*command, mode], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    held, freed = {}, set()
    for line in program.stdout:
        sign, address, *size = line.decode().split()
        if sign == "pid":
            pid = int(address)
            break
        if sign == "+":
            held[int(address, 16)] = int(size[0])
        else:
            freed.add(int(address, 16))
    memory = Memory(pid)
    heap = Heap(memory)
    check(len(heap.found) == 1, name, "descriptors:", len(heap.found))
    check(heap.state == 2, name, "state", heap.state)
    heap.complete()
    room = heap.roots[ID["HEAP_ROOT_CONF"]][0]
    text = memory.read(heap.root("CONF") + 3 * room, room).split(b"\0")[0].decode()
    check(text == strict(conf), name, "options of the environment:", text)
    in_use, cached = heap.in_use(), heap.cached()
    live = {a: s for a, s in in_use.items() if a not in cached}
    missing = {a for a in held if a not in live}
    check(not missing, name, len(missing), "objects of the program are not live, as", hex(min(missing, default=0)))
    # With opt.checked the program sees what it asked for.
    wrong = {a: (held[a], live[a]) for a in held if a in live and
             (held[a] > live[a] if heap.flags & 1 else held[a] != live[a])}
    check(not wrong, name, "sizes:", list(wrong.items())[:3])
    back = {a for a in freed if a not in held and a in live}
    check(not back, name, len(back), "freed objects are live, as", hex(min(back, default=0)))
    others = len(live) - len(held)
    check(others < 60, name, others, "objects that the program has not got")
    program.stdin.close()
    program.wait()
    memory.close()
    return heap


def test_locked(command):
    """jeheap says which classes were locked when the process stood still: their numbers may be wrong."""
    jeheap = os.path.dirname(LIB) + "/../bin/jeheap"
    if not chosen("jeheap"):
        left_out("libelf-dev is not installed, so jeheap was not to be built")
        return
    built(jeheap)
    with subprocess.Popen([*command, "plain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={**os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict("narenas:1")}) as program:
        pid = next(int(line.split()[1]) for line in program.stdout if line.startswith(b"pid"))
        memory = Memory(pid)
        heap = Heap(memory)
        arena = heap.words(heap.place("ARENAS", heap.root("ARENAS"), "SLOT"), 1)[0]
        # The third class: 32 bytes, or what it is here.
        locked = heap.place("ARENA", arena, "BINS") + 2 * heap.const("BIN_SIZE")
        size = heap.get("GEOMETRY", heap.root("SIZE_CLASSES") + 2 * heap.roots[ID["HEAP_ROOT_SIZE_CLASSES"]][0],
                        "REGION_SIZE")
        place = heap.place("LOCK", heap.place("BIN", locked, "LOCK"), "WORD")
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as file:
            before = os.pread(file.fileno(), 4, place)
            os.pwrite(file.fileno(), struct.pack("=I", heap.const("LOCK_HELD")), place)
            done = subprocess.run([jeheap, "--pid", str(pid), "stats", "--json"], capture_output=True, text=True)
            text = subprocess.run([jeheap, "--pid", str(pid), "stats"], capture_output=True, text=True)
            os.pwrite(file.fileno(), before, place)
        rows = json.loads(done.stdout)["instances"][0]["classes"]
        wrong = {row["size"]: row["inconsistent"] for row in rows if row["inconsistent"]}
        check(done.returncode == text.returncode == 2 and wrong == {size: row["count"] for row in rows
                                                                   if row["size"] == size}, "locked", size, wrong)
        check(re.search(rf"^ *{size} bytes .* {wrong.get(size)} inconsistent$", text.stdout, re.M), "locked", text.stdout[:500])
        memory.close()
        program.stdin.close()


def build(command):
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    return check(done.returncode == 0, " ".join(command), done.stderr.decode())


def has_note(path):
    with open(path, "rb") as file:
        return note_in(file.read()) is not None


with tempfile.TemporaryDirectory() as tmp:
    source, program = tmp + "/program.c", tmp + "/program"
    with open(source, "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    if not build(["gcc", "-O1", "-fno-builtin", "-pthread", "-o", program, source, LIB,
                  "-Wl,-rpath," + os.path.dirname(LIB)]):
        finish()
    run("plain", [program])
    run("fork", [program], mode="fork")
    test_locked([program])
    run("no cache", [program], "tcache:false")
    run("checked", [program], "safety:full")
    run("guarded", [program], "guard_sample:50")
    run("huge pages", [program], "hpa:true")
    if built_with("prof"):
        run("samples", [program], "prof:true,lg_prof_sample:12")
    shutil.copy(LIB, tmp + "/stripped.so")
    build(["strip", "-s", tmp + "/stripped.so"])
    check(has_note(tmp + "/stripped.so"), "no note in the stripped library")
    archive = os.path.dirname(LIB) + "/libjemalloc_pic.a"
    if chosen("static"):
        for flags in (["-static-pie"], ["-static", "-Wl,--gc-sections"], ["-flto", "-Wl,--gc-sections", "-s"]):
            if build(["gcc", "-O1", "-fno-builtin", "-pthread", *flags, "-o", program, source, archive, "-lm"]):
                run(" ".join(flags), [program], preload=False)
    else:
        left_out("static libraries")
finish()
