#!/usr/bin/env python3
"""The heap profile of a running, unprepared process: turned on and off, and
dumped, by a signal."""
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from lib import LIB, PYTHON, strict

# What it has when it is asked for grows all the time, in parent and child.
PROGRAM = """
import os, sys, time
if sys.argv[1] == 'fork' and os.fork() != 0:
    os.wait()
    sys.exit()
print(os.getpid(), flush=True)
kept = []
while True:
    kept.append([bytearray(1000) for _ in range(100)])
    print('round', flush=True)
    time.sleep(0.01)
    if len(kept) > 300:
        del kept[:100]
"""
SLEEPER = "import time; print(__import__('os').getpid(), flush=True); time.sleep(60)"


def fail(text):
    sys.exit("FAIL: " + text)


def wait_for(what, condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.05)
    fail(what + ": not within 5 minutes")


class Process:
    """A program under the library; what it prints and its standard error in files."""

    def __init__(self, conf, *command):
        self.errors = tempfile.NamedTemporaryFile("r")
        self.output = tempfile.NamedTemporaryFile("r")
        self.process = subprocess.Popen(
            [PYTHON, "-c", *command], stdout=open(self.output.name, "w"),
            stderr=open(self.errors.name, "w"),
            env={**os.environ, "LD_PRELOAD": LIB, "MALLOC_CONF": strict(conf),
                 "PYTHONMALLOC": "malloc"})
        wait_for("its number", lambda: "\n" in self.printed() or self.process.poll() is not None)
        self.pid = int(self.printed().split("\n")[0])

    def send(self, number):
        os.kill(self.pid, number)

    def printed(self):
        with open(self.output.name) as f:
            return f.read()

    def said(self, text):
        with open(self.errors.name) as f:
            return text in f.read()

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()


def toggled(folder, mode):
    prefix = f"{folder}/{mode}"
    p = Process(f"prof_signal:USR2,prof_prefix:{prefix},lg_prof_sample:12",
                PROGRAM, mode)
    p.send(signal.SIGUSR2)
    wait_for(mode + ", on", lambda: p.said("profile is on"))
    rounds = p.printed().count("round")
    wait_for(mode + ", rounds", lambda: p.printed().count("round") >= rounds + 40)
    p.send(signal.SIGUSR2)
    wait_for(mode + ", off", lambda: p.said("profile is off"))
    name = f"{prefix}.{p.pid}.0.m0.heap"
    if not p.said(f"profile was written to {name}\n"):
        fail(f"{mode}: it does not say where: {open(p.errors.name).read()!r}")
    if glob.glob(prefix + "*") != [name]:
        fail(f"{mode}: {glob.glob(prefix + '*')} instead of {name}")
    lines = open(name).read().splitlines()
    # Of 39 rounds at least, with 100 KB each, some hundred objects are samples.
    live = int(lines[1].split()[2])
    if lines[0] != "heap_v2/4096" or live < 100000:
        fail(f"{mode}: {lines[:2]}")
    p.end()


def dumped(folder):
    p = Process(f"prof:true,prof_signal:10,prof_signal_action:dump,"
                f"prof_prefix:{folder}/dump", PROGRAM, "no")
    for i in range(2):
        p.send(signal.SIGUSR1)
        name = f"{folder}/dump.{p.pid}.{i}.m{i}.heap"
        wait_for(name, lambda: os.path.exists(name))
    p.end()


def asleep(folder):
    """Also a process that does nothing does it at once."""
    p = Process(f"prof_signal:USR2,prof_prefix:{folder}/asleep", SLEEPER)
    p.send(signal.SIGUSR2)
    wait_for("asleep", lambda: p.said("profile is on"))
    if p.process.poll() is not None:
        fail("the signal ends a program that sleeps")
    p.end()


def refused():
    for conf in ("SEGV", "KILLER", "99999999999", "0", "11", "SIG", "SIG12", "USR"):
        conf = "prof_signal:" + conf
        p = Process("abort_conf:false," + conf, SLEEPER)
        if not p.said("Invalid conf value: " + conf + " -- allowed: HUP, USR1, "):
            fail(f"{conf} says {open(p.errors.name).read()!r}")
        p.end()


def unwritable():
    p = Process("abort:false,prof:true,prof_signal:USR1,prof_signal_action:dump,"
                "prof_prefix:/nowhere/x", PROGRAM, "no")
    p.send(signal.SIGUSR1)
    wait_for("no such folder", lambda: p.said(f"/nowhere/x.{p.pid}.0.m0.heap can't be written"))
    if p.process.poll() is not None:
        fail("a dump that can't be written ends the program")
    p.end()


def main():
    with tempfile.TemporaryDirectory() as folder:
        toggled(folder, "alone")
        toggled(folder, "fork")
        dumped(folder)
        asleep(folder)
    refused()
    unwritable()


main()
