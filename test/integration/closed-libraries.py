#!/usr/bin/env python3
"""Code of libraries that were closed before the profile was written: it has the library's names, if
one library alone had code there, or else all that it may be; never the name of another one."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, built_with, check, finish, need, need_jeprof, skip, strict

JEPROF = need_jeprof()
need("cc")
if not built_with("prof"):
    skip("the library is built without the profile")

LIBRARY = """
#include <stdlib.h>
__attribute__((noinline)) void *NAME(size_t size) { void *p = malloc(size); __asm__ volatile("" : "+r"(p)); return p; }
"""
# Opens libraries one after the other, and has each allocate 8 MiB. Before, it moves the file that
# has another name there. "keep" as the function: the library stays.
PROGRAM = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int mallctl(const char *, void *, size_t *, void *, size_t);
static void *kept[10000];
static int n;
int main(int argc, char **argv)
{
    const char *name = "0.heap";
    for (int i = 1; i + 2 < argc; i += 3) {
        void *handle = (rename(argv[i], argv[i + 1]), dlopen(argv[i + 1], RTLD_NOW));
        void *(*get)(size_t) = handle ? (void *(*)(size_t))dlsym(handle, "from") : NULL;
        if (!get)
            return puts(dlerror());
        for (int k = 0; k < 1024; k++)
            kept[n++] = get(8192);
        printf("%p\n", (void *)get);
        if (strcmp(argv[i + 2], "keep"))
            dlclose(handle);
    }
    if (getenv("RESET"))
        mallctl("prof.reset", NULL, NULL, NULL, 0);
    return mallctl("prof.dump", NULL, NULL, &name, sizeof(name));
}
"""


def compile_(source, *words):
    subprocess.run(["cc", "-g", "-O1", "-x", "c", "-", *words], input=source.encode(), check=True)


def library(path, *words):
    """One whose code is at the same offset as that of others of them."""
    compile_(LIBRARY, "-DNAME=from", "-fPIC", "-shared", "-o", path, *words)


def run(conf, *words):
    done = subprocess.run(["./program", *words], capture_output=True, text=True, env={
        **os.environ, "LD_PRELOAD": LIB,
        "MALLOC_CONF": strict("prof:true,lg_prof_sample:0" + conf)})
    check(done.returncode == 0, words, done.stdout, done.stderr)
    return done.stdout.split()


def shares(*words):
    """What jeprof says: name -> MiB of its own, and its remarks."""
    done = subprocess.run([JEPROF, "--text", *words], capture_output=True, text=True, timeout=300)
    check(done.returncode == 0, words, done.stderr)
    rows = re.findall(r"^ *([\d.]+) +[\d.]+% +[\d.]+% +[\d.]+ +[\d.]+% (.*)$", done.stdout, re.M)
    return {name: float(mib) for mib, name in rows if float(mib) >= 1}, done.stderr


def both():
    """The same from the text, and from it as a profile.proto."""
    with open("again.pb.gz", "wb") as file:
        subprocess.run([JEPROF, "--proto", "0.heap"], stdout=file, check=True, stderr=subprocess.DEVNULL)
    text, again = shares("0.heap"), shares("again.pb.gz")
    check(text[0] == again[0], "--proto", text, again)
    return text


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    compile_(PROGRAM, "-o", "program", "-x", "none", LIB, "-ldl")
    for name in ("one", "two"):
        library(f"{name}.so", f"-Wl,-soname,{name}")
    here = os.path.realpath(".")

    # One library alone had code there: its names are known still.
    run("", "-", f"{here}/one.so", "close")
    with open("0.heap", encoding="utf-8") as file:
        text = file.read()
    closed = re.findall(r"^closed ([0-9a-f]+)-([0-9a-f]+) ([0-9a-f]{8}) ([0-9a-f]{40}) [0-9a-f:]+ \d+ (.*)$", text, re.M)
    check(len(closed) == 1 and closed[0][4] == f"{here}/one.so", "lines", closed)
    names, said = both()
    check(names.get("from") == 8 and said == "", "one", names, said)

    # If the file is gone or another one, there is its name and the offset in it.
    shutil.copy("one.so", "copy")
    os.remove("one.so")
    names, said = shares("0.heap")
    check(any(re.fullmatch(r"\[one\.so\+0x[0-9a-f]+\]", name) for name in names) and "one.so: No such file" in said,
          "removed", names, said)
    shutil.copy("two.so", "one.so")
    names, said = shares("0.heap")
    check(any(re.fullmatch(r"\[one\.so\+0x[0-9a-f]+\]", name) for name in names) and "of another build" in said,
          "replaced", names, said)
    shutil.copy("copy", "one.so")

    # Two at the same place, and one of them is there still, or none.
    for last in ("close", "keep"):
        places = run("", "-", f"{here}/one.so", "close", "-", f"{here}/two.so", last)
        names, said = both()
        if check(len(set(places)) == 1, "the loader takes the same place again", places):
            check(any(re.fullmatch(r"\[(one|two)\.so\+0x[0-9a-f]+ or (one|two)\.so\+0x[0-9a-f]+\]", name)
                      and mib == 16 for name, mib in names.items()), last, names)
            check("from" not in names and said.count("several files had code") == 1, last, names, said)

    # The same library again is one library.
    run("", *["-", f"{here}/one.so", "close"] * 3)
    names, said = both()
    check(names.get("from") == 24 and said == "", "again", names, said)
    run("", *["-", f"{here}/one.so", "close"] * 2, "-", f"{here}/one.so", "keep")
    names, said = both()
    check(names.get("from") == 24 and said == "", "again, and kept", names, said)

    # A library that is built anew, and opened by its old name: two builds.
    library("new.so", "-DNEW", "-Wl,-soname,new")
    run("", "-", f"{here}/one.so", "close", f"{here}/new.so", f"{here}/one.so", "keep")
    names, said = both()
    check(any(re.fullmatch(r"\[one\.so\+0x[0-9a-f]+, one of 2 builds\]", name) and mib == 16
              for name, mib in names.items()), "two builds", names, said)

    # What the library itself writes for pprof says the same.
    shutil.copy("copy", "one.so")
    run(",prof_format:pprof", "-", f"{here}/one.so", "close")
    names, said = shares("0.heap")
    check(names.get("from") == 8 and said == "", "pprof", names, said)
    run(",prof_format:pprof", "-", f"{here}/one.so", "close", "-", f"{here}/two.so", "close")
    names, said = shares("0.heap")
    check(any(re.fullmatch(r"\[one\.so\+0x[0-9a-f]+ or two\.so\+0x[0-9a-f]+\]", name)
              for name in names), "pprof, two", names, said)

    # A relative path is made a whole one, for whoever reads the profile elsewhere.
    for form in ("text", "pprof"):
        run(f",prof_format:{form}", "-", "./one.so", "close")
        os.mkdir("elsewhere")
        os.chdir("elsewhere")
        names, said = shares("../0.heap")
        os.chdir("..")
        os.rmdir("elsewhere")
        check(names.get("from") == 8 and said == "", "a relative path", form, names, said)

    # Without build ids, the numbers of files tell them apart; and such a file is none that has one.
    library("none.so", "-Wl,--build-id=none")
    library("other.so", "-Wl,--build-id=none", "-DNEW")
    shutil.copy("none.so", "plug.so")
    run("", "-", f"{here}/plug.so", "close", f"{here}/other.so", f"{here}/plug.so", "keep")
    names, said = shares("0.heap")
    check(any(re.fullmatch(r"\[plug\.so\+0x[0-9a-f]+, one of 2 builds\]", name) and mib == 16
              for name, mib in names.items()), "no build ids", names, said)
    for form in ("text", "pprof"):
        shutil.copy("copy", "one.so")
        run(f",prof_format:{form}", "-", f"{here}/one.so", "keep")
        os.remove("one.so")
        shutil.copy("none.so", "one.so")
        os.utime("one.so", (1e9, 1e9))
        names, said = shares("0.heap")
        check("from" not in names and "one.so: is of another build" in said, "a file without build id", form, names, said)
    shutil.copy("copy", "one.so")

    # Text has the build ids of what is loaded, too: a copied profile is of another build than a newer program.
    run("", "-", f"{here}/one.so", "keep")
    compile_(PROGRAM.replace("0.heap", "1.heap"), "-o", "program", "-x", "none", LIB, "-ldl")
    shutil.copy("0.heap", "copied")
    names, said = shares("copied")
    check(names.get("from") == 8 and "program: is of another build" in said, "the program", names, said)
    compile_(PROGRAM, "-o", "program", "-x", "none", LIB, "-ldl")

    # Code that is gone may be in a perf map.
    run("", "-", f"{here}/one.so", "close")
    with open("0.heap", encoding="utf-8") as file:
        text = file.read()
    start, end = re.search(r"^closed (\w+)-(\w+) ", text, re.M).groups()
    with open("gone.heap", "w", encoding="utf-8") as file:
        file.write(re.sub(r"^closed .*\n", "", text, flags=re.M))
    with open("map", "w", encoding="utf-8") as file:
        file.write(f"{start} {int(end, 16) - int(start, 16):x} JS:^hungry\n")
    names, said = shares("--perf_map=map", "gone.heap")
    check(names.get("JS:^hungry") == 8, "a perf map", names, said)
    names, said = shares("gone.heap")
    check(names.get("[closed library]") == 8, "no perf map", names, said)

    # A reset of the profile forgets closed libraries with the samples.
    os.environ["RESET"] = "1"
    run("", "-", f"{here}/one.so", "close")
    with open("0.heap", encoding="utf-8") as file:
        check("closed " not in file.read(), "reset")
    os.chdir("/")
finish()
