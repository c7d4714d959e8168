#!/usr/bin/env python3
"""The example server in a real browser: a click on work, then the flame graph
of its heap: what it shows, and that hovering, enlarging and going back work.

Talks to chromedriver in the protocol of WebDriver. JEMALLOC_LIB names the
library; with SCREENSHOT=file the picture is kept.
"""
import base64
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
from browser import DIRECT, check, opened, start
from lib import LIB, built, need_jeprof, skip, strict

SERVER = os.path.abspath(LIB + "/../../test/example/heap-server")
JEPROF = need_jeprof()
LEAK = "g[data-n=history_remember]"

built(SERVER)


def profiled(url):
    try:
        return DIRECT.open(url + "heap_profile", timeout=600).status == 200
    except urllib.error.HTTPError:
        return False


def check_labels(browser):
    long = browser.run("""
        return Array.from(document.querySelectorAll('g[data-n]')).filter(g =>
            g.querySelector('text').getBBox().width >
            Math.max(+g.querySelector('rect').getAttribute('width'), 4)).map(g => g.dataset.n)""")
    check(long == [], "names that are longer than their frames", long)


def look_at_long_names(browser, folder):
    stacks = "".join(f"@ 0x{number}000\n  t*: {number}: {number}00 [0: 0]\n"
                     for number in range(1, 9))
    with open(folder + "/long.raw", "w") as raw:
        raw.write("--- symbol\nbinary=/x\n" +
                  "".join(f"0x{number}000 {'long_name' * 40}{number}\n" for number in range(1, 9)) +
                  "---\n--- heap\nheap_v2/1\n  t*: 36: 3600 [0: 0]\n" + stacks +
                  "\nMAPPED_LIBRARIES:\n")
    with open(folder + "/long.svg", "w") as picture:
        subprocess.run([JEPROF, "--flamegraph", folder + "/long.raw"], stdout=picture, check=True)
    browser.call("/url", {"url": "file://" + folder + "/long.svg"})
    check(len(browser.frames()) == 9, "frames with long names", browser.frames())
    check_labels(browser)
    browser.click(browser.find("css selector", "g:last-of-type rect"))
    check_labels(browser)


def look_at(browser, url):
    browser.call("/url", {"url": url})
    browser.click(browser.find("link text", "work"))
    text = browser.run("return document.body.textContent")
    check("20000 sessions" in text, "the link to work", text)
    browser.call("/back", {})
    browser.click(browser.find("link text", "flame graph of the heap"))
    check(browser.run("return document.documentElement.tagName") == "svg", "no picture")

    frames = browser.frames()
    check("history_remember" in frames and "run_listener" in frames, "frames", frames)
    shown, _, width, label, tip = frames["history_remember"]
    check(shown and 1100 < width < 1200 and label == "history_remember" and
          re.fullmatch(r"history_remember: [12]\d\.\d MB, 9\d\.\d%\n\d+ objects, heap-server", tip), "the leak",
          frames["history_remember"])
    check_labels(browser)

    leak = browser.find("css selector", LEAK + " rect")
    stroke = f"return getComputedStyle(document.querySelector('{LEAK} rect')).stroke"
    check(browser.run(stroke) == "none", "an outline before")
    browser.hover(leak)
    check(browser.run(stroke) == "rgb(0, 0, 0)", "no outline under the mouse",
          browser.run(stroke))

    browser.click(leak)
    zoomed = browser.frames()
    check(zoomed["history_remember"][:2] == [True, 0] and zoomed["history_remember"][2] > 1199 and
          not zoomed["run_listener"][0], "enlarged", zoomed)
    browser.click(browser.find("css selector", "g[data-n=all] rect"))
    back = browser.frames()
    check(all(back[name][0] and abs(back[name][1] - frames[name][1]) < .1 and
              abs(back[name][2] - frames[name][2]) < .1 and back[name][3] == frames[name][3]
              for name in frames), "enlarged and back", frames, back)
    said = browser.errors()
    check(said == [], "errors in the browser", said)
    return base64.b64decode(browser.call("/screenshot"))


def main():
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MALLOC_CONF", "LD_PRELOAD")}
    children = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment.update(TMPDIR=folder, HOME=folder, JEPROF=JEPROF)
        try:
            child, url = start([SERVER], "(http://.*)", {
                **environment, "LD_PRELOAD": LIB,
                "MALLOC_CONF": strict("prof:true,lg_prof_sample:14")})
            children.append(child)
            if not profiled(url):
                skip("built without heap profiles")
            with opened(folder, environment) as browser:
                picture = look_at(browser, url)
                look_at_long_names(browser, folder)
        finally:
            for child in children:
                child.terminate()
                child.wait(300)
    check(picture.startswith(b"\x89PNG") and len(picture) > 5000, "the screenshot")
    if "SCREENSHOT" in os.environ:
        with open(os.environ["SCREENSHOT"], "wb") as file:
            file.write(picture)


main()
