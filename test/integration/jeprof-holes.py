#!/usr/bin/env python3
"""jeprof --holes, on profiles written here by hand: the sums by age, over several files, and the
usual table below; other profiles are refused."""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import check, finish, need_jeprof

JEPROF = need_jeprof()
MIB = 1 << 20
NAMES = ["under 1 s", "1 s", "10 s", "100 s", "1000 s", "10000 s"]


def profile(name, stacks, names):
    """Writes one: for each stack what it has of each age, (slabs, MiB)."""
    def counts(pairs):
        return f"{sum(slabs for slabs, _ in pairs)}: {sum(mib for _, mib in pairs) * MIB} [0: 0]"
    text = "heap_v2/1\n  t*: " + counts([pair for stack in stacks.values() for pair in stack.values()]) + "\n"
    for age, label in enumerate(names):
        text += f"  t{age}: {counts([stack[age] for stack in stacks.values() if age in stack])} {label}\n"
    for pc, stack in stacks.items():
        text += f"@ {pc:#x}\n  t*: {counts(stack.values())}\n"
        text += "".join(f"  t{age}: {counts([pair])}\n" for age, pair in stack.items())
    with open(name, "w", encoding="utf-8") as file:
        file.write(text + "\nMAPPED_LIBRARIES:\n")
    return name


def run(*arguments):
    done = subprocess.run([JEPROF, *arguments], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    one = profile("one", {0x1000: {0: (5, 1), 3: (100, 64)}, 0x2000: {3: (10, 2), 5: (7, 3)}}, NAMES)
    two = profile("two", {0x1000: {3: (1, 30)}}, NAMES)
    status, out, error = run("--holes", one, two)
    head, _, rest = out.partition("Total: ")
    check(status == 0 and head.splitlines() == [
        "Holes by the age of the objects that keep them:", "        MB    slabs  age",
        "       1.0        5  under 1 s", "      96.0      111  100 to 1000 s", "       3.0        7  10000 s and more"],
          status, out, error)
    check(rest.startswith("100.0 MB\n") and run("--text", one, two)[1] == "Total: " + rest, "the usual table", out)
    # Base, filters and ages count in both tables.
    for words, ages in ((["--base=" + two, one], ["1.0 5 under 1 s", "36.0 109 100 to 1000 s", "3.0 7 10000 s and more"]),
                        (["--thread=3", one], ["66.0 110 100 to 1000 s"]),
                        (["--focus=0000000000002000", one], ["2.0 10 100 to 1000 s", "3.0 7 10000 s and more"]),
                        (["--ignore=0000000000002000", one], ["1.0 5 under 1 s", "64.0 100 100 to 1000 s"])):
        out = run("--holes", *words)[1].partition("Total")[0].splitlines()[2:]
        check([" ".join(line.split()) for line in out] == ages, words, out)
    check(": holes, 70.0 MB" in run("--flamegraph", "one")[1], "title", run("--flamegraph", "one")[1][:400])
    # Nobody else's threads are taken for ages.
    other = profile("other", {0x1000: {0: (5, 1)}}, ["main", "worker"])
    status, out, error = run("--holes", other)
    check(status != 0 and out == "" and "other: is no profile of holes" in error, status, out, error)
    # Holes and objects have no sum and no difference.
    for words in (["--holes", one, other], ["--text", one, other], ["--text", other, one],
                  ["--text", "--base=" + other, one], ["--html", "--base=" + one, other],
                  ["--holes", "--base=" + other, one]):
        status, out, error = run(*words)
        check(status == 1 and out == "" and error == "jeprof: one is a profile of holes, and other is not: "
              "they can't be mixed\n", words, status, out, error)
    # What --proto writes is a profile of holes, too, with its ages.
    for words in ([one, two], ["--base=" + two, one], ["--thread=3", one]):
        with open("out.pb.gz", "wb") as file:
            subprocess.run([JEPROF, "--proto", *words], stdout=file, timeout=300, check=True)
        check(run("--holes", "out.pb.gz")[1] == run("--holes", *words)[1].replace(" (t3)", ""), "--proto", words,
              run("--holes", "out.pb.gz"), run("--holes", *words))
    status, out, error = run("--base=out.pb.gz", other)
    check(status == 1 and "can't be mixed" in error, "a written profile of holes", status, out, error)
    os.chdir("/")
finish()
