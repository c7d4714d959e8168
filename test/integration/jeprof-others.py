#!/usr/bin/env python3
"""jeprof beside the tools that people have: the jeprof of Debian's libjemalloc-dev
and pprof of its google-perftools say the same of the same profiles. google-pprof
doesn't know the format of these, but the one they are rewritten to here."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import jeprof as test
from lib import built_with, skip, strict

LIBRARIES = glob.glob("/usr/lib/*/libjemalloc.so.2")
JEPROF = "/usr/bin/jeprof"
PPROF = shutil.which("google-pprof")
# Theirs can subtract only if all libraries were at the same places.
FIXED = ["setarch", "-R"]
if not shutil.which("setarch") or subprocess.run([*FIXED, "true"], stderr=subprocess.DEVNULL).returncode:
    FIXED = []
OWN = {"main", "deep", "leaf", "start_up", "buffer (inline)"}
LONG = os.environ.get("TEST_LONG", "0") != "0"
VIEWS = [["--show_bytes"], [], ["--inuse_objects"], ["--alloc_space", "--show_bytes"],
         ["--alloc_objects"], ["--show_bytes", "--cum"]]
# Theirs take a second for each.
FEW = VIEWS if LONG else VIEWS[1:4:2]


def profile(program, sample, prefix):
    """What Debian's library says at the end of the program, or None."""
    env = {**os.environ, "LD_PRELOAD": LIBRARIES[0], "MALLOC_CONF": strict(
        f"prof:true,prof_final:true,prof_accum:true,lg_prof_sample:{sample},prof_prefix:{prefix}")}
    subprocess.run([*FIXED, program], env=env, check=True)
    dumps = glob.glob(prefix + ".*.heap")
    return dumps[0] if len(dumps) == 1 else None


def own(text):
    """Rows of the program's functions; lines without what only one tool adds."""
    return {name.replace(" (discriminator", "\0").split("\0")[0]: value
            for name, value in test.table(text).items() if re.sub(r" /.*", "", name) in OWN}


# Flat and cumulative, then number and text of a line, or address of an instruction.
SOURCE = r"^ *(\d+ +\d+|\. +\d+|\d+ +\.) +(?:(\d+:.*)|Total B .*)$"
CODE = r"^ *(\d+ +\d+|\. +\d+|\d+ +\.) +([0-9a-f]{4,}): *[a-z]"


def routines(text, pattern):
    """{name: what the pattern finds in its text} of the program's."""
    parts = [part for part in re.split(r"^ROUTINE =+ ", text, flags=re.M)[1:]
             if part.split()[0] in OWN]
    return {part.split()[0]: re.findall(pattern, part, re.M)
            for part in parts}


def both(*arguments):
    status, theirs, error = test.run(*arguments, tool=JEPROF)
    test.check(status == 0, f"Debian's jeprof {arguments}", error)
    return theirs, test.good(*arguments)


def compare_tables(program, dump):
    for options in [*FEW, ["--show_bytes", "--focus=deep"], ["--show_bytes", "--thread=0"],
                    ["--show_bytes", "--ignore=deep", "--exclude=_start"],
                    ["--show_bytes", "--lines"], ["--show_bytes", "--retain=main|deep"]]:
        theirs, ours = both("--text", *options, program, dump)
        test.check(theirs.split("\n")[0] == ours.split("\n")[0], f"the total {options}", theirs, ours)
        test.check(own(ours) == own(theirs) and own(ours), f"entries {options}", own(theirs), own(ours))
    theirs, ours = map(test.edges, both("--dot", "--show_bytes", program, dump))
    functions = {"main", "deep", "leaf", "start_up"}
    test.check({pair: ours[pair] for pair in ours if functions.issuperset(pair)} ==
               {pair: theirs[pair] for pair in theirs if functions.issuperset(pair)},
               "edges", ours, theirs)
    # Not main: theirs takes a line with a discriminator for the one before it.
    theirs, ours = (routines(text, SOURCE) for text in both("--list=deep|leaf", "--show_bytes", program, dump))
    # The total of a recursion is theirs of each line, added up; ours counts a stack once.
    test.check(theirs["deep"].pop(0) == ("0   6144", "") and ours["deep"].pop(0) == ("0   3072", ""),
               "the total of a recursion", theirs, ours)
    test.check(theirs == ours and len(ours) == 2, "annotated source", theirs, ours)
    theirs, ours = both("--disasm=deep|leaf|main", "--show_bytes", program, dump)
    test.check(routines(theirs, CODE) == routines(ours, CODE) and routines(ours, CODE),
               "instructions", routines(theirs, CODE), routines(ours, CODE))


def compare_differences(program, dump, base):
    for options in [[], ["--drop_negative"]]:
        theirs, ours = both("--text", "--show_bytes", *options, "--base=" + base, program, dump)
        test.check(own(ours) == own(theirs), f"a base {options}", own(theirs), own(ours))


def rewrite(dump, name):
    """Lines of their own with all counts; without the library's frames."""
    with open(dump) as file:
        text = file.read()
    head, maps = text.split("\nMAPPED_LIBRARIES:\n")
    library = [(int(start, 16), int(end, 16)) for start, end in
               re.findall(r"^(\w+)-(\w+) .*/libjemalloc", maps, re.M)]
    period = re.match(r"heap_v2/(\d+)", text)[1]
    lines = [f"heap profile: 1: 1 [ 1: 1] @ heap_v2/{period}"]
    for stack, counts in re.findall(r"^@(.*)\n  t\*: (.*)$", head, re.M):
        pcs = [int(pc, 16) for pc in stack.split()]
        while any(start <= pcs[0] < end for start, end in library):
            pcs.pop(0)
        pcs[0] -= 1
        lines.append(f"{counts} @ " + " ".join(map(hex, pcs)))
    return test.write(name, "\n".join(lines) + "\n\nMAPPED_LIBRARIES:\n" + maps)


def compare_pprof(program, dump):
    """The file as it is and rewritten."""
    status, out, error = test.run("--text", program, dump, tool=PPROF)
    test.check(status != 0, "google-pprof reads heap_v2 now: say so", out, error)
    plain = rewrite(dump, "rewritten.heap")
    for options in FEW:
        ours = test.good("--text", *options, program, dump)
        status, theirs, error = test.run("--text", *options, program, plain, tool=PPROF)
        test.check(status == 0 and theirs.split("\n")[0] == ours.split("\n")[0],
                   f"google-pprof's total {options}", theirs, ours, error)
        test.check(own(ours) == own(theirs) and own(ours), f"google-pprof's entries {options}",
                   own(theirs), own(ours))
        again = test.good("--text", *options, program, plain)
        test.check(own(again) == own(ours), f"the rewritten one {options}", again, ours)


REMEMBERS = """#!/bin/sh
answer=$0.$(echo "$*" | cksum | tr " " -)
[ -f "$answer" ] || "%s" "$@" >"$answer" || { rm -f "$answer"; exit 1; }
cat "$answer"
"""


def remember_answers():
    """Theirs ask for all symbols of all libraries in each run: more than half of their time."""
    tools = []
    os.mkdir("tools")
    for name in ("nm", "objdump"):
        tool, real = os.path.abspath("tools/" + name), shutil.which(name)
        if real is None:
            return
        with open(tool, "w", encoding="utf-8") as file:
            file.write(REMEMBERS % real)
        os.chmod(tool, 0o755)
        tools.append(name + ":" + tool)
    # All others are where these are.
    tools.append(os.path.dirname(real) + "/")
    os.environ["JEPROF_TOOLS"] = os.environ["PPROF_TOOLS"] = ",".join(tools)


def compare_all():
    remember_answers()
    fixed = test.compile_program("fixed", "-no-pie", "-fno-PIE")
    pie = test.compile_program("program", "-pie", "-fPIE")
    for program, sample in [(fixed, 0), (fixed, 9), (pie, 9)]:
        dump = profile(program, sample, f"{os.path.basename(program)}{sample}")
        if dump is None:
            skip("Debian's library writes no profile")
        if os.path.exists(JEPROF) and (dump.startswith("fixed0") or LONG and program == pie):
            compare_tables(program, dump)
        elif os.path.exists(JEPROF) and program == pie:
            theirs, ours = both("--text", "--show_bytes", program, dump)
            test.check(own(ours) == own(theirs) and own(ours), "entries", own(theirs), own(ours))
        if PPROF and program == pie:
            compare_pprof(program, dump)
    if os.path.exists(JEPROF) and FIXED:
        compare_differences(fixed, glob.glob("fixed0.*")[0], glob.glob("fixed9.*")[0])


if built_with("debug"):
    skip("jeprof is the same in a release build, whose tests run this")
if not LIBRARIES:
    skip("libjemalloc-dev is not installed")
if not os.path.exists(JEPROF) and PPROF is None:
    skip("libjemalloc-dev or google-pprof is not installed")
test.run_tests(compare_all)
