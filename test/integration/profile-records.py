#!/usr/bin/env python3
"""What is remembered of samples, as a program asks for it: the log of their lives,
the last of them, figures by size class, and all of it in statistics.

Python runs with the library preloaded and every object a sample; what it allocates
itself is among the records, so objects of odd sizes are the ones that count.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, PYTHON, built_with, check, finish, skip, strict, unique

# What runs with the library; each scenario adds its own lines, which end in a result.
PROGRAM = r"""
import ctypes, errno, json, os, sys, threading
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.malloc.argtypes = [ctypes.c_size_t]
c.free.argtypes = [ctypes.c_void_p]
c.mallctl.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
def act(name, text=None):
    value = ctypes.c_char_p(text.encode() if text is not None else None)
    return c.mallctl(name.encode(), None, None, ctypes.byref(value) if text is not None else None,
                     8 if text is not None else 0)
def get(name, kind):
    value, length = kind(), ctypes.c_size_t(ctypes.sizeof(kind))
    error = c.mallctl(name.encode(), ctypes.byref(value), ctypes.byref(length), None, 0)
    return value.value if error == 0 and hasattr(value, "value") else list(value) if error == 0 else -error
def put(name, value):
    return c.mallctl(name.encode(), None, None, ctypes.byref(value), ctypes.sizeof(value))
class Sink(ctypes.Structure):
    _fields_ = [("write", WRITE), ("opaque", ctypes.c_void_p)]
def recent():
    calls = []
    def receive(opaque, text):
        assert opaque == 4711
        calls.append(text)
    error = put("experimental.prof_recent.alloc_dump", Sink(WRITE(receive), 4711))
    assert error == 0 and len(calls) == 1, (error, len(calls))
    return json.loads(calls[0])
def on_thread(work, name=None):
    def run():
        if name is not None:
            assert act("thread.prof.name", name) == 0
        work()
    t = threading.Thread(target=run)
    t.start()
    t.join()
def report(letters):
    texts = []
    c.malloc_stats_print.argtypes = [WRITE, ctypes.c_void_p, ctypes.c_char_p]
    c.malloc_stats_print(WRITE(lambda o, t: texts.append(t.decode())), None, letters)
    return "".join(texts)
"""


def run(lines, conf="lg_prof_sample:0", cwd=None):
    """The result of a program that ends with `result = ...`, and what it said."""
    env = dict(os.environ, LD_PRELOAD=LIB, MALLOC_CONF=strict("prof:true," + conf))
    done = subprocess.run([PYTHON, "-c", PROGRAM + lines + "\nprint(json.dumps(result))"], env=env,
                          cwd=cwd, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = done.stderr.decode()
    if done.returncode != 0:
        print("FAIL: the program ended with", done.returncode, said[-2000:])
        sys.exit(1)
    return json.loads(done.stdout), said


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, object_pairs_hook=unique)


def is_address(text):
    return re.fullmatch("0x[0-9a-f]+", text) is not None


# --- the log ---------------------------------------------------------------------------

LOG = r"""
before = c.malloc(70001)
result = dict(pid=os.getpid(), early_stop=act("prof.log_stop"), start=act("prof.log_start", "given.json"),
              again=act("prof.log_start", "other.json"), long=0)
c.free(before)                      # began before the log
kept = [c.malloc(80001) for _ in range(5)]
for p in kept[:3]:
    c.free(p)
on_thread(lambda: c.free(kept[3]), 'a "b"\\')
after = c.malloc(90001)             # does not end in the log
result["there"] = os.path.exists("given.json")
result["stop"] = act("prof.log_stop")
c.free(after)
result["second_stop"] = act("prof.log_stop")
result["too_long"] = act("prof.log_start", "x" * 5000)
# What can't be written is gone, and another one may begin.
result["lost"] = [act("prof.log_start", "/nowhere/at/all"), act("prof.log_stop"), act("prof.log_start", "b.json"),
                  act("prof.log_stop")]
result["unnamed"] = [act("prof.log_start"), act("prof.log_stop"), act("prof.log_start"), act("prof.log_stop")]
act("prof.prefix", "")
result["no_prefix"] = act("prof.log_start")
act("prof.prefix", "p")
result["last"] = act("prof.log_start")
c.free(c.malloc(100001))
"""


def check_log(log, resolution):
    check(list(log) == ["info", "threads", "stack_traces", "allocations"], "members", list(log))
    info = log["info"]
    check(list(info) == ["duration", "version", "lg_sample_rate", "prof_time_resolution", "pid"], info)
    check(info["lg_sample_rate"] == 0 and info["prof_time_resolution"] == resolution, info)
    check(info["duration"] > 0, info)
    for i, trace in enumerate(log["stack_traces"]):
        check(all(is_address(pc) for pc in trace), "trace", i, trace)
    check(len(set(map(tuple, log["stack_traces"]))) == len(log["stack_traces"]), "a stack is there twice")
    uids = [thread["thr_uid"] for thread in log["threads"]]
    check(len(set(uids)) == len(uids), "a thread is there twice", uids)
    for life in log["allocations"]:
        check(list(life) == ["alloc_thread", "free_thread", "alloc_trace", "free_trace", "alloc_timestamp",
                             "free_timestamp", "usize"], life)
        check(max(life["alloc_thread"], life["free_thread"]) < len(uids), "threads", life)
        check(max(life["alloc_trace"], life["free_trace"]) < len(log["stack_traces"]), "traces", life)
        check(0 < life["alloc_timestamp"] <= life["free_timestamp"], "times", life)
        check(len(log["stack_traces"][life["alloc_trace"]]) > 2, "a stack without depth")
        check(len(log["stack_traces"][life["free_trace"]]) > 2, "a stack without depth")


def lives_of(log, usable):
    return [life for life in log["allocations"] if life["usize"] == usable]


def the_log(conf, resolution):
    with tempfile.TemporaryDirectory() as folder:
        did, said = run(LOG, "lg_prof_sample:0" + conf, folder)
        efault = 14
        check(did["early_stop"] == efault and did["second_stop"] == efault, "stop without a log", did)
        check(did["start"] == 0 and did["again"] == efault and did["stop"] == 0, "start and stop", did)
        check(did["too_long"] == efault and did["no_prefix"] == efault, "names", did)
        check(did["lost"] == [0, efault, 0, 0] and did["unnamed"] == [0] * 4 and did["last"] == 0, did)
        check(not did["there"], "the file is there before the log has ended")
        names = {"given.json", "b.json", f"jeprof.{did['pid']}.0.json", f"jeprof.{did['pid']}.1.json",
                 f"p.{did['pid']}.2.json"}
        check(set(os.listdir(folder)) == names, "files", os.listdir(folder))
        for name in names:
            check_log(load(os.path.join(folder, name)), resolution)
        log = load(os.path.join(folder, "given.json"))
        check(log["info"]["pid"] == did["pid"], log["info"])
        check(lives_of(log, 73728) == [] and lives_of(log, 94208) == [], "half a life is in the log")
        lives = lives_of(log, 81920)
        check(len(lives) == 4, len(lives), "lives of 4")
        threads = [(life["alloc_thread"], life["free_thread"]) for life in lives]
        check(len(set(threads[:3])) == 1 and threads[0][0] == threads[0][1] != threads[3][1], "threads", threads)
        check(log["threads"][threads[3][1]]["thr_name"] == 'a "b"\\', "names", log["threads"])
        # At the end of the process it is written, too.
        check(len(lives_of(load(os.path.join(folder, f"p.{did['pid']}.2.json")), 102400)) == 1, "at exit")
        check("jemalloc" not in said, said)


def the_log_from_the_start():
    with tempfile.TemporaryDirectory() as folder:
        did, _ = run("""
act("prof.log_stop")
act("prof.log_start")
c.free(c.malloc(100001))
child = os.fork()
if child == 0:
    c.free(c.malloc(110001))
    sys.exit(0)
os.waitpid(child, 0)
result = [os.getpid(), child]
""", "lg_prof_sample:0,prof_log:true", folder)
        parent, child = did
        check(set(os.listdir(folder)) == {f"jeprof.{parent}.0.json", f"jeprof.{parent}.1.json",
                                          f"jeprof.{child}.1.json"}, os.listdir(folder))
        for pid, count in (parent, [1, 0]), (child, [1, 1]):
            log = load(os.path.join(folder, f"jeprof.{pid}.1.json"))
            check_log(log, "default")
            check([len(lives_of(log, 102400)), len(lives_of(log, 110592))] == count, pid, "of", did)
        did, _ = run("""
act("prof.log_start", "named.json")
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
result = os.path.exists("named.json")
""", cwd=folder)
        check(did is False and os.path.exists(os.path.join(folder, "named.json")), "a child has written")


# --- the last samples --------------------------------------------------------------------

RECENT = r"""
MAX = "experimental.prof_recent.alloc_max"
ssize = ctypes.c_ssize_t
result = dict(at_first=get(MAX, ssize), bad=put(MAX, ssize(-2)), short=put(MAX, ctypes.c_int(5)),
              empty=recent(), no_input=act("experimental.prof_recent.alloc_dump"))
assert put(MAX, ssize(-1)) == 0
kept = [c.malloc(80001 + i) for i in range(4)]
c.free(kept[0])
on_thread(lambda: c.free(kept[1]), "other")
result["all"] = recent()
for i in range(100):
    c.free(c.malloc(90001))
assert put(MAX, ssize(20)) == 0
result["shrunk"] = recent()
c.free(kept[2])                     # is none of the last any more
for i in range(100):
    c.free(c.malloc(100001))
result["last"] = recent()
old, length, new = ssize(), ctypes.c_size_t(8), ssize(0)
assert c.mallctl(MAX.encode(), ctypes.byref(old), ctypes.byref(length), ctypes.byref(new), 8) == 0
result["old"] = old.value
c.free(kept[3])
result["none"] = recent()
"""


def check_record(record):
    keys = [key for key in record if not key.endswith("_thread_name")]
    expected = ["size", "usize", "released", "alloc_thread_uid", "alloc_time", "alloc_trace"]
    if record["released"]:
        expected += ["dalloc_thread_uid", "dalloc_time", "dalloc_trace"]
    check(keys == expected, "keys", keys)
    check(record["size"] <= record["usize"], record)
    check(len(record["alloc_trace"]) > 2 and all(map(is_address, record["alloc_trace"])), record)
    if record["released"]:
        check(record["dalloc_time"] >= record["alloc_time"], record)
        check(len(record["dalloc_trace"]) > 2 and all(map(is_address, record["dalloc_trace"])), record)


def the_last_samples():
    did, _ = run(RECENT)
    check(did["at_first"] == 0 and did["bad"] == did["short"] == did["no_input"] == 22, did["at_first"])
    check(did["empty"] == did["none"] == {"sample_interval": 1, "recent_alloc_max": 0, "recent_alloc": []},
          did["empty"], did["none"])
    check(list(did["all"]) == ["sample_interval", "recent_alloc_max", "recent_alloc"] and
          did["all"]["recent_alloc_max"] == -1, list(did["all"]))
    for record in did["all"]["recent_alloc"] + did["last"]["recent_alloc"]:
        check_record(record)
    times = [record["alloc_time"] for record in did["all"]["recent_alloc"]]
    check(times == sorted(times), "oldest first")
    ours = [r for r in did["all"]["recent_alloc"] if 80001 <= r["size"] <= 80004]
    check([r["size"] for r in ours] == [80001, 80002, 80003, 80004], ours)
    check([r["released"] for r in ours] == [True, True, False, False], ours)
    check({r["usize"] for r in ours} == {81920}, ours)
    check(ours[0]["dalloc_thread_uid"] == ours[0]["alloc_thread_uid"] != ours[1]["dalloc_thread_uid"], ours)
    check(ours[1]["dalloc_thread_name"] == "other" and "alloc_thread_name" not in ours[1], ours)
    check(ours[0]["dalloc_trace"] != ours[0]["alloc_trace"], "stacks")
    for name in "shrunk", "last":
        check(len(did[name]["recent_alloc"]) <= 20 and did[name]["recent_alloc_max"] == 20, name)
        check(not [r for r in did[name]["recent_alloc"] if r["size"] in (80003, 80004)], name)
    check([r for r in did["last"]["recent_alloc"] if r["size"] == 100001], "the last ones are there")
    check(did["old"] == 20, did["old"])
    # From the start, with the other clock.
    did, _ = run("import time\nc.malloc(80001)\nresult = [recent(), time.time_ns()]",
                 "lg_prof_sample:0,prof_recent_alloc_max:1000,prof_time_resolution:high")
    ours = [r for r in did[0]["recent_alloc"] if r["size"] == 80001]
    check(len(ours) == 1 and 0 <= did[1] - ours[0]["alloc_time"] < 60e9, ours, did[1])


# --- by size class -------------------------------------------------------------------------

STATS = r"""
PAIR = ctypes.c_uint64 * 2
def classes(kind, i):
    return [get(f"prof.stats.{kind}.{i}.{what}", PAIR) for what in ("live", "accum")]
nbins = get("arenas.nbins", ctypes.c_uint)
nlextents = get("arenas.nlextents", ctypes.c_uint)
sizes = [get(f"arenas.bin.{i}.size", ctypes.c_size_t) for i in range(nbins)]
small = sizes.index(7168)
large = [get(f"arenas.lextent.{i}.size", ctypes.c_size_t) for i in range(nlextents)].index(917504)
result = dict(small=small, large=large, before=[classes("bins", small), classes("lextents", large)])
kept = [c.malloc(7000) for _ in range(10)] + [c.malloc(900000) for _ in range(6)]
for p in kept[:4] + kept[10:12]:
    c.free(p)
c.mallctl(b"prof.reset", None, None, None, 0)
c.free(kept[4])
result["after"] = [classes("bins", small), classes("lextents", large)]
result["beyond"] = [classes("bins", nbins)[0], classes("lextents", nlextents)[0]]
result["whole"] = report(b"Jm")
# Python may use the classes, too.
result["read"] = [[classes("bins", small), classes("lextents", large)]]
for name, letters in ("json", b"Jax"), ("text", b"ax"), ("metrics", b"Pax"):
    result[name] = report(letters)
    result["read"].append([classes("bins", small), classes("lextents", large)])
"""


def difference(before, after):
    """Of two pairs of live and accum."""
    return [[b - a for a, b in zip(x, y)] for x, y in zip(before, after)]


def by_size_class():
    did, _ = run(STATS, "lg_prof_sample:0,prof_stats:true")
    check(difference(did["before"][0], did["after"][0]) == [[35000, 5], [70000, 10]], did["before"], did["after"])
    check(difference(did["before"][1], did["after"][1]) == [[3600000, 4], [5400000, 6]], did["before"], did["after"])
    check(did["beyond"] == [-2, -2], did["beyond"])
    doc = json.loads(did["json"], object_pairs_hook=unique)["jemalloc"]
    keys = ["prof_live_requested", "prof_live_count", "prof_accum_requested", "prof_accum_count"]
    text = re.sub(" +", " ", did["text"])
    check(text.count("live_requested live_count accum_requested accum_count") == 2, "titles in the text")
    for kind, i in ("bins", did["small"]), ("lextents", did["large"]):
        row = doc["stats.arenas"]["merged"][kind][i]
        size = doc["arenas"][kind[:-1]][i]["size"]
        read = [[n for pair in both[kind == "lextents"] for n in pair] for both in did["read"]]
        check([row[k] for k in keys] in read[:2], row, read)
        check(all(set(keys) <= set(r) for r in doc["stats.arenas"]["merged"][kind]), kind)
        check(any(re.search(rf"^ *{size} .* {' '.join(map(str, r))} ", text, re.M) for r in read[1:3]),
              size, "in the text")
        lines = [[f'jemalloc_{key.replace("requested", "requested_bytes").replace("count", "samples")}{"_total" if "accum" in key else ""}'
                  f'{{size="{size}"}} {value}' for key, value in zip(keys, r)] for r in read[2:]]
        check(any(set(ls) <= set(did["metrics"].split("\n")) for ls in lines), lines)
    whole = json.loads(did["whole"])["jemalloc"]["stats.arenas"]
    check("prof_live_count" not in whole["0"]["bins"][did["small"]], "only in the sum of all")
    did, _ = run(STATS.split("kept =")[0] + 'result["json"] = report(b"Ja")')
    check(did["before"] == [[-2, -2], [-2, -2]], "without prof_stats", did["before"])
    check("prof_live" not in did["json"], "without prof_stats")


def the_state_of_the_profile():
    did, _ = run("""
def all_three():
    return [report(b"Jmdablxeh"), report(b"mdablxeh")]
result = dict(before=all_three())
c.mallctl(b"prof.active", None, None, ctypes.byref(ctypes.c_bool(False)), 1)
c.mallctl(b"prof.thread_active_init", None, None, ctypes.byref(ctypes.c_bool(False)), 1)
c.mallctl(b"prof.reset", None, None, ctypes.byref(ctypes.c_size_t(13)), 8)
result["after"] = all_three()
LOCKS = ["prof", "prof_dump", "prof_recent_alloc", "prof_stats", "prof_thds_data", "prof_recent_dump"]
act("prof.dump", "/dev/null/none")
c.mallctl(b"epoch", None, None, ctypes.byref(ctypes.c_uint64(1)), 8)
result["locks"] = {n: get(f"stats.mutexes.{n}.num_ops", ctypes.c_uint64) for n in LOCKS}
c.mallctl(b"stats.mutexes.reset", None, None, None, 0)
c.mallctl(b"epoch", None, None, ctypes.byref(ctypes.c_uint64(1)), 8)
result["cleared"] = {n: get(f"stats.mutexes.{n}.num_ops", ctypes.c_uint64) for n in LOCKS}
""", "lg_prof_sample:3,lg_prof_interval:60,prof_recent_alloc_max:10,prof_stats:true")
    before, after = [json.loads(did[when][0])["jemalloc"]["prof"] for when in ("before", "after")]
    check(before == {"thread_active_init": True, "active": True, "gdump": False, "interval": 1 << 60,
                     "lg_sample": 3}, before)
    check(after == {"thread_active_init": False, "active": False, "gdump": False, "interval": 1 << 60,
                    "lg_sample": 13}, after)
    for line in ("  prof.active: false", "  prof.thread_active_init: false", "  prof.lg_sample: 13",
                 f"  prof.interval: {1 << 60}", "  opt.prof_active: true (prof.active: false)"):
        check(line in did["after"][1].split("\n"), line)
    for name, count in did["locks"].items():
        check((count > 0) == (name not in ("prof_thds_data", "prof_recent_dump")), name, count)
        check(did["cleared"][name] < 20, name, did["cleared"][name])


def without_a_profile():
    did, _ = run("""
MAX = "experimental.prof_recent.alloc_max"
result = [act("prof.log_start", "x"), act("prof.log_stop"), get(MAX, ctypes.c_ssize_t),
          put(MAX, ctypes.c_ssize_t(1)), put("experimental.prof_recent.alloc_dump", Sink(WRITE(0), 0)),
          get("prof.stats.bins.0.live", ctypes.c_uint64 * 2), act("experimental.hooks.prof_sample", "x"),
          get("stats.mutexes.prof.num_ops", ctypes.c_uint64)]
""", "prof:false,prof_stats:true")
    check(did == [2, 2, -2, 2, 2, -2, 2, 0], did)


if not built_with("prof"):
    skip("built without heap profiles")
the_log("", "default")
the_log(",prof_time_resolution:high,prof_recent_alloc_max:3", "high")
the_log_from_the_start()
the_last_samples()
by_size_class()
the_state_of_the_profile()
without_a_profile()
finish()
