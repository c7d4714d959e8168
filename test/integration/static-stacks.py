#!/usr/bin/env python3
"""Stacks in static programs, whose linkers leave out the table of unwind information: they are
found all the same, as long as the program's file can be read; otherwise a line says so, once."""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, built, built_with, check, chosen, finish, left_out, need, skip, strict

need("cc", "nm", "readelf", "strip")
if not built_with("prof"):
    skip("built without heap profiles")
if not chosen("static"):
    skip("built without a static library (--disable-static)")
ARCHIVE = LIB.replace(".so.2", ".a")
built(ARCHIVE)
OBJECTS = 100
PROGRAM = """
#include <stdlib.h>
#include <string.h>
#define FUNCTION __attribute__((noinline, noclone))
static FUNCTION void *inner(size_t n) { char *p = malloc(n); memset(p, 1, n); return p; }
static FUNCTION void *outer(size_t n) { char *p = inner(n); p[0] = 2; return p; }
/* Before a constructor without a number, that of the library must have run. */
__attribute__((constructor)) static void early(void)
{
	for (int i = 0; i < %d; i++)
		outer(i * 10 + 2);
}
int main(void)
{
	for (int i = 0; i < %d; i++)
		outer(i * 10 + 1);
	return 0;
}
""" % (OBJECTS, OBJECTS)
NO_STACKS = "Stacks can't be found, so the heap profile shows no callers: "


def link(name, *flags):
    done = subprocess.run(["cc", "-O2", "-fomit-frame-pointer", "-fno-builtin", "-o", name, "program.c", *flags, ARCHIVE,
                           "-pthread", "-ldl", "-lm"], stderr=subprocess.PIPE, text=True)
    return done.returncode == 0


def ranges(name):
    """Where each function is."""
    out = subprocess.run(["nm", "-S", name], capture_output=True, text=True, check=True).stdout
    return {words[3]: (int(words[0], 16), int(words[0], 16) + int(words[1], 16))
            for words in map(str.split, out.splitlines()) if len(words) == 4}


def profile(*command):
    """Stacks with the objects of each, and what the program said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={
        "MALLOC_CONF": strict("prof:true,prof_final:true,lg_prof_sample:0,prof_prefix:dump")})
    dumps = [name for name in os.listdir(".") if name.startswith("dump.")]
    check(done.returncode == 0 and len(dumps) == 1, command, done, dumps)
    if not dumps:
        return [], done.stderr
    with open(dumps[0], encoding="utf-8") as file:
        text = file.read()
    os.remove(dumps[0])
    # Whether /proc is there or not, the code of the program is listed.
    check(re.search(r"^\w+-\w+ r-xp .*/?%s$" % os.path.basename(command[-1]), text, re.M), "mappings", text[-3000:])
    return [([int(pc, 16) for pc in stack.split()], int(objects))
            for stack, objects in re.findall(r"^@(.*)\n  t\*: (\d+):", text, re.M)], done.stderr


def whole(stacks, functions, caller="main"):
    """How many objects have a stack that leads through all three functions to the start."""
    def passes(stack, name):
        return any(functions[name][0] < pc <= functions[name][1] for pc in stack)
    return sum(objects for stack, objects in stacks if all(passes(stack, n) for n in ("inner", "outer", caller, "_start")))


def check_whole(what, stacks, said, functions):
    check(whole(stacks, functions) == whole(stacks, functions, "early") == OBJECTS and said == "", what, stacks, said)


def without_sections(name, to):
    """A copy of the program without section headers."""
    with open(name, "rb") as file:
        data = bytearray(file.read())
    struct.pack_into("<Q", data, 0x28, 0)
    struct.pack_into("<HH", data, 0x3c, 0, 0)
    with open(to, "wb") as file:
        file.write(data)
    shutil.copymode(name, to)


def without_proc(*command):
    """A command that runs it with nothing in /proc."""
    return ["unshare", "--mount", *([] if os.getuid() == 0 else ["--user", "--map-root-user"]), "sh", "-c",
            'mount -t tmpfs none /proc && exec "$@"', "sh", *command]


def test():
    with open("program.c", "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    if not link("plain", "-static"):
        skip("there is no static C library")
    functions = ranges("plain")
    plain, said = profile("./plain")
    check_whole("as cc links it", plain, said, functions)
    headers = subprocess.run(["readelf", "-lW", "plain"], capture_output=True, text=True, check=True).stdout
    if "EH_FRAME" in headers:
        left_out("cc gives static programs the table")
    # The same program with the table: the same stacks, but for their addresses.
    if link("table", "-static", "-Wl,--eh-frame-hdr"):
        stacks, said = profile("./table")
        check_whole("with the table", stacks, said, ranges("table"))
        check(sorted((len(s), n) for s, n in stacks) == sorted((len(s), n) for s, n in plain), "depths differ", stacks, plain)
    shutil.copy("plain", "stripped")
    subprocess.run(["strip", "stripped"], check=True)
    stacks, said = profile("./stripped")
    check_whole("stripped", stacks, said, functions)
    if subprocess.run(without_proc("true"), stderr=subprocess.PIPE).returncode == 0:
        stacks, said = profile(*without_proc("./plain"))
        check_whole("without /proc", stacks, said, functions)
    else:
        left_out("there is no namespace without /proc here")
    if "EH_FRAME" in headers:
        return
    without_sections("plain", "bare")
    stacks, said = profile("./bare")
    check(whole(stacks, functions) == 0 and said.count("\n") == 1 and NO_STACKS in said, "no section headers", stacks, said)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    test()
    os.chdir("/")
finish()
