#!/usr/bin/env python3
"""malloc_stats_print against mallctl: each figure of each form is that of the
snapshot which the report has taken, under its own name and in its own place.

The text is compared line by line with one that is made here from mallctl; of
JSON and of OpenMetrics every number is looked up. Runs itself with the library
preloaded, which $JEMALLOC_LIB names.
"""
import ctypes
import functools
import json
import os
import re
import subprocess
import sys
import threading
import time

CHILD = os.environ.get("REPORT_FIGURES")
ALL, DESTROYED = 4096, 4097

# ---- in the program that has the library ----

libc = ctypes.CDLL(None)
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
if CHILD is not None:
    libc.malloc_stats_print.argtypes = [CALLBACK, ctypes.c_void_p, ctypes.c_char_p]
    libc.mallocx.restype = ctypes.c_void_p
    libc.mallocx.argtypes = [ctypes.c_size_t, ctypes.c_int]
    libc.dallocx.argtypes = [ctypes.c_void_p, ctypes.c_int]
failures = 0


def wrong(*what):
    global failures
    failures += 1
    if failures < 30:
        print("FAIL:", CHILD, *what, flush=True)


def report(letters):
    """The whole text. Until the next one mallctl reads from its snapshot."""
    texts = []
    receive = CALLBACK(lambda opaque, text: texts.append(text.decode()))
    snapshot.clear()
    libc.malloc_stats_print(receive, None, letters.encode())
    return "".join(texts)


# What was read since the last report, and how long each value is: there are some
# hundred thousand to look up.
snapshot, lengths = {}, {}
BUFFER, SIZE = ctypes.create_string_buffer(16), ctypes.c_size_t()
AT_SIZE, NOTHING = ctypes.byref(SIZE), ctypes.c_size_t(0)


def look_up(name):
    """The bytes of a value of any length."""
    for length in [lengths[name]] if name in lengths else (8, 4, 1, 16):
        SIZE.value = length
        error = libc.mallctl(name.encode(), BUFFER, AT_SIZE, None, NOTHING)
        if error != 22:
            break
    if error:
        raise LookupError(f"{name}: error {error}")
    lengths[name] = length
    return BUFFER.raw[:length]


def raw(name):
    """As look_up, of what doesn't change before the next report, once."""
    if not name.startswith("stats."):
        return look_up(name)
    if name not in snapshot:
        snapshot[name] = look_up(name)
    return snapshot[name]


def number(name, signed=False):
    return int.from_bytes(raw(name), "little", signed=signed)


def text_of(name):
    return ctypes.string_at(number(name)).decode()


def write(name, kind, value):
    value = kind(value)
    snapshot.clear()
    error = libc.mallctl(name.encode(), None, None, ctypes.byref(value), ctypes.c_size_t(ctypes.sizeof(value)))
    assert error == 0, (name, error)


def act(name):
    assert libc.mallctl(name.encode(), None, None, None, ctypes.c_size_t(0)) == 0, name


NO_CACHE = 1 << 8


def take(size, arena):
    return libc.mallocx(size, (arena + 1) << 20 | NO_CACHE)


def make_arena():
    return number("arenas.create")


def busy(arena, rounds):
    """Objects of many classes: some stay, some go; pages are dirty, or muzzy."""
    sizes = [8 * k * k for k in range(1, 60)] + [50000 * k for k in range(1, 20)]
    kept = [take(size, arena) for size in sizes for _ in range(rounds)]
    for k, p in enumerate(kept):
        if k % 3:
            libc.dallocx(p, NO_CACHE)
    return kept


def prepare():
    first, second, gone = make_arena(), make_arena(), make_arena()
    # Its pages stay dirty, however long the rest takes.
    write(f"arena.{first}.dirty_decay_ms", ctypes.c_ssize_t, 3600 * 1000)
    kept = busy(first, 5)
    if number("config.prof") and number("opt.prof"):
        write("prof.active", ctypes.c_bool, False)
    for p in busy(gone, 3)[::3]:
        libc.dallocx(p, NO_CACHE)
    act(f"arena.{gone}.destroy")
    write(f"arena.{second}.muzzy_decay_ms", ctypes.c_ssize_t, -1)
    busy(second, 7)
    act(f"arena.{second}.decay")
    write(f"arena.{second}.dirty_decay_ms", ctypes.c_ssize_t, 0)
    write(f"arena.{second}.dirty_decay_ms", ctypes.c_ssize_t, 12345)
    busy(second, 2)
    threads = [threading.Thread(target=busy, args=[0, 20]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Free pages with others in use on both sides.
    for p in [take(4096, first) for _ in range(100)][::2]:
        libc.dallocx(p, NO_CACHE)
    write("epoch", ctypes.c_uint64, 1)
    assert number(f"stats.arenas.{first}.extents.0.ndirty") > 0 or number("opt.hpa")
    return kept


# ---- the text form ----

LOCK = [("n_lock_ops", True, "num_ops"), ("n_waiting", True, "num_wait"), ("n_spin_acq", True, "num_spin_acq"),
        ("n_owner_switch", True, "num_owner_switch"), ("total_wait_ns", True, "total_wait_time"),
        ("max_wait_ns", False, "max_wait_time"), ("max_n_thds", False, "max_num_thds")]
CLASS = [("allocated", False), ("nmalloc", True), ("ndalloc", True), ("nrequests", True), ("nfill", True),
         ("nflush", True)]
MEMORY = ("mapped retained base internal metadata_edata metadata_rtree metadata_thp tcache_bytes "
          "tcache_stashed_bytes resident abandoned_vm extent_avail").split()
GLOBAL_LOCKS = ("background_thread max_per_bg_thd ctl prof prof_thds_data prof_dump prof_recent_alloc "
                "prof_recent_dump prof_stats").split()
ARENA_LOCKS = ("large extent_avail extents_dirty extents_muzzy extents_retained decay_dirty decay_muzzy "
               "base tcache_list hpa_shard hpa_shard_grow hpa_sec").split()
SLABS = ("npageslabs_nonhuge nactive_nonhuge ndirty_nonhuge nretained_nonhuge npageslabs_huge nactive_huge "
         "ndirty_huge").split()
SEC = "sec_bytes sec_hits sec_misses sec_dalloc_noflush sec_dalloc_flush sec_overfills".split()
HPA = ("npageslabs nactive ndirty npurge_passes npurges nhugifies nhugify_failures ndehugifies").split()
SAMPLES = "prof_live_requested prof_live_count prof_accum_requested prof_accum_count".split()
SKIPPED = ["---"]
ANY = object()  # what no mallctl tells


class AtMost:
    """What goes down while it is looked at: samples that are alive."""

    def __init__(self, most):
        self.most = most

    def __str__(self):
        return f"up to {self.most}"


def same(wanted, found):
    """Whether a figure of a report, or a word, is what it should be."""
    if isinstance(wanted, AtMost):
        return int(found) <= wanted.most
    return wanted is ANY or str(wanted) == str(found)


def samples_of(place):
    """Those of a class: bytes and number of the living ones, of all ever."""
    ever = raw(f"prof.stats.{place}.accum")
    ever = [int.from_bytes(ever[k:k + 8], "little") for k in (0, 8)]
    return [AtMost(value) for value in ever] + ever


def titles(columns):
    return [word for title, rate, *_ in columns for word in ([title, "(#/sec)"] if rate else [title])]


class Block:
    """What the text says of one arena, or of a sum, as lists of words."""

    def __init__(self, index, letters, classes):
        self.index, self.letters, self.classes = index, letters, classes
        self.place = f"stats.arenas.{index}."
        self.uptime = number(self.place + "uptime")
        self.samples = index == ALL and number("config.prof") and number("opt.prof") and number("opt.prof_stats")

    def of(self, name, signed=False):
        return number(self.place + name, signed)

    def rated(self, value, rate):
        """The value, and how much of it there was in a second."""
        seconds = self.uptime // 10 ** 9
        return [value, value // seconds if seconds else value] if rate else [value]

    def locks(self, place):
        return [word for _, rate, name in LOCK for word in self.rated(number(f"{place}.{name}"), rate)]

    def lines(self):
        yield ["assigned", "threads:", self.of("nthreads")]
        yield ["uptime:", self.uptime]
        yield ["dss", "allocation", "precedence:", f'"{text_of(self.place + "dss")}"']
        yield from self.decay()
        yield from self.objects()
        yield ["active:", self.of("pactive") * number("arenas.page")]
        for name in MEMORY:
            yield [name + ":", self.of(name)]
        if "x" not in self.letters:
            yield ["mutexes:"] + titles(LOCK)
            for name in ARENA_LOCKS:
                yield [name] + self.locks(self.place + "mutexes." + name)
        for letter, table in zip("bleh", (self.bins, self.large, self.extents, self.hpa)):
            if letter not in self.letters:
                yield from table()

    def decay(self):
        yield "decaying: time npages sweeps madvises purged".split()
        for kind in ("dirty", "muzzy"):
            ms = self.of(kind + "_decay_ms", signed=True)
            yield [kind + ":", "N/A" if ms < 0 else ms, self.of("p" + kind), self.of(kind + "_npurge"),
                   self.of(kind + "_nmadvise"), self.of(kind + "_purged")]

    def objects(self):
        yield titles(CLASS)
        names = "allocated nmalloc ndalloc nrequests nfills nflushes".split()
        both = [[self.of(f"{kind}.{name}") for name in names] for kind in ("small", "large")]
        both.append([a + b for a, b in zip(*both)])
        for kind, values in zip(("small:", "large:", "total:"), both):
            yield [kind] + [w for value, (_, rate) in zip(values, CLASS) for w in self.rated(value, rate)]

    def sample_figures(self, path):
        return samples_of(path) if self.samples else []

    def table(self, heading, columns, rows):
        """`rows`: words, or None for one that is left out."""
        head, skipped = [heading] + titles(columns), False
        for row in rows:
            if row is None:
                skipped = True
                continue
            if head:
                yield head
            if skipped:
                yield SKIPPED
            yield row
            head, skipped = None, False
        if head:
            yield [heading]
        if skipped:
            yield SKIPPED

    def columns(self, before, after):
        samples = "live_requested live_count accum_requested accum_count".split() if self.samples else []
        return [(name, name in RATED) for name in before.split() + samples + after.split()]

    def bins(self):
        columns = self.columns("size ind allocated nmalloc ndalloc nrequests",
                               "nshards curregs curslabs nonfull_slabs regs pgs util nfills nflushes nslabs nreslabs")
        return self.table("bins:", columns + ([] if "x" in self.letters else LOCK),
                          (self.bin(i) for i in range(number("arenas.nbins"))))

    def bin(self, i):
        def figure(name):
            return self.of(f"bins.{i}.{name}")
        samples = self.sample_figures(f"bins.{i}")
        size, regions = number(f"arenas.bin.{i}.size"), number(f"arenas.bin.{i}.nregs")
        if figure("nmalloc") == figure("nslabs") == 0 and not any(samples[3:]):
            return None
        used, slabs = figure("curregs"), figure("curslabs")
        row = [size, i, used * size]
        for name in ("nmalloc", "ndalloc", "nrequests"):
            row += self.rated(figure(name), True)
        row += samples + [number(f"arenas.bin.{i}.nshards"), used, slabs, figure("nonfull_slabs"), regions]
        row += [number(f"arenas.bin.{i}.slab_size") // number("arenas.page")]
        row += ["race" if used > slabs * regions else "1" if used == slabs * regions else
                "0.%03d" % (used * 1000 // (slabs * regions))]
        for name in ("nfills", "nflushes", "nslabs", "nreslabs"):
            row += self.rated(figure(name), name != "nslabs")
        return row + ([] if "x" in self.letters else self.locks(f"{self.place}bins.{i}.mutex"))

    def large(self):
        return self.table("large:", self.columns("size ind allocated nmalloc ndalloc nrequests", "curlextents"),
                          (self.large_row(i) for i in range(number("arenas.nlextents"))))

    def large_row(self, i):
        def figure(name):
            return self.of(f"lextents.{i}.{name}")
        samples = self.sample_figures(f"lextents.{i}")
        if figure("nmalloc") == 0 and not any(samples[3:]):
            return None
        size, used = number(f"arenas.lextent.{i}.size"), figure("curlextents")
        row = [size, i + number("arenas.nbins"), used * size]
        for name in ("nmalloc", "ndalloc", "nrequests"):
            row += self.rated(figure(name), True)
        return row + samples + [used]

    def extents(self):
        columns = "size ind ndirty dirty nmuzzy muzzy nretained retained ntotal total".split()
        return self.table("extents:", [(name, False) for name in columns],
                          (self.extent_row(i) for i in range(len(self.classes))))

    def extent_row(self, i):
        counts = [self.of(f"extents.{i}.n{kind}") for kind in ("dirty", "muzzy", "retained")]
        sizes = [self.of(f"extents.{i}.{kind}_bytes") for kind in ("dirty", "muzzy", "retained")]
        if not any(counts):
            return None
        return ([self.classes[i], i] + [word for pair in zip(counts, sizes) for word in pair] +
                [sum(counts), sum(sizes)])

    def slabs(self, group):
        return [ANY if name == "nretained_nonhuge" else self.of(f"hpa_shard.{group}.{name}") for name in SLABS]

    def hpa(self):
        yield ["HPA", "shard", "stats:"]
        yield ["Pageslabs:", self.of("hpa_shard.npageslabs")]
        if self.of("hpa_shard.npageslabs") == self.of("hpa_shard.npurges") == 0:
            return
        yield ["Small", "extent", "cache:"]
        for name in SEC:
            yield [name + ":", self.of("hpa_" + name)]
        yield ["Huge", "page", "allocator:"]
        for name in HPA:
            yield [name + ":", self.of("hpa_shard." + name)]
        for heading, group in (("Full", "full_slabs"), ("Empty", "empty_slabs")):
            yield [heading, "pageslabs:"]
            for name, value in zip(SLABS, self.slabs(group)):
                yield [name + ":", value]
        rows = ((i, self.slabs(f"nonfull_slabs.{i}")) for i in range(64))
        table = self.table("pageslabs:", [(name, False) for name in ["size", "ind"] + SLABS],
                           ([self.classes[i], i] + slabs if slabs[0] + slabs[4] else None for i, slabs in rows))
        yield ["Nonfull"] + next(table)
        yield from table


RATED = set("nmalloc ndalloc nrequests nfills nflushes nreslabs".split())


def page_classes():
    """Runs of 1, 2 and 3 pages, and the sizes of large objects."""
    page = number("arenas.page")
    small = [k * page for k in range(1, 4)]
    return small + [number(f"arenas.lextent.{i}.size") for i in range(number("arenas.nlextents"))]


def shown_blocks(letters):
    """(heading, index) of each."""
    there = [i for i in range(number("arenas.narenas")) if number(f"arena.{i}.initialized")]
    if "m" not in letters and (len(there) > 1 or "a" in letters):
        yield "Merged arenas stats:", ALL
    if "d" not in letters and number(f"arena.{DESTROYED}.initialized"):
        yield "Destroyed arenas stats:", DESTROYED
    for i in there if "a" not in letters else []:
        yield f"arenas[{i}]:", i


def name_of(arena):
    buffer = ctypes.create_string_buffer(64)
    place, size = ctypes.c_void_p(ctypes.addressof(buffer)), ctypes.c_size_t(8)
    assert libc.mallctl(f"arena.{arena}.name".encode(), ctypes.byref(place), ctypes.byref(size), None,
                        ctypes.c_size_t(0)) == 0
    return buffer.value.decode()


def totals(letters):
    def of(name):
        return str(number("stats." + name))
    yield (f"Allocated: {of('allocated')}, active: {of('active')}, metadata: {of('metadata')} (n_thp "
           f"{of('metadata_thp')}, edata {of('metadata_edata')}, rtree {of('metadata_rtree')}), resident: "
           f"{of('resident')}, mapped: {of('mapped')}, retained: {of('retained')}").split()
    yield f"Count of realloc(non-null-ptr, 0) calls: {of('zero_reallocs')}".split()
    yield (f"Background threads: {of('background_thread.num_threads')}, num_runs: "
           f"{of('background_thread.num_runs')}, run_interval: {of('background_thread.run_interval')} ns").split()
    if "x" not in letters:
        yield ["mutexes:"] + titles(LOCK)
        block = Block(ALL, letters, None)
        for name in GLOBAL_LOCKS:
            yield [name] + block.locks("stats.mutexes." + name)


def text_lines(letters):
    """All of the text but the general part."""
    yield "___ Begin jemalloc statistics ___".split()
    yield from totals(letters)
    classes = page_classes()
    for heading, index in shown_blocks(letters):
        yield []
        yield heading.split()
        if index < ALL:
            yield ["Name:"] + name_of(index).split()
        yield from Block(index, letters, classes).lines()
    yield "--- End jemalloc statistics ---".split()


def check_aligned(lines):
    """A cell ends where its column does, unless one before it was too wide."""
    ends, seen = None, 0
    for line in lines:
        words = list(re.finditer(r"\S+", line))
        if line != line.rstrip():
            wrong("blanks at the end of", repr(line))
        if line.startswith(("mutexes:", "bins:  ", "large:  ", "extents:  ", "decaying:", "         ")) and (
                words[-1].group().lstrip("(#/").isalpha() or "n_thds" in line or ")" in line):
            columns = [m.group() for m in words[0 if line[0] == " " else 1:]]
            ends, at = [], 20 if line.startswith("mutexes:") else 9
            for column in columns:
                at += 10 if column == "(#/sec)" else 12
                ends.append(at)
                at += 1
        elif ends and words and words[0].group() != "---":
            words = words[-len(ends):]
            if len(words) < len(ends):
                ends = None
                continue
            if not any(len(m.group()) > 10 for m in words):
                seen += 1
                if [m.end() for m in words] != ends:
                    wrong("not in its columns:", repr(line))
    if seen < 20:
        wrong("only", seen, "rows were looked at")


def check_text(letters):
    actual = report(letters).split("\n")
    if actual[-1] != "":
        wrong("the last line has no end")
    model = list(text_lines(letters))
    actual.pop()
    for line, words in zip(actual, model):
        found = line.split()
        if len(found) != len(words) or not all(map(same, words, found)):
            wrong(letters, "is", line, "and should be", " ".join("?" if w is ANY else str(w) for w in words))
    if len(actual) != len(model):
        wrong(letters, len(actual), "lines, not", len(model))
    check_aligned(actual)


# ---- the general part ----

LIVE = {"background_thread": "background_thread", "max_background_threads": "max_background_threads",
        "dirty_decay_ms": "arenas.dirty_decay_ms", "muzzy_decay_ms": "arenas.muzzy_decay_ms",
        "prof_active": "prof.active", "prof_thread_active_init": "prof.thread_active_init",
        "prof_gdump": "prof.gdump", "lg_prof_sample": "prof.lg_sample",
        "guard_sample": "experimental.x.guard.sample",
        "limit_soft": "experimental.x.limit.soft", "limit_hard": "experimental.x.limit.hard"}
SOURCES = ("global_var", "symlink", "env_var", "global_var_2_conf_harder")


def source(name):
    try:
        return text_of("opt.malloc_conf." + name)
    except LookupError:
        return ""


def shown(value):
    """As the text has what JSON has."""
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def check_value(name, value):
    if isinstance(value, str):
        if value != text_of(name):
            wrong(name, "is", value, "not", text_of(name))
    elif int(value) != number(name, signed=value < 0):
        wrong(name, "is", value, "not", number(name))


def check_option(name, value):
    if name in SOURCES:
        if value != source(name):
            wrong(name, "is", value)
    elif name == "hpa_dirty_mult":
        ratio = number("opt.hpa_dirty_mult")
        if value != ("-1" if ratio == 0xffffffff else
                     f"{ratio * 100000 // 65536 / 100000:.5f}".rstrip("0").rstrip(".")):
            wrong(name, "is", value, "for", ratio)
    else:
        check_value(f"opt.{name}", value)


def option_line(name, value):
    line = f"  opt.{name}: {shown(value)}"
    if name not in LIVE:
        return line
    now = number(LIVE[name], signed="decay" in name)
    return f"{line} ({LIVE[name]}: {shown(bool(now) if isinstance(value, bool) else now)})"


def general_lines(doc):
    """The general part of the text; what moves all the time is a pattern."""
    yield "___ Begin jemalloc statistics ___"
    yield f'Version: "{doc["version"]}"'
    yield "Build-time option settings"
    for name, value in doc["config"].items():
        yield f"  config.{name}: {shown(value)}"
    yield "System configuration"
    yield f'  thp_mode: "{doc["system"]["thp_mode"]}"'
    yield "Run-time option settings"
    for name, value in doc["opt"].items():
        yield option_line(name, value)
    if "prof" in doc:
        yield "Profiling settings"
    for name, value in doc.get("prof", {}).items():
        yield f"  prof.{name}: {shown(value)}"
    for words, name in (("Arenas", "narenas"), ("Quantum size", "quantum"), ("Page size", "page"),
                        ("Hugepage size", "hugepage"), ("Maximum thread-cached size class", "tcache_max"),
                        ("Number of bin size classes", "nbins"),
                        ("Number of thread-cache bin size classes", "nhbins"),
                        ("Number of large size classes", "nlextents")):
        yield f"{words}: {doc['arenas'][name]}"
    yield f"Release: {doc['x']['release']}"
    for name, value in doc["x"].items():
        if name in OWN:
            yield f"x.{name}: {value}"
        elif name not in ("release", "epoch", "memory"):
            yield re.compile(rf"x\.{name}: \d+")
    yield re.compile("Memory of the process: .*")
    yield re.compile("Allocated: .*")


def check_general():
    """In both forms it says what mallctl does."""
    doc = json.loads(report("Jmda"))["jemalloc"]
    lines = report("mda").split("\n")
    for line, wanted in zip(lines, general_lines(doc)):
        if not wanted.fullmatch(line) if isinstance(wanted, re.Pattern) else line != wanted:
            wrong("is", repr(line), "and should be", wanted)
    check_value("version", doc["version"])
    for part in ("config", "prof"):
        for name, value in doc.get(part, {}).items():
            check_value(f"{part}.{name}", value)
    for name, value in doc["opt"].items():
        check_option(name, value)
    check_geometry(doc["arenas"])
    check_own(doc["x"], lines)


def check_geometry(arenas):
    for name, value in arenas.items():
        if not isinstance(value, list):
            check_value(f"arenas.{name}", value)
            continue
        if len(value) != arenas["n" + name + "s"]:
            wrong("arenas." + name, "has", len(value), "rows")
        for i, row in enumerate(value):
            for key, figure in row.items():
                check_value(f"arenas.{name}.{i}.{key}", figure)


OWN = {"safety_reports": "stats.safety.reports", "safety_guarded": "stats.safety.guarded",
       "safety_unguarded": "stats.safety.unguarded", "limit_soft": "experimental.x.limit.soft",
       "limit_hard": "experimental.x.limit.hard", "cgroup_high": "experimental.x.cgroup.high",
       "cgroup_max": "experimental.x.cgroup.max"}


def check_own(own, lines):
    for name, ctl in OWN.items():
        if own[name] != number(ctl):
            wrong("x." + name, "is", own[name], "not", number(ctl))
    if own["epoch"] != number("epoch") - 1:
        wrong("x.epoch is", own["epoch"])
    if own["release"] != text_of("config.release"):
        wrong("x.release is", own["release"])
    check_account(lines)


def check_account(lines):
    """The last report's parts, from its snapshot."""
    block = Block(ALL, "", None)
    page, allocated = number("arenas.page"), number("stats.allocated")
    holes = 0
    for i in range(number("arenas.nbins")):
        free = block.of(f"bins.{i}.curslabs") * number(f"arenas.bin.{i}.nregs") - block.of(f"bins.{i}.curregs")
        holes += free * number(f"arenas.bin.{i}.size")
    caches = block.of("tcache_bytes")
    parts = {"live": allocated - caches, "caches": caches, "holes": holes,
             "rounding": number("stats.active") - allocated - holes, "dirty": block.of("pdirty") * page,
             "muzzy": block.of("pmuzzy") * page, "metadata": number("stats.metadata")}
    begin = "Memory of the process: " + " + ".join(f"{name} {value}" for name, value in parts.items()) + " + rest "
    found = [re.fullmatch(r"(\d+) - untouched (\d+) = (\d+)", line[len(begin):]) for line in lines if line.startswith(begin)]
    if len(found) != 1 or not found[0]:
        wrong("the text lacks", begin, [line for line in lines if line.startswith("Memory of")])
    elif int(found[0][1]) + sum(parts.values()) - int(found[0][2]) != int(found[0][3]):
        wrong("the memory does not add up to", found[0][3])
    elif int(found[0][3]) % page or int(found[0][3]) < page * 100:
        wrong("the process has", found[0][3], "bytes")


# ---- JSON ----

def leaves(value, path):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, path + [key])
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from leaves(inner, path + [str(i)])
    else:
        yield path, value


def ctl_value(path, value):
    """What mallctl says of a JSON path below stats and stats.arenas; ANY: nothing."""
    last = path[-1]
    if last == "nretained_nonhuge":
        return ANY
    if last in ("uptime_ns", "name"):
        return number(".".join(path[:-1] + ["uptime"])) if last == "uptime_ns" else name_of(path[2])
    if last in SEC:
        return number(".".join(path[:3] + ["hpa_" + last]))
    if last.startswith("prof_"):
        return samples_of(f"{path[3]}.{path[4]}")[SAMPLES.index(last)]
    name = ".".join(path)
    return text_of(name) if isinstance(value, str) else number(name, signed=value < 0)


def check_json(letters):
    doc = json.loads(report("J" + letters))["jemalloc"]
    indices = {"merged": str(ALL), "destroyed": str(DESTROYED)}
    shown = [str(index) for _, index in shown_blocks(letters)]
    arenas = {indices.get(key, key): block for key, block in doc["stats.arenas"].items()}
    if list(arenas) != shown:
        wrong("JSON has arenas", list(arenas), "not", shown)
    seen = 0
    for path, value in list(leaves(doc["stats"], ["stats"])) + list(leaves(arenas, ["stats", "arenas"])):
        now = ctl_value(path, value)
        seen += 1
        if not same(now, value):
            wrong(".".join(path), "is", value, "not", now)
    if seen < 2000 * len(arenas):
        wrong("JSON has only", seen, "figures")


# ---- OpenMetrics ----

@functools.cache
def sizes_of(kind):
    if kind == "extents":
        return page_classes()
    count, name = {"bin": ("arenas.nbins", "arenas.bin.{}.size"),
                   "large": ("arenas.nlextents", "arenas.lextent.{}.size")}[kind]
    return [number(name.format(i)) for i in range(number(count))]


def metric_value(family, labels):
    """What mallctl says of a sample as a number; ANY: nothing."""
    def arena():
        index = {"all": ALL, "destroyed": DESTROYED}.get(labels["arena"], labels["arena"])
        return f"stats.arenas.{index}."

    def row(kind):
        return sizes_of(kind).index(int(labels["size"]))

    plain = {"allocated_bytes": "allocated", "active_bytes": "active", "metadata_bytes": "metadata",
             "resident_bytes": "resident", "mapped_bytes": "mapped", "retained_bytes": "retained",
             "zero_reallocs": "zero_reallocs"}
    lock = {"wait_seconds": "total_wait_time", "max_wait_seconds": "max_wait_time"}
    name = family[len("jemalloc_"):]
    if name in plain:
        return number("stats." + plain[name])
    for prefix in ("arena_mutex_", "mutex_"):
        if name.startswith(prefix):
            figure = lock.get(name[len(prefix):], name[len(prefix):])
            place = (arena() if prefix[0] == "a" else "stats.") + "mutexes."
            value = number(place + labels["mutex"] + "." + figure)
            return value / 1e9 if "time" in figure else value
    for prefix, kind in (("bin_", "bins"), ("large_", "lextents"), ("extents_", "extents")):
        if name.startswith(prefix):
            return number(f"{arena()}{kind}.{row(prefix[:-1])}.{name[len(prefix):]}")
    if name.startswith("prof_"):
        small = int(labels["size"]) <= number(f"arenas.bin.{number('arenas.nbins') - 1}.size")
        place = f"bins.{row('bin')}" if small else f"lextents.{row('large')}"
        return samples_of(place)[SAMPLES.index(re.sub("_bytes$", "", name).replace("_samples", "_count"))]
    if not name.startswith("arena_"):
        return ANY
    figure = name[len("arena_"):]
    if "class" in labels:
        return number(f"{arena()}{labels['class']}.{figure.replace('_bytes', '')}")
    if figure == "threads":
        return number(arena() + "nthreads")
    if figure.endswith("_decay_seconds"):
        ms = number(arena() + figure.replace("_seconds", "_ms"), signed=True)
        return ms / 1000 if ms >= 0 else ms
    try:
        return number(arena() + figure)
    except LookupError:
        return number(arena() + re.sub("_bytes$", "", figure))


def check_metrics(letters):
    lines = report("P" + letters).split("\n")
    seen, arenas, counter = {}, set(), False
    for line in lines:
        if line.startswith("# TYPE "):
            counter = line.endswith(" counter")
        if line.startswith("#") or not line:
            continue
        family, inner, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (-?\d+(?:\.\d+)?)", line).groups()
        family = re.sub("_total$", "", family) if counter else family
        labels = dict(re.findall(r'(\w+)="([^"]*)"', inner or ""))
        now = metric_value(family, labels)
        if not (abs(now - float(value)) <= 1e-9 * abs(now) if isinstance(now, float) else same(now, value)):
            wrong(line, "should be", now)
        if family.endswith("_decay_seconds") and not re.fullmatch(r"-1|\d+\.\d{3}", value):
            wrong(line, "is no time in seconds")
        if "name" in labels and "arena" in labels and labels["arena"].isdigit():
            if labels["name"] != name_of(labels["arena"]):
                wrong(line, "is of", name_of(labels["arena"]))
        if "arena" in labels:
            arenas.add(labels["arena"])
        seen[family] = seen.get(family, 0) + 1
    there = {str(i) for i in range(number("arenas.narenas")) if number(f"arena.{i}.initialized")}
    wanted = (there if "a" not in letters else set() if "m" in letters else {"all"})
    if "d" not in letters and wanted:
        wanted |= {"destroyed"}
    if arenas != wanted:
        wrong(letters, "has arenas", arenas, "not", wanted)
    check_rows_shown(letters, seen, wanted)


def check_rows_shown(letters, seen, arenas):
    """A class that was used has its rows, and no other has."""
    def of(arena):
        return f"stats.arenas.{ {'all': ALL, 'destroyed': DESTROYED}.get(arena, arena)}."
    used = {"bin_nmalloc": ("b", "arenas.nbins", "bins.{}.nmalloc"),
            "bin_nslabs": None,
            "large_curlextents": ("l", "arenas.nlextents", "lextents.{}.curlextents"),
            "extents_ndirty": ("e", "arenas.nlextents", "extents.{}.ndirty"),
            "extents_retained_bytes": ("e", "arenas.nlextents", "extents.{}.retained_bytes")}
    for name, how in used.items():
        if how is None:
            continue
        letter, count, figure = how
        count = number(count) + (3 if letter == "e" else 0)
        wanted = 0 if letter in letters else sum(
            number(of(arena) + figure.format(i)) != 0 for arena in arenas for i in range(count))
        if seen.get("jemalloc_" + name, 0) != wanted:
            wrong(letters, name, "has", seen.get("jemalloc_" + name, 0), "rows, not", wanted)
    locks = 0 if "x" in letters else len(GLOBAL_LOCKS)
    if seen.get("jemalloc_mutex_num_ops", 0) != locks:
        wrong(letters, "locks", seen.get("jemalloc_mutex_num_ops"))
    locks = 0 if "x" in letters else len(ARENA_LOCKS) * len(arenas)
    if seen.get("jemalloc_arena_mutex_num_ops", 0) != locks:
        wrong(letters, "locks of arenas", seen.get("jemalloc_arena_mutex_num_ops"))


def child():
    kept = prepare()
    check_general()
    for letters in ("g", "ga", "gxb", "gmleh"):
        check_text(letters)
    for letters in ("", "a", "md"):
        check_json(letters)
    for letters in ("", "a", "gabx", "leh", "mda"):
        check_metrics(letters)
    write("arenas.dirty_decay_ms", ctypes.c_ssize_t, -1)
    write("experimental.x.limit.soft", ctypes.c_size_t, 1 << 45)
    write("experimental.x.limit.hard", ctypes.c_size_t, 1 << 46)
    # From here on a rate is not the figure itself.
    while number("stats.arenas.0.uptime") < 2 * 10 ** 9:
        time.sleep(0.1)
        write("epoch", ctypes.c_uint64, 1)
    busy(0, 100)
    check_general()
    check_text("gd")
    del kept
    sys.exit(1 if failures else 0)


if CHILD is not None:
    child()

# ---- the test ----

sys.dont_write_bytecode = True
from lib import LIB, PYTHON, built_with, check, finish, skip, strict

if not built_with("stats"):
    skip("built without statistics")
confs = ["narenas:2,dirty_decay_ms:-1", "narenas:1,oversize_threshold:0,muzzy_decay_ms:5000,hpa_dirty_mult:0.3",
         "narenas:3,hpa:true,hpa_dirty_mult:-1,tcache_max:4096"]
if built_with("prof"):
    confs.append("narenas:2,prof:true,prof_stats:true,lg_prof_sample:10,prof_prefix:,lg_prof_interval:40")
if built_with("fill"): # in its place there are no caches
    confs = [conf + ",junk:false" for conf in confs]
for conf in confs:
    done = subprocess.run([PYTHON, __file__], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
        **os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict(conf), "REPORT_FIGURES": conf})
    check(done.returncode == 0, conf, "ended with", done.returncode, done.stdout.decode()[-5000:])
finish()
