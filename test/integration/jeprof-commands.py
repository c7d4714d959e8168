#!/usr/bin/env python3
"""jeprof's commands, on a pipe and on a terminal, and its viewers, for which scripts
stand here."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from jeprof import JEPROF, check, example, good, run_tests, table, write
from lib import left_out


def test_viewers(program, dump):
    """They get a file of the right kind, and it is gone when they end."""
    os.makedirs("viewers", exist_ok=True)
    os.makedirs("temporary", exist_ok=True)
    here, temporary = os.path.abspath("viewers"), os.path.abspath("temporary")
    for name in ["gv", "evince", "browser", "kcachegrind"]:
        write("viewers/" + name, f"#!/bin/sh\nfor file; do :; done\necho \"$*\" > {here}/{name}.words\n"
              f"cp \"$file\" {here}/{name}.out.new && mv {here}/{name}.out.new {here}/{name}.out\n")
        os.chmod("viewers/" + name, 0o755)
    env = {**os.environ, "PATH": here + ":" + os.environ["PATH"], "TMPDIR": temporary,
           "BROWSER": here + "/browser"}
    if not shutil.which("dot"):
        left_out("dot is not installed")
        return
    for option, name, start in [("--gv", "gv", b"%!PS"), ("--evince", "evince", b"%PDF"),
                                ("--web", "browser", b"<?xml")]:
        done = subprocess.run([JEPROF, option, "--scale=3", program, dump], env=env,
                              capture_output=True, text=True)
        with open(f"viewers/{name}.out", "rb") as file:
            got = file.read(5)
        os.remove(f"viewers/{name}.out")
        check(done.returncode == 0 and done.stdout == "" and got.startswith(start), option, done, got)
        check(len(os.listdir(temporary)) == (option == "--web"), f"{option}: what stays",
              os.listdir(temporary))
    with open("viewers/gv.words") as file:
        check("--scale=3" in file.read(), "--scale")
    done = subprocess.run([JEPROF, "--interactive", "--show_bytes", program, dump], env=env, capture_output=True,
                          text=True, input="gv leaf\nweblist leaf\ncallgrind\n")
    for name, start in [("gv", b"%!PS"), ("browser", b"<!DOCTYPE html>"), ("kcachegrind", b"events")]:
        for _ in range(6000):
            if os.path.exists(f"viewers/{name}.out"):
                break
            time.sleep(.05)
        with open(f"viewers/{name}.out", "rb") as file:
            text = file.read()
        check(text.startswith(start), f"{name} in the background", done, text[:99])
        if name == "browser" and shutil.which("objdump"):
            check(re.search(rb"<summary[^>]*> *\S+ +64 ", text) and b"call" in text, "weblist", text)
    done = subprocess.run([JEPROF, "--gv", program, dump], capture_output=True, text=True,
                          env={**env, "PATH": "/nowhere"})
    check(done.returncode == 1 and "gv" in done.stderr and done.stderr.count("\n") == 1,
          "without a viewer", done)


def commands(program, dump, text, *options):
    """The output of each command, by the total that all begin with."""
    done = subprocess.run([JEPROF, "--interactive", "--show_bytes", *options, program, dump],
                          input=text, capture_output=True, text=True, timeout=600)
    check(done.returncode == 0, "interactive mode", done)
    return done.stdout.split("Total: ")[1:], done.stderr


def test_interactive(program, dump):
    out, error = commands(program, dump, "top\n\ntop2\n  text1 --cum \ntop leaf\ntop -deep -leaf\n"
                          "top --lines deep\nlist deep|leaf -leaf\nnonsense\ntop (\nquit\ntop\n")
    check(len(out) == 7 and all(part.startswith("2364 B\n") for part in out), "totals", out)
    names = [list(table(part)) for part in out]
    check(names[0] == ["start_up", "deep", "leaf", "main"] and names[1] == ["start_up", "deep"] and
          names[2] == ["main"] and set(names[3]) == {"leaf", "main"} and
          set(names[4]) == {"start_up", "main"}, "tables", names)
    check(all(":" in name for name in names[5]) and "ROUTINE" in out[6] and "deep" in out[6] and
          " leaf in" not in out[6], "lines and source", out)
    check(error.count("(jeprof) ") == 11 and error.count("unknown command nonsense") == 1 and
          "missing" in error, "complaints", error)
    write("raw", good("--raw", program, dump))
    done = subprocess.run([JEPROF, "--interactive", "raw"], input="list x\ntop --lines\ntop\n",
                          capture_output=True, text=True)
    check(done.stderr.count("no lines") == 2 and "start_up" in done.stdout, "commands for a raw one", done)
    out, error = commands(program, dump, "callgrind cg.out\ncallgrind /missing/x\nhelp\ndisasm leaf\n")
    with open("cg.out") as file:
        check(file.read() == good("--callgrind", program, dump), "callgrind")
    check("/missing/x: No such file" in error and "weblist" in "".join(out), "help", out, error)
    if shutil.which("objdump"):
        check("ROUTINE" in out[-1] and "call" in out[-1], "disasm", out)


def test_terminal(program, dump):
    """On a terminal jeprof asks for commands, and Ctrl-C does not end it."""
    here, there = pty.openpty()
    process = subprocess.Popen([JEPROF, program, dump], stdin=there, stdout=there, stderr=there,
                               start_new_session=True, env={**os.environ, "TERM": "dumb"})
    os.close(there)
    text = ""

    def seen(word, seconds):
        nonlocal text
        end = time.time() + seconds
        while word not in text and time.time() < end:
            if select.select([here], [], [], 1)[0]:
                try:
                    text += os.read(here, 65536).decode()
                except OSError:
                    break
        return word in text

    def wait(word, seconds=300):
        nonlocal text
        check(seen(word, seconds), f"terminal: {word}", text)
        text = text[text.find(word) + len(word):]
    wait("(jeprof) ")
    os.write(here, b"top2 --cum\n")
    wait("Total: 0.0 MB")
    wait("main")
    wait("(jeprof) ")
    # By now it waits for a line, on most machines: that is when the signal counts.
    time.sleep(.3)
    process.send_signal(signal.SIGINT)
    # What is typed while the signal is on its way belongs to the line it ends.
    for _ in range(50):
        os.write(here, b"top\n")
        if seen("start_up", 3):
            break
    wait("start_up")
    os.write(here, b"quit\n")
    check(process.wait(timeout=300) == 0, "end of the terminal")
    os.close(here)


def all_tests():
    program, dump = example()
    test_viewers(program, dump)
    test_interactive(program, dump)
    test_terminal(program, dump)


run_tests(all_tests)
