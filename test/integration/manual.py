#!/usr/bin/env python3
"""The manual page doc/jemalloc.3, and the HTML that the build makes of it.

Its examples are compiled and run. Each name of mallctl is one of the library, and each default of an
option is what the library has. The search of the HTML finds what it should, in a real browser.

What scripts/manual --check finds is for lint.
"""
import ctypes
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from lib import LIB, built, built_with, check, chosen, fail, finish, left_out, need, shutil

ROOT = os.path.abspath(os.environ.get("srcdir", "."))
BUILD = os.path.abspath(LIB + "/../..")
PAGE = ROOT + "/doc/jemalloc.3"
HTML = BUILD + "/doc/jemalloc.html"
# Options whose default depends on the machine or on the build.
MEASURED = {"narenas", "abort", "abort_conf", "junk", "debug_double_free_max_scan", "thp"}
library = ctypes.CDLL(LIB)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          cwd=folder, timeout=600)


def run_examples():
    """Each example is a program that returns 0. What it prints is checked where it says something."""
    printed = []
    for code in re.findall(r"^\.Bd -literal[^\n]*\n(#include .*?)^\.Ed", page, re.M | re.S):
        with open(folder + "/example.c", "w", encoding="utf-8") as file:
            file.write(code.replace("\\e", "\\"))
        done = run("cc", "-Wall", "-Wextra", "-Werror", "-I", BUILD + "/include", "-o", "example", "example.c", LIB,
                   "-Wl,-rpath," + os.path.dirname(LIB))
        if check(done.returncode == 0, "an example can't be compiled:", done.stdout):
            done = run("./example")
            check(done.returncode == 0, "an example ends with", done.returncode, code)
            printed.append(done.stdout)
    if check(len(printed) == 3, len(printed), "examples are found"):
        sizes = re.fullmatch(r"(\d+) bytes in objects, (\d+) in memory\n", printed[0])
        check(sizes and int(sizes[1]) < int(sizes[2]), "the first example says", printed[0])
        check(printed[1].split()[:4] == ["8", "16", "32", "48"], "the second example says", printed[1])


def items(section):
    """name -> text of the items of a section, as far as they have a tag."""
    text = page.split(f"\n.Sh {section}\n")[1].split("\n.Sh ")[0]
    found = {}
    for item in re.split(r"^\.Tg ", text, flags=re.M)[1:]:
        name, _, rest = item.partition("\n")
        found[name] = rest
    return found


def value(key):
    """What the library has for an option, as the manual writes it; None: no such name."""
    for kind in (ctypes.c_bool, ctypes.c_uint32, ctypes.c_uint64):
        got, size = kind(), ctypes.c_size_t(ctypes.sizeof(kind))
        if library.mallctl(f"opt.{key}".encode(), ctypes.byref(got), ctypes.byref(size), None,
                           ctypes.c_size_t(0)) == 0:
            return got.value
    return None


def check_defaults():
    """Numbers and switches; words are pointers, as long as the longest numbers."""
    compared = 0
    for key, text in items("TUNING OPTIONS").items():
        lines = " ".join(text.split("\n.Pp\n")[0].split("\n")[1:])
        default = re.search(r"Default: \.Cm (true|false|-?\d+)(?= )", lines)
        got = value(key)
        if not default or key in MEASURED or got is None:
            continue
        wanted = {"true": 1, "false": 0}.get(default[1])
        wanted = int(default[1]) if wanted is None else wanted
        word = re.search(r"Values: \.Cm \w+ , \.Cm (?!false)", lines)
        if word and not isinstance(got, bool):
            continue
        compared += 1
        check(got in (wanted, wanted % 2 ** 64), f"the default of {key} is {default[1]}, not", got)
    check(compared > 60, "only", compared, "defaults are compared")


def check_known():
    names = re.findall(r"^\.(?:It )?Va ([a-z_]+(?:\.[\w<>]+)*)(?: Pq.*)?$",
                       page.split("\n.Ss The library\n")[1].split("\n.Sh ")[0], re.M)
    check(len(names) > 440, "only", len(names), "names are found")
    for name in names:
        mib, length = (ctypes.c_size_t * 7)(), ctypes.c_size_t(7)
        full = name.replace("<i>", "0").replace("<j>", "3")
        if name == "opt.deepbind" and not chosen("dlopen"):
            continue
        error = library.mallctlnametomib(full.encode(), mib, ctypes.byref(length))
        check(error == 0 and length.value == full.count(".") + 1, "the library has no name", name)


def check_form():
    if not shutil.which("mandoc"):
        left_out("the form of the page, because mandoc is not installed")
        return
    said = run("mandoc", "-T", "lint", "-W", "warning", PAGE).stdout
    check(said == "", "mandoc says", said)
    text = re.sub(r"\s+", " ", run("mandoc", "-T", "ascii", PAGE).stdout.replace("\b", "\0"))
    text = re.sub(r".\0", "", text)
    check("oversize_threshold Values: 0 to 8070450532247928832. Default: 8388608. Unit: bytes." in text and
          "all threads share the lock" in text, "the page does not say what oversize_threshold does and costs")


def visible(query):
    """The names that the HTML shows while it looks for `query`."""
    shown = run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--user-data-dir=" + folder,
                f"file://{HTML}?q={query}").stdout
    check(('<body class="searching">' in shown) == (query != ""), "looking for", query, "shows the rest of the page")
    check(bool(re.search('<section class="Sh" hidden', shown)) == (query != ""), "looking for", query,
          "shows or hides the wrong sections")
    return re.findall(r'<dt id="([^"]+)">', shown), re.findall(r'<dt id="([^"]+)" hidden', shown)


def check_search():
    if not shutil.which("chromium"):
        left_out("the search, because chromium is not installed")
        return
    for query, wanted in [("oversize_threshold", ["oversize_threshold", "opt.oversize_threshold",
                                                  "arena._i_.oversize_threshold"]),
                          ("arenas.bin.7.nregs", ["arenas.bin._i_.nregs"]),
                          ("mutexes.ctl.num_wait", ["stats.mutexes.ctl", "num_wait"]),
                          ("RTLD_DEEPBIND", ["deepbind", "opt.deepbind"])]:
        shown, hidden = visible(query)
        check(shown == wanted, "looking for", query, "shows", shown)
        check(len(hidden) > 300, "looking for", query, "hides only", len(hidden))
    shown, hidden = visible("")
    check(len(shown) > 400 and not hidden, "without a search,", len(hidden), "names are hidden")


def check_html():
    if not chosen("html"):
        left_out("the HTML, because mandoc was not there when configure looked for it")
        return
    built(HTML)
    html = read(HTML)
    ids = set(re.findall(r'\bid="([^"]+)"', html))
    for name in list(items("TUNING OPTIONS")) + list(items("MALLCTL NAMESPACE")):
        check(re.sub("[<>]", "_", name) in ids, "the HTML has no place for", name)
    for target in re.findall(r'href="([^"]*)"', html):
        check(target.startswith("#") and target[1:] in ids, "the HTML leads to", target)
    check(not re.search(r"\b(?:src|action)=|@import|url\(|https?:", html), "the HTML fetches something")
    check(html.count("TABLE OF CONTENTS") == 1 and "@MANUAL" not in html, "the HTML lacks its contents")
    check_search()


need("cc")
page = read(PAGE)
with tempfile.TemporaryDirectory() as folder:
    run_examples()
    if built_with("prof") and built_with("xmalloc") and built_with("fill"):
        check_defaults()
        check_known()
    else:
        left_out("names and defaults, because parts of the library were not to be built")
    check_form()
    check_html()
finish()
