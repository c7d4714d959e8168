#!/usr/bin/env python3
"""The command `heap` of gdb, installed as `make install` does it, against a program that keeps a
list of its objects (heap-oracle): the live process, cores of gdb and of the kernel, interruption."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, Oracle, check, chosen, finish, left_out, need, built, skip

if not chosen("jeheap"):
    skip("libelf-dev is not installed, so jeheap was not to be built")
need("gdb")
if subprocess.run(["gdb", "-nx", "-batch", "-ex", "python print(1)"], capture_output=True).stdout != b"1\n":
    skip("gdb with Python is not installed")
TOP = os.path.abspath(LIB + "/../..")
SCRIPT = os.path.abspath(os.path.join(os.environ.get("srcdir", "."), "bin/heap/gdb.py"))
built(Oracle.PROGRAM, TOP + "/bin/jeheap")
FOLDER = tempfile.mkdtemp(prefix="heap-gdb-")
HERE = FOLDER + "/usr/lib/" + os.path.basename(LIB)
# gdb runs with the options that a user gives it, and none of the test's.
GDB = ["gdb", "-nx", "-batch", "-iex", f"add-auto-load-safe-path {FOLDER}", "-iex", "set debuginfod enabled off",
       "-iex", "set confirm off"]


def install():
    for name in ("lib", "bin"):
        os.makedirs(f"{FOLDER}/usr/{name}")
    shutil.copy(LIB, HERE)
    shutil.copy(SCRIPT, HERE + "-gdb.py")
    shutil.copy(TOP + "/bin/jeheap", FOLDER + "/usr/bin/jeheap")


def gdb(target, *commands):
    """Its output: of each command behind a line that names it."""
    words = [*GDB, *target]
    for command in commands:
        words += ["-ex", f"echo ==== {command}\\n", "-ex", command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=FOLDER,
                          env={**os.environ, "PATH": "/usr/bin:/bin"})
    parts = re.split(r"^==== (.*)\n", done.stdout, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2])), done.stderr


def compare(what, text, objects):
    found = dict(re.findall(r"^(0x\w+) (\d+) live", text, re.M))
    check({int(address, 16): int(size) for address, size in found.items()} == objects, what, len(found), "found,",
          len(objects), "exist", text[:300])


def test_process(oracle):
    """Attached: the same objects, names of threads, expressions, completion; no word of doubt."""
    address, size = max((a, s) for a, s in oracle.objects.items() if s == 64)
    dump = FOLDER + "/dump"
    os.mkdir(dump)
    said, errors = gdb(
        ["-p", str(oracle.pid)], "heap regions", "heap", "heap 64", "heap stats 64", "heap caches", f"heap find {address}",
        "heap find &workers[0]", f"heap who {address + 1} --limit=0", "heap examine/3 64 --limit=2",
        "heap examine 64 --limit=2 --words=3", "heap analyze 48-80", f"heap dump 64 --dir={dump}", "heap arenas", "heap check",
        f"print $heap_size({address + 3})", f"print $heap_live({address})", "print $heap_live(workers)",
        "complete heap st", "complete heap stats sm", "complete heap stats 6", "help heap examine",
        "heap examine 64 --words 3 --limit 2", "print $heap_size(\"abc\")", "print $heap_size()", "heap find strlen(1)",
        "python print(WITH_VALUE)",
        "heap blue", "heap stats blue", "heap find no_such_name", "python print('runs on')",
        "generate-core-file " + FOLDER + "/of-gdb")
    for doubt in ("approximate", "Traceback", "Python Exception", "uncertain", "declined"):
        check(doubt not in errors, "attached", doubt, errors[-500:])
    compare("attached", said["heap regions"], oracle.objects)
    total = f"Total: {len(oracle.objects)} allocs, {sum(oracle.objects.values())} bytes in use\n"
    check(total in said["heap"], "heap", said["heap"][-300:])
    check(said["heap 64"] == said["heap stats 64"] and re.match(r" +64 bytes \*", said["heap 64"]), "heap SIZE", said["heap 64"])
    threads = os.listdir(f"/proc/{oracle.pid}/task")
    check(all(f"thread {thread} (heap-oracle)\n" in said["heap caches"] for thread in threads), "threads of caches",
          said["heap caches"][:500])
    check(f"live object of {size} bytes at {address:#x}, offset 0" in said[f"heap find {address}"], "find", errors[-300:])
    check("not heap: workers" in said["heap find &workers[0]"], "find an expression", said["heap find &workers[0]"])
    check("workers" in said[f"heap who {address + 1} --limit=0"] or "shared" in said[f"heap who {address + 1} --limit=0"],
          "who", said[f"heap who {address + 1} --limit=0"])
    check(said["heap examine/3 64 --limit=2"] == said["heap examine 64 --limit=2 --words=3"] ==
          said["heap examine 64 --words 3 --limit 2"] != "", "examine/3")
    check("guesses" in said["heap analyze 48-80"] and "arena" in said["heap arenas"], "analyze, arenas")
    check("nothing wrong" in said["heap check"], "check", said["heap check"])
    check(sorted(os.listdir(dump)) == ["heap.64.bin", "heap.64.idx"], "dump", os.listdir(dump))
    check([said[f"print $heap_size({address + 3})"].split()[-1], said[f"print $heap_live({address})"].split()[-1],
           said["print $heap_live(workers)"].split()[-1]] == ["64", "1", "0"], "functions", errors[-300:])
    check(said["complete heap st"] == "heap stats\n" and said["complete heap stats sm"] == "heap stats small\n" and
          "heap stats 64\n" in said["complete heap stats 6"], "completion", said["complete heap stats 6"])
    check("Usage: heap examine [/N] [SIZE]" in said["help heap examine"], "help", said["help heap examine"])
    # The script knows which options of jeheap have a value; those of the target, and of top, are not for gdb.
    taken = {word for short, long in re.findall(r"^ +(?:(-\w), )?(--[a-z-]+)=", subprocess.run(
        [TOP + "/bin/jeheap", "--help"], capture_output=True, text=True).stdout, re.M) for word in (short, long) if word}
    known = set(re.findall(r"-[\w-]+", said["python print(WITH_VALUE)"]))
    check(known == taken - {"--pid", "-p", "--core", "-c", "--threads", "--interval", "--count"}, "options", known ^ taken)
    for answer in ("This is no address", "One address is needed", "may-call-functions", "there is no command blue",
                   "blue: is no", 'No symbol "no_such_name"'):
        check(answer in errors, "an error says", answer, errors[-800:])
    # It was not changed, and goes on.
    with open(f"/proc/{oracle.pid}/status") as file:
        check("TracerPid:\t0" in file.read(), "detached")


def test_snapshot(oracle):
    """What another program may not read, gdb writes to a core file: once, until it goes on."""
    said, errors = gdb(["-p", str(oracle.pid)], "python may_read = lambda pid: False", "heap regions", "heap stats",
                       "python print('folder', snapshot.folder.name)", "detach")
    compare("snapshot", said["heap regions"], oracle.objects)
    check(errors.count("gdb writes a core file") == 1, "one core file", errors[-500:])
    folder = re.search(r"folder (.*)", said["python print('folder', snapshot.folder.name)"])
    check(folder and not os.path.exists(folder.group(1)), "the core file is gone at the end")


def test_core(what, core, oracle):
    said, errors = gdb([Oracle.PROGRAM, core], "heap regions", "heap caches", "heap stats", "heap find workers")
    compare(what, said["heap regions"], oracle.objects)
    check(f"thread {oracle.pid}" in said["heap caches"], what, "threads", errors[-300:])
    check("workers" in said["heap find workers"], what, "find", said["heap find workers"], errors[-300:])


def test_interruption():
    """Ctrl-C ends jeheap, and what is shown is said to be a part; a line tells that it still reads."""
    slow = FOLDER + "/slow"
    with open(slow, "w") as file:
        file.write(f"#!/bin/sh\necho $$ >{FOLDER}/slow-pid\necho first\nexec sleep 1000\n")
    os.chmod(slow, 0o755)
    words = [*GDB, "-ex", f"source {SCRIPT}", "-ex", "starti", "-ex", f"set heap-program {slow}", "-ex",
             "python PATIENCE = 0", "-ex", "heap stats", "-ex", "echo and goes on\\n", "-ex", "kill", "/bin/true"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as process:
        lines, first, line = [], False, "begin"
        # The end of the output, if no such line comes.
        while line and not (first and "still reading" in line):
            line = process.stdout.readline()
            lines.append(line)
            first = first or line == "first\n"
        check(line, "a line of progress", lines[-5:])
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
    check("Interrupted: 1 lines are shown" in rest and "and goes on" in rest, "Ctrl-C", rest)
    with open(FOLDER + "/slow-pid") as file:
        check(not os.path.exists(f"/proc/{int(file.read())}"), "jeheap has ended")


def test_names():
    """Another `heap` keeps its name; twice loaded is once; without a target or a program, a line."""
    said, errors = gdb([], "python type('Other', (gdb.Command,), {})('heap', gdb.COMMAND_USER)", f"source {SCRIPT}",
                       f"source {SCRIPT}", "jeheap stats", "set heap-program /no/such", "show heap-program", "jeheap arenas")
    check(errors.count("another extension has this command") == 1, "the name is taken", errors)
    check("There is no process and no core file" in errors, "no target", errors)
    check("/no/such" in said["show heap-program"], "the parameter", said)
    said, errors = gdb([Oracle.PROGRAM], f"source {SCRIPT}", "starti", "set heap-program /no/such", "heap", "kill")
    check("/no/such: No such file" in errors, "no such program", errors)


try:
    install()
    with Oracle(FOLDER, library=HERE) as the_oracle:
        test_process(the_oracle)
        test_snapshot(the_oracle)
        test_core("core of gdb", FOLDER + "/of-gdb", the_oracle)
        os.kill(the_oracle.pid, signal.SIGABRT)
        the_oracle.process.wait()
        cores = [name for name in os.listdir(FOLDER) if name.startswith("core")]
        if cores:
            test_core("core of the kernel", f"{FOLDER}/{cores[0]}", the_oracle)
        else:
            left_out("core files: the system writes none here")
    test_interruption()
    test_names()
finally:
    shutil.rmtree(FOLDER)
finish()
