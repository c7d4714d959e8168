#!/usr/bin/env python3
"""The last dump of a process can't be written: it says so in one line and ends as it
would have, leaving no file behind; with abort:true it aborts. Many dumps say little, and
leave few files."""
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, PYTHON, check, finish, strict

# What stays until the end, by a call that Python does not undo.
PROGRAM = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
kept = [libc.malloc(ctypes.c_size_t(1 << 20)) for _ in range(8)]
libc.signal(25, None)           # SIGXFSZ, which Python ignores
sys.exit(3)
"""

# Takes and gives back memory; in the middle a file is where the folder would be.
STORM = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
for i in range(300):
    libc.free(libc.malloc(ctypes.c_size_t(1 << 20)))
open("there", "w").close()
for i in range(100):
    libc.free(libc.malloc(ctypes.c_size_t(1 << 20)))
"""
# The peak is in the middle.
GROW = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
kept = [libc.malloc(ctypes.c_size_t(1 << 20)) for _ in range(30)]
for block in kept: libc.free(block)
for i in range(100):
    libc.free(libc.malloc(ctypes.c_size_t(1 << 20)))
"""


def run(options, before=None, **kinds):
    done = subprocess.run(
        [PYTHON, "-S", "-c", PROGRAM], cwd=folder, timeout=1500, text=True, preexec_fn=before,
        env={"LD_PRELOAD": LIB, "MALLOC_CONF": strict("abort:false,prof_final:true," + options)},
        **(kinds or {"capture_output": True}))
    files = os.listdir(folder)
    for name in files:
        os.remove(os.path.join(folder, name))
    return done.returncode, (done.stderr or "").splitlines(), files


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


with tempfile.TemporaryDirectory() as folder:
    for form in ["text", "pprof"]:
        for why, options, before in [
                ("there is no such folder", "prof_prefix:/nowhere/x,", None),
                ("a part of the path is not a folder", "prof_prefix:/dev/null/x,", None),
                ("the file is too large", "", limit_files),
                ("the name is too long", f"prof_prefix:{'x' * 4000}/{'x' * 90},", None)]:
            what = why
            options += f"prof_format:{form},lg_prof_sample:8,prof:true"
            status, said, files = run(options, before)
            check(status == 3 and len(said) == 1 and said[0].endswith(f"can't be written: {why}") and files == [],
                  what, form, status, said, files)
            status, said, files = run(options + ",abort:true", before)
            check(status == -signal.SIGABRT and len(said) == 1 and said[0].endswith(f"can't be written: {why}") and
                  files == [], what, form, "abort", status, said, files)
            status, said, files = run(options + ",prof_leak:true", before)
            check(status == 3 and len(said) == 2 and "Leak approximation" in said[0] and
                  said[1].endswith(f"can't be written: {why}") and files == [], what, form, "leaks", status, said, files)
    status, said, files = run("prof_leak_error:true")
    check(status == 1 and len(said) == 3 and f'"{files[0]}"' in said[1] and len(files) == 1,
          "leaks", status, said, files)
    # A thousand dumps that fail: a line for the reason, then the number now and then.
    done = subprocess.run(
        [PYTHON, "-S", "-c", STORM], cwd=folder, timeout=1500, text=True, capture_output=True, env={
            "LD_PRELOAD": LIB, "MALLOC_CONF": strict(
                "abort:false,prof:true,prof_gdump:true,lg_prof_interval:20,lg_prof_sample:12,prof_prefix:there/x")})
    said = done.stderr.splitlines()
    first = [line for line in said if line.endswith("can't be written: there is no such folder")]
    counts = [line.split()[1] for line in said if line.endswith("the last one because: there is no such folder")]
    denied = [line for line in said if line.endswith("can't be written: a part of the path is not a folder")]
    check(done.returncode == 0 and len(first) == 1 and counts == ["10", "100", "1000"][:len(counts)] and
          len(counts) >= 2 and len(denied) == 1 and len(said) == 2 + len(counts), "a storm that fails", said)
    # A storm that does not: the newest of both kinds stay, and the one with the most in it.
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))
    done = subprocess.run(
        [PYTHON, "-S", "-c", GROW], cwd=folder, timeout=1500, text=True, capture_output=True, env={
            "LD_PRELOAD": LIB, "MALLOC_CONF": strict(
                "prof:true,prof_gdump:true,lg_prof_interval:20,lg_prof_sample:12,prof_dump_most:5,prof_final:true,"
                "prof_prefix:%h-%n-%p")})
    space = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    start = f"{os.uname().nodename}-{space}-"
    files = sorted(os.listdir(folder), key=lambda name: int(name.rsplit(".", 3)[1]))
    automatic = [name for name in files if re.search(r"\.[iu]\d+\.heap$", name)]
    check(done.returncode == 0 and done.stderr == "" and all(name.startswith(start) for name in files) and
          files[-1].endswith(".f.heap"), "what stays of a storm", done.stderr, files)
    for kind in "iu":
        numbers = [int(re.search(kind + r"(\d+)\.heap", name)[1]) for name in automatic if f".{kind}" in name]
        check(5 <= len(numbers) <= 6 and numbers[-5:] == list(range(numbers[-1] - 4, numbers[-1] + 1)), "the newest stay", files)
        check(kind == "u" or len(numbers) == 6, "the peak is none of the newest", files)
    most = [int(open(os.path.join(folder, name), encoding="utf-8").read().split()[3]) for name in automatic]
    check(max(most) > 2 * most[-1], "the peak stays", most)
    for name in files:
        os.remove(os.path.join(folder, name))
    # Not even the line has room.
    with tempfile.TemporaryFile("w+") as full:
        full.write("x" * 1000)
        full.flush()
        status, _, files = run("prof:true,prof_prefix:/nowhere/x", limit_files, stderr=full)
        check(status == 3 and files == [], "a full log", status, files)
finish()
