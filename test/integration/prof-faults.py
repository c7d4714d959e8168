#!/usr/bin/env python3
"""The last dump of a process can't be written: it says so in one line and ends as it
would have, leaving no file behind; with abort:true it aborts."""
import os
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
    # Not even the line has room.
    with tempfile.TemporaryFile("w+") as full:
        full.write("x" * 1000)
        full.flush()
        status, _, files = run("prof:true,prof_prefix:/nowhere/x", limit_files, stderr=full)
        check(status == 3 and files == [], "a full log", status, files)
finish()
