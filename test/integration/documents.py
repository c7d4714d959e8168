#!/usr/bin/env python3
"""Each command and each message in README.md and doc/*.md (but PROFILING.md, which has
a test of its own) is run, or stands in the list of those that another test runs. A line
that is in neither fails, so a new one in a document comes with its test.

Left to others: scripts and targets, which must be there with the options shown.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, check, chosen, fail, finish, left_out, need

ROOT = os.path.abspath(os.environ.get("srcdir", "."))
BUILD = os.path.abspath(LIB + "/../..")
JEPROF = BUILD + "/bin/jeprof"
PAGES = ["README.md", "doc/OPTIONS.md", "doc/STATISTICS.md", "doc/MIGRATION.md", "doc/MALLCTL.md", "doc/INSTALL.md",
         "doc/TUNING.md", "doc/TROUBLESHOOTING.md"]
PROGRAM = """
#include <stdlib.h>
#include <string.h>
void *volatile kept[1000];
__attribute__((noinline)) void fill(void)
{
	for (int i = 0; i < 1000; i++)
		kept[i] = malloc(8192);
}
int main(int argc, char **argv)
{
	fill();
	if (argc > 1 && strcmp(argv[1], "twice") == 0) {
		void *volatile twice = malloc(32);
		free(twice);
		free(twice);
	}
	return 0;
}
"""
# Begins of lines, and the test that runs them.
ELSEWHERE = {
    "scripts/run ": "scripts/check", "scripts/check": "scripts", "scripts/bench": "scripts",
    "scripts/replay": "test/integration/replay.py",
    "scripts/footprint": "test/integration/footprint.sh", "scripts/check-machine": "scripts",
    "./autogen.sh": "scripts/check", "mkdir build": "scripts/check", "../configure": "scripts/check",
    "./configure ": "test/names/run", "make": "Makefile.am", "pprof ": "test/integration/pprof.py",
    "LD_LIBRARY_PATH=/usr/local/lib redis-server": "test/integration/linked-redis.sh",
    "MALLOC_CONF=prof_signal:": "test/integration/prof-signal.py",
    "sudo apt-get install pkg-config": "scripts/packages",
    "sudo make install": "scripts/check", "sudo ldconfig": "scripts/check-fresh",
    "cc program.c -I/opt": "test/integration/consumers.sh",
    "kill -USR2": "test/integration/prof-signal.py",
}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def lines(page):
    """The indented lines, without what is explained beside them."""
    text = re.sub(r"^```.*?^```", "", read(f"{ROOT}/{page}"), flags=re.M | re.S)
    text = re.sub(r" \\\n +", " ", text)
    for line in re.findall(r"(?:^|(?<=\n))    (\S.*)", text):
        if not line.startswith("# ") and not re.match(r"[a-z ]+, ", line):
            yield line if line.startswith("<jemalloc>") else re.split(r"\s{2,}", line)[0]
    # Commands within sentences, too.
    yield from re.findall(r"`(MALLOC_CONF[^`\s]+ [^`]+)`", text)


def shell(command):
    return subprocess.run(["sh", "-c", command], cwd=folder, env=environment, timeout=1200,
                          capture_output=True, text=True)


def run_message(page, line):
    """A message comes as it is shown, of the option that it quotes."""
    if "safety:" in line:
        # Debug builds fill what is freed, and so find it later.
        said = shell(f"MALLOC_CONF=abort_conf:true,junk:false LD_PRELOAD={LIB} program twice").stderr
        line = re.escape(line).replace("0x7f3d91e00000", "0x[0-9a-f]+")
        check(re.match(line + "\n", said), page, line, said)
        return
    pair = re.match(r"<jemalloc>: [^:]*: (\S+) -- ", line)[1]
    said = shell(f"MALLOC_CONF=abort_conf:false,{pair} LD_PRELOAD={LIB} program").stderr
    check(said == line + "\n", page, line, said)


def run_command(page, line):
    command = line.replace("/tmp/", folder + "/")
    for old, new in [("scripts/run COMMAND...", f"LD_PRELOAD={LIB} program"),
                     ("scripts/run ls", f"LD_PRELOAD={LIB} ls"),
                     ("/usr/local/lib", os.path.dirname(LIB)), ("build/bin/jeprof", JEPROF),
                     ("COMMAND", "program"), ("FUNCTION", "fill"), ("ruby --version", "program"), ("cc program.c", "cc -o linked program.c")]:
        command = command.replace(old, new)
    if "jeprof" in command and not chosen("jeprof"):
        left_out(line, "because jeprof was not to be built")
        return
    if "pkg-config" in command and not shutil.which("pkg-config"):
        left_out(line, "because pkg-config is not installed")
        return
    done = shell(command)
    check(done.returncode == 0, page, line, done.stderr)
    if "stats_print" in command:
        check("Begin jemalloc statistics" in done.stderr, page, line, done.stderr[:200])
    elif "jeprof" in command:
        shown = read(folder + "/flames.svg") if "flames.svg" in command else done.stdout
        check("fill" in shown, page, line, shown[:500], done.stderr)
    else:
        check(done.stderr == "", page, line, done.stderr)
    if "-o linked" in command:
        # It is this library that counts what was allocated.
        done = shell(f"MALLOC_CONF=abort_conf:true,stats_print:true LD_LIBRARY_PATH={os.path.dirname(LIB)} ./linked")
        check("Begin jemalloc statistics" in done.stderr, page, line, done.stderr[:200])


def check_elsewhere(page, line, where):
    check(os.path.exists(f"{ROOT}/{where}"), page, line, "there is no", where)
    words = line.split()
    if words[0].startswith("scripts/"):
        text = read(f"{ROOT}/{words[0]}") if os.path.exists(f"{ROOT}/{words[0]}") else ""
        for word in words[:1] + [word for word in words[1:] if word.startswith("--")]:
            check(word.lstrip("-").split("/")[-1] in text, page, line, "does not know", word)
    if words[0] == "make" and len(words) > 1 and words[1] not in ("check", "install"):
        check(re.search(rf"^{re.escape(words[1])}\b.*:", read(f"{BUILD}/Makefile"), re.M), page, line)


def make_folder():
    with open(folder + "/program.c", "w") as file:
        file.write(PROGRAM)
    os.mkdir(folder + "/bin")
    for name, source in [("bin/jemalloc.sh", "bin/jemalloc.sh"), ("jemalloc.pc", "jemalloc.pc")]:
        text = read(f"{BUILD}/{source}")
        text = re.sub(r"^libdir=.*$", f"libdir={os.path.dirname(LIB)}", text, flags=re.M)
        text = re.sub(r"^includedir=.*$", f"includedir={BUILD}/include", text, flags=re.M)
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
        os.chmod(f"{folder}/{name}", 0o755)
    done = subprocess.run(["cc", "-g", "-O1", "-rdynamic", "-o", "bin/program", "program.c"], cwd=folder)
    check(done.returncode == 0, "the program can't be built")


need("cc")
with tempfile.TemporaryDirectory() as folder:
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MALLOC_CONF", "LD_PRELOAD", "LD_LIBRARY_PATH")}
    environment.update(PATH=f"{folder}/bin:" + os.environ["PATH"], LC_ALL="C",
                       PKG_CONFIG_PATH=folder)
    make_folder()
    count = 0
    for page in PAGES:
        for line in lines(page):
            count += 1
            where = [test for begin, test in ELSEWHERE.items() if line.startswith(begin)]
            if line.startswith("<jemalloc>: "):
                run_message(page, line)
            elif where:
                check_elsewhere(page, line, where[0])
            elif re.match(r"([A-Z_]+=\S+ )*(cc|program|jemalloc\.sh|scripts/run|build/bin/jeprof|ruby) ?", line):
                run_command(page, line)
            else:
                fail(page, "no test runs the line:", line)
    check(count > 20, "the commands of the documents are not found", count)
finish()
