#!/usr/bin/env python3
"""jeprof: reports of profiles written here, address by address, so that all
numbers are known; errors. Other tests of jeprof take what they need from here."""
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True
from lib import LIB, built_with, chosen, left_out, need_jeprof, strict

JEPROF = need_jeprof()
BASE = 0x555555554000  # where a program is that can be anywhere
SOURCE = """
#include <stdlib.h>
#include <string.h>
static void *kept[4096];
static int count;
static inline __attribute__((always_inline)) void *
buffer(size_t size)
{
	void *result = malloc(size);

	memset(result, 1, size);
	return result;
}
__attribute__((noinline)) void
leaf(size_t size)
{
	kept[count++] = buffer(size);
	__asm__ volatile("");
}
__attribute__((noinline)) void
start_up(void)
{
	for (int i = 0; i < 10; i++)
		kept[count++] = calloc(1, 8192);
}
__attribute__((noinline)) void
deep(int depth)
{
	if (depth > 0)
		deep(depth - 1);
	else
		leaf(3000);
	__asm__ volatile("");
}
int
main(void)
{
	start_up();
	for (int i = 0; i < 100; i++)
		leaf((size_t)i * 10 + 1);
	deep(5);
	for (int i = 0; i < 20; i++)
		free(kept[i]);
	return 0;
}
"""
failures = 0


def check(condition, what, *details):
    global failures
    if not condition:
        failures += 1
        print("FAIL", what)
        for detail in details:
            print("    " + str(detail).replace("\n", "\n    "))


def run(*arguments, tool=JEPROF):
    done = subprocess.run([tool, *arguments], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"}, timeout=600)
    return done.returncode, done.stdout, done.stderr


def table(text):
    """{name: (flat, cumulative)} of a table."""
    rows = {}
    for line in text.splitlines():
        found = re.match(r"\s*(-?[\d.]+) +\S+ +\S+ +(-?[\d.]+) +\S+ (.*)$", line)
        if found:
            rows[found[3]] = (float(found[1]), float(found[2]))
    return rows


def good(*arguments):
    status, out, error = run(*arguments)
    check(status == 0, f"jeprof {' '.join(arguments)}", out, error)
    return out


def bad(words, *arguments):
    """One line on stderr that has these words, nothing on stdout, status 1."""
    status, out, error = run(*arguments)
    check(status == 1 and out == "" and words in error and error.count("\n") == 1,
          f"jeprof {' '.join(arguments)} should complain: {words}",
          status, out, error)


def misused(words, *arguments):
    """These words, the usage, and again the words; nothing on stdout, status 1."""
    status, out, error = run(*arguments)
    lines = error.splitlines()
    check(status == 1 and out == "" and len(lines) > 4 and lines[1].startswith("Usage: jeprof") and
          all(line.startswith("jeprof: ") and words in line for line in (lines[0], lines[-1])),
          f"jeprof {' '.join(arguments)} should complain, and say how it is used: {words}",
          status, out, error)


def write(name, text):
    with open(name, "w") as file:
        file.write(text)
    return name


def compile_program(name, *flags, compiler=None):
    subprocess.run([*(compiler or os.environ.get("CC", "cc")).split(), "-g", "-O2", "-o", name,
                    "program.c", *flags], check=True)
    return os.path.abspath(name)


def symbols(program):
    """{name: (address, size)}"""
    out = subprocess.run(["nm", "-S", program], capture_output=True, text=True,
                         check=True).stdout
    return {name: (int(at, 16), int(size, 16)) for at, size, _, name in
            re.findall(r"^(\w+) (\w+) (\w) (\w+)$", out, re.M)}


def text_mapping(program, base):
    """A line of the load map for the program's code at base."""
    out = subprocess.run(["readelf", "-lW", program], capture_output=True,
                         text=True, check=True).stdout
    for offset, vaddr, size, in re.findall(
            r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ R E", out):
        start = base + int(vaddr, 16) & ~4095
        end = base + int(vaddr, 16) + int(size, 16) + 4095 & ~4095
        return f"{start:x}-{end:x} r-xp {int(offset, 16) & ~4095:08x} 00:01 7  {program}\n"
    sys.exit("readelf shows no code")


def hand_written(program, base, named, name, period=1, scale=1):
    """The innermost frame is the library's. Return addresses stand one behind an instruction of the function. The
    last byte of a function is one of its own only if one is subtracted."""
    def at(function):
        start, size = named[function]
        return "0x%x" % (base + start + size)
    stacks = [
        ([at("deep"), at("deep"), at("deep"), at("main")], 3, 300),
        ([at("start_up"), at("main")], 2, 2000),
        ([at("leaf"), at("main")], 1, 64),
    ]
    text = f"heap_v2/{period}\n  t*: 6: 2364 [12: 4728]\n  t0: 4: 2300 [0: 0]\n  t7: 2: 64 [0: 0] a name\n"
    for number, (stack, objects, size) in enumerate(stacks):
        counts = f"{objects * scale}: {size * scale} [{2 * objects}: {2 * size}]"
        text += "@ 0x7f0000000010 " + " ".join(stack) + f"\n  t*: {counts}\n"
        text += f"  t{7 if number == 2 else 0}: {counts}\n"
    text += "\nMAPPED_LIBRARIES:\n" + text_mapping(program, base)
    text += "7f0000000000-7f0000001000 r-xp 00000000 00:01 8  /x/libjemalloc.so.2\n"
    return write(name, text)


def example():
    """A program, and a profile of it whose numbers are known."""
    program = compile_program("program", "-pie", "-fPIE")
    return program, hand_written(program, BASE, symbols(program), "pie.heap")


def run_tests(tests):
    """In a folder of their own, where program.c is; then it is over."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write("program.c", SOURCE)
        tests()
        os.chdir("/")
    sys.exit(1 if failures else 0)


def test_tables(program, base, name):
    named = symbols(program)
    dump = hand_written(program, base, named, name + ".heap")
    rows = table(good("--text", "--show_bytes", program, dump))
    check(rows == {"start_up": (2000, 2000), "deep": (300, 300), "leaf": (64, 64),
                   "main": (0, 2364)}, f"{name}: table", rows)
    out = good("--inuse_objects", program, dump)
    check(out.startswith("Total: 6 objects\n"), f"{name}: objects", out)
    out = good("--alloc_space", "--show_b", program, dump)
    check(out.startswith("Total: 4728 B\n"), f"{name}: ever allocated", out)
    out = good("--collapsed", program, dump)
    check(out == "main;deep;deep;deep 300\nmain;leaf 64\nmain;start_up 2000\n",
          f"{name}: folded stacks", out)
    return dump


def test_filters(program, dump):
    def names(*options):
        return set(table(good("--show_bytes", *options, program, dump)))
    check(names("--focus=^leaf$") == {"leaf", "main"}, "focus")
    check(names("--focus", r"program\.c:\d+$", "--ignore=deep|start") == {"leaf", "main"},
          "ignore")
    check(names("--exclude=^main$") == {"leaf", "deep", "start_up"}, "exclude")
    check(names("--retain=leaf") == {"leaf"}, "retain")
    check(names("--thread=7") == {"leaf", "main"}, "one thread")
    out = good("--show_bytes", "--thread=*", program, dump)
    check("Total (t0): 2300 B\n" in out and "Total (t7): 64 B\n" in out and
          out.index("t0") < out.index("t7"), "each thread", out)
    for output in ("flamegraph", "html", "svg", "proto", "raw", "callgrind", "interactive"):
        misused(f"--thread=* and --{output} exclude each other", "--thread=*", "--" + output, program, dump)
    out = good("--show_bytes", "--cum", program, dump).splitlines()
    check(out[1].endswith("main"), "sorted by the cumulative column", out)
    lines = table(good("--lines", "--show_bytes", program, dump))
    check(all(re.match(r"\w+ .*program\.c:\d+$", line) for line in lines),
          "lines", lines)
    files = table(good("--files", "--show_bytes", program, dump))
    check([value for name, value in files.items() if name.endswith("program.c")]
          == [(2364, 2364)], "files", files)
    check(all(re.match(r"[0-9a-f]{16} \w+ ", line) for line in
              table(good("--addresses", program, dump))), "addresses")


def test_sums(program, base, dump):
    """Two loads of a PIE at other addresses are the same places."""
    named = symbols(program)
    other = hand_written(program, base + 0x7000000, named, "other.heap", scale=3)
    rows = table(good("--show_bytes", program, dump, other))
    check(rows["start_up"] == (8000, 8000) and rows["main"][1] == 4 * 2364,
          "two profiles added", rows)
    rows = table(good("--show_bytes", "--base=" + other, program, dump))
    check(rows["start_up"] == (-4000, -4000), "one subtracted", rows)
    out = good("--show_bytes", "--drop_negative", "--diff_base", other, program, dump)
    check(table(out) == {}, "negative values dropped", out)
    with open(dump) as file:
        bare = write("bare.heap", re.sub(r"\[.*\]", "[0: 0]", file.read()))
    for files in (["--base=" + bare, program, dump], ["--base=" + dump, program, bare]):
        status, _, error = run("--text", "--alloc_space", *files)
        check(status == 0 and error.count("WARNING: bare.heap: has nothing") == 1,
              "a base without what was ever allocated", files, status, error)
    for words in (["--alloc_space", "--base=" + other], ["--base=" + bare]):
        check("WARNING" not in run("--text", *words, program, dump)[2], "no warning", words)


def test_first_address(program, base):
    """It is where the program stood, not where it will return to: the first byte of a function is one of its own.
    All others stand one behind a call, also in a function that ends with it."""
    named = symbols(program)

    def start(function):
        return f"0x{base + named[function][0]:x}"

    def end(function):
        return f"0x{base + sum(named[function]):x}"
    counts = "1: 100 [1: 100]"
    for first, stack in ("leaf", f"{start('leaf')} {end('main')}"), ("deep", f"{start('deep')} {end('main')}"), \
            ("main", start("main")):
        for name, text in (("threads", f"heap_v2/1\n  t*: {counts}\n  t0: {counts}\n@ {stack}\n  t*: {counts}\n"),
                           ("plain", f"heap profile: {counts} @ heap_v2/1\n {counts} @ {stack}\n")):
            dump = write("first.heap", text + "\nMAPPED_LIBRARIES:\n" + text_mapping(program, base))
            rows = table(good("--show_bytes", program, dump))
            want = {"main": (0, 100), first: (100, 100)}
            check(rows == want, f"{name}: {first} is the first frame", rows)
    # The kernel's half is no code of the program; a stack that was read too far ends with 0, which has none before.
    write("first.heap", f"heap profile: {counts} @ heap_v2/1\n {counts} @ 0xffffffff81000010 {start('leaf')} "
          f"0xffffffff81000020 {end('main')} 0x0\n\nMAPPED_LIBRARIES:\n" + text_mapping(program, base))
    rows = table(good("--show_bytes", program, "first.heap"))
    check(rows == {"0000000000000000": (0, 100), "main": (0, 100), "leaf": (100, 100)}, "other addresses", rows)


def test_unsampling(program, base):
    period, named = 4096, symbols(program)
    dump = hand_written(program, base, named, "sampled.heap", period=period)
    want = {name: int(size / (1 - math.exp(-size / objects / period)))
            for name, objects, size in
            [("deep", 3, 300), ("start_up", 2, 2000), ("leaf", 1, 64)]}
    rows = table(good("--show_bytes", program, dump))
    check({name: rows[name][0] for name in want} == want,
          "samples scaled line by line", rows, want)
    rows = table(good("--show_bytes", program, dump, dump))
    check(all(abs(rows[name][0] - 2 * want[name]) <= 1 for name in want),
          "scaled before they are added", rows, want)


def test_raw(program, dump):
    write("raw", good("--raw", program, dump))
    for options in [["--show_bytes"], ["--inuse_objects", "--cum"], ["--collapsed"],
                    ["--focus=leaf"], ["--thread=7"]]:
        check(good(*options, "raw") == good(*options, program, dump),
              f"raw read again {options}")
    bad("name a program", program, "raw")
    bad("no lines", "--lines", "raw")
    for option in "--focus=leaf", "--ignore=leaf", "--retain=leaf", "--exclude=leaf", "--thread=7":
        bad("takes no filters", "--raw", option, program, dump)


def test_pipe(program, dump):
    """A profile from a pipe, which can't be read twice."""
    for words, want in ([program, "/dev/stdin"], good("--show_bytes", program, dump)), \
            (["/dev/stdin"], good("--show_bytes", dump)), (["--base=/dev/stdin", program, dump], None):
        with open(dump, "rb") as file:
            done = subprocess.run([JEPROF, "--show_bytes", *words], input=file.read(), capture_output=True, timeout=300)
        got = done.stdout.decode()
        check(done.returncode == 0 and (got == want if want else set(table(got).values()) <= {(0, 0)}),
              "from a pipe", words, done)


def edges(text):
    """{(caller, callee): label} of a graph in dot's language."""
    names = {node: label.split("\\n")[0] for node, label in
             re.findall(r'^(N\d+) \[label="([^"]*)"', text, re.M)}
    return {(names[a], names[b]): label for a, b, label in
            re.findall(r"^(N\d+) -> (N\d+) \[label=(-?[\d.]+)", text, re.M)}


def test_graph(program, dump):
    graph = good("--dot", "--show_bytes", program, dump)
    check(edges(graph) == {("main", "start_up"): "2000", ("main", "deep"): "300",
                           ("deep", "deep"): "600", ("main", "leaf"): "64"},
          "edges of the graph", graph)
    check('label="start_up\\n2000 (84.6%)\\r"' in graph and
          'label="main\\n0 (0.0%)\\rof 2364 (100.0%)\\r"' in graph, "nodes", graph)
    out = good("--dot", "--nodecount=2", program, dump)
    check(len(re.findall(r"^N\d+ \[", out, re.M)) == 2, "nodecount", out)
    out = good("--dot", "--nodefraction=0.1", program, dump)
    check(len(re.findall(r"^N\d+ \[", out, re.M)) == 3, "nodefraction", out)
    bad("No nodes to print", "--dot", "--focus=nothing", program, dump)
    misused("is not a number", "--dot", "--nodecount=x", program, dump)
    if shutil.which("dot"):
        check("<svg" in good("--svg", program, dump), "--svg")
        check('size="8,11"' not in good("--dot", program, dump), "no page")
        for kind, start in [("pdf", b"%PDF"), ("png", b"\x89PNG"), ("gif", b"GIF8"),
                            ("ps", b"%!PS")]:
            done = subprocess.run([JEPROF, "--" + kind, program, dump],
                                  capture_output=True)
            check(done.returncode == 0 and done.stdout.startswith(start),
                  "--" + kind, done.stderr)
    done = subprocess.run([JEPROF, "--svg", program, dump], capture_output=True,
                          text=True, env={**os.environ, "PATH": "/nowhere"})
    check(done.returncode == 1 and "graphviz" in done.stderr, "without dot", done)


def test_callgrind(program, dump):
    out = good("--callgrind", program, dump)
    check(out.startswith("events: Hits\n\n"), "callgrind header", out)
    files, functions, own, place = {}, {}, {}, None
    for block in out.split("\n\n")[1:]:
        for line in block.splitlines():
            found = re.match(r"c?(fl|fn)=(?:\((\d+)\)(?: (.+))?|(.+))$", line)
            if found:
                seen = files if found[1] == "fl" else functions
                if found[3]:
                    seen[found[2]] = found[3]
                name = found[4] or seen[found[2]]
                if line.startswith("fn"):
                    place = name
            else:
                check(re.match(r"(calls=)?\d+ \d+$", line), "callgrind line", line)
        if "calls=" not in block and block.strip():
            own[place] = own.get(place, 0) + int(block.split()[-1])
    check(own == {"start_up": 2000, "deep": 300, "leaf": 64}, "callgrind", own, out)


def test_flamegraph(program, dump):
    out = good("--flamegraph", "--show_bytes", program, dump)
    tree = xml.etree.ElementTree.fromstring(out)
    space = "{http://www.w3.org/2000/svg}"
    frames = [(g.get("data-n"), float(g.get("data-w")), g.find(space + "title").text)
              for g in tree.iter(space + "g") if g.get("data-n")]
    check([name for name, _, _ in frames] ==
          ["all", "main", "deep", "deep", "deep", "leaf", "start_up"], "flame graph", frames)
    check(("start_up", "start_up: 2000 B, 84.6%\n2 objects, program") in [(a, c) for a, _, c in frames] and
          all(abs(width - 1200 * 300 / 2364) < .01 for name, width, _ in frames
              if name == "deep"), "widths", frames)
    check("http://" not in re.sub(r"http://www.w3.org/(2000/svg|1999/xhtml)", "", out) and
          "https://" not in out, "the picture needs nothing from elsewhere")


def test_cxx():
    """Short names, and frames of operator new that are not in a library."""
    write("program.cc", """
namespace { struct hidden { __attribute__((noinline)) int *make(int n) const; }; }
int *hidden::make(int n) const { return new int[n]; }
template <class T> struct box { __attribute__((noinline)) T put(T v); };
template <class T> T box<T>::put(T v) { __asm__ volatile(""); return v; }
int main() { box<int> b; hidden h; return b.put(1) + (h.make(3) == 0); }
void *operator new[](unsigned long) { return 0; }
""")
    if not shutil.which("c++"):
        left_out("c++ (g++) is not installed")
        return
    subprocess.run(["c++", "-g", "-O1", "-fno-ipa-sra", "-fno-ipa-cp", "-no-pie",
                    "-fno-PIE", "-o", "cxx", "program.cc"], check=True)
    named = symbols("cxx")
    make = next(name for name in named if name.startswith("_ZNK") and "make" in name)
    put = next(name for name in named if name.startswith("_ZN3box") and "put" in name)
    ends = ["0x%x" % sum(named[name]) for name in ("_Znam", make, put, "main")]
    dump = write("cxx.heap", "heap_v2/1\n  t*: 1: 64 [0: 0]\n@ 0x10 " + " ".join(ends) +
                 "\n  t*: 1: 64 [0: 0]\n\nMAPPED_LIBRARIES:\n" +
                 text_mapping(os.path.abspath("cxx"), 0))
    rows = table(good("--inuse_objects", "cxx", dump))
    check(rows == {"(anonymous namespace)::hidden::make": (1, 1), "box::put": (0, 1),
                   "main": (0, 1)}, "C++", rows)


def test_same_names():
    """Two functions of one short name stay two, and a raw profile knows them."""
    write("overloaded.cc", """
#define KEEP __attribute__((noinline)) void
namespace a { KEEP get(int) { __asm__ volatile(""); } KEEP get(double) { __asm__ volatile("nop"); } }
namespace b { KEEP get(long) { __asm__ volatile(""); } }
int main() { a::get(1); a::get(2.0); b::get(3); }
""")
    if not shutil.which("c++"):
        left_out("c++ (g++) is not installed")
        return
    subprocess.run(["c++", "-g", "-O1", "-fno-ipa-icf", "-no-pie", "-fno-PIE", "-o",
                    "overloaded", "overloaded.cc"], check=True)
    named = symbols("overloaded")
    names = ["_ZN1a3getEi", "_ZN1a3getEd", "_ZN1b3getEl"]
    text = "heap_v2/1\n  t*: 3: 6 [0: 0]\n"
    for size, name in enumerate(names, 1):
        text += f"@ 0x7f0000000010 {sum(named[name]):#x} {sum(named['main']):#x}\n  t*: 1: {size} [0: 0]\n"
    dump = write("overloaded.heap", text + "\nMAPPED_LIBRARIES:\n" +
                 text_mapping(os.path.abspath("overloaded"), 0) +
                 "7f0000000000-7f0000001000 r-xp 00000000 00:01 8  /x/libjemalloc.so.2\n")
    want = {f"a::get@{named[names[0]][0]:x}": (1, 1), f"a::get@{named[names[1]][0]:x}": (2, 2),
            "b::get": (3, 3), "main": (0, 6)}
    rows = table(good("--show_bytes", "overloaded", dump))
    check(rows == want, "functions of one name", rows, want)
    write("overloaded.raw", good("--raw", "overloaded", dump))
    rows = table(good("--show_bytes", "overloaded.raw"))
    check(rows == want, "functions of one name, read again", rows, want)
    with open("overloaded.pb", "wb") as file:
        subprocess.run([JEPROF, "--proto", "overloaded", dump], stdout=file, check=True, stderr=subprocess.PIPE)
    rows = table(good("--show_bytes", "overloaded.pb"))
    check(rows == want, "functions of one name, from profile.proto", rows, want)
    status, out, error = run("--show_bytes", "--base=overloaded.pb", "overloaded", dump)
    check(status == 0 and set(table(out).values()) <= {(0, 0)}, "their difference", out, error)


def test_other_build(program, dump):
    """What was mapped at that place is larger than this file."""
    with open(dump) as file:
        text = file.read()
    line = next(line for line in text.splitlines() if line.endswith(program))
    end = int(line.split("-")[1].split()[0], 16)
    write("build.heap", text.replace(f"-{end:x} ", f"-{end + 0x40000:x} "))
    status, out, error = run(program, "build.heap")
    check(status == 0 and "its build is another" in error and error.count("\n") == 1,
          "another build of the program", error)
    check("build" not in run(program, dump)[2], "the right build", dump)


def numbered(text):
    """{line number: (flat, cumulative, source)}"""
    return {int(found[2]): (found[0], found[1], found[3]) for found in
            re.findall(r"^ *(\S+) +(\S+) +(\d+): (.*)$", text, re.M)}


def test_list(program, dump):
    """The call of a stack is on the line of the call, its start and end are marked."""
    source = SOURCE.splitlines()
    out = good("--list=^(deep|main)$", "--show_bytes", program, dump)
    parts = re.split(r"^ROUTINE =+ ", out, flags=re.M)[1:]
    check([part.split()[0] for part in parts] == ["deep", "main"], "routines", out)
    for part, name, total in [(parts[0], "deep", ["300", "300"]), (parts[1], "main", ["0", "2364"])]:
        rows = numbered(part)
        check(all(text == source[number - 1] for number, (_, _, text) in rows.items()),
              f"{name}: source", part)
        check(part.splitlines()[1].split()[:4] == [*total, "Total", "B"], f"{name}: total", part)
        inside = part.split("---\n")
        first = next(i for i, line in enumerate(source, 1) if line.startswith(name + "("))
        check(len(inside) == 3 and min(numbered(inside[1])) == first and
              source[max(numbered(inside[1])) - 1] in ("}", "\treturn 0;"), f"{name}: its extent", part)
        check(min(rows) == first - 5, f"{name}: five lines before", part)
        sums = [value[1] for value in rows.values() if value[1] != "."]
        check(sum(map(int, sums)) == int(total[1]), f"{name}: sum of the lines", part)
    os.rename("program.c", "gone.c")
    status, out, error = run("--list=deep", program, dump)
    check(status == 0 and out == "" and "program.c: No such file" in error, "source gone",
          out, error)
    os.rename("gone.c", "program.c")
    status, out, error = run("--list=nothing", program, dump)
    check(status == 0 and out == "" and "no routine" in error, "no routine", error)


def test_extent(base):
    """What is inlined from further down the file does not belong to the function."""
    text = ("static inline __attribute__((always_inline)) int late(int);\n"
            "__attribute__((noinline)) int\nearly(int n)\n{\n\tlate(n);\n\treturn 7;\n}\n" + "\n" * 20 +
            "static inline int late(int n)\n{\n\tfor (int i = 0; i < n; i++)\n"
            "\t\t__asm__ volatile(\"\");\n\treturn n;\n}\nint main(void) { return early(3); }\n")
    with open("late.c", "w") as file:
        file.write(text)
    subprocess.run([*os.environ.get("CC", "cc").split(), "-g", "-O2", "-pie", "-fPIE", "-o", "late", "late.c"],
                   check=True)
    program = os.path.abspath("late")
    start, size = symbols(program)["early"]
    dump = write("late.heap", f"heap_v2/1\n  t*: 1: 8 [0: 0]\n@ 0x7f0000000010 {base + start + size:#x}\n"
                 "  t*: 1: 8 [0: 0]\n\nMAPPED_LIBRARIES:\n" + text_mapping(program, base) +
                 "7f0000000000-7f0000001000 r-xp 00000000 00:01 8  /x/libjemalloc.so.2\n")
    out = good("--list=^early$", program, dump)
    check(max(numbered(out)) < 20 and out.count("---\n") == 2, "the function's end", out)


def test_recursion(base):
    """A stack that passes a line at several of its addresses counts there once, and in the total."""
    with open("tree.c", "w") as file:
        file.write("static int n;\n__attribute__((noinline)) void\ntree(int depth)\n{\n\tif (depth > 0) {\n"
                   "\t\ttree(depth - 1); tree(depth - 2); tree(depth - 3);\n\t}\n\tn++;\n}\n"
                   "int main(void) { tree(3); return n; }\n")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-g", "-O0", "-pie", "-fPIE", "-o", "tree", "tree.c"],
                   check=True)
    program = os.path.abspath("tree")
    start, size = symbols(program)["tree"]
    lines = subprocess.run(["addr2line", "-e", program], capture_output=True, text=True, check=True,
                           input="".join(f"{at:#x}\n" for at in range(start, start + size))).stdout.split("\n")
    on_line = [start + i for i, line in enumerate(lines) if line.split(" ")[0].endswith(":6")]
    # Return addresses, the innermost of all first.
    stack = " ".join(hex(base + at + 1) for at in (on_line[1], on_line[len(on_line) // 2], on_line[-1]))
    dump = write("tree.heap", "heap_v2/1\n  t*: 1: 100 [0: 0]\n"
                 f"@ 0x7f0000000010 {stack}\n  t*: 1: 100 [0: 0]\n\nMAPPED_LIBRARIES:\n" +
                 text_mapping(program, base) + "7f0000000000-7f0000001000 r-xp 00000000 00:01 8  /x/libjemalloc.so.2\n")
    out = good("--list=^tree$", "--show_bytes", program, dump)
    check(numbered(out)[6][:2] == ("100", "100") and " 100    100 Total" in out, "list", out)
    out = good("--html", "--show_bytes", program, dump)
    check(re.search(r"<b> *100 +100 +6: ", out) and re.search("<summary> *100 +100 tree", out), "html", out)
    if shutil.which("objdump"):
        out = good("--disasm=^tree$", "--show_bytes", program, dump)
        check(numbered(out)[6][:2] == ("100", "100") and "   100    100 B (flat, cumulative) 100.0%" in out,
              "disasm", out)


def test_disasm(program, dump):
    if not shutil.which("objdump"):
        left_out("objdump (binutils) is not installed")
        return
    named = symbols(program)
    out = good("--disasm=^(start_up|main)$", "--show_bytes", program, dump)
    check(re.findall(r"^ROUTINE =+ (\w+)\n +(\S+) +(\S+) B \(flat, cumulative\) (\S+) of total$",
                     out, re.M) ==
          [("main", "0", "2364", "100.0%"), ("start_up", "2000", "2000", "84.6%")], "routines", out)
    code = [(int(found[2], 16), found[0], found[1]) for found in
            re.findall(r"^ *(\S+) +(\S+) {4} *([0-9a-f]+): ", out, re.M)]
    start, size = named["start_up"]
    part = [row for row in code if start <= row[0] < start + size]
    check(part[0][0] == start and part[-1][1:] == ("2000", "2000") and
          all(row[1:] == (".", ".") for row in part[:-1]), "instructions", part)
    check(f"-------------------- {os.path.abspath('program.c')[-55:]}" in out or
          "-------------------- ..." in out, "file of the instructions", out)
    done = subprocess.run([JEPROF, "--disasm=main", program, dump], capture_output=True,
                          text=True, env={**os.environ, "PATH": "/nowhere"})
    check(done.returncode == 1 and "objdump" in done.stderr and
          done.stderr.count("\n") == 1, "without objdump", done)


def test_symbols(program, base, dump):
    named = symbols(program)
    with open(dump) as file:
        text = file.read()
    text = f"x {base + named['leaf'][0]:#x} y\n" + text[text.index("MAPPED_LIBRARIES"):] + \
        f"{base + named['deep'][0] + 2:#x}\n0x10\n"
    done = subprocess.run([JEPROF, "--symbols", program], input=text, text=True,
                          capture_output=True)
    check(done.returncode == 0 and done.stdout == "leaf\ndeep\n??\n", "--symbols", done)
    bad("no profile", "--symbols", program, dump)


def test_tools(program, dump):
    """Programs of the user's choice; what --debug says."""
    os.makedirs("tools", exist_ok=True)
    here = os.path.abspath("tools")
    write("tools/x-objdump", "#!/bin/sh\nprintf 'f.c:3 (discriminator 2)\\n    %s:\\tbrk\\n' " +
          f"{symbols(program)['start_up'][0]:x}\n")
    os.chmod("tools/x-objdump", 0o755)
    for tools in [f"--tools={here}/x-", f"--tools=nm:/x,objdump:{here}/x-objdump"]:
        out = good(tools, "--disasm=start_up", "--show_bytes", program, dump)
        check("2000   2000" in out and out.rstrip().endswith("brk") and
              "-------------------- f.c\n" in out, tools, out)
    bad("/nowhere/objdump", "--tools=objdump:/nowhere/objdump", "--disasm=main", program, dump)
    status, out, error = run("--debug", f"--tools={here}/x-", "--disasm=main", program, dump)
    check(f"{program}: {program}" in error and f"objdump: {here}/x-objdump" in error,
          "--debug", error)
    check(good("--test") == "PASS\n", "--test")


def test_add_lib(program):
    """Code that no mapping names, where it was linked to."""
    named = symbols(program)
    dump = write("no.heap", f"heap_v2/1\n  t*: 1: 5 [0: 0]\n@ 0x10 {sum(named['leaf']):#x}\n"
                 "  t*: 1: 5 [0: 0]\n\nMAPPED_LIBRARIES:\n"
                 "7f0000000000-7f0000001000 r-xp 00000000 00:01 8  /x/libc.so\n")
    rows = table(good("--exclude=^0{14}", "--show_bytes", "/bin/true", dump))
    check("leaf" not in rows, "without --add_lib", rows)
    rows = table(good("--exclude=^0{14}", "--show_bytes", "--add_lib=" + program, "/bin/true", dump))
    check(rows == {"leaf": (5, 5)}, "--add_lib", rows)


def test_raw_sum(program, base, dump):
    """Two loads at other places, one of them just where the first's neighbour was."""
    named = symbols(program)
    shift = named["start_up"][0] - named["leaf"][0]
    other = hand_written(program, base + shift // 4096 * 4096 + 4096, named, "near.heap", scale=3)
    write("sum.raw", good("--raw", program, dump, other))
    for options in [["--show_bytes"], ["--inuse_objects", "--cum"], ["--collapsed"], ["--alloc_space"]]:
        check(good(*options, "sum.raw") == good(*options, program, dump, other),
              f"two profiles as one raw one {options}", good(*options, "sum.raw"))
    other = hand_written(program, base, named, "period.heap", period=4096)
    bad("sampling period", "--raw", program, dump, other)


def test_heapcheck(program, dump):
    out = good("--dot", "--heapcheck", "--show_bytes", "--base=other.heap", program, dump)
    lines = {name: line for name, line in re.findall(r'^N\d+ \[label="(\w+)(.*)$', out, re.M)}
    check("gray" in lines["leaf"] and "peripheries=3" in lines["leaf"] and
          "gray" not in lines["main"], "--heapcheck", out)


def test_formats(program, base):
    """The same stack as older profilers and tcmalloc write it."""
    named = symbols(program)
    end = "] @ 0x7f0000000010 " + hex(base + sum(named["leaf"])) + "\n\nMAPPED_LIBRARIES:\n" + \
        text_mapping(program, base) + \
        "7f0000000000-7f0000001000 r-xp 00000000 00:01 8  /x/libjemalloc.so.2\n"
    for kind, want in [("heapprofile", 500), ("growthz/1", 500), ("heap/2000", 1000), ("heap_v2/1000",
                       int(500 / (1 - math.exp(-.5)))), ("heap_v2/1", 500)]:
        dump = write("format.heap", f"heap profile: 1: 500 [ 1: 500] @ {kind}\n1: 500 [1: 500" + end)
        rows = table(good("--show_bytes", program, dump))
        check(rows == {"leaf": (want, want)}, kind, rows)
    bad("not supported", program, write("other", "heap profile: 1: 5 [1: 5] @ other\n"))
    bad("lock contention", program, write("locks", "--- contention\n"))
    bad("lock contention", program, write("locks", "--- Stacks:\n"))
    bad("not supported", write("cpu.raw", "--- symbol\nbinary=x\n---\n--- profile\nx"))
    with open("cpu", "wb") as file:
        file.write(struct.pack("<5Q", 0, 3, 0, 10000, 0))
    bad("CPU time", program, "cpu")


def test_build(program, dump):
    """A map may have a name for a folder."""
    folder, name = os.path.split(program)
    with open(dump) as file:
        text = file.read()
    text = text.replace("MAPPED_LIBRARIES:\n", f"MAPPED_LIBRARIES:\nbuild={folder}\n"
                        "7e0000000000-7e0000001000 r-xp 00000000 00:01 8  /x/libx.so\n")
    text = text.replace(" " + program, " $build/" + name)
    check("start_up" in table(good("/bin/true", write("build.heap", text))), "$build")


def test_static():
    """A program that has the library in it: no frame of that is left."""
    if not chosen("static"):
        left_out("built without a static library (--disable-static)")
        return
    if not built_with("prof"):
        left_out("built without heap profiles")
        return
    library = LIB.replace(".so.2", ".a")
    write("static.c", """
#include <malloc.h>
#include <stdlib.h>
void *volatile kept;
#define KEEP(name, what) __attribute__((noinline)) void \\
    name(void) { kept = what; __asm__ volatile(""); }
KEEP(by_malloc, malloc(100))
KEEP(by_calloc, calloc(1, 100))
KEEP(by_realloc, realloc(0, 100))
KEEP(by_more, realloc(malloc(100), 20000))
KEEP(by_memalign, memalign(64, 100))
KEEP(by_large, malloc(1 << 20))
KEEP(by_array, reallocarray(0, 10, 10))
int main(void) { by_malloc(); by_calloc(); by_realloc(); by_more(); by_memalign();
	by_large(); by_array(); return 0; }
""")
    if subprocess.run(["cc", "-g", "-O1", "-fno-builtin", "-o", "static", "static.c", library,
                       "-pthread", "-ldl", "-lm"], stderr=subprocess.PIPE).returncode != 0:
        check(False, "can't link with the static library")
        return
    subprocess.run(["./static"], check=True, env={**os.environ, "MALLOC_CONF": strict(
        "prof:true,prof_final:true,lg_prof_sample:0,prof_prefix:static")})
    dumps = [name for name in os.listdir(".") if re.match(r"static\..*\.heap", name)]
    check(len(dumps) == 1, "profiles that the program writes", dumps)
    if not dumps:
        return
    rows = table(good("--inuse_objects", "static", dumps[0]))
    own = {name: flat for name, (flat, _) in rows.items() if flat}
    check(own == {"by_" + name: 1 for name in
                  ["malloc", "calloc", "realloc", "more", "memalign", "large", "array"]},
          "statically linked", own)
    subprocess.run(["strip", "-g", "static"], check=True)
    rows = table(good("--inuse_objects", "static", dumps[0]))
    check(own == {name: flat for name, (flat, _) in rows.items() if flat},
          "statically linked, by names of symbols", rows)


def test_stripped(program, base):
    shutil.copy(program, "stripped")
    subprocess.run(["strip", "-g", "stripped"], check=True)
    dump = hand_written(os.path.abspath("stripped"), base, symbols(program), "stripped.heap")
    check("start_up" in table(good("stripped", dump)), "without debug information")
    subprocess.run(["strip", "stripped"], check=True)
    rows = table(good("--show_bytes", "stripped", dump))
    named = symbols(program)
    want = {f"[stripped+{sum(named[name]) - 1:#x}]": size for name, size in
            (("start_up", 2000), ("deep", 300), ("leaf", 64), ("main", 0))}
    check({name: flat for name, (flat, _) in rows.items()} == want, "without symbols no name is guessed", rows, want)
    write("stripped.raw", good("--raw", "stripped", dump))
    check(good("--collapsed", "stripped.raw") == good("--collapsed", "stripped", dump), "nor in a raw profile")


def test_places(program, base):
    """Where no name can be: in a library that is gone, in code made at run time, in a file that is missing."""
    end = base + sum(symbols(program)["main"])
    stacks = [("[closed library]", 0x7e1234560010, 1), ("[jit]", 0x7e0000000800, 2), ("[libgone.so+0x5678]",
              0x7d0000005678, 4), ("[vdso+0x10]", 0x7ffc00000010, 8), ("0000000000000030", 0x30, 16)]
    text = "heap_v2/1\n  t*: 31: 31 [0: 0]\n"
    for _, at, size in stacks:
        text += f"@ {at:#x} {end:#x}\n  t*: 1: {size} [0: 0]\n"
    dump = write("places.heap", text + "\nMAPPED_LIBRARIES:\n" + text_mapping(program, base) +
                 "7e0000000000-7e0000001000 rwxp 00000000 00:00 0 \n"
                 "7d0000000000-7d0000005000 r--p 00000000 00:01 9  /nowhere/libgone.so\n"
                 "7d0000005000-7d0000009000 r-xp 00005000 00:01 9  /nowhere/libgone.so\n"
                 "7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0  [vdso]\n")
    status, out, error = run("--show_bytes", program, dump)
    rows = table(out)
    check(status == 0 and {name: flat for name, (flat, _) in rows.items() if flat} ==
          {name: size for name, _, size in stacks} and "/nowhere/libgone.so: No such file" in error, "places", rows)
    rows = table(run("--addresses", "--show_bytes", program, dump)[1])
    check({"00007e1234560010 [closed library] ??:?", "0000000000000030 ??:?",
           "00007d0000005678 [libgone.so+0x5678] ??:?"} <= set(rows), "addresses of places", rows)
    write("places.raw", good("--raw", program, dump))
    check(good("--collapsed", "places.raw") == run("--collapsed", program, dump)[1], "places in a raw profile")


def test_moved(program, base):
    """Code that was moved to anonymous memory is the file's, if it fills a gap in the file's mappings."""
    dump = hand_written(program, base, symbols(program), "moved.heap")
    with open(dump) as file:
        text = file.read()
    line = text_mapping(program, base)
    start, end, offset = (int(part, 16) for part in re.match(r"(\w+)-(\w+) \S+ (\w+)", line).groups())
    first = f"{start - offset:x}-{start:x} r--p 00000000 00:01 7  {program}\n"
    code = f"{start:x}-{end:x} r-xp 00000000 00:00 0 \n"
    last = f"{end:x}-{end + 4096:x} r--p {end - start + offset:08x} 00:01 7  {program}\n"
    other = f"{start - offset - 8192:x}-{start:x} r--p 00000000 00:01 7  {program}\n"
    for maps, want in ((first + code + last, {"start_up", "deep", "leaf", "main"}), (other + code + last, {"[jit]"}),
                       (code + last, {"[jit]"}), (first + code, {"[jit]"})):
        rows = table(good("--show_bytes", write("moved.heap", text.replace(line, maps))))
        check(set(rows) == want, "moved code", maps, rows)


def test_replaced(program, dump):
    """A program or library that was built again since is warned of; no other one."""
    copy = os.path.abspath("replaced")
    shutil.copy2(program, copy)
    other = os.path.abspath("kept.so")
    shutil.copy2(program, other)

    def mapped(path):
        status = os.stat(path)
        line = text_mapping(path, BASE if path == copy else 0x7a0000000000)
        return line.replace(" 00:01 7 ", f" {os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x} "
                            f"{status.st_ino} ")
    with open(dump) as file:
        text = file.read()
    text = text[:text.index("MAPPED_LIBRARIES")] + "MAPPED_LIBRARIES:\n" + mapped(copy) + mapped(other) + \
        "7f0000000000-7f0000001000 r-xp 00000000 00:01 8  /x/libjemalloc.so.2\n"
    profile = write("replaced.heap", text)

    def warned(*operands):
        status, out, error = run("--show_bytes", *operands)
        check(status == 0 and "start_up" in table(out), "it is read", operands, error)
        return "is newer than the profile" in error
    check(not warned(profile) and not warned(copy, profile), "the same files")
    # The time of a file that is copied says nothing, but it is another file.
    os.rename(copy, "old")
    shutil.copy2(program, copy)
    check(warned(profile) and warned(copy, profile), "another file at that path")
    check(not warned("old", profile), "the file that it was, elsewhere")
    os.rename("old", copy)
    check(not warned(profile), "the file that it was")
    # Each profile is looked at, so that a difference of two builds is noticed.
    shutil.copy(profile, "older.heap")
    os.utime("older.heap", (1e9, 1e9))
    check(warned("--drop_negative", profile, "older.heap") and warned(profile, "older.heap", "older.heap"),
          "another profile is older")
    # If no file is the one that was mapped, the profile is of another machine.
    os.rename(other, "away")
    shutil.copy2(program, other)
    os.rename(copy, "old")
    shutil.copy2(program, copy)
    check(not warned(profile), "of another machine")
    os.rename("old", copy)
    with open(copy, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(first)
    check(warned(profile), "written in place")


def test_other_files(program, dump):
    """The file of debug information alone does as well as the program; a part of the program is told."""
    shutil.copy2(program, "whole")
    os.utime("whole", (1e9, 1e9))
    times = (os.stat("whole").st_atime, os.stat("whole").st_mtime)
    subprocess.run(["objcopy", "--only-keep-debug", "whole", "whole.debug"], check=True)
    os.utime("whole.debug", times)
    status, out, error = run("--show_bytes", "whole.debug", dump)
    want = good("--show_bytes", program, dump)
    check(status == 0 and out == want and error == "", "debug information alone", out, error)
    with open("whole", "rb") as file:
        data = file.read()
    for size in 4096, len(data) // 2, len(data) - 1:
        with open("part", "wb") as file:
            file.write(data[:size])
        os.utime("part", times)
        status, out, error = run("--show_bytes", "part", dump)
        check(status == 0 and error.count("part: the file is truncated") == 1, "a part of the program", size, out, error)


def test_without_program(program, dump):
    """The profile names it; if it is gone since, a line says so, once."""
    check(good("--show_bytes", dump) == good("--show_bytes", program, dump), "no program is named")
    with open(dump) as file:
        moved = write("moved.heap", file.read().replace(program, "/nowhere/program"))
    status, out, error = run("--show_bytes", moved)
    check(status == 0 and set(map(len, table(out))) == {16} and error.count("\n") == 1 and
          "/nowhere/program: No such file" in error, "the program is gone", out, error)


def test_nothing(program, dump):
    """A report that is empty says why."""
    with open(dump) as file:
        no_sums = write("sums.heap", re.sub(r"\[.*\]", "[0: 0]", file.read()))
    for words, *arguments in [("prof_accum", "--alloc_space", program, no_sums),
                              ("no stack matches", "--focus=nothing", program, dump),
                              ("thread has no samples", "--thread=99", program, dump),
                              ("nothing has changed", "--base=" + dump, program, dump)]:
        status, out, error = run("--text", *arguments)
        check(status == 0 and table(out) == {} and error.count("\n") == 1 and words in error,
              "an empty table", arguments, out, error)
        bad(words, "--dot", *arguments)
        bad(words, "--flamegraph", *arguments)
    with open(dump) as file:
        less = write("less.heap", re.sub(r": \d+: \d+ ", ": 1: 10 ", file.read()))
    out = good("--flamegraph", "--show_bytes", "--base=" + dump, program, less)
    check("B since" in out and re.search(r'fill="rgb\(110,110,240\)"', out), "what shrank is blue", out)


def test_path(program, dump):
    """A program without a slash is looked up as a shell does, after files here."""
    folder, name = os.path.split(os.path.abspath(program))
    os.mkdir("elsewhere")
    done = subprocess.run([JEPROF, "--text", name, os.path.abspath(dump)], cwd="elsewhere",
                          env={**os.environ, "PATH": "/nowhere:" + folder}, capture_output=True, text=True)
    check(done.returncode == 0 and done.stdout == good("--text", program, dump), "on the path", done)
    bad("no-such-program: neither a file here nor a program on PATH", "no-such-program", dump)
    bad("./no-such-program: No such file", "./no-such-program", dump)


def test_errors(program, dump):
    text = open(dump).read()
    bad("No such file", program, "missing/file")
    bad("No such file", program, "host/x.heap")
    misused("no program and no profile")
    bad("not a heap profile", program)
    bad("not a heap profile", program, "program.c")
    bad("empty", program, write("empty", ""))
    bad("is a directory", program, ".")
    body = text[:text.index("\nMAPPED")]
    for end in [len(body) - 3, body.rindex("@") + 9, body.rindex("  t*")]:
        bad("truncated", program, write("cut", body[:end]))
    bad("truncated", program, write("cut", "heap_v2/1\n"))
    status, _, error = run(program, write("cut", body))
    check(status == 0 and "MAPPED_LIBRARIES" in error, "no load map: a warning", error)
    status, _, error = run(program, write("cut", text[:-4]))
    check(status == 0 and error.count("\n") == 1 and "is the file complete?" in error,
          "a load map that is cut: a warning", error)
    for other in ["program.c", "empty", "/dev/null"]:
        bad("not a program", other, dump)
    bad("is a directory", ".", dump)
    for old, new, words in [
            ("heap_v2/1", "heap_v2/x", "period"), ("[4: 4000]", "[4 4000]", "counts"),
            ("@ 0x", "@ 0y", "address"), ("  t*: 3", "  t*: 99999999999999999999", "counts"),
            ("\n@", "\nfoo\n@", "not a line")]:
        bad(words, program, write("broken", text.replace(old, new, 1)))
    bad("lock contention", "--contentions", program, dump)
    bad("--list=(", "--list=(", program, dump)
    bad("tools", "--tools=/nowhere/x-", "--disasm=main", program, dump)
    bad("No such file", "--add_lib=missing", program, dump)
    bad("is a raw profile already", "--raw", write("raw2", good("--raw", program, dump)))
    bad("exclude each other", "--raw", "--base=" + dump, program, dump)
    misused("exclude each other", "--thread=*", "--interactive", program, dump)
    misused("unknown option", "--frobnicate", program, dump)
    misused("ambiguous", "--inuse", program, dump)
    misused("exclude each other", "--lines", "--files", program, dump)
    misused("needs a value", program, dump, "--focus")
    bad("--focus=(", "--focus=(", program, dump)
    misused("takes no value", "--cum=3", program, dump)
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            done = subprocess.run([JEPROF, program, dump], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        check(done.returncode == 1 and "output" in done.stderr, "full disk", done)


def all_tests():
    pie = compile_program("program", "-pie", "-fPIE")
    fixed = compile_program("fixed", "-no-pie", "-fno-PIE")
    dump = test_tables(pie, BASE, "pie")
    test_tables(fixed, 0, "fixed")
    if shutil.which("clang"):
        # It doesn't say which addresses a unit has but in the unit itself.
        other = compile_program("clang", "-pie", "-fPIE", compiler="clang")
        other_dump = test_tables(other, BASE, "clang")
        test_filters(other, other_dump)
        test_list(other, other_dump)
    test_filters(pie, dump)
    test_sums(pie, BASE, dump)
    test_first_address(pie, BASE)
    test_unsampling(pie, BASE)
    test_raw(pie, dump)
    test_pipe(pie, dump)
    test_graph(pie, dump)
    test_callgrind(pie, dump)
    test_flamegraph(pie, dump)
    test_list(pie, dump)
    test_extent(BASE)
    test_recursion(BASE)
    test_disasm(pie, dump)
    test_symbols(pie, BASE, dump)
    test_tools(pie, dump)
    test_add_lib(fixed)
    test_raw_sum(pie, BASE, dump)
    test_heapcheck(pie, dump)
    test_formats(pie, BASE)
    test_build(pie, dump)
    test_cxx()
    test_same_names()
    test_other_build(pie, dump)
    test_static()
    test_stripped(pie, BASE)
    test_places(pie, BASE)
    test_moved(pie, BASE)
    test_replaced(pie, dump)
    test_other_files(pie, dump)
    test_without_program(pie, dump)
    test_nothing(pie, dump)
    test_path(pie, dump)
    test_errors(pie, dump)


if __name__ == "__main__":
    run_tests(all_tests)
