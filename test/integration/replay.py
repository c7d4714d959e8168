#!/usr/bin/env python3
"""scripts/replay: a trace has each call of a program that is known, the peak of its live set is exact, and
under a library it has as many threads; what is no trace is refused."""
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, check, finish, need

need("cc", "python3")
REPLAY = os.path.join(os.environ.get("srcdir", "."), "scripts", "replay")
# 200 objects of 100000 bytes live at once. Threads free those of others. 10000 of them are of one byte.
PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
static char *object[200];
static void *empty(void *begin)
{
    for (int i = *(int *)begin; i < 200; i += 2)
        free(object[i]);
    for (int i = 0; i < 10000; i++)
        free(malloc(1));
    return NULL;
}
int main(void)
{
    pthread_t thread[2];
    int begin[2] = {0, 1};
    for (int i = 0; i < 200; i++) {
        object[i] = i % 4 == 0 ? calloc(10, 500) : i % 4 == 1 ? aligned_alloc(4096, 100000) : malloc(100000);
        if (i % 4 == 0)
            object[i] = realloc(object[i], 100000);
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, empty, &begin[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}
"""


def run(*words):
    done = subprocess.run([sys.executable, REPLAY, *words], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    subprocess.run(["cc", "-x", "c", "-", "-o", "program", "-pthread", "-fno-builtin"], input=PROGRAM.encode(), check=True)
    status, out, error = run("--record", "trace", "./program")
    counted = re.fullmatch(r"trace: (\d+) calls\n", out)
    # A realloc is two; the C library has a few of its own.
    if check(status == 0 and counted and error == "", "--record", status, out, error):
        calls = int(counted.group(1)) - (200 + 50 * 2 + 200 + 2 * 20000)
        check(0 <= calls < 50, "calls of the C library", calls)
    status, out, error = run("-n", "1", "--trace", "trace", f"ours={LIB}", "glibc=")
    row = re.search(r"^trace +([\d.]+) +(\d+) +(\d+)\npeak|^trace +([\d.]+) +(\d+) +(\d+)$", out, re.M)
    if check(status == 0 and row, "--trace", status, out, error):
        live, threads, steps = [float(x) for x in row.groups() if x]
        check(abs(live - 20000000 / 2 ** 20) < 0.1 and threads == 3 and steps >= 40450, "what was done", out)
    ratios = re.search(r"live set\n.*\ntrace +([\d.]+) +([\d.]+)$", out, re.M)
    check(ratios and all(0.9 < float(ratio) < 3 for ratio in ratios.groups()), "memory", out)
    # Nothing of it stays, but the trace.
    check(sorted(os.listdir()) == ["program", "trace"], "files", os.listdir())
    with open("no", "w", encoding="ascii") as file:
        file.write("no trace at all\n")
    for name, why in ("no", "is no trace"), ("nowhere", "No such file"):
        status, out, error = run("-n", "1", "--trace", name, f"ours={LIB}")
        check(status != 0 and why in error, "no trace", name, status, out, error)
    status, out, error = run("--record", "other", "./nothing")
    check(status == 2 and "nothing: No such file" in error, "no program", status, error)
    os.chdir("/")
finish()
