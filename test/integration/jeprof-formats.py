#!/usr/bin/env python3
"""jeprof reads what other tools write: tcmalloc's text, Go's, pprof's protocol
buffers, dumps with other text around them. Where gperftools' pprof or Go's read
the file, too, the totals are equal. What it can't read, it refuses with a reason."""
import glob
import gzip
import http.server
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import jeprof as test
from jeprof import BASE, bad, check, good, run, symbols, table, text_mapping, write
from lib import LIB, built, built_with, left_out, strict

GOOGLE = shutil.which("google-pprof")
GO = shutil.which("go")
TCMALLOC = glob.glob("/usr/lib/*/libtcmalloc.so.4")
SEED = int(os.environ.get("SEED", "1"))
LONG = os.environ.get("TEST_LONG", "0") != "0"


def zlib_is_there():
    """Whether jeprof can read compressed files; it says so if not."""
    with tempfile.TemporaryDirectory() as folder:
        with gzip.open(folder + "/x.gz", "wb") as file:
            file.write(b"heap_v2/1\n")
        if "without zlib" not in run("--text", folder + "/x.gz")[2]:
            return True
        bad("without zlib: use gunzip first", "--text", folder + "/x.gz")
        left_out("zlib1g-dev is not installed, so jeprof was built without zlib")
        return False


ZLIB = zlib_is_there()


def go_total(kind, *arguments):
    """The total that Go's pprof shows, in bytes or objects."""
    done = subprocess.run([GO, "tool", "pprof", "-top", "-unit=B", "-nodefraction=0", f"-sample_index={kind}",
                           *arguments], capture_output=True, text=True, timeout=600,
                          env={**os.environ, "PPROF_TMPDIR": os.getcwd(), "HOME": os.getcwd()})
    found = re.search(r"of (-?[0-9.]+)B? total", done.stdout)
    check(found, f"go tool pprof {arguments}", done.stdout, done.stderr)
    return float(found[1]) if found else None


def total(*arguments):
    found = re.match(r"Total.*: (-?\d+) ", good("--show_bytes", *arguments))
    return int(found[1]) if found else 0


def google_total(*arguments):
    status, out, error = run("--text", "--show_bytes", *arguments, tool=GOOGLE)
    found = re.match(r"Total: (-?\d+) ", out[out.find("Total:"):])
    check(status == 0 and found, f"google-pprof {arguments}", out, error)
    return int(found[1]) if found else None


# --- what gperftools writes ---------------------------------------------------

def stacks_of(program, base, kind, counts="{0:6}: {1:8} [{0:6}: {1:8}]"):
    """Three stacks with columns, as tcmalloc has them."""
    named = symbols(program)
    lines = [f"heap profile: {counts.format(6, 2364)} @ {kind}"]
    for name, objects, size in (("deep", 3, 300), ("start_up", 2, 2000), ("leaf", 1, 64)):
        lines.append(f"{counts.format(objects, size)} @ {base + sum(named[name]) - 1:#x} "
                     f"{base + sum(named['main']):#x}")
    return "\n".join(lines) + "\n\nMAPPED_LIBRARIES:\n" + text_mapping(program, base)


def test_padded(program):
    for kind in ("heapprofile", "heap_v2/4096", "heapz_v2/4096", "heap_v2", "heap/8192", "heap", "growth",
                 "growthz", "growthz/1"):
        dump = write("padded.heap", stacks_of(program, BASE, kind))
        rows = table(good("--show_bytes", program, dump))
        check(set(rows) == {"deep", "start_up", "leaf", "main"}, kind, rows)
        again = write("tight.heap", stacks_of(program, BASE, kind, "{0}: {1} [{0}: {1}]"))
        check(table(good("--show_bytes", program, again)) == rows, f"{kind} without blanks", rows)
        if GOOGLE:
            check(abs(google_total(program, dump) - total(program, dump)) <= 1, f"{kind}: google-pprof's total")


def test_tcmalloc():
    """Files that the library itself writes: exact ones, samples, growth, leaks."""
    if not TCMALLOC:
        left_out("libtcmalloc (google-perftools) is not installed")
        return
    program = test.compile_program("traced", "-fno-builtin")
    env = {**os.environ, "LD_PRELOAD": TCMALLOC[0], "HEAPPROFILE": os.path.abspath("tc")}
    subprocess.run([program], env=env, check=True, capture_output=True)
    write("samples.c", """
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
struct string { char *text; size_t length; char space[16]; };
__attribute__((noinline)) void *grow(size_t size) { void *p = malloc(size); __asm__ volatile(""); return p; }
#define NAME(what) "_ZN15MallocExtension" what "EPNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
void save(const char *name, const char *path)
{
	void *(*instance)(void) = (void *(*)(void))dlsym(0, "_ZN15MallocExtension8instanceEv");
	void (*get)(void *, struct string *) = (void (*)(void *, struct string *))dlsym(0, name);
	struct string text = { text.space, 0, "" };
	FILE *file = fopen(path, "w");
	get(instance(), &text);
	fwrite(text.text, 1, text.length, file);
	fclose(file);
}
int main(void)
{
	for (int i = 0; i < 3000; i++)
		grow(i * 10 + 100);
	save(NAME("13GetHeapSample"), "tc.sample");
	save(NAME("19GetHeapGrowthStacks"), "tc.growth");
}
""")
    subprocess.run(["cc", "-g", "-O1", "-fno-builtin", "-o", "samples", "samples.c", "-ldl"], check=True)
    env = {**os.environ, "LD_PRELOAD": TCMALLOC[0], "TCMALLOC_SAMPLE_PARAMETER": "65536"}
    subprocess.run(["./samples"], env=env, check=True, capture_output=True)
    for binary, dump, inner in (program, glob.glob("tc.*.heap")[0], "leaf"), \
            ("./samples", "tc.sample", "grow"), ("./samples", "tc.growth", "grow"):
        rows = table(good("--show_bytes", binary, dump))
        check(rows.get(inner, (0, 0))[1] > 0 and "main" in rows, dump, rows)
        if GOOGLE:
            check(google_total(binary, dump) == total(binary, dump), f"{dump}: google-pprof's total")
        if GO:
            check(abs(go_total("inuse_space" if "heap" in dump else "space", binary, dump) - total(binary, dump)) <=
                  total(binary, dump) / 1e4, f"{dump}: the total of Go's pprof")


# --- text around a dump -------------------------------------------------------

def test_around(program):
    dump = test.hand_written(program, BASE, symbols(program), "plain.heap")
    with open(dump) as file:
        text = file.read()
    want = good("--show_bytes", program, dump)
    leaks = "<jemalloc>: Leak approximation summary: ~2364 bytes, ~6 objects, >= 3 contexts\n" \
        "<jemalloc>: Run jeprof on dump output \"x\" for leak detail\n"
    write("leaks.heap", leaks + text)
    for arguments in ([program, "leaks.heap"], ["leaks.heap"]):
        status, out, error = run("--show_bytes", *arguments)
        check(status == 0 and out == want and "2 lines before" in error and error.count("\n") == 1,
              "a report about leaks before", arguments, out, error)
    cut = re.sub(r"(\[6: 600\]\n)", r"\1  ...\n[...]\n", text)
    check(cut != text, "the text has the counts", text)
    status, out, error = run("--show_bytes", program, write("cut.heap", cut))
    check(status == 0 and out == want and error.count("\n") == 1 and "cut.heap:7: parts" in error,
          "parts are left out", out, error)
    raw = good("--raw", program, dump)
    bare = write("bare.raw", raw.replace("--- heap\n", ""))
    check(good("--show_bytes", bare) == want, "symbols without a line for the heap", good(bare))
    bad("truncated", write("no.raw", raw[:raw.index("--- heap")]))
    if not ZLIB:
        return
    with gzip.open("plain.heap.gz", "wt") as file:
        file.write(text)
    check(good("--show_bytes", program, "plain.heap.gz") == want, "compressed text")
    check(good("--show_bytes", "plain.heap.gz") == want, "compressed text without a program")
    with open("plain.heap.gz", "rb") as file:
        packed = file.read()
    for name, data, word in (("half.gz", packed[:-20], "truncated"), ("bad.gz", packed[:30] + b"\xff" * 9 + packed[39:],
                                                                   "damaged")):
        with open(name, "wb") as file:
            file.write(data)
        bad(word, program, name)


def test_two_raws(program):
    """Symbolized profiles of two loads at other addresses: equal places are one."""
    named = symbols(program)
    names = []
    for base in (BASE, BASE + 0x7000000):
        dump = test.hand_written(program, base, named, "moved.heap")
        names.append(write(f"{base:x}.raw", good("--raw", program, dump)))
    rows = table(good("--show_bytes", *names))
    check(rows["start_up"] == (4000, 4000) and rows["main"][1] == 2 * 2364, "two raw profiles", rows)
    status, out, error = run("--show_bytes", "--base=" + names[0], names[1])
    check(status == 0 and "nothing has changed" in error and table(out) == {}, "their difference", out, error)
    # The second has other functions at the addresses of the first.
    with open(names[0]) as file:
        other = write("other.raw", re.sub(r"\b(leaf|deep|start_up)\b", r"other_\1", file.read()))
    rows = table(good("--show_bytes", names[0], other))
    check(rows["other_leaf"] == (64, 64) and rows["leaf"] == (64, 64), "each file has its own names", rows)


# --- Go -----------------------------------------------------------------------

GO_TEXT = """heap profile: 3: 82416 [5: 90000] @ heap/8192
1: 81920 [1: 81920] @ 0x4b5d52 0x4b5d53 0x437832 0x462301
#\t0x4b5d51\tmain.grow[...]+0x131\t/src/main.go:5
#\t0x4b5d52\tmain.(*Server).handle+0x132\t\t/src/main.go:11
#\t0x437831\truntime.main+0x211\t\t/go/src/runtime/proc.go:250

2: 496 [4: 8080] @ 0x43fd28 0x4b5d53 0x4b5d53
#\t0x43fd27\tmain.inner+0x27\t/src/in.go:7
#\t0x43fd27\tmain.outer+0x27\t/src/main.go:40
#\t0x4b5d52\tmain.(*Server).handle+0x132\t/src/main.go:11
#\t0x4b5d52\tmain.(*Server).handle+0x132\t/src/main.go:11


# runtime.MemStats
# Alloc = 1414088
"""


def test_go_text():
    dump = write("go.heap", GO_TEXT)
    out = good("--collapsed", "--inuse_objects", dump)
    check(out == "main.(*Server).handle;main.(*Server).handle;main.outer;main.inner[inline] 34\n"
          "runtime.main;main.(*Server).handle;main.grow[...] 1\n", "Go's text", out)
    rows = table(good("--lines", "--show_bytes", dump))
    check("main.inner (inline) /src/in.go:7" in rows and "main.grow[...] /src/main.go:5" in rows, "Go's lines", rows)
    if GO:
        check(abs(go_total("inuse_space", dump) - total(dump)) <= 1, "the total of Go's pprof", total(dump))


def test_go_program():
    if GO is None:
        left_out("go (golang-go) is not installed")
        return
    os.makedirs("gopher", exist_ok=True)
    write("gopher/main.go", """package main
import ("os"; "runtime"; "runtime/pprof")
type Server struct{ kept [][]byte }
func (s *Server) handle(n int) { s.kept = append(s.kept, make([]byte, n)) }
func main() {
	runtime.MemProfileRate = 4096
	s := &Server{}
	for i := 0; i < 2000; i++ { s.handle(i*10 + 1) }
	runtime.GC()
	for d, name := range []string{"go.d0", "go.d1"} {
		o, _ := os.Create(name)
		pprof.Lookup("heap").WriteTo(o, d)
		o.Close()
	}
	runtime.KeepAlive(s)
}
""")
    env = {**os.environ, "HOME": os.getcwd(), "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    built = subprocess.run([GO, "build", "-o", "gopher/main", "gopher/main.go"], env=env, capture_output=True,
                           text=True, timeout=900)
    if built.returncode != 0:
        left_out("go can't build a program: " + built.stderr[:99])
        return
    subprocess.run(["gopher/main"], check=True)
    for dump in ("go.d0", "go.d1") if ZLIB else ("go.d1",):
        rows = table(good("--show_bytes", dump))
        check(any(name.startswith("main.(*Server).handle") for name in rows) and "main.main" in rows, dump, rows)
        for kind in ("inuse_space", "alloc_space", "inuse_objects", "alloc_objects"):
            theirs, ours = go_total(kind, dump), total("--" + kind, dump)
            # It cuts the estimate for each size to a whole number.
            check(abs(theirs - ours) <= 1 + theirs / (40 if "objects" in kind else 1e4), f"{dump} {kind}", theirs, ours)
    with open("go.cpu", "wb") as file:
        file.write(Proto([("samples", "count"), ("cpu", "nanoseconds")]).sample([], [1, 2]).bytes())
    bad("not a heap profile: it has samples cpu", "go.cpu")


# --- protocol buffers ---------------------------------------------------------

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


class Proto:
    """Writes a profile as pprof's profile.proto says; knows nothing of jeprof."""

    def __init__(self, types):
        self.strings, self.out, self.functions, self.count = {b"": 0}, b"", {}, 0
        for name, unit in types:
            self.out += field(1, field(1, self.string(name)) + field(2, self.string(unit)))

    def string(self, text):
        text = text if isinstance(text, bytes) else text.encode()
        return self.strings.setdefault(text, len(self.strings))

    def mapping(self, start, limit, offset, path, build_id=""):
        self.count += 1
        self.out += field(3, field(1, self.count) + field(2, start) + field(3, limit) + field(4, offset) +
                          field(5, self.string(path)) + field(6, self.string(build_id)))
        return self

    def location(self, number, address, *lines, mapping=0):
        """Lines are (function, file, line), innermost first."""
        body = field(1, number) + field(2, mapping) + field(3, address)
        for name, path, line in lines:
            key = (name, path)
            if key not in self.functions:
                self.functions[key] = len(self.functions) + 1
                self.out += field(5, field(1, self.functions[key]) + field(2, self.string(name)) +
                                  field(4, self.string(path)) + field(5, 1))
            body += field(4, field(1, self.functions[key]) + field(2, line))
        self.out += field(4, body)
        return self

    def sample(self, locations, values, packed=True, **labels):
        def numbers(which, items):
            return field(which, b"".join(map(varint, items))) if packed else \
                b"".join(field(which, item) for item in items)
        body = numbers(1, locations) + numbers(2, values)
        for key, text in labels.items():
            body += field(3, field(1, self.string(key)) + field(2, self.string(text)))
        self.out += field(2, body)
        return self

    def bytes(self):
        return self.out + b"".join(field(6, text) for text in self.strings)


HEAP = [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")]


def save(name, data, pack=False):
    with (gzip.open if pack and ZLIB else open)(name, "wb") as file:
        file.write(data)
    return name


def small():
    """Names and no addresses, as from Java; an inlined call; a recursion; threads."""
    profile = Proto(HEAP)
    profile.location(7, 0, ("app.Main.run", "Main.java", 12))
    profile.location(3, 0, ("inner", "in.c", 5), ("outer", "out.c", 50))
    profile.sample([3, 7, 7], [9, 900, 3, 300], thread="t4")
    profile.sample([7], [2, 20, 1, 10], packed=False, thread="t2")
    return profile.bytes()


def test_proto():
    for pack in (False, True):
        dump = save("small.pb", small(), pack)
        check(good("--collapsed", dump) == "app.Main.run 10\napp.Main.run;app.Main.run;outer;inner[inline] 300\n",
              "folded", good("--collapsed", dump))
        check([total("--" + kind, dump) for kind, _ in HEAP] == [11, 920, 4, 310], "all four values")
        rows = table(good("--lines", "--show_bytes", dump))
        check(set(rows) == {"app.Main.run Main.java:12", "inner (inline) in.c:5", "outer out.c:50"}, "lines", rows)
        check(total("--thread=4", dump) == 300 and total("--thread=2", dump) == 10, "threads")
        check(total(dump, dump) == 620, "two of them")
        if GO:
            check(go_total("inuse_space", dump) == 310 and go_total("alloc_objects", dump) == 11, "Go's pprof")
    same = Proto(HEAP).location(1, 0x1000, ("a", "a.c", 1)).location(2, 0x1000, ("b", "b.c", 1))
    same.sample([1], [1, 3, 1, 3]).sample([2], [1, 4, 1, 4])
    rows = table(good("--show_bytes", save("same.pb", same.bytes())))
    check(rows == {"a": (3, 3), "b": (4, 4)}, "two places with one address", rows)
    profile = Proto(HEAP).location(1, 1, ("my_take", "a", 1)).location(2, 2, ("my_keep", "a", 2)).location(
        3, 3, ("user", "a", 3))
    profile.sample([1, 3], [1, 5, 1, 5]).sample([2, 3], [1, 7, 1, 7]).out += field(
        7, profile.string("my_.*|us")) + field(8, profile.string("my_k.*"))
    rows = table(good("--show_bytes", save("drop.pb", profile.bytes())))
    check(rows == {"user": (5, 12), "my_keep": (7, 7)}, "the profile names its allocator", rows)
    cpu = Proto([("samples", "count"), ("cpu", "nanoseconds")]).sample([], [1, 2]).bytes()
    bad("not a heap profile: it has samples cpu", save("cpu.pb", cpu))
    only = Proto([("alloc_space", "bytes")]).location(1, 5, ("f", "f.c", 1)).sample([1], [7]).bytes()
    bad("has no inuse_space; it has: alloc_space", save("only.pb", only))
    check(total("--alloc_space", "only.pb") == 7, "one value")


def test_own():
    """This library's two formats say the same of one program."""
    if not built_with("prof"):
        left_out("built without heap profiles")
        return
    program = test.compile_program("both", "-fno-builtin")
    found = {}
    for kind in ("text", "pprof"):
        subprocess.run([program], check=True, env={**os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict(
            f"prof:true,lg_prof_sample:0,prof_accum:true,prof_final:true,prof_format:{kind},prof_prefix:own.{kind}")})
        dump = glob.glob(f"own.{kind}.*")[0]
        if not ZLIB and dump.endswith(".gz"):
            with gzip.open(dump) as file:
                dump = save("own.pb", file.read())
        found[kind] = [good("--show_bytes", f"--{view}", f"--{what}", dump) for view, _ in HEAP
                       for what in ("functions", "lines", "collapsed", "thread=0")]
    check(found["text"] == found["pprof"] and all("leaf" in text for text in found["text"]), "the two formats",
          *[[a, b] for a, b in zip(found["text"], found["pprof"]) if a != b])


def test_wide():
    """A function with many callees: the flame graph has each of them, as wide as it should be."""
    profile = Proto(HEAP).location(1000, 0, ("outer", "o.c", 1))
    for number in range(1, 101):
        profile.location(number, 0, (f"f{number}", "f.c", number)).location(number + 200, 0, ("g", "g.c", number))
    for _ in range(2):
        for number in range(1, 101):
            profile.sample([number + 200, number, 1000], [1, number, 1, number])
    root = xml.etree.ElementTree.fromstring(good("--flamegraph", save("wide.pb", profile.bytes())))
    widths = {}
    for g in root.iter():
        if g.get("data-n"):
            widths[g.get("data-n")] = widths.get(g.get("data-n"), 0) + float(g.get("data-w"))
    check(len(widths) == 103 and all(abs(widths[f"f{number}"] - 1200 * number / 5050) < .01 for number in range(1, 101))
          and abs(widths["g"] - 1200) < .01, "widths", widths)


def test_proto_mapped(program):
    """Addresses are looked up in the files that are mapped, if they are of that build."""
    named = symbols(program)
    start, end, offset = re.match(r"(\w+)-(\w+) \S+ (\w+)", text_mapping(program, BASE)).groups()
    notes = subprocess.run(["readelf", "-nW", program], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Build ID: (\w+)", notes)
    if found is None:
        left_out("the compiler writes no build ids")
        return

    def dump(build_id):
        profile = Proto(HEAP).mapping(int(start, 16), int(end, 16), int(offset, 16), program, build_id)
        for number, name in enumerate(("leaf", "main"), 1):
            profile.location(number, BASE + sum(named[name]) - 1, mapping=1)
        profile.location(3, 0x7f1234567000)
        return save("mapped.pb", profile.sample([1, 2], [1, 10, 1, 10]).sample([3], [1, 1, 1, 1]).bytes(), True)
    want = {"leaf": (10, 10), "main": (0, 10), "[closed library]": (1, 1)}
    for build_id in (found[1], "", found[1][:16]):
        status, out, error = run("--show_bytes", dump(build_id))
        check(status == 0 and table(out) == want and error == "", f"build {build_id}", out, error)
    status, out, error = run("--show_bytes", dump("0123456789abcdef"))
    where = "[program+0x%x]" % (sum(named["leaf"]) - 1)
    check(status == 0 and where in table(out) and "leaf" not in out and "another build" in error and
          error.count("\n") == 1, "another build: no names", out, error)
    status, out, error = run("--show_bytes", program, dump("0123456789abcdef"))
    check(status == 0 and table(out) == want and "another build" in error, "but if the user says so", out, error)


def test_to_proto(program):
    """From any input; read again it is the same; Go's pprof sees the same."""
    named = symbols(program)
    dump = test.hand_written(program, BASE, named, "for.heap")
    write("for.raw", good("--raw", program, dump))
    write("for.go", GO_TEXT)
    for source in ([program, dump], ["for.raw"], ["for.go"], [save("for.pb", small())],
                   ["--focus=leaf|main", program, dump], ["--exclude=main", program, dump], [program, dump, dump]):
        done = subprocess.run([test.JEPROF, "--proto", *source], capture_output=True)
        check(done.returncode == 0 and done.stderr == b"", f"--proto {source}", done.stderr)
        save("out.pb.gz", done.stdout)
        for view in (["--inuse_space", "--show_bytes"], ["--alloc_objects"], ["--alloc_space", "--show_bytes"]):
            got, want = (table(good(*view, *of)) for of in (["out.pb.gz"], source))
            check(set(got) == set(want) and all(abs(a - b) <= 2 for name in got for a, b in zip(got[name], want[name])),
                  f"read again {view} {source}", got, want)
        if GO:
            kept = sum(flat for flat, _ in table(good("--show_bytes", *source)).values())
            check(abs(go_total("inuse_space", "out.pb.gz") - kept) <= 2, f"Go's pprof: {source}", kept)
    check(good("--lines", "--show_bytes", "out.pb.gz") == good("--lines", "--show_bytes", program, dump, dump),
          "lines")
    save("a.pb.gz", subprocess.run([test.JEPROF, "--proto", program, dump], capture_output=True).stdout)
    rows = table(good("--show_bytes", "--base=a.pb.gz", "out.pb.gz"))
    check(rows == table(good("--show_bytes", program, dump)), "a difference of two", rows)
    done = subprocess.run([test.JEPROF, "--proto", "--base=out.pb.gz", "a.pb.gz"], capture_output=True)
    check(total(save("less.pb.gz", done.stdout)) == -2364, "a negative one", done)
    bad("negative", "--raw", "less.pb.gz")
    check(good("--collapsed", write("again.raw", good("--raw", "a.pb.gz"))) == good("--collapsed", "a.pb.gz"),
          "a raw profile of it")
    # What a filter leaves is all free by now: there is something to write.
    write("gone.raw", """--- symbol
binary=x
0x1000 gone
0x3000 live
---
heap_v2/524288
  t*: 1: 100 [3: 300]
@ 0x1000
  t*: 0: 0 [2: 200]
@ 0x3000
  t*: 1: 100 [1: 100]

MAPPED_LIBRARIES:
""")
    done = subprocess.run([test.JEPROF, "--proto", "--focus=gone", "gone.raw"], capture_output=True)
    check(done.returncode == 0 and done.stderr == b"", "only freed objects in focus", done.stderr)
    check(total("--alloc_space", save("gone.pb.gz", done.stdout)) > 0, "they are in the file")
    done = subprocess.run([test.JEPROF, "--proto", "--focus=nowhere", "gone.raw"], capture_output=True)
    check(b"no stack matches" in done.stderr, "nothing in focus", done.stderr)


def test_served():
    """Go's and other servers give such profiles over HTTP, with names or without."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = {"/debug/pprof/heap": gzip.compress(small()) if ZLIB else small()}.get(self.path)
            self.send_response(200 if data else 404)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_):
            pass
    if "without libcurl" in run("127.0.0.1:1/pprof/heap")[2]:
        left_out("libcurl4-openssl-dev is not installed, so jeprof was built without libcurl")
        return
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["JEPROF_TMPDIR"] = os.path.abspath("fetched")
    try:
        out = good("--collapsed", f"http://127.0.0.1:{server.server_port}/debug/pprof/heap")
        check(out == good("--collapsed", "small.pb"), "from a server", out)
    finally:
        server.shutdown()


# --- what is broken -----------------------------------------------------------

def test_mutated(program):
    """Any bytes: a report or one line that says why not, in little memory."""
    random.seed(SEED)
    dump = test.hand_written(program, BASE, symbols(program), "sound.heap")
    with open(dump, "rb") as file:
        text = file.read()
    profile = Proto(HEAP).mapping(0x1000, 0x9000, 0, "/nowhere/lib.so", "00ff")
    profile.location(1, 0x1234, ("f<int>(a, b)", "f.cc", 3), ("g", "g.cc", 4), mapping=1).location(2, 0x2000, mapping=1)
    proto = profile.sample([1, 2], [4, 40, 2, 20], thread="t1").sample([2], [1, 1, 1, 1]).bytes()
    for number in range(20000 if LONG else 150):
        data = bytearray(random.choice([text, proto, proto, GO_TEXT.encode()]))
        for _ in range(random.choice([1, 1, 2, 8])):
            at = random.randrange(len(data))
            kind = random.randrange(4)
            if kind == 0:
                data[at] ^= 1 << random.randrange(8)
            elif kind == 1:
                data[at] = random.choice([0, 0x7f, 0x80, 0xff, 10, 48])
            elif kind == 2:
                del data[at:at + random.randrange(1, 20)]
            else:
                data[at:at] = data[random.randrange(len(data)):][:random.randrange(1, 40)]
            if not data:
                data = bytearray(b"h")
        save("mutated", bytes(data), pack=random.randrange(8) == 0)
        options = random.choice([["--text"], ["--collapsed"], ["--flamegraph"], ["--proto"], ["--raw"], ["--lines"]])
        done = subprocess.run(["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", test.JEPROF, *options, "/bin/true",
                               "mutated"], capture_output=True, timeout=60)
        sound = done.returncode == 0 or done.returncode == 1 and done.stderr.count(b"jeprof: ") == 1
        if not sound:
            shutil.copy("mutated", f"/tmp/jeprof-mutated.{SEED}.{number}")
        check(sound, f"mutated file {number} of SEED={SEED} {options}", done.returncode, done.stderr[-300:])


def test_mutants(program):
    """Many more damaged files, the program's among them: see test/fuzz/jeprof_mutants.c."""
    tool = os.path.dirname(os.path.dirname(os.path.abspath(test.JEPROF))) + "/test/fuzz/jeprof-mutants"
    built(tool)
    # jeprof reads what the load map names, so the program must be there.
    mutant = shutil.copy(program, os.path.abspath("mutant.program"))
    dump = test.hand_written(mutant, BASE, symbols(program), "mutant-1.heap")
    write("mutant-2.heap", stacks_of(mutant, BASE, "growthz/1"))
    write("mutant-3.heap", GO_TEXT)
    write("mutant-4.heap", good("--raw", program, dump))
    profiles = [f"mutant-{number}.heap" for number in (1, 2, 3, 4)] + ["small.pb"]
    for number, view in (5, "--inuse_space"), (6, "--alloc_space"):
        proto = subprocess.run([test.JEPROF, "--proto", view, program, dump], capture_output=True, check=True).stdout
        profiles.append(save(f"mutant-{number}.pb", gzip.decompress(proto) if ZLIB and number == 5 else proto))
    with open(dump, encoding="utf-8") as file:
        text = file.read()
    for place, build in (BASE, "00" * 20), (BASE, "11" * 20), (0x5000, "-"):
        text += f"closed {place:x}-{place + 0x2000:x} 00001000 {build} fe:01 7 {mutant}\n"
    text += f"loaded {BASE:x}-{BASE + 0x2000:x} 00001000 {'22' * 20}\n"
    profiles.append(write("mutant-7.heap", text + "closed more\n"))
    done = subprocess.run([tool, mutant, "200000" if LONG else "600", str(SEED), *profiles], capture_output=True, text=True)
    counts = [int(count) for count in re.findall(r"\d+ (\d+)", done.stdout)]
    check(done.returncode == 0 and len(counts) == 2 and all(counts), "mutants", done.stdout, done.stderr)


def all_tests():
    program = test.compile_program("program", "-pie", "-fPIE")
    test_padded(program)
    test_tcmalloc()
    test_around(program)
    test_two_raws(program)
    test_go_text()
    test_go_program()
    test_proto()
    test_own()
    test_wide()
    test_proto_mapped(program)
    test_served()
    test_to_proto(program)
    test_mutated(program)
    test_mutants(program)


test.run_tests(all_tests)
