#!/usr/bin/env python3
"""jeprof's pictures and pages in a real browser: search, the inverted view, keys,
differences, the page of all reports; names of any bytes. With SCREENSHOTS=folder
pictures are kept."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import jeprof as test
from browser import check, opened
from jeprof import BASE, JEPROF, symbols

BAD_NAMES = [b"<&\"'>", b"]]></script>", b"\xff\xfe", b"\xed\xa0\x80", b"\xf0\x9f\x94\xa5fire", b"\x01\x1b[31m", b"\xc3",
             b"\xef\xbf\xbf", b"a\tb", "grün::größe".encode(), b"<!- ", b"${x}`", b"\\", b"%s%n"]


def written(name, *arguments):
    done = subprocess.run([JEPROF, *arguments], capture_output=True)
    check(done.returncode == 0, f"jeprof {arguments}", done.stderr)
    with open(name, "wb") as file:
        file.write(done.stdout)
    return "file://" + os.path.abspath(name)


def frames(browser):
    """[(name, x, width, y)] of what is shown, in the order of drawing."""
    return browser.run("""
        return Array.from(document.querySelectorAll('svg.flame g[data-n]')).filter(g =>
            g.getClientRects().length > 0 && g.style.display != 'none').map(g => {
            const r = g.querySelector('rect');
            return [g.dataset.n, +r.getAttribute('x'), +r.getAttribute('width'), +r.getAttribute('y')]; })""")


def named(browser):
    return {name: (x, width, y) for name, x, width, y in frames(browser)}


def search(browser, text):
    browser.run("const box = document.querySelector('svg.flame input'); box.value = arguments[0];"
                "box.dispatchEvent(new Event('input'));".replace("arguments[0]", repr(text)))
    return browser.run("return document.querySelector('.found').textContent"), \
        set(browser.run("return Array.from(document.querySelectorAll('.hit')).map(g => g.dataset.n)"))


def status(browser):
    return browser.run("return document.querySelector('.details').textContent")


def no_errors(browser, what):
    said = browser.errors()
    check(said == [], f"errors in the browser: {what}", said)


def look_at_search(browser, url):
    browser.call("/url", {"url": url})
    found, hits = search(browser, "^(leaf|start_up)$")
    check(hits == {"leaf", "start_up"} and found == f"matched: {100 * 2064 / 2364:.1f}%", "search", found, hits)
    found, hits = search(browser, "deep")
    check(hits == {"deep"} and found == f"matched: {100 * 300 / 2364:.1f}%", "a recursion counts once", found)
    browser.save("search")
    check(search(browser, "(")[0] == "matched: 0.0%", "what is no pattern is searched as it is")
    browser.keys("\ue00c")
    check(search(browser, "")[0] == "" and status(browser) == "", "nothing is searched")


def look_at_inverted(browser):
    """The innermost functions come first; their callers lie below them."""
    before = frames(browser)
    browser.click(browser.find("css selector", ".invert rect"))
    after = named(browser)
    total = sum(width for name, _, width, y in frames(browser) if y == after["start_up"][2])
    check({"all", "start_up", "deep", "leaf", "main"} == set(after) and
          abs(after["start_up"][1] - 1200 * 2000 / 2364) < 1 and abs(total - 1200) < 3, "inverted", after)
    check(after["all"][2] < after["start_up"][2] < after["main"][2], "the order of rows", after)
    browser.save("inverted")
    found, _ = search(browser, "main")
    check(found == "matched: 100.0%", "search in the inverted view", found)
    search(browser, "")
    browser.click(browser.find("css selector", ".invert rect"))
    check(frames(browser) == before, "and back", before, frames(browser))


def look_at_keys(browser, url):
    browser.call("/url", {"url": url})
    browser.run("document.querySelector('g[data-n=all]').focus()")
    where = "return document.activeElement.dataset.n"
    up, down, right, left = "\ue013", "\ue015", "\ue014", "\ue012"
    for keys, name in ((up, "main"), (up, "start_up"), (left, "leaf"), (left, "deep"), (right, "leaf"), (down, "main"),
                       (up + left, "leaf")):
        browser.keys(keys)
        check(browser.run(where) == name, f"the key to {name}", browser.run(where))
    check(status(browser) == "leaf: 64 B, 2.7%; 1 objects, program", "what the frame has", status(browser))
    browser.keys("\ue007")
    shown = named(browser)
    check(set(shown) == {"all", "main", "leaf"} and shown["leaf"][1] > 1198, "Enter enlarges", shown)
    browser.keys("\ue00c")
    check("start_up" in named(browser), "Escape goes back")
    browser.keys("/")
    check(browser.run("return document.activeElement.localName") == "input", "/ goes to the search")
    browser.keys("leaf")
    check(browser.run("return document.querySelectorAll('.hit').length") == 1, "it is searched while one types")
    browser.keys("\ue00ci")
    check(named(browser)["start_up"][2] > named(browser)["all"][2], "i inverts")
    no_errors(browser, "keys")


def look_at_difference(browser, program, dump):
    """Red grew, blue shrank; a width is how much changed."""
    with open(dump) as file:
        text = file.read()
    # deep had 300 and has 1300; start_up had 2000 and has 500.
    test.write("later.heap", text.replace(": 3: 300 ", ": 3: 1300 ").replace(": 2: 2000 ", ": 1: 500 "))
    url = written("growth.svg", "--flamegraph", "--show_bytes", "--base=" + dump, program, "later.heap")
    browser.call("/url", {"url": url})
    shown = named(browser)
    check(set(shown) == {"all", "main", "deep", "start_up"} and abs(shown["deep"][1] - 1200 * 1000 / 2500) < 1 and
          abs(shown["start_up"][1] - 1200 * 1500 / 2500) < 1, "what changed", shown)
    title = browser.run("return document.querySelector('.headline').textContent")
    check(title == f"{program}: inuse_space, -500 B since {dump} (2364 to 1864 B)", "title", title)
    colors = browser.run("""return Array.from(document.querySelectorAll('.frames g')).map(g =>
        [g.dataset.n, g.querySelector('rect').getAttribute('fill'), g.querySelector('title').textContent])""")
    colors = {name: (fill, tip) for name, fill, tip in colors}
    check(colors["deep"][0] == "rgb(240,110,110)" and colors["start_up"][0] == "rgb(110,110,240)" and
          re.fullmatch(r"rgb\((\d+),\1,240\)", colors["main"][0]), "colours", colors)
    check(colors["start_up"][1] == "start_up: -1500 B (2000 to 500)\n-1 objects, program", "a frame's change", colors)
    browser.save("difference")
    browser.click(browser.find("css selector", ".invert rect"))
    check(named(browser)["deep"][1] > 400, "inverted")
    tips = texts(browser, ".frames title")
    check("deep: +1000 B (300 to 1300)\n0 objects, program" in tips and
          "start_up: -1500 B (2000 to 500)\n-1 objects, program" in tips, "changes in the inverted view", tips)
    no_errors(browser, "a difference")


def look_at_bad_names(browser):
    raw = b"--- symbol\nbinary=/x/<&\xff\n" + b"".join(
        b"0x%d000 " % number + name + b"\n" for number, name in enumerate(BAD_NAMES, 10)) + \
        b"---\n--- heap\nheap_v2/1\n  t*: 1: 1 [0: 0]\n" + b"".join(
        b"@ 0x%d000\n  t*: 1: 100 [0: 0]\n" % number for number in range(10, 10 + len(BAD_NAMES))) + \
        b"\nMAPPED_LIBRARIES:\n"
    with open("bad.raw", "wb") as file:
        file.write(raw)
    if shutil.which("dot"):
        # The program draws it, and must get what it can read.
        written("graph.svg", "--svg", "bad.raw")
        text = "".join(xml.etree.ElementTree.parse("graph.svg").getroot().itertext())
        check(all(name in text for name in ("<&\"'>", "größe", "🔥fire", "${x}`")), "a graph of any names", text)
    url = written("bad.svg", "--flamegraph", "bad.raw")
    names = [g.get("data-n") for g in xml.etree.ElementTree.parse("bad.svg").iter() if g.get("data-n")]
    check(len(names) == len(BAD_NAMES) + 1 and "<&\"'>" in names and "grün::größe" in names and "🔥fire" in names,
          "well formed", names)
    browser.call("/url", {"url": url})
    check(len(frames(browser)) == len(BAD_NAMES) + 1, "frames with any names", frames(browser))
    browser.save("bad-names")
    browser.call("/url", {"url": written("bad.html", "--html", "bad.raw")})
    check(len(frames(browser)) == len(BAD_NAMES) + 1, "a page with any names", frames(browser))
    no_errors(browser, "any names")


def texts(browser, selector):
    return browser.run(f"return Array.from(document.querySelectorAll('{selector}')).map(e => e.textContent)")


def choose(browser, using, value, name):
    """Follows a link to a function: the browser tells the page a moment later."""
    browser.click(browser.find(using, value))
    end = time.monotonic() + 60
    while texts(browser, "#chosen") != [name] and time.monotonic() < end:
        time.sleep(0.05)


def look_at_page(browser, program, dump):
    browser.call("/url", {"url": written("page.html", "--html", "--show_bytes", program, dump)})
    check(browser.run("return document.title") == f"{program}: inuse_space, 2364 B", "title of the page")
    rows = texts(browser, "#functions tbody tr")
    check([row.replace("%", " ") for row in rows] == [
        "200084.6 200084.6 start_up", "30012.7 30012.7 deep", "642.7 642.7 leaf", "00.0 2364100.0 main"], "table", rows)
    browser.save("page")
    browser.click(browser.find("css selector", "#functions th:nth-child(3) button"))
    check(texts(browser, "#functions tbody a")[0] == "main", "sorted by the other column")
    choose(browser, "link text", "main", "main")
    check(texts(browser, "#chosen") == ["main"] and texts(browser, "#callers tbody tr") == ["none"] and
          texts(browser, "#callees tbody tr") == ["2000start_up", "300deep", "64leaf"], "callees of main",
          texts(browser, "#callees tbody tr"))
    opened_source = texts(browser, "details[open] b")
    check(any(line.split()[:2] == [".", "2364"] for line in opened_source) and
          "start_up();" in " ".join(texts(browser, "details[open] pre")), "source of main", opened_source)
    choose(browser, "css selector", "#callees tbody a", "start_up")
    check(texts(browser, "#chosen") == ["start_up"] and texts(browser, "#callers tbody tr") == ["2000main"], "callers")
    browser.save("page-chosen")
    browser.run("const box = document.getElementById('filter'); box.value = 'EA';"
                "box.dispatchEvent(new Event('input'))")
    check(browser.run("return Array.from(document.querySelectorAll('#functions tbody tr')).filter(r => !r.hidden)"
                      ".map(r => r.querySelector('a').textContent)") == ["leaf"], "filter")
    check(search(browser, "leaf")[0] == "matched: 2.7%", "search in the page's picture")
    with open("page.html") as file:
        text = file.read()
    check(not re.search(r"(src|href)=\"?(https?:)?//|url\(|@import", text), "nothing comes from elsewhere")
    no_errors(browser, "the page")


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        test.write("program.c", test.SOURCE)
        program, dump = test.example()
        url = written("heap.svg", "--flamegraph", "--show_bytes", program, dump)
        with opened(folder) as browser:
            look_at_search(browser, url)
            look_at_inverted(browser)
            look_at_keys(browser, url)
            look_at_difference(browser, program, dump)
            look_at_bad_names(browser)
            look_at_page(browser, program, dump)
        os.chdir("/")


main()
