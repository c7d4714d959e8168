#!/usr/bin/env python3
"""What stands in a flame graph: all nodes that are wide enough, with their values, and the modules, the
largest first."""
import re
import sys
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import jeprof as test
from jeprof import check, good, run, write

SPACE = "{http://www.w3.org/2000/svg}"
places = {}


def profile(name, *stacks):
    """Stacks are (objects in use, bytes in use, all objects, all bytes, names), the outermost name first."""
    text = f"heap profile: {' '.join(['1: 1 [1: 1]'])} @ heap/1\n"
    for objects, size, all_objects, all_size, *frames in stacks:
        at = [places.setdefault(frame, 0x400000 + 16 * len(places)) for frame in frames[::-1]]
        text += f"{objects}: {size} [{all_objects}: {all_size}] @ {' '.join(f'{pc:#x}' for pc in at)}\n"
        text += "".join(f"#\t{pc - 1:#x}\t{frame}+0x1\tf.go:1\n" for pc, frame in zip(at, frames[::-1])) + "\n"
    return write(name, text)


def picture(*arguments):
    """Nodes as (name, depth, width, module, values of its own, tooltip), and the names of the legend."""
    root = xml.etree.ElementTree.fromstring(good("--flamegraph", "--show_bytes", *arguments))
    nodes, legend = [], []
    for g in root.iter(SPACE + "g"):
        if g.get("data-n"):
            nodes.append((g.get("data-n"), int(g.get("data-d")), round(float(g.get("data-w")), 2), g.get("data-m"),
                          g.get("data-s"), g.find(SPACE + "title").text))
        if g.get("class") == "legend":
            legend = [text.text for text in g.iter(SPACE + "text")]
    return nodes, legend


def test_values():
    """Each view, and what the other one says; a difference."""
    dump = profile("values", (1, 100, 3, 700, "main.a", "main.b"), (2, 200, 4, 800, "main.a"),
                   (5, 300, 5, 500, "main.a", "main.b", "main.c"))
    for view, want in (("--inuse_space", (600, 8, 200, 2, 100, 1)), ("--inuse_objects", (8, 600, 2, 200, 1, 100)),
                       ("--alloc_space", (2000, 12, 800, 4, 700, 3)), ("--alloc_objects", (12, 2000, 4, 800, 3, 700))):
        nodes, _ = picture(view, dump)
        value, other, a, a_other, b, b_other = want
        found = {name: (depth, own) for name, depth, _, _, own, _ in nodes}
        check([name for name, *_ in nodes] == ["all", "main.a", "main.b", "main.c"] and
              found["all"] == (0, None) and found["main.a"] == (1, f"{a},{a},0,{a_other}") and
              found["main.b"] == (2, f"{b},{b},0,{b_other}"), view, nodes)
        unit, other_unit = (" B", "objects") if "space" in view else (" objects", "B")
        check(nodes[0][5].startswith(f"all: {value}{unit}, 100.0%\n{other} {other_unit}, "), "tooltip", view, nodes)
        check(abs(nodes[2][2] - 1200 * (value - a) / value) < .01, "width", view, nodes)
    base = profile("base", (1, 150, 3, 700, "main.a", "main.b"), (4, 500, 4, 800, "main.a"), (1, 70, 1, 1, "main.d"),
                   (5, 300, 5, 500, "main.a", "main.b", "main.c"))
    nodes, legend = picture("--base=" + base, dump)
    # 50, 300 and 70 bytes less; what has not changed has no width.
    check([(name, width, own) for name, _, width, _, own, _ in nodes] ==
          [("all", 1200, None), ("main.a", 1000, "300,-300,500,-2"), ("main.b", 142.86, "50,-50,150,0"),
           ("main.d", 200, "70,-70,70,-1")], "a difference", nodes)
    tips = {name: tip for name, *_, tip in nodes}
    check(tips["all"].startswith("all: -420 B (1020 to 600)\n-3 objects") and
          tips["main.b"].startswith("main.b: -50 B (450 to 400)\n"), "tooltips of a difference", tips)
    check("more" in legend, "legend of a difference", legend)


def test_narrow():
    """Nodes of 0.2 pixels are there, and what is in narrower ones still counts."""
    for rest, there in (5990, True), (5991, False):
        nodes, legend = picture(profile("narrow", (1, rest, 1, 1, "main.a"), (1, 9, 1, 1, "main.b"),
                                        (1, 1, 1, 1, "other.c", "third.d")))
        names = [name for name, *_ in nodes]
        check(("other.c" in names and "third.d" in names) == there and "main.b" in names, "narrow nodes", rest, nodes)
        check(("third" in legend) == there and "main" in legend, "modules of narrow nodes", rest, legend)
        check(nodes[0][5].startswith(f"all: {rest + 10} B"), "the sum", nodes)


def test_modules():
    """Packages of Go and others, by what they have of their own."""
    names = {"main.run": "main", "net/http.(*Server).Serve": "net/http", "github.com/a/b.f": "github.com/a/b",
             "a.b/c": None, ".start": None, "plain": None, "std::a.b": None}
    dump = profile("modules", *((1, 100 + number, 1, 1, name) for number, name in enumerate(names)))
    nodes, legend = picture(dump)
    none = nodes[0][3]
    found = {name: module for name, _, _, module, _, _ in nodes if name != "all"}
    check(found == {name: module or none for name, module in names.items()} and
          set(names.values()) - {None} == set(found.values()) - {none}, "modules", found)
    check(all(tip.endswith(", " + module) for _, _, _, module, _, tip in nodes), "modules of tooltips", nodes)
    check(legend == [none, "github.com/a/b", "net/http", "main"], "each module once", legend)
    # Twelve of them, with what is called by others; two have the same.
    sizes = {"m0": 5, "m1": 90, "m5": 80, "m3": 7, "m4": 100, "m2": 80, "m6": 95, "m7": 6, "m8": 20, "m9": 30, "ma": 40,
             "mb": 50}
    dump = profile("ranks", *((1, size, 1, 1, "mb.outer" if size % 20 else "m0.outer", f"{name}.f")
                              for name, size in sizes.items()))
    nodes, legend = picture(dump)
    order = sorted(sizes, key=lambda name: (-sizes[name], name))
    check(legend == order[:10] and nodes[0][3] == "ranks", "the largest first", legend, order, nodes[0])
    out = good("--flamegraph", dump)
    colours = {module: hue for module, hue in
               re.findall(r'(?s)data-n="\w+\.f" data-m="(\w+)".*?fill="hsl\((\d+,\d+%)', out)}
    places_of = dict(zip(legend, re.findall(r'height="12" fill="hsl\((\d+),70%', out)))
    check(all(colours[name] == places_of[name] + ",70%" for name in legend) and
          len(set(places_of.values())) == 10 and all(colours[name].endswith(",8%") for name in order[10:]),
          "colours", colours, places_of)


def test_many():
    """More callees of one function than a first table has room for, each of two stacks."""
    stacks = [(1, 1, 1, 1, "main.a", f"main.f{number}", f"main.g{way}") for way in range(2) for number in range(2500)]
    nodes, _ = picture(profile("many", *stacks, (1, 3, 1, 1, "main.b", "main.f1"), (1, 2, 1, 1, "main.b", "main.f0")))
    widths = {}
    for name, depth, width, *_ in nodes:
        widths.setdefault((name, depth), []).append(width)
    each = 1200 / 5005
    check(all(len(widths[f"main.f{number}", 2]) == (2 if number < 2 else 1) for number in range(2500)), "each is there")
    check(all(abs(widths[f"main.f{number}", 2][0] - 2 * each) < .02 for number in range(2500)), "as wide as its stacks")
    check(sorted(widths["main.f1", 2]) == sorted(round(width * each, 2) for width in (2, 3)), "of each caller", widths)
    check(len(widths["main.g0", 3]) == len(widths["main.g1", 3]) == 2500, "their callees")


def all_tests():
    test_values()
    test_narrow()
    test_modules()
    test_many()


test.run_tests(all_tests)
