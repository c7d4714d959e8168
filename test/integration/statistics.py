#!/usr/bin/env python3
"""malloc_stats_print: all keys of the contract with their types, on one arena and
on many, in all forms, and what its figures promise.

Programs run with the library preloaded; $JEMALLOC_LIB names it.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import openmetrics
from lib import LIB, PYTHON, check, finish, left_out, strict, unique

# What runs with the library: prints a document per set of letters, as JSON.
PROGRAM = r"""
import ctypes, json, sys, threading
libc = ctypes.CDLL(None)
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
libc.malloc_stats_print.argtypes = [CALLBACK, ctypes.c_void_p, ctypes.c_char_p]
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.realloc.restype = ctypes.c_void_p
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def report(letters):
    calls = []
    def receive(opaque, text):
        assert opaque == 4711
        calls.append(text.decode())
    libc.malloc_stats_print(CALLBACK(receive), 4711, letters.encode() if letters is not None else None)
    return calls
arguments = json.load(sys.stdin)
ready, done = threading.Barrier(arguments["threads"] + 1), threading.Event()
def work():
    kept = [libc.malloc(i % 3000) for i in range(2000)] + [libc.malloc(100000)]
    ready.wait()
    done.wait()
    for p in kept: libc.free(p)
threads = [threading.Thread(target=work) for _ in range(arguments["threads"])]
for t in threads: t.start()
ready.wait()
libc.realloc(libc.malloc(10), 0)
big = []
for _ in range(arguments.get("megabytes", 0)):
    big.append(libc.malloc(1 << 20))
    libc.memset(big[-1], 1, 1 << 20)
exec(arguments.get("before", ""))
result = [report(letters) for letters in arguments["letters"]]
exec(arguments.get("after", ""))
done.set()
for t in threads: t.join()
sys.stdout.write(json.dumps(result))
"""


def run(letters, conf="", threads=1, **more):
    """The calls of the callback, as a list of texts for each set of letters."""
    env = dict(os.environ, LD_PRELOAD=LIB, MALLOC_CONF=strict(conf))
    done = subprocess.run([PYTHON, "-c", PROGRAM], env=env, check=False,
                          input=json.dumps(dict(more, letters=letters, threads=threads)).encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        print("FAIL: the program ended with", done.returncode, done.stderr.decode()[-2000:])
        sys.exit(1)
    return json.loads(done.stdout)


def parse(calls):
    check(len(calls) == 1, len(calls), "calls for one document")
    return json.loads("".join(calls), object_pairs_hook=unique)["jemalloc"]


# --- what the contract lists: U unsigned, I integer, B boolean, S text ---------

LOCK = {k: "U" for k in "num_ops num_wait num_spin_acq num_owner_switch total_wait_time "
        "max_wait_time max_num_thds".split()}


def figures(names, kind="U"):
    return {name: kind for name in names.split()}


CONFIG = dict(figures("cache_oblivious debug fill lazy_lock opt_safety_checks prof prof_libgcc "
                      "prof_libunwind prof_frameptr stats utrace xmalloc", "B"), malloc_conf="S")
OPT = {
    **figures("global_var symlink env_var dss percpu_arena hpa_dirty_mult hpa_hugify_style metadata_thp "
              "junk thp stats_print_opts stats_interval_opts zero_realloc", "S"),
    **figures("abort abort_conf cache_oblivious confirm_conf experimental_hpa_start_huge_if_thp_always "
              "experimental_hpa_enforce_hugify retain hpa hpa_hugify_sync huge_arena_pac_thp "
              "background_thread zero experimental_tcache_gc tcache "
              "stats_print disable_large_size_classes", "B"),
    **figures("narenas oversize_threshold hpa_slab_max_alloc hpa_hugification_threshold "
              "hpa_hugify_delay_ms hpa_min_purge_interval_ms hpa_purge_threshold hpa_min_purge_delay_ms "
              "hpa_sec_nshards hpa_sec_max_alloc hpa_sec_max_bytes hpa_sec_batch_fill_extra "
              "lg_extent_max_active_fit tcache_max tcache_nslots_small_min tcache_nslots_small_max "
              "tcache_nslots_large tcache_gc_incr_bytes tcache_gc_delay_bytes lg_tcache_flush_small_div "
              "lg_tcache_flush_large_div debug_double_free_max_scan process_madvise_max_batch"),
    **figures("experimental_hpa_max_purge_nhp mutex_max_spin dirty_decay_ms muzzy_decay_ms "
              "lg_tcache_nslots_mul stats_interval", "I"),
}
OPT_PROF = {
    **figures("prof prof_active prof_thread_active_init prof_accum prof_gdump prof_final prof_leak "
              "prof_leak_error", "B"), "prof_bt_max": "U", "prof_prefix": "S", "lg_prof_sample": "I",
    "lg_prof_interval": "I",
}
GENERAL = {
    "version": "S", "config": CONFIG, "system": {"thp_mode": "S"}, "opt": OPT,
    "arenas": {
        **figures("narenas quantum page hugepage tcache_max nbins nhbins nlextents"),
        "dirty_decay_ms": "I", "muzzy_decay_ms": "I",
        "bin": [figures("size nregs slab_size nshards")], "lextent": [{"size": "U"}],
    },
}
GLOBAL_LOCKS = ("background_thread max_per_bg_thd ctl prof prof_thds_data prof_dump prof_recent_alloc "
                "prof_recent_dump prof_stats")
STATS = {
    **figures("allocated active metadata metadata_edata metadata_rtree metadata_thp resident mapped "
              "retained zero_reallocs"),
    "background_thread": figures("num_threads num_runs run_interval"),
    "mutexes": {name: LOCK for name in GLOBAL_LOCKS.split()},
}
CLASS = figures("allocated nmalloc ndalloc nrequests nfills nflushes")
SLABS = figures("npageslabs_nonhuge nactive_nonhuge ndirty_nonhuge nretained_nonhuge npageslabs_huge "
                "nactive_huge ndirty_huge")
ARENA_LOCKS = ("large extent_avail extents_dirty extents_muzzy extents_retained decay_dirty decay_muzzy "
               "base tcache_list hpa_shard hpa_shard_grow hpa_sec")
ARENA = {
    **figures("nthreads uptime_ns pactive pdirty pmuzzy dirty_npurge dirty_nmadvise dirty_purged "
              "muzzy_npurge muzzy_nmadvise muzzy_purged mapped retained base internal metadata_edata "
              "metadata_rtree metadata_thp tcache_bytes tcache_stashed_bytes resident abandoned_vm "
              "extent_avail"),
    "dss": "S", "dirty_decay_ms": "I", "muzzy_decay_ms": "I", "small": CLASS, "large": CLASS,
    "mutexes": {name: LOCK for name in ARENA_LOCKS.split()},
    "bins": [dict(figures("nmalloc ndalloc curregs nrequests nfills nflushes nreslabs curslabs "
                          "nonfull_slabs"), mutex=LOCK)],
    "lextents": [figures("curlextents")],
    "extents": [figures("ndirty nmuzzy nretained dirty_bytes muzzy_bytes retained_bytes")],
    "hpa_shard": {
        **figures("sec_bytes sec_hits sec_misses sec_dalloc_noflush sec_dalloc_flush sec_overfills "
                  "npageslabs nactive ndirty npurge_passes npurges nhugifies nhugify_failures "
                  "ndehugifies"),
        "slabs": SLABS, "full_slabs": SLABS, "empty_slabs": SLABS, "nonfull_slabs": [SLABS],
    },
}


wanted, found_keys = set(), set()  # paths, with arenas and rows left out


def match(value, kind, path):
    if isinstance(kind, dict):
        check(isinstance(value, dict), path, "is no object")
        for name, inner in kind.items():
            key = re.sub(r"\[\d+\]", "[]", f"{path}.{name}").split(".", 1)[1]
            key = re.sub(r"^(\d+|merged|destroyed)\.", "arena.", key)
            wanted.add(key)
            if name in value:
                found_keys.add(key)
            check(name in value, path, "has no", name)
            if name in value:
                match(value[name], inner, f"{path}.{name}")
    elif isinstance(kind, list):
        check(isinstance(value, list), path, "is no array")
        for i, element in enumerate(value):
            match(element, kind[0], f"{path}[{i}]")
    elif kind == "B":
        check(isinstance(value, bool), path, "is no truth value:", value)
    elif kind == "S":
        check(isinstance(value, str), path, "is no text:", value)
    else:
        check(isinstance(value, int) and not isinstance(value, bool), path, "is no integer:", value)
        check(kind == "I" or value >= 0, path, "is negative")
        check(kind == "I" or value < 1 << 64, path, "is too large")


def check_document(doc, what):
    general = dict(GENERAL)
    if doc["config"]["prof"]:
        general["opt"] = dict(OPT, **OPT_PROF)
        general["prof"] = dict(figures("thread_active_init active gdump", "B"), interval="U", lg_sample="I")
    else:
        check("prof" not in doc, what, "has prof")
    match(doc, general, what)
    match(doc["stats"], STATS, what + ".stats")
    check(list(doc) == [k for k in ("version", "config", "system", "opt", "prof", "arenas", "stats",
                                    "stats.arenas", "x") if k in doc], what, "order", list(doc))
    arenas, geometry = doc["stats.arenas"], doc["arenas"]
    for key, arena in arenas.items():
        match(arena, ARENA, f"{what}.{key}")
        check(("name" in arena) == key.isdigit(), what, key, "name")
        check(len(arena["bins"]) == geometry["nbins"] == len(geometry["bin"]), "bins")
        check(len(arena["lextents"]) == geometry["nlextents"] == len(geometry["lextent"]), "lextents")
        check(sum(b["curregs"] * g["size"] for b, g in zip(arena["bins"], geometry["bin"]))
              == arena["small"]["allocated"], what, key, "bins and small.allocated differ")
        check(len(arena["hpa_shard"]["nonfull_slabs"]) == 64, what, key, "nonfull_slabs")
        free = sum(e["dirty_bytes"] for e in arena["extents"])
        check(free == arena["pdirty"] * geometry["page"], what, key, "extents and pdirty differ")
    single = [a for key, a in arenas.items() if key.isdigit()]
    check(sum(a["small"]["allocated"] + a["large"]["allocated"] for a in single)
          == doc["stats"]["allocated"], what, "arenas and allocated differ")
    check(sum(a["pactive"] for a in single) * geometry["page"] == doc["stats"]["active"], what, "active")
    check(doc["stats"]["zero_reallocs"] >= 1, what, "zero_reallocs")
    check(doc["stats"]["metadata"] < doc["stats"]["resident"] <= doc["stats"]["mapped"], what, "mapped")
    memory = doc["x"]["memory"]
    parts = sum(v for k, v in memory.items() if k not in ("process", "untouched"))
    check(parts - memory["untouched"] == memory["process"] and min(memory.values()) >= 0, what, "x.memory", memory)
    check(doc["x"]["release"], what, "x.release")


def one_and_many():
    doc = parse(run(["J"], "narenas:1,oversize_threshold:0")[0])
    check_document(doc, "one arena")
    check(list(doc["stats.arenas"]) == ["0"], "one arena:", list(doc["stats.arenas"]))
    doc = parse(run(["J"], "narenas:8", threads=12)[0])
    check_document(doc, "many arenas")
    arenas = doc["stats.arenas"]
    check(list(arenas)[0] == "merged" and len(arenas) >= 9, "many arenas:", list(arenas))
    check(sum(a["nthreads"] for k, a in arenas.items() if k.isdigit()) == arenas["merged"]["nthreads"] >= 13,
          "nthreads")
    # 2000 objects of each thread, at the least.
    check(arenas["merged"]["small"]["nrequests"] >= 24000, "nrequests", arenas["merged"]["small"])


def sections():
    """Every letter takes away what is its, in all combinations that matter."""
    letters = "gmdablxeh"
    sets = ["J" + "".join(c for k, c in enumerate(letters) if n >> k & 1) for n in range(512)]
    for name, calls in zip(sets, run(sets, "narenas:2", threads=3)):
        doc = parse(calls)
        check(("version" in doc) == ("g" not in name) == ("x" in doc), name, "version")
        arenas = doc.get("stats.arenas")
        check((arenas is None) == all(c in name for c in "mda"), name, "stats.arenas")
        arenas = arenas or {}
        check(("merged" in arenas) == ("m" not in name), name, "merged")
        check(("0" in arenas) == ("a" not in name), name, "0")
        check(("mutexes" in doc["stats"]) == ("x" not in name), name, "mutexes")
        for arena in arenas.values():
            for letter, key in zip("blxeh", ("bins", "lextents", "mutexes", "extents", "hpa_shard")):
                check((key in arena) == (letter not in name), name, key)
            check("mutex" in arena["bins"][0] if "b" not in name and "x" not in name else True, name)
    doc, odd = run(["Jmdablxegh", "hJJgexlbadm zq!"])
    check(len(doc) == 1 and len(doc[0]) < 4096, "the short document")
    check(list(parse(doc)) == ["stats"] == list(parse(odd)), "only stats")


def hostile_strings():
    conf = 'abort_conf:false,no_such:"\\\\,narenas:2,x:\n\t\x01é,z:' + "q" * 3000
    doc = parse(run(["J"], conf)[0])
    check(doc["opt"]["env_var"] == conf, "env_var", doc["opt"]["env_var"])
    text = "".join(run([None], conf)[0])
    check(conf in text, "env_var in text")


def callbacks():
    """A callback may allocate, print again, and switch what it prints."""
    more = r"""
nested = []
def inner(opaque, text): nested.append(text)
inner = CALLBACK(inner)
def outer(opaque, text):
    for i in range(2000): libc.free(libc.malloc(i * 7))
    libc.malloc_stats_print(inner, None, b"J")
    nested.append(text)
libc.malloc_stats_print(CALLBACK(outer), None, b"J")
for text in nested: json.loads(text)
assert len(nested) == 2, len(nested)
"""
    run(["J"], threads=2, after=more)


def text_form():
    text = "".join(run([None], "narenas:4", threads=6)[0])
    doc = parse(run(["J"], "narenas:4", threads=6)[0])
    lines = text.split("\n")
    check(lines[0] == "___ Begin jemalloc statistics ___", "first line", lines[0])
    check(lines[1].startswith('Version: "'), "second line", lines[1])
    check(lines[-2] == "--- End jemalloc statistics ---" and lines[-1] == "", "last line")
    for pattern in (r"config\.stats: true", r"opt\.narenas: 4", r'opt\.dss: "\w+"', r"Arenas: \d+",
                    r"Quantum size: \d+", r"Page size: \d+", r"Maximum thread-cached size class: \d+",
                    r"opt\.dirty_decay_ms: \d+ \(arenas\.dirty_decay_ms: \d+\)",
                    r"Allocated: \d+, active: \d+, metadata: \d+ \(n_thp \d+, edata \d+, rtree \d+\), "
                    r"resident: \d+, mapped: \d+, retained: \d+\n",
                    r"Background threads: \d+, num_runs: \d+, run_interval: \d+ ns", "Merged arenas stats:",
                    r"arenas\[0\]:", r"assigned threads: \d+", r"uptime: \d+",
                    r'dss allocation precedence: "\w+"', r"\nbins: ", r"\nlarge: ", r"\nextents: "):
        check(re.search(pattern, text), "the text lacks", pattern)
    for name in doc["opt"]:
        check(f"opt.{name}: " in text, "the text lacks opt.", name)


def present_values():
    """Behind an option that only says how something began stands how it is now."""
    before = r"""
def put(name, kind, value):
    value = kind(value)
    assert libc.mallctl(name, None, None, ctypes.byref(value), ctypes.c_size_t(ctypes.sizeof(value))) == 0, name
put(b"background_thread", ctypes.c_bool, True)
put(b"max_background_threads", ctypes.c_size_t, 2)
put(b"arenas.dirty_decay_ms", ctypes.c_ssize_t, 123)
put(b"arenas.muzzy_decay_ms", ctypes.c_ssize_t, -1)
put(b"experimental.x.limit.soft", ctypes.c_size_t, 1 << 40)
put(b"experimental.x.limit.hard", ctypes.c_size_t, 1 << 41)
"""
    text, doc = run([None, "J"], before=before)
    for pair in ("background_thread: false (background_thread: true)",
                 "max_background_threads: 4 (max_background_threads: 2)",
                 "dirty_decay_ms: 10000 (arenas.dirty_decay_ms: 123)",
                 "muzzy_decay_ms: 0 (arenas.muzzy_decay_ms: -1)",
                 f"limit_soft: 0 (experimental.x.limit.soft: {1 << 40})",
                 f"limit_hard: 0 (experimental.x.limit.hard: {1 << 41})"):
        check(f"  opt.{pair}\n" in text[0], "the text lacks", pair)
    doc = parse(doc)
    check((doc["arenas"]["dirty_decay_ms"], doc["arenas"]["muzzy_decay_ms"]) == (123, -1), "arenas.*_decay_ms")
    check(doc["opt"]["dirty_decay_ms"] == 10000 and doc["opt"]["background_thread"] is False, "opt has changed")
    if not doc["config"]["prof"]:
        return
    before = r"""
def put(name, kind, value):
    value = kind(value)
    assert libc.mallctl(name, None, None, ctypes.byref(value), ctypes.c_size_t(ctypes.sizeof(value))) == 0, name
put(b"prof.active", ctypes.c_bool, False)
put(b"prof.thread_active_init", ctypes.c_bool, False)
put(b"prof.gdump", ctypes.c_bool, True)
put(b"prof.reset", ctypes.c_size_t, 15)
"""
    text = run([None], "prof:true,prof_prefix:", before=before)[0]
    for pair in ("prof_active: true (prof.active: false)", "prof_gdump: false (prof.gdump: true)",
                 "prof_thread_active_init: true (prof.thread_active_init: false)",
                 "lg_prof_sample: 19 (prof.lg_sample: 15)"):
        check(f"  opt.{pair}\n" in text[0], "the text lacks", pair)


def exit_print():
    env = dict(os.environ, LD_PRELOAD=LIB, MALLOC_CONF=strict("stats_print:true,stats_print_opts:Ja"))
    for program in (["ruby", "--version"], ["perl", "-e", "1"]):
        if not shutil.which(program[0]):
            left_out(program[0], "is not installed")
            continue
        done = subprocess.run(program, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        check(done.returncode == 0, program, done.returncode)
        json.loads(done.stderr)
    # A program that gives descriptor 2 to a file of its own finds nothing there.
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["perl", "-e", "close STDERR; open F, '>', $ARGV[0]; exit 0", file.name], env=env,
                       check=False, stderr=subprocess.PIPE)
        check(os.path.getsize(file.name) == 0, "statistics in a file of the program")


def account():
    """The parts add up to what the kernel says, on a program with a real heap."""
    more = r"""
rollup = dict(line.split(None, 1) for line in open("/proc/self/smaps_rollup").readlines()[1:])
anonymous = int(rollup["Anonymous:"].split()[0]) * 1024
result.append([str(anonymous)])
"""
    doc, kernel = run(["J"], threads=4, megabytes=200, after=more)
    memory = parse(doc)["x"]["memory"]
    kernel = int(kernel[0])
    check(abs(memory["process"] - kernel) <= 0.02 * kernel, "process", memory, kernel)
    heap = memory["process"] - memory["rest"]
    check(abs(heap - kernel) <= 0.05 * kernel, "heap", memory, kernel)
    print("memory in KiB:", {k: v >> 10 for k, v in memory.items()}, "kernel", kernel >> 10)


def refused(text):
    try:
        openmetrics.parse(text.encode())
    except openmetrics.Refused:
        return True
    return False


def reader_is_strict():
    """What is not allowed is refused; else metrics() would show nothing."""
    good = ('# HELP a_bytes A "\\\\" b.\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\na_bytes{x="1",y="\\"\\n"} 1\n'
            'a_bytes -1.5e3\n# TYPE c counter\nc_total 7\n# EOF\n').replace('A "\\\\" b', "A \\\\ b")
    check(not refused(good), "a good one is refused")
    for what, old, new in (
            ("no end", "# EOF\n", ""), ("more behind the end", "# EOF\n", "# EOF\nd 1\n"), ("a blank line", "c_total", "\nc_total"),
            ("a unit that is not in the name", "UNIT a_bytes bytes", "UNIT a_bytes seconds"), ("a second type",
            "# UNIT", "# TYPE a_bytes gauge\n# UNIT"), ("a strange type", "gauge", "metre"), ("a counter without suffix",
            "c_total", "c"), ("a negative counter", "c_total 7", "c_total -7"), ("a sample twice", "a_bytes -1.5e3",
            "a_bytes -1.5e3\na_bytes 2"), ("an unknown comment", "# TYPE c", "# a word\n# TYPE c"), ("a family in two pieces",
            "# EOF", "# HELP a_bytes More.\n# EOF"), ("a sample of no family", "c_total", "d_total"), ("no number",
            "-1.5e3", "1,5"), ("two blanks", "c_total 7", "c_total  7"), ("a label twice", 'y="', 'x="'),
            ("a comma at the end", '\\n"}', '\\n",}'), ("a label without quotation marks", 'x="1"', "x=1"),
            ("a type behind samples", "a_bytes -1.5e3", "a_bytes -1.5e3\n# TYPE a_bytes gauge"),
            ("a name that belongs to another family", "# EOF", "# TYPE c_total gauge\n# EOF")):
        check(old in good and refused(good.replace(old, new, 1)), what, "is not refused")


def check_by_others(letters, text):
    """Other readers, where they are installed."""
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        # It knows the older format, where TYPE has the name with _total.
        complaints = [line for line in done.stdout.decode().split("\n")
                      if line and not re.search(r"_total no help text$", line)]
        check(done.returncode in (0, 3) and not complaints, letters, "promtool:", complaints)
    try:
        from prometheus_client.openmetrics import parser
    except ImportError:
        return
    theirs = {family.name: len(family.samples) for family in parser.text_string_to_metric_families(text)}
    ours = {name: len(family.samples) for name, family in openmetrics.parse(text.encode()).items()}
    check(theirs == ours, letters, "prometheus_client reads something else", set(theirs.items()) ^ set(ours.items()))


def metrics():
    # An arena with a name that has all that has to be escaped, and one that is gone.
    before = r"""
arena, size = ctypes.c_uint(), ctypes.c_size_t(4)
for _ in range(2): assert libc.mallctl(b"arenas.create", ctypes.byref(arena), ctypes.byref(size), None, 0) == 0
assert libc.mallctl(b"arena.%d.destroy" % arena.value, None, None, None, 0) == 0
name = ctypes.c_char_p(b'a "b\\ \xc3\xa9}{,=\n#')
assert libc.mallctl(b"arena.%d.name" % (arena.value - 1), None, None, ctypes.byref(name), ctypes.c_size_t(8)) == 0
"""
    prof = ",prof:true,prof_stats:true,lg_prof_sample:6,prof_prefix:" if parse(run(["J"])[0])["config"]["prof"] else ""
    for letters in ("P", "Pa", "Pxbeg", "Pmdablxegh"):
        calls = run([letters], "narenas:3" + prof, threads=4, before=before)[0]
        check(len(calls) == 1, letters, "calls")
        text = "".join(calls)
        families = openmetrics.parse(text.encode())
        check(not list(openmetrics.complaints(families)), letters, list(openmetrics.complaints(families)))
        check("jemalloc_allocated_bytes" in families, letters, "allocated")
        check(all(family.samples for name, family in families.items() if "extents" not in name and "large" not in name),
              letters, "has families without samples")
        # What is in a name arrives as it is.
        named = any(("name", 'a "b\\ \xe9}{,=\n#') in key[1] for family in families.values() for key in family.samples)
        check(named == (letters == "P" or letters == "Pxbeg"), letters, "the name of an arena")
        check(("jemalloc_prof_live_samples" in families) == (bool(prof) and letters != "Pmdablxegh"), letters, "samples")
        check_by_others(letters, text)
    if not shutil.which("promtool"):
        left_out("promtool is not installed")


for test in (one_and_many, sections, hostile_strings, callbacks, text_form, present_values, exit_print, account,
             reader_is_strict, metrics):
    print(test.__name__)
    test()
print(f"JSON keys: {len(found_keys & wanted)}/{len(wanted)}")
finish()
