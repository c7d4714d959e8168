"""Helpers of the integration tests in Python; a test takes them in with
    sys.dont_write_bytecode = True
    from lib import ...
which fails unless JEMALLOC_LIB names a library that the dynamic loader takes malloc from.
It ends with finish().
"""
import ctypes
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile


def skip(*missing):
    """What this machine or build lacks; never for a failure."""
    print("skipped:", *missing)
    sys.exit(77)


def left_out(*missing):
    """So a part of the test is, for want of that."""
    print("skipped:", *missing)


def need(*programs):
    """Skips the test if one of them is not installed."""
    for program in programs:
        if not shutil.which(program):
            skip(program, "is not installed")


def chosen(part):
    """Whether configure chose to build it, as the Makefile says; by hand: yes."""
    return part in os.environ.get("JEMALLOC_BUILT", part).split()


def need_jeprof():
    """Its path; skips the test where it was not to be built."""
    if not chosen("jeprof"):
        skip("libdw-dev or libpcre2-dev is not installed, so jeprof was not to be built")
    path = os.path.abspath(LIB + "/../../bin/jeprof")
    built(path)
    return path


def built(*paths):
    """What `make check` builds before."""
    for path in paths:
        if not os.path.exists(path):
            sys.exit(f"FAIL: {path} is not built")


def strict(conf):
    """Options for a program. One that the library does not take would test nothing: so it ends
    the program, but if `conf` says otherwise."""
    if "abort_conf:" in conf:
        return conf
    return "abort_conf:true" + ("," + conf if conf else "")


def check_bound(program):
    """Does the dynamic loader give the program our malloc?"""
    said = subprocess.run([program], stderr=subprocess.PIPE, check=False, env={
        **os.environ, "LD_PRELOAD": LIB, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"}).stderr.decode()
    if not re.search(rf" to {re.escape(LIB)} .*symbol .malloc'", said):
        sys.exit(f"FAIL: malloc of {program} is not bound to {LIB}")


LIB = os.path.realpath(os.environ.get("JEMALLOC_LIB", ""))
if not os.path.isfile(LIB):
    sys.exit("FAIL: JEMALLOC_LIB does not name the library")
os.environ.pop("MALLOC_CONF", None)
check_bound("/bin/true")


def built_with(part):
    """Whether that is in the library, as it says itself: prof, stats, debug, ..."""
    value, size = ctypes.c_bool(), ctypes.c_size_t(1)
    error = ctypes.CDLL(LIB).mallctl(f"config.{part}".encode(), ctypes.byref(value), ctypes.byref(size),
                                     None, ctypes.c_size_t(0))
    if error:
        sys.exit(f"FAIL: config.{part} can't be read")
    return value.value


# What runs with the library.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

failures = 0


def fail(*what):
    global failures
    failures += 1
    print("FAIL:", *what)


def check(condition, *what):
    if not condition:
        fail(*what)
    return condition


def instructions(before, program, *arguments, inside=None):
    """What the program prints, and [instructions] of each part of its run that begins with a call of the function
    `before`: of all code, or only inside of the function `inside`.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", f"--dump-before={before}"]
            + ([f"--toggle-collect={inside}"] if inside else []) + [program, *map(str, arguments)],
            env=dict(os.environ, LD_PRELOAD=LIB, MALLOC_CONF=strict("junk:false")),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        check(done.returncode == 0, "ended with", done.returncode, (done.stdout + done.stderr).decode()[-500:])
        counts = []
        # The first file is what came before.
        while os.path.exists(f"{folder}/out.{len(counts) + 2}"):
            with open(f"{folder}/out.{len(counts) + 2}", encoding="utf-8") as file:
                counts.append(int(re.search(r"^totals: (\d+)", file.read(), re.M).group(1)))
    return done.stdout.decode(), counts


class Oracle:
    """The program heap-oracle, while it waits; `objects`: address -> malloc_usable_size()."""

    PROGRAM = os.path.dirname(LIB) + "/../test/stress/heap-oracle"

    def __init__(self, folder, conf="", *words, seed=1, library=LIB, program=PROGRAM, emulator=()):
        log = folder + "/objects"
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        # Freed pages would only make core files large.
        conf = ",".join(filter(None, ["dirty_decay_ms:0,muzzy_decay_ms:0", conf]))
        environment = {**os.environ, "MALLOC_CONF": strict(conf)}
        if emulator:
            # That of the emulator is another one.
            emulator = [*emulator, "-E", "LD_PRELOAD=" + library]
        else:
            environment["LD_PRELOAD"] = library
        self.process = subprocess.Popen(
            [*emulator, program, log, str(seed), *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)))
        self.pid = int(self.process.stdout.readline() or 0)
        if self.pid == 0:
            sys.exit(f"FAIL: heap-oracle with {conf} did not get ready")
        self.target = ["--pid", str(self.pid)]
        with open(log, encoding="ascii") as file:
            self.objects = {int(line.split()[0], 16): int(line.split()[1]) for line in file}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def finish():
    sys.exit(1 if failures else 0)


def unique(pairs):
    """For json.load: an object in which no key stands twice."""
    names = [name for name, _ in pairs]
    check(len(names) == len(set(names)), "a key twice among", names)
    return dict(pairs)
