#!/usr/bin/env python3
"""Every command of doc/PROFILING.md, run in its order by one shell.

What the page shows of the output of a block must come: the messages, and the
functions that a table names. Files that commands write must not be empty.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from free_port import free_port
from lib import LIB, need, need_jeprof

JEPROF = need_jeprof()
TEST = os.path.abspath(os.environ.get("srcdir", ".") + "/test")
PAGE = os.path.abspath(os.environ.get("srcdir", ".") + "/doc/PROFILING.md")
END = "=== end of block ==="

need("cc", "curl", "dot", "bash")


def blocks(text):
    """[(commands, the output that is shown, or "")]"""
    found = re.findall(r"^```sh\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", text, re.M | re.S)
    if len(found) < 8:
        sys.exit("FAIL: the page's commands are not found")
    return found


def script(text, port):
    lines = ["exec 2>&1", "set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for commands, _ in blocks(text):
        lines.append(commands.rstrip())
        if commands.rstrip().endswith("&"):
            lines.append("until curl -s -o /dev/null http://127.0.0.1:8080/; do sleep 0.1; done")
        lines.append(f"echo '{END}'")
    return "\n".join(lines).replace("/usr/local/lib/libjemalloc.so.2", LIB).replace("8080", port)


def expected(shown):
    """What must be in the output: names in tables, the words of messages."""
    words = set()
    for line in shown.splitlines():
        row = re.match(r"\s*\S+ +[\d.]+% +[\d.]+% +\S+ +[\d.]+% (\S+)", line)
        if row:
            words.add(row[1])
        elif line.startswith(("<jemalloc>", "Total:")):
            words |= set(re.findall(r"[A-Za-z]{3,}", line)) - {"jemalloc"}
    return words


def main():
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(folder + "/bin")
        os.symlink(JEPROF, folder + "/bin/jeprof")
        os.symlink(TEST, folder + "/test")
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("MALLOC_CONF", "LD_PRELOAD")}
        environment.update(PATH=folder + "/bin:" + os.environ["PATH"], TMPDIR=folder,
                           HOME=folder, LC_ALL="C", no_proxy="127.0.0.1")
        done = subprocess.run(["bash", "-c", script(text, str(free_port()))], cwd=folder,
                              env=environment, stdout=subprocess.PIPE, text=True, timeout=1500)
        outputs = done.stdout.split(END + "\n")
        if done.returncode != 0:
            print(f"FAIL: status {done.returncode} after:\n{outputs[-1]}")
            failures += 1
        for (commands, shown), output in zip(blocks(text), outputs):
            for word in sorted(expected(shown)):
                if word not in output:
                    print(f"FAIL: no {word} in the output of\n{commands}\n{output}")
                    failures += 1
        for name in re.findall(r"(?:> |-o )(\S+\.(?:svg|heap|raw|folded))", text):
            if not os.path.exists(f"{folder}/{name}") or os.path.getsize(f"{folder}/{name}") < 50:
                print(f"FAIL: {name} is empty or not there")
                failures += 1
    sys.exit(failures > 0)


main()
